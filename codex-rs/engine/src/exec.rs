//! One run of upstream's `exec` as our child: our stdin and stdout are its own, signals reach it once, and its end is told
//! as it was. It reads no event of the run, and it does not decide what our own exit code is.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::EngineError;
use crate::leash::Launch;

/// Bytes of stderr kept in [`Stderr::Tee`].
pub const STDERR_KEPT: usize = 64 * 1024;
/// How long to read on after the child's end, for a grandchild may hold its stderr open for ever.
const AFTERGLOW: Duration = Duration::from_millis(200);

/// What happens to the child's stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// It is ours.
    Inherit,
    /// It is copied to ours, and its end is kept. A terminal is inherited all the same: colours and width must not change.
    Tee,
}

/// A run of upstream's `exec`, or of any other of its subcommands.
#[derive(Debug, Clone)]
pub struct ExecPlan {
    /// The engine.
    pub launch: Launch,
    /// All its arguments, `exec` included.
    pub args: Vec<OsString>,
    /// Added to the environment.
    pub envs: Vec<(OsString, OsString)>,
    /// The working directory, when it is not ours.
    pub cwd: Option<PathBuf>,
    /// What happens to its stderr.
    pub stderr: Stderr,
    /// It starts nothing that must end with it ([`Launch::bare_command`]).
    pub is_bare: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecEnd {
    /// As the system told.
    pub status: ExitStatus,
    /// The last [`STDERR_KEPT`] bytes of stderr, when they passed through us.
    pub stderr_tail: Option<Vec<u8>>,
}

/// An end, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl ExecEnd {
    /// Exit code or signal.
    pub fn end(&self) -> End {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => End::Code(code),
            (None, signal) => End::Signal(signal.unwrap_or_default()),
        }
    }

    /// The exit code a shell would show: 128 and the signal's number for a signal.
    pub fn shell_code(&self) -> i32 {
        match self.end() {
            End::Code(code) => code,
            End::Signal(signal) => 128 + signal,
        }
    }
}

/// A running child.
#[derive(Debug)]
pub struct ExecChild {
    child: Child,
    pid: Option<Pid>,
    stderr: Option<ChildStderr>,
    signals: Signals,
}

impl ExecChild {
    /// Starts the child; from here on our SIGINT, SIGTERM, SIGHUP and SIGQUIT no longer end us. Must be called inside a
    /// tokio runtime, on a thread that lives as long as the child ([`crate::leash`]).
    ///
    /// # Errors
    /// [`EngineError::Spawn`].
    pub fn spawn(plan: &ExecPlan) -> Result<Self, EngineError> {
        let fail = |source| EngineError::Spawn {
            program: plan.launch.program.clone(),
            source,
        };
        // Caught, not ignored: an ignored signal would stay ignored in the child.
        let signals = Signals::catch().map_err(fail)?;
        let tee = plan.stderr == Stderr::Tee && !io::stderr().is_terminal();
        let mut command = Command::from(match plan.is_bare {
            true => plan.launch.bare_command(),
            false => plan.launch.command(),
        });
        command
            .args(&plan.args)
            .envs(plan.envs.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::inherit())
            .stdout(Stdio::inherit())
            .stderr(if tee {
                Stdio::piped()
            } else {
                Stdio::inherit()
            });
        if let Some(cwd) = &plan.cwd {
            command.current_dir(cwd);
        }
        let mut child = command.spawn().map_err(fail)?;
        Ok(Self {
            pid: child
                .id()
                .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)),
            stderr: child.stderr.take(),
            child,
            signals,
        })
    }

    /// The child's process id, until it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the end, passing on stderr and signals meanwhile.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the system cannot tell the child's end.
    pub async fn wait(mut self) -> Result<ExecEnd, EngineError> {
        let mut tail = self.stderr.as_ref().map(|_| Vec::new());
        let mut chunk = vec![0; 16 * 1024];
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                kind = self.signals.next() => self.forward(kind),
                read = read_some(&mut self.stderr, &mut chunk) => match read {
                    0 => self.stderr = None,
                    n => pass_on(chunk.get(..n).unwrap_or_default(), &mut tail).await,
                },
            }
        };
        let drain = async {
            while self.stderr.is_some() {
                match read_some(&mut self.stderr, &mut chunk).await {
                    0 => self.stderr = None,
                    n => pass_on(chunk.get(..n).unwrap_or_default(), &mut tail).await,
                }
            }
        };
        let _ = tokio::time::timeout(AFTERGLOW, drain).await;
        Ok(ExecEnd {
            status: status.map_err(|source| EngineError::Io {
                doing: "wait for",
                path: "codex exec".into(),
                source,
            })?,
            stderr_tail: tail,
        })
    }

    fn forward(&self, kind: SignalKind) {
        let from_keys = [SignalKind::interrupt(), SignalKind::quit()];
        if from_keys.contains(&kind) && terminal_signals_us() {
            return;
        }
        let signal = rustix::process::Signal::from_named_raw(kind.as_raw_value());
        if let (Some(pid), Some(signal)) = (self.pid, signal)
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, "the child did not take a signal");
        }
    }
}

/// Whether Ctrl-C and Ctrl-\\ reach the child by themselves: we are in the terminal's foreground group, and so is it.
fn terminal_signals_us() -> bool {
    is_foreground(io::stdin()) || is_foreground(io::stdout()) || is_foreground(io::stderr())
}

#[cfg(target_os = "linux")]
use crate::guard::is_foreground;

#[cfg(not(target_os = "linux"))]
fn is_foreground(terminal: impl std::os::fd::AsFd) -> bool {
    rustix::termios::tcgetpgrp(terminal) == Ok(rustix::process::getpgrp())
}

async fn read_some(stderr: &mut Option<ChildStderr>, chunk: &mut [u8]) -> usize {
    match stderr {
        Some(stderr) => stderr.read(chunk).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

async fn pass_on(bytes: &[u8], tail: &mut Option<Vec<u8>>) {
    let mut ours = tokio::io::stderr();
    // Nobody may be reading our stderr any more; the child must not block on it.
    let _ = ours.write_all(bytes).await;
    let _ = ours.flush().await;
    if let Some(tail) = tail {
        keep_end(tail, bytes);
    }
}

fn keep_end(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(bytes);
    let excess = tail.len().saturating_sub(STDERR_KEPT);
    tail.drain(..excess);
}

#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.quit.recv() => SignalKind::quit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_stderr_is_kept() {
        let mut tail = Vec::new();
        for chunk in 0..=u8::MAX {
            keep_end(&mut tail, &[chunk; 1000]);
        }
        assert_eq!(tail.len(), STDERR_KEPT);
        assert!(tail.ends_with(&[u8::MAX; 1000]));
        assert_eq!(tail.first(), Some(&190));
    }
}
