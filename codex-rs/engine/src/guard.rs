//! The process between us and the engine, on Linux: it outlives `kill -9` of us just long enough to end the engine and all
//! that is the engine's own ([`crate::descendants`] tells what), and otherwise is not noticed. It passes signals on, ends as
//! the engine ends, and leaves alone what the engine left running of its own accord.
//!
//! It is in a session of its own, so that keys, hang-ups and job control meet only us and the engine, which stay in one
//! process group as they would be without it: Ctrl-C reaches the engine once, and what is sent to the guard's pid is meant
//! for the engine. It keeps none of the engine's stdin, stdout and stderr. Orphans below it become its children; that is
//! what keeps them findable.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, exit};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, kill_process,
    pidfd_open, pidfd_send_signal, set_child_subreaper, set_dumpable_behavior, setsid, wait,
};

use crate::descendants::{self, Owned, Process};
use crate::error::EngineError;
use crate::leash::{HOLD, LEASH, still_child_of};
use crate::signals::Signals;

/// How long killing may take; only what spawns faster than it is killed, or hangs in the kernel, needs more.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one process may take to stop or to end.
const ONE_END: Duration = Duration::from_millis(200);
/// Who kills a whole process group takes the engine before us, or us before the engine, by some microseconds.
const TOGETHER: Duration = Duration::from_millis(100);

/// A started engine and who it belongs to.
pub(crate) struct Guard {
    parent: OwnedFd,
    engine: Pid,
    owned: Owned,
    signals: Signals,
    is_apart: bool,
}

impl Guard {
    /// Starts the engine; `None` when the system lacks what a guard needs, and nothing was started.
    ///
    /// # Errors
    /// [`EngineError::ParentGone`].
    pub(crate) fn start(
        parent: i32,
        program: &OsString,
        args: &[OsString],
    ) -> Result<Option<Self>, EngineError> {
        let named = Pid::from_raw(parent).ok_or(EngineError::LeashUsage)?;
        let parent_fd = match pidfd_open(named, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Err(EngineError::ParentGone),
            Err(_) => return Ok(None),
        };
        // Asked after it was opened: so it is our parent that was opened.
        still_child_of(parent)?;
        let own = getpid();
        let Some(session) = descendants::own().map(|own| own.session) else {
            return Ok(None);
        };
        let Ok(signals) = Signals::catch() else {
            return Ok(None);
        };
        if set_child_subreaper(Some(own)).is_err() {
            return Ok(None);
        }
        let child = Command::new("/proc/self/exe")
            .args([LEASH, HOLD, &own.to_string()])
            .arg(program)
            .args(args)
            .spawn();
        let engine = child
            .ok()
            .and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?));
        let Some(engine) = engine else {
            let _ = set_child_subreaper(None);
            return Ok(None);
        };
        // The engine has inherited the session already, and waits for this ([`await_apart`]).
        let is_apart = setsid().is_ok();
        let_go_of_stdio();
        Ok(Some(Self {
            parent: parent_fd,
            engine,
            owned: Owned::new(own.as_raw_pid(), engine.as_raw_pid(), session),
            signals,
            is_apart,
        }))
    }

    /// Waits for the end of the engine, or ours.
    pub(crate) fn stay(mut self) -> ! {
        loop {
            if let Some(status) = self.reap() {
                // Unlike other ends, this one may be half of a kill of us both.
                let is_killed = status.terminating_signal() == Some(Signal::KILL.as_raw());
                let patience = if is_killed { TOGETHER } else { Duration::ZERO };
                if is_ready(&self.parent, patience) {
                    self.end_all();
                }
                end_as(status);
            }
            if is_ready(&self.parent, Duration::ZERO) {
                let _ = kill_process(self.engine, Signal::STOP);
                self.await_stop();
                self.end_all();
                exit(128 + Signal::KILL.as_raw());
            }
            for signal in self.signals.take() {
                if self.is_apart || !self.comes_from_keys(signal) {
                    let _ = kill_process(self.engine, signal);
                }
            }
            self.signals.wait(Some(&self.parent), None);
        }
    }

    /// The end of the engine, if it has ended. Orphans that have ended are buried on the way; those that ended with the
    /// engine are not, for the engine comes first among the children.
    fn reap(&self) -> Option<WaitStatus> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.engine => return Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return None,
                // Not to be had while the engine is unburied.
                Err(_) => exit(1),
            }
        }
    }

    /// When the guard could not leave the session (it leads its process group), keys reach it as well as the engine.
    fn comes_from_keys(&self, signal: Signal) -> bool {
        let terminal = || OpenOptions::new().read(true).open("/dev/tty").ok();
        matches!(signal, Signal::INT | Signal::QUIT)
            && terminal().is_some_and(|tty| is_foreground(&tty))
    }

    /// A stopped engine starts nothing more.
    fn await_stop(&mut self) {
        let started = Instant::now();
        let is_running = || {
            descendants::read(self.engine.as_raw_pid())
                .is_some_and(|engine| !engine.is_stopped && !engine.has_ended)
        };
        while started.elapsed() < ONE_END && is_running() {
            // The signal of its stop wakes us.
            self.signals.wait(None, Some(Duration::from_millis(10)));
        }
    }

    /// Ends the engine's own, then the engine, then what came meanwhile.
    fn end_all(&mut self) {
        self.rounds(true);
        let engine = descendants::read(self.engine.as_raw_pid());
        if let Some(engine) = engine.filter(|engine| engine.parent == getpid().as_raw_pid())
            && let Some(fd) = end(&engine)
        {
            is_ready(&fd, PATIENCE);
        }
        self.rounds(false);
    }

    /// Kills until a look at all processes finds nothing to kill.
    fn rounds(&mut self, is_learning: bool) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let Ok(all) = descendants::all() else { return };
            let is_over = if is_learning && !self.owned.learn(&all) {
                // Its direct children are just about to end.
                started.elapsed() > TOGETHER
            } else {
                true
            };
            let killed: Vec<OwnedFd> = self.owned.targets(&all).iter().filter_map(end).collect();
            if killed.is_empty() {
                if is_over {
                    return;
                }
                self.signals.wait(None, Some(TOGETHER / 4));
            }
            for fd in &killed {
                is_ready(fd, ONE_END);
            }
        }
    }
}

/// In the second stage: waits until the guard is out of reach of the keys, for a key would reach the engine twice.
pub(crate) fn await_apart(guard: i32) {
    let session = descendants::own().map(|own| own.session);
    let started = Instant::now();
    // The leader of a process group cannot leave; and usually it has left long before this is asked.
    let is_near = || {
        descendants::read(guard)
            .is_some_and(|read| Some(read.session) == session && read.group != guard)
    };
    while is_near() && started.elapsed() < ONE_END {
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Whether keys of this terminal reach us.
pub(crate) fn is_foreground(terminal: impl AsFd) -> bool {
    let group = match rustix::termios::tcgetpgrp(terminal) {
        Ok(group) => group.as_raw_pid(),
        // A group outside our pid namespace, as ours may be.
        Err(Errno::OPNOTSUPP) => 0,
        Err(_) => return false,
    };
    descendants::own().is_some_and(|own| own.group == group)
}

/// Kills a process that was read, unless its pid is another's by now. Its pidfd tells its end.
fn end(process: &Process) -> Option<OwnedFd> {
    let fd = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::empty()).ok()?;
    let now = descendants::read(process.pid)?;
    if now.started != process.started || now.session != process.session {
        return None;
    }
    pidfd_send_signal(&fd, Signal::KILL).ok().map(|()| fd)
}

/// Whether a pidfd has told, or tells in time, that its process has ended.
fn is_ready(fd: &OwnedFd, patience: Duration) -> bool {
    let started = Instant::now();
    loop {
        let rest = patience.saturating_sub(started.elapsed());
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(rest).ok().as_ref()) {
            // Children end meanwhile.
            Err(Errno::INTR) => {}
            outcome => return outcome.is_ok_and(|ready| ready > 0),
        }
    }
}

/// Who reads the engine's output must see its end when the engine ends, and so must who writes its input.
fn let_go_of_stdio() {
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

fn end_as(status: WaitStatus) -> ! {
    if let Some(code) = status.exit_status() {
        exit(code);
    }
    let signal = status.terminating_signal().unwrap_or_default();
    // The engine has left its core, if any; ours is of no use.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    exit(128 + signal)
}
