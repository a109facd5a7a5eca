//! A client of `codex app-server`, one of our own over stdio or one that runs already over a link: typed calls for the few
//! methods codex-orch makes of its own accord, and any call for those who know what they ask. Not the interposer, which
//! carries other clients' frames. It answers no request of the engine unless it is told the answer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use orch_protocol::ids::ThreadId;
use orch_protocol::wire::RpcError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use crate::connection::{Command, Connection, Death};
use crate::error::EngineError;
use crate::leash::Launch;
use crate::link::Link;
use crate::link::frame::Frame;
use crate::peer::Peer;
use crate::threads::{EffectiveConfig, Fork, Notification, ThreadPage, ThreadQuery, ThreadSummary};

/// Requests that may wait for the actor.
const QUEUE: usize = 32;

/// How to start an app-server.
#[derive(Debug)]
pub struct Start {
    /// The engine.
    pub launch: Launch,
    /// Arguments after `app-server`, such as `-c key=value`.
    pub args: Vec<OsString>,
    /// Added to the environment.
    pub envs: Vec<(OsString, OsString)>,
    /// The working directory, when it is not ours.
    pub cwd: Option<PathBuf>,
    /// Our version, as told to the engine.
    pub client_version: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// Where notifications go; when it is full they are dropped. `None` drops all.
    pub notifications: Option<mpsc::Sender<Notification>>,
}

/// How to be a client of an app-server that runs already.
#[derive(Debug)]
pub struct Connect {
    /// Our version, as told to the engine.
    pub client_version: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// Notifications that the engine shall not send us, such as `item/agentMessage/delta`.
    pub opt_out: Vec<String>,
    /// Where all its notifications and requests go, in their order and as they came. While it is full nothing is read, answers
    /// to calls included: who reads it must not wait for a call meanwhile. `None` drops all.
    pub incoming: Option<mpsc::Sender<Frame>>,
}

/// A running app-server. Clones share it; it ends when the last one is dropped, or by [`AppServer::shutdown`].
#[derive(Debug, Clone)]
pub struct AppServer {
    commands: mpsc::Sender<Command>,
    death: watch::Receiver<Option<Death>>,
    timeout: Duration,
}

impl AppServer {
    /// Starts the engine's app-server and shakes hands (some 50–100 ms). Must be called inside a tokio runtime, on a thread
    /// that lives as long as the server ([`crate::leash`]).
    ///
    /// # Errors
    /// [`EngineError::Spawn`], [`EngineError::EngineDied`], [`EngineError::Timeout`].
    pub async fn start(start: Start) -> Result<Self, EngineError> {
        let fail = |source| EngineError::Spawn {
            program: start.launch.program.clone(),
            source,
        };
        let mut command = tokio::process::Command::from(start.launch.command());
        command
            .arg("app-server")
            .args(&start.args)
            // Its last words are read by people: no escapes, and no backtrace that pushes them out.
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
            .envs(start.envs.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(cwd) = &start.cwd {
            command.current_dir(cwd);
        }
        let mut child = command.spawn().map_err(fail)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(fail(std::io::ErrorKind::BrokenPipe.into()));
        };
        let (commands, queue) = mpsc::channel(QUEUE);
        let (died, death) = watch::channel(None);
        let connection = Connection::new(child, stdin, start.notifications);
        tokio::spawn(connection.run(queue, stdout, stderr, died));
        let server = Self {
            commands,
            death,
            timeout: start.timeout,
        };
        server.greet(&start.client_version, &[]).await?;
        Ok(server)
    }

    /// Shakes hands with an app-server at the other end of `link`. What it asks of us is handed to [`Connect::incoming`] and
    /// answered by nobody but [`AppServer::answer`]: other clients have it too, and the first answer counts. It lives on when
    /// this is dropped or shut down. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn connect(link: Link, connect: Connect) -> Result<Self, EngineError> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (died, death) = watch::channel(None);
        tokio::spawn(Peer::new(connect.incoming).run(link, queue, died));
        let server = Self {
            commands,
            death,
            timeout: connect.timeout,
        };
        server
            .greet(&connect.client_version, &connect.opt_out)
            .await?;
        Ok(server)
    }

    /// The same server, with another time that a call may take.
    pub fn within(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Makes any call; the answer's `result`.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the engine answers with an error, [`EngineError::Timeout`], [`EngineError::EngineDied`].
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, EngineError> {
        self.request(method, params, None).await
    }

    /// Answers a request of the engine; `id` as it is written in the request ([`crate::frame::Peek::id`]).
    ///
    /// # Errors
    /// [`EngineError::EngineDied`], [`EngineError::Timeout`] when it takes nothing.
    pub async fn answer(&self, id: &str, result: &Value) -> Result<(), EngineError> {
        let frame = format!("{{\"id\":{id},\"result\":{result}}}");
        self.send("an answer", Command::Send { frame }).await
    }

    async fn greet(&self, version: &str, opt_out: &[String]) -> Result<(), EngineError> {
        let client = json!({"name": "codex-orch", "title": "codex-orch", "version": version});
        let mut capabilities = json!({"experimentalApi": true});
        if !opt_out.is_empty() {
            capabilities["optOutNotificationMethods"] = json!(opt_out);
        }
        let hello = json!({"clientInfo": client, "capabilities": capabilities});
        self.request("initialize", hello, None).await?;
        let method = "initialized".to_owned();
        self.send("initialized", Command::Notify { method }).await
    }

    /// The configuration in effect in `cwd`.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn config_read(&self, cwd: &Path) -> Result<EffectiveConfig, EngineError> {
        let params = json!({"cwd": cwd, "includeLayers": false});
        let mut answer = self.request("config/read", params, None).await?;
        let raw = answer
            .get_mut("config")
            .map(Value::take)
            .unwrap_or_default();
        let text = |key: &str| raw.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(EffectiveConfig {
            developer_instructions: text("developer_instructions"),
            model_provider: text("model_provider"),
            raw,
        })
    }

    /// One page of threads.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn thread_list(&self, query: &ThreadQuery) -> Result<ThreadPage, EngineError> {
        let params = json!({
            "cwd": query.cwd,
            "limit": query.limit,
            "cursor": query.cursor,
            "sourceKinds": (!query.sources.is_empty()).then_some(&query.sources),
            "modelProviders": query.providers,
            "searchTerm": query.search,
            "sortKey": "updated_at",
            "archived": false,
        });
        self.typed("thread/list", params, None).await
    }

    /// What is known of a thread, loaded or not, archived or not.
    ///
    /// # Errors
    /// [`EngineError::ThreadUnknown`], and those of any call.
    pub async fn thread_read(&self, thread: &ThreadId) -> Result<ThreadSummary, EngineError> {
        let params = json!({"threadId": thread, "includeTurns": false});
        let found: Threaded = self.typed("thread/read", params, Some(thread)).await?;
        Ok(found.thread)
    }

    /// Opens a thread for writing. It stays this server's until [`AppServer::shutdown`].
    ///
    /// # Errors
    /// [`EngineError::ThreadBusy`], [`EngineError::ThreadUnknown`], [`EngineError::ThreadArchived`], and those of any call.
    pub async fn resume(&self, thread: &ThreadId) -> Result<ThreadSummary, EngineError> {
        let params = json!({"threadId": thread, "excludeTurns": true});
        let found: Threaded = self.typed("thread/resume", params, Some(thread)).await?;
        Ok(found.thread)
    }

    /// Copies a thread; works while another process writes it. The copy is this server's until [`AppServer::shutdown`].
    ///
    /// # Errors
    /// [`EngineError::ThreadUnknown`], and those of any call.
    pub async fn fork(&self, thread: &ThreadId, fork: Fork) -> Result<ThreadId, EngineError> {
        let attached = fork == Fork::Attached;
        let params = json!({"threadId": thread, "excludeTurns": true, "attachToSource": attached});
        let found: Threaded = self.typed("thread/fork", params, Some(thread)).await?;
        Ok(found.thread.id)
    }

    /// Adds developer messages to a thread that [`AppServer::resume`] opened; the model sees them with the next turn.
    ///
    /// # Errors
    /// [`EngineError::ThreadUnknown`] when it isn't open here, and those of any call.
    pub async fn inject(&self, thread: &ThreadId, texts: &[String]) -> Result<(), EngineError> {
        if texts.is_empty() {
            return Ok(());
        }
        let message = |text| json!({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]});
        let items: Vec<Value> = texts.iter().map(message).collect();
        let params = json!({"threadId": thread, "items": items});
        self.request("thread/inject_items", params, Some(thread))
            .await
            .map(drop)
    }

    /// Ends our interest in a thread. The engine keeps it loaded, and keeps writing rights: only [`AppServer::shutdown`]
    /// lets another process have it at once.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn unsubscribe(&self, thread: &ThreadId) -> Result<(), EngineError> {
        let params = json!({"threadId": thread});
        self.request("thread/unsubscribe", params, Some(thread))
            .await
            .map(drop)
    }

    /// Closes the server's stdin and waits for its end; after `patience` it is killed. When this returns, it is gone, and
    /// its threads are free. A server that was connected to lives on; only the connection is closed.
    ///
    /// # Errors
    /// [`EngineError::EngineDied`] when its exit status could not be had: always so over a link.
    pub async fn shutdown(&self, patience: Duration) -> Result<ExitStatus, EngineError> {
        // A closed queue is a server that has ended already.
        let _ = self.commands.send(Command::Shutdown { patience }).await;
        let mut death = self.death.clone();
        let known = death
            .wait_for(Option::is_some)
            .await
            .map(|death| death.clone());
        let death = known.ok().flatten().unwrap_or_else(aborted);
        death.exit.ok_or_else(|| died(death))
    }

    /// Waits until the server has ended by itself, and says how.
    pub async fn ended(&self) -> EngineError {
        let mut death = self.death.clone();
        let known = death
            .wait_for(Option::is_some)
            .await
            .map(|death| death.clone());
        died(known.ok().flatten().unwrap_or_else(aborted))
    }

    async fn typed<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        thread: Option<&ThreadId>,
    ) -> Result<T, EngineError> {
        let answer = self.request(method, params, thread).await?;
        serde_json::from_value(answer).map_err(|error| EngineError::BadAnswer {
            method: method.to_owned(),
            why: error.to_string(),
        })
    }

    async fn request(
        &self,
        method: &str,
        params: Value,
        thread: Option<&ThreadId>,
    ) -> Result<Value, EngineError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Request {
            method: method.to_owned(),
            params,
            reply,
        };
        let exchange = async {
            self.send(method, command).await?;
            match answer.await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(refused(method, error, thread)),
                Err(_) => Err(self.ended().await),
            }
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.late(method)),
        }
    }

    async fn send(&self, method: &str, command: Command) -> Result<(), EngineError> {
        match tokio::time::timeout(self.timeout, self.commands.send(command)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended().await),
            Err(_) => Err(self.late(method)),
        }
    }

    fn late(&self, method: &str) -> EngineError {
        EngineError::Timeout {
            method: method.to_owned(),
            after: self.timeout,
        }
    }
}

#[derive(Deserialize)]
struct Threaded {
    thread: ThreadSummary,
}

/// The engine's words are all there is to tell its refusals apart.
fn refused(method: &str, error: RpcError, thread: Option<&ThreadId>) -> EngineError {
    let said = |words: &str| error.message.contains(words);
    match thread.cloned() {
        Some(thread) if said("already has an active writer") => EngineError::ThreadBusy { thread },
        Some(thread) if said("is archived") => EngineError::ThreadArchived { thread },
        Some(thread)
            if said("no rollout found")
                || said("thread not found")
                || said("thread not loaded") =>
        {
            EngineError::ThreadUnknown { thread }
        }
        _ if said("failed to read configuration") || said("failed to load configuration") => {
            EngineError::BadConfig {
                message: error.message,
            }
        }
        _ => EngineError::Refused {
            method: method.to_owned(),
            code: error.code,
            message: error.message,
        },
    }
}

fn died(death: Death) -> EngineError {
    EngineError::EngineDied {
        status: death.status,
        stderr: death.stderr,
    }
}

fn aborted() -> Death {
    Death {
        status: "its connection was aborted".into(),
        exit: None,
        stderr: String::new(),
    }
}
