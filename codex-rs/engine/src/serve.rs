//! An app-server that others connect to: `codex app-server --listen unix://…` on the leash, started, watched and stopped;
//! and the daemon that plain codex may have left running. Nothing here speaks to either ([`crate::app_server`] does, over
//! stdio; the interposer carries other clients' frames).
//!
//! Upstream makes the path a link to a socket in a folder of its own, after it listens there, and removes both when it ends
//! by itself. So the path may be of any length, and its appearance tells that connections are taken.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{mpsc, watch};

use crate::connection::Death;
use crate::error::EngineError;
use crate::home::{CONTROL, SOCKET};
use crate::leash::Launch;
use crate::words::LastWords;

/// Between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(2);
/// How long it may take to die of the second signal.
const SECOND: Duration = Duration::from_secs(5);
/// How long its last words are waited for, as a grandchild may keep stderr open.
const AFTERGLOW: Duration = Duration::from_millis(200);
/// How long a daemon may take to accept a connection.
const ACCEPT: Duration = Duration::from_secs(1);

/// How to start an app-server that listens.
#[derive(Debug)]
pub struct Serve {
    /// The engine.
    pub launch: Launch,
    /// Arguments after `app-server`, such as `-c key=value`; not `--listen`.
    pub args: Vec<OsString>,
    /// Added to the environment, which the agent's shells get as well.
    pub envs: Vec<(OsString, OsString)>,
    /// The working directory, when it is not ours.
    pub cwd: Option<PathBuf>,
    /// Where to listen: a path in a folder that is ours alone. What a dead server left there is replaced.
    pub socket: PathBuf,
    /// How long it may take until it listens.
    pub timeout: Duration,
}

/// A running app-server. Clones share it; it ends when the last one is dropped, or by [`Serving::stop`].
#[derive(Debug, Clone)]
pub struct Serving {
    socket: PathBuf,
    stop: mpsc::Sender<Duration>,
    death: watch::Receiver<Option<Death>>,
}

impl Serving {
    /// Starts it, and returns once it takes connections (some 60 ms). Must be called inside a tokio runtime, on a thread that
    /// lives as long as the server ([`crate::leash`]).
    ///
    /// # Errors
    /// [`EngineError::Spawn`]; [`EngineError::EngineDied`] with its words, as for a configuration it refuses;
    /// [`EngineError::Timeout`]; [`EngineError::Io`].
    pub async fn start(serve: Serve) -> Result<Self, EngineError> {
        match std::fs::remove_file(&serve.socket) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(EngineError::Io {
                    doing: "remove",
                    path: serve.socket,
                    source,
                });
            }
            _ => {}
        }
        let (child, stderr) = spawn(&serve)?;
        let (stop, stops) = mpsc::channel(1);
        let (died, death) = watch::channel(None);
        tokio::spawn(keep(child, stderr, stops, died));
        let serving = Self {
            socket: serve.socket.clone(),
            stop,
            death,
        };
        let listening = async {
            // A look costs some microseconds; to be told by the kernel would take unsafe code.
            while UnixStream::connect(serving.socket()).await.is_err() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            listening = tokio::time::timeout(serve.timeout, listening) => match listening {
                Ok(()) => Ok(serving),
                Err(_) => Err(EngineError::Timeout {
                    method: "app-server --listen".into(),
                    after: serve.timeout,
                }),
            },
            ended = serving.ended() => Err(ended),
        }
    }

    /// Where to connect: the socket itself, not a link to it.
    pub fn socket(&self) -> PathBuf {
        resolved(&self.socket)
    }

    /// Waits until the server has ended, and says how: its status and its last words.
    pub async fn ended(&self) -> EngineError {
        let death = self.death().await;
        EngineError::EngineDied {
            status: death.status,
            stderr: death.stderr,
        }
    }

    /// Asks it to end, which it does once no turn runs; after `patience` asks again, which ends it in a turn too; and kills
    /// it when it takes longer than five seconds then. When this returns, it is gone, and its threads are free.
    ///
    /// # Errors
    /// [`EngineError::EngineDied`] when its exit status could not be had.
    pub async fn stop(&self, patience: Duration) -> Result<ExitStatus, EngineError> {
        // A closed queue is a server that has ended already; a full one is stopping.
        let _ = self.stop.try_send(patience);
        let death = self.death().await;
        death.exit.ok_or(EngineError::EngineDied {
            status: death.status,
            stderr: death.stderr,
        })
    }

    async fn death(&self) -> Death {
        let mut death = self.death.clone();
        let known = death
            .wait_for(Option::is_some)
            .await
            .map(|death| death.clone());
        known.ok().flatten().unwrap_or_else(|| Death {
            status: "it was not waited for".into(),
            exit: None,
            stderr: String::new(),
        })
    }
}

/// The socket of a daemon that runs for `real_home` and takes connections, when there is one and it is the user's own.
pub async fn daemon(real_home: &Path) -> Option<PathBuf> {
    let socket = real_home.join(CONTROL).join(SOCKET).canonicalize().ok()?;
    let stream = tokio::time::timeout(ACCEPT, UnixStream::connect(&socket))
        .await
        .ok()?
        .ok()?;
    let owner = stream.peer_cred().ok()?.uid();
    (owner == rustix::process::geteuid().as_raw()).then_some(socket)
}

fn spawn(serve: &Serve) -> Result<(Child, ChildStderr), EngineError> {
    let fail = |source| EngineError::Spawn {
        program: serve.launch.program.clone(),
        source,
    };
    let mut listen = OsString::from("unix://");
    listen.push(&serve.socket);
    let mut command = Command::from(serve.launch.command());
    command
        .arg("app-server")
        .arg("--listen")
        .arg(listen)
        .args(&serve.args)
        .envs(serve.envs.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(cwd) = &serve.cwd {
        command.current_dir(cwd);
    }
    let mut child = command.spawn().map_err(fail)?;
    match child.stderr.take() {
        Some(stderr) => Ok((child, stderr)),
        None => Err(fail(ErrorKind::BrokenPipe.into())),
    }
}

/// Owns the process until it has ended, then publishes how.
async fn keep(
    mut child: Child,
    mut stderr: ChildStderr,
    mut stops: mpsc::Receiver<Duration>,
    died: watch::Sender<Option<Death>>,
) {
    let mut words = LastWords::default();
    let mut chunk = vec![0; 4096];
    let mut open = true;
    let mut asked = 0;
    let mut again: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
    let exit = loop {
        tokio::select! {
            exit = child.wait() => break exit.ok(),
            read = stderr.read(&mut chunk), if open => match read {
                Ok(0) | Err(_) => open = false,
                Ok(n) => words.hear(chunk.get(..n).unwrap_or_default()),
            },
            patience = stops.recv(), if asked == 0 => {
                // No handle is left when there is no patience: nobody waits for a turn to end.
                let patience = patience.unwrap_or_default();
                asked = 1;
                terminate(&child);
                again = Some(Box::pin(tokio::time::sleep(patience)));
            }
            () = until(&mut again) => {
                asked += 1;
                again = (asked == 2).then(|| Box::pin(tokio::time::sleep(SECOND)));
                if asked == 2 {
                    terminate(&child);
                } else {
                    let _ = child.start_kill();
                }
            }
        }
    };
    let rest = async {
        while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
            words.hear(chunk.get(..n).unwrap_or_default());
        }
    };
    if open {
        let _ = tokio::time::timeout(AFTERGLOW, rest).await;
    }
    let status = exit.map_or_else(|| "no exit status".to_owned(), |status| status.to_string());
    tracing::debug!(%status, "a listening app-server ended");
    died.send_replace(Some(Death {
        status,
        exit,
        stderr: words.text(),
    }));
}

fn terminate(child: &Child) {
    let pid = child
        .id()
        .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // It may have ended just now.
        let _ = kill_process(pid, Signal::TERM);
    }
}

async fn until(deadline: &mut Option<std::pin::Pin<Box<tokio::time::Sleep>>>) {
    match deadline {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// Where `socket` leads to; as it is while it leads nowhere.
fn resolved(socket: &Path) -> PathBuf {
    socket.canonicalize().unwrap_or_else(|_| socket.to_owned())
}
