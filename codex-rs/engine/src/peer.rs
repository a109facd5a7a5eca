//! The actor that owns a link to an app-server that runs already: it writes, matches answers to requests, and hands on
//! everything else as it came. It answers nothing by itself: whoever answers first decides for all clients of the server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orch_protocol::wire::RpcError;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::connection::{Command, Death};
use crate::frame::{Peek, peek};
use crate::link::frame::Frame;
use crate::link::{Link, LinkError, Receiver, Sender};

/// Begins the ids of our requests, so that they are told apart wherever they are seen.
const ID_PREFIX: &str = "codex-orch-";
/// How long the server may take to close, once we have.
const FAREWELL: Duration = Duration::from_secs(2);

type Reply = oneshot::Sender<Result<Value, RpcError>>;

/// The link, and who waits for what.
pub(crate) struct Peer {
    /// By the id as it is written.
    pending: Mutex<HashMap<String, Reply>>,
    incoming: Option<mpsc::Sender<Frame>>,
}

impl Peer {
    pub(crate) fn new(incoming: Option<mpsc::Sender<Frame>>) -> Self {
        Self {
            pending: Mutex::default(),
            incoming,
        }
    }

    /// Runs until the link has ended, or is to end, then publishes how.
    pub(crate) async fn run(
        self,
        link: Link,
        mut commands: mpsc::Receiver<Command>,
        death: watch::Sender<Option<Death>>,
    ) {
        let (mut sender, mut receiver) = (link.sender, link.receiver);
        let ended = tokio::select! {
            ended = self.read(&mut receiver) => ended,
            ended = self.write(&mut sender, &mut commands) => ended,
        };
        if tokio::time::timeout(FAREWELL, sender.close())
            .await
            .is_err()
        {
            tracing::debug!("the app-server took no farewell");
        }
        let status = match ended {
            Ok(()) | Err(LinkError::Gone) => "its connection was closed".to_owned(),
            Err(error @ (LinkError::Protocol { .. } | LinkError::Io(_))) => error.to_string(),
        };
        // Published before the waiting requests learn of it (their senders are dropped with self).
        death.send_replace(Some(Death {
            status,
            exit: None,
            stderr: String::new(),
        }));
    }

    async fn write(
        &self,
        sender: &mut Sender,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<(), LinkError> {
        let mut next_id = 1_u64;
        while let Some(command) = commands.recv().await {
            let frame = match command {
                Command::Request {
                    method,
                    params,
                    reply,
                } => {
                    let id = format!("{ID_PREFIX}{next_id}");
                    next_id += 1;
                    self.expect(&id, reply);
                    let frame = serde_json::json!({"id": id, "method": method, "params": params});
                    frame.to_string()
                }
                Command::Notify { method } => serde_json::json!({ "method": method }).to_string(),
                Command::Send { frame } => frame,
                Command::Shutdown { .. } => return Ok(()),
            };
            sender.feed(&frame.into()).await?;
            if commands.is_empty() {
                sender.flush().await?;
            }
        }
        Ok(())
    }

    async fn read(&self, receiver: &mut Receiver) -> Result<(), LinkError> {
        while let Some(frame) = receiver.next().await? {
            let Some(read) = frame.text().and_then(peek) else {
                tracing::warn!("what the app-server sent is no frame");
                continue;
            };
            if read.method.is_none() {
                self.settle(&read);
            } else if let Some(incoming) = &self.incoming {
                // Waits while there is no room; a closed channel is a reader that has seen enough.
                let _ = incoming.send(frame).await;
            }
        }
        Ok(())
    }

    fn expect(&self, id: &str, reply: Reply) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests whose asker has given up are forgotten here, so that the map stays small.
        pending.retain(|_, reply| !reply.is_closed());
        pending.insert(format!("\"{id}\""), reply);
    }

    fn settle(&self, read: &Peek<'_>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reply) = read.id.and_then(|id| pending.remove(id)) else {
            tracing::debug!(error = read.error, "an answer that nobody waits for");
            return;
        };
        let answer = match read.error {
            Some(error) => Err(serde_json::from_str(error).unwrap_or_else(|_| RpcError {
                code: 0,
                message: error.to_owned(),
            })),
            None => Ok(read
                .result
                .and_then(|result| serde_json::from_str(result).ok())
                .unwrap_or_default()),
        };
        // A closed channel is an asker that did not wait.
        let _ = reply.send(answer);
    }
}
