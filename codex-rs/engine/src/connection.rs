//! The actor that owns an app-server process: one task that writes, reads, matches answers to requests, and remembers how
//! it ended. It knows JSON-RPC and no method. What the engine asks of us is refused, always: nobody else could answer it.

use std::collections::HashMap;
use std::process::ExitStatus;
use std::time::Duration;

use orch_protocol::wire::{Envelope, RequestId, RpcError};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};

use crate::codec::{FrameDecoder, encode};
use crate::threads::Notification;
use crate::words::LastWords;

/// Bytes waiting to be written beyond which no further request is taken.
const OUT_LIMIT: usize = 1024 * 1024;
/// How long the process may take to end once its output has.
const LAST_BREATH: Duration = Duration::from_secs(2);
/// How long its last words are waited for, as a grandchild may keep stderr open.
const AFTERGLOW: Duration = Duration::from_millis(200);

/// What a handle asks of the actor.
pub(crate) enum Command {
    /// Send a request, and answer `reply` with what comes back.
    Request {
        method: String,
        params: Value,
        reply: oneshot::Sender<Result<Value, RpcError>>,
    },
    /// Send a notification.
    Notify { method: String },
    /// Send a frame as it is.
    Send { frame: String },
    /// Close stdin, wait so long, then kill.
    Shutdown { patience: Duration },
}

/// How a connection ended.
#[derive(Debug, Clone)]
pub(crate) struct Death {
    /// Exit status, or why there is none.
    pub(crate) status: String,
    /// The process's own verdict, when it was had.
    pub(crate) exit: Option<ExitStatus>,
    /// Its last lines on stderr.
    pub(crate) stderr: String,
}

/// The process, what is on its way to it, and who waits for what.
pub(crate) struct Connection {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Vec<u8>,
    decoder: FrameDecoder,
    pending: HashMap<i64, oneshot::Sender<Result<Value, RpcError>>>,
    next_id: i64,
    notifications: Option<mpsc::Sender<Notification>>,
    words: LastWords,
}

impl Connection {
    pub(crate) fn new(
        child: Child,
        stdin: ChildStdin,
        notifications: Option<mpsc::Sender<Notification>>,
    ) -> Self {
        Self {
            child,
            stdin: Some(stdin),
            out: Vec::new(),
            decoder: FrameDecoder::default(),
            pending: HashMap::new(),
            next_id: 1,
            notifications,
            words: LastWords::default(),
        }
    }

    /// Runs until the process has ended, then publishes how.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut stdout: ChildStdout,
        mut stderr: ChildStderr,
        death: watch::Sender<Option<Death>>,
    ) {
        let mut chunk = vec![0; 64 * 1024];
        let mut words = vec![0; 4096];
        let mut stderr_open = true;
        let mut closing: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
        loop {
            tokio::select! {
                command = commands.recv(), if closing.is_none() && self.out.len() < OUT_LIMIT => match command {
                    Some(Command::Shutdown { patience }) => closing = Some(Box::pin(tokio::time::sleep(patience))),
                    Some(command) => self.take(command),
                    // Every handle is gone: nobody waits for anything.
                    None => closing = Some(Box::pin(tokio::time::sleep(LAST_BREATH))),
                },
                read = stdout.read(&mut chunk) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(n) => self.read(chunk.get(..n).unwrap_or_default()),
                },
                written = write_some(&mut self.stdin, &self.out), if !self.out.is_empty() => match written {
                    Some(n) => drop(self.out.drain(..n)),
                    None => { self.stdin = None; self.out.clear(); }
                },
                read = stderr.read(&mut words), if stderr_open => match read {
                    Ok(0) | Err(_) => stderr_open = false,
                    Ok(n) => self.words.hear(words.get(..n).unwrap_or_default()),
                },
                // Usually its output ends first; not when a grandchild has inherited it.
                _ = self.child.wait() => {
                    let _ = tokio::time::timeout(AFTERGLOW, self.read_out(&mut stdout)).await;
                    break;
                }
                () = until(&mut closing) => { let _ = self.child.start_kill(); break },
            }
            if closing.is_some() && self.out.is_empty() {
                self.stdin = None;
            }
        }
        self.stdin = None;
        let exit = self.reap(stderr_open.then_some(&mut stderr)).await;
        let status = exit.map_or_else(|| "no exit status".to_owned(), |status| status.to_string());
        tracing::debug!(%status, "app-server ended");
        // Published before the waiting requests learn of it (their senders are dropped with self).
        death.send_replace(Some(Death {
            status,
            exit,
            stderr: self.words.text(),
        }));
    }

    async fn reap(&mut self, stderr: Option<&mut ChildStderr>) -> Option<ExitStatus> {
        if let Some(stderr) = stderr {
            let _ = tokio::time::timeout(AFTERGLOW, self.hear_out(stderr)).await;
        }
        match tokio::time::timeout(LAST_BREATH, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = self.child.start_kill();
                self.child.wait().await.ok()
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Request {
                method,
                params,
                reply,
            } => {
                let id = self.next_id;
                self.next_id += 1;
                // Requests whose asker has given up are forgotten here, so that the map stays small.
                self.pending.retain(|_, reply| !reply.is_closed());
                self.pending.insert(id, reply);
                self.send(&serde_json::json!({"id": id, "method": method, "params": params}));
            }
            Command::Notify { method } => self.send(&serde_json::json!({ "method": method })),
            Command::Send { frame } => encode(frame.as_bytes(), &mut self.out),
            Command::Shutdown { .. } => {}
        }
    }

    fn send(&mut self, frame: &Value) {
        encode(frame.to_string().as_bytes(), &mut self.out);
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut frames = Vec::new();
        if let Err(error) = self.decoder.feed(bytes, &mut frames) {
            tracing::warn!(%error, "a frame of the app-server was dropped");
        }
        for frame in frames {
            match serde_json::from_slice::<Envelope<'_>>(&frame) {
                Ok(envelope) => self.route(envelope),
                Err(error) => tracing::warn!(%error, "a line of the app-server is no frame"),
            }
        }
    }

    fn route(&mut self, envelope: Envelope<'_>) {
        let parse = |raw: Option<&serde_json::value::RawValue>| {
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
                .unwrap_or(Value::Null)
        };
        match (envelope.id, envelope.method) {
            (Some(id), Some(method)) => {
                tracing::debug!(%method, "refused a request of the engine");
                let message = format!("codex-orch does not answer {method}");
                self.send(
                    &serde_json::json!({"id": id, "error": {"code": -32601, "message": message}}),
                );
            }
            (Some(RequestId::Number(id)), None) => {
                if let Some(reply) = self.pending.remove(&id) {
                    let answer = match envelope.error {
                        Some(error) => Err(error),
                        None => Ok(parse(envelope.result)),
                    };
                    // A closed channel is an asker that did not wait.
                    let _ = reply.send(answer);
                }
            }
            (None, Some(method)) => {
                if let Some(channel) = &self.notifications {
                    let params = parse(envelope.params);
                    if channel.try_send(Notification { method, params }).is_err() {
                        tracing::warn!("a notification found no room");
                    }
                }
            }
            (Some(RequestId::Text(_)) | None, None) => {
                tracing::warn!(error = ?envelope.error, "an answer to nothing");
            }
        }
    }

    async fn read_out(&mut self, stdout: &mut ChildStdout) {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match stdout.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(n) => self.read(chunk.get(..n).unwrap_or_default()),
            }
        }
    }

    async fn hear_out(&mut self, stderr: &mut ChildStderr) {
        let mut words = [0; 4096];
        loop {
            match stderr.read(&mut words).await {
                Ok(0) | Err(_) => break,
                Ok(n) => self.words.hear(words.get(..n).unwrap_or_default()),
            }
        }
    }
}

/// Writes some of `out`; `None` when the other end is gone.
async fn write_some(stdin: &mut Option<ChildStdin>, out: &[u8]) -> Option<usize> {
    stdin.as_mut()?.write(out).await.ok().filter(|n| *n > 0)
}

async fn until(deadline: &mut Option<std::pin::Pin<Box<tokio::time::Sleep>>>) {
    match deadline {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}
