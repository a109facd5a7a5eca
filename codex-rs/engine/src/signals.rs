//! The signals of the guard: caught without unsafe code, told through a pipe that can be polled beside a pidfd. It sends none.

use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

/// What is passed on to the engine. Stop and continue concern process groups, and the guard is in none but its own.
const FORWARDED: [Signal; 6] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
];
/// Signals caught, and the pipe that tells of them.
pub(crate) struct Signals {
    caught: Vec<(Signal, Arc<AtomicBool>)>,
    pipe: UnixStream,
}

impl Signals {
    /// Catches what is not ignored: an ignored signal must stay so in the engine (`nohup`), a caught one is reset there.
    pub(crate) fn catch() -> std::io::Result<Self> {
        let (pipe, told) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let ignored = ignored();
        let mut caught = Vec::new();
        for signal in FORWARDED {
            if ignored & (1 << (signal.as_raw() - 1)) == 0 {
                let flag = Arc::new(AtomicBool::new(false));
                signal_hook::flag::register(signal.as_raw(), Arc::clone(&flag))?;
                signal_hook::low_level::pipe::register(signal.as_raw(), told.try_clone()?)?;
                caught.push((signal, flag));
            }
        }
        signal_hook::low_level::pipe::register(Signal::CHILD.as_raw(), told)?;
        Ok(Self { caught, pipe })
    }

    /// What has come since the last call.
    pub(crate) fn take(&self) -> Vec<Signal> {
        let come = self
            .caught
            .iter()
            .filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        come.map(|(signal, _)| *signal).collect()
    }

    /// Waits for a signal, a child's change of state among them, or for `other`'s end.
    pub(crate) fn wait(&mut self, other: Option<&OwnedFd>, patience: Option<Duration>) {
        let fds = [Some(self.pipe.as_fd()), other.map(AsFd::as_fd)];
        let mut fds: Vec<PollFd<'_>> = fds
            .into_iter()
            .flatten()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let _ = poll(&mut fds, patience.as_ref());
        // Drained before the flags are looked at: what comes later is told once more.
        let mut told = [0; 64];
        while matches!(self.pipe.read(&mut told), Ok(1..)) {}
    }
}

/// The signals this process ignores, as a bit each.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or_default()
}
