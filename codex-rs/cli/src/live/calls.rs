//! What the desk says to the engine on a connection of its own, and what it reads of frames. It starts no turn.

use std::time::Duration;

use async_trait::async_trait;
use orch_engine::app_server::AppServer;
use orch_engine::error::EngineError;
use orch_engine::frame::peek;
use orch_engine::interpose::HIDDEN_SOURCE;
use orch_engine::link::frame::Frame;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::project::OpenRun;
use orch_runtime::ports::{Engine, EngineTrouble, Launch, Ran};
use orch_runtime::upstream::RolloutsOnly;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::mcp::Answer;

/// How long one call may take: the user's own frames may be waiting for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is read of the parameters of any frame.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Params {
    pub(super) thread_id: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) before_turn_id: Option<String>,
}

impl Params {
    pub(super) fn of(frame: &Frame) -> Option<Self> {
        Self::read(peek(frame.text()?)?.params?)
    }

    pub(super) fn read(params: &str) -> Option<Self> {
        serde_json::from_str(params).ok()
    }
}

/// The thread that an answer to `thread/start`, `resume` or `fork` describes, as JSON.
pub(super) fn thread_of(result: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Threaded<'a> {
        #[serde(borrow)]
        thread: &'a serde_json::value::RawValue,
    }
    let threaded: Threaded<'_> = serde_json::from_str(result).ok()?;
    Some(threaded.thread.get())
}

/// A call of a tool of ours.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolCall {
    /// The request's id as the engine wrote it.
    #[serde(skip)]
    pub(super) id: String,
    pub(super) thread_id: String,
    pub(super) turn_id: String,
    pub(super) call_id: String,
    pub(super) tool: String,
    #[serde(default)]
    pub(super) namespace: Option<String>,
    #[serde(default)]
    pub(super) arguments: Value,
}

pub(super) fn tool_call(frame: &Frame) -> Option<ToolCall> {
    let said = peek(frame.text()?)?;
    let call: ToolCall = serde_json::from_str(said.params?).ok()?;
    Some(ToolCall {
        id: said.id?.to_owned(),
        ..call
    })
}

/// The answer to a call, as a frame.
pub(super) fn tool_answer(call: &ToolCall, answer: &Answer) -> Frame {
    let result = tool_result(answer);
    Frame::from(format!(r#"{{"id":{},"result":{result}}}"#, call.id))
}

fn tool_result(answer: &Answer) -> Value {
    let items = [json!({"type": "inputText", "text": answer.for_model()})];
    json!({"contentItems": items, "success": !answer.is_error})
}

pub(super) fn no_project() -> Answer {
    Answer::refused(
        "the folder of this conversation isn't known",
        "go on without the backlog",
    )
}

/// A line for the user in the client's own screen. Of what a server may say the stock TUI shows an error where the user
/// looks; a warning it only counts.
pub(super) fn notice(thread: &ThreadId, message: &str) -> Frame {
    let error = json!({"message": format!("codex-orch: {message}")});
    // It belongs to no turn: none has begun, or it is being ended.
    let params = json!({"threadId": thread, "turnId": "", "willRetry": false, "error": error});
    Frame::from(json!({"method": "error", "params": params}).to_string())
}

/// Our own connection, opened when it is first needed.
pub(crate) struct Calls {
    /// Where the engine listens, once it does.
    engine: super::Engine,
    server: Option<AppServer>,
    heard: Option<mpsc::Receiver<Frame>>,
}

impl Calls {
    pub(crate) fn new(engine: super::Engine) -> Self {
        Self {
            engine,
            server: None,
            heard: None,
        }
    }

    /// Whether the engine goes on when we have ended.
    pub(super) fn outlives(&self) -> bool {
        self.engine
            .borrow()
            .as_ref()
            .is_some_and(|engine| engine.is_daemon)
    }

    /// The engine that was connected to is gone.
    pub(super) fn forget(&mut self) {
        self.server = None;
        self.heard = None;
    }

    /// What the engine says on this connection. A call that is given up loses nothing.
    pub(super) async fn heard(&mut self) -> Frame {
        if let Some(heard) = &mut self.heard {
            if let Some(frame) = heard.recv().await {
                return frame;
            }
            self.heard = None;
        }
        std::future::pending().await
    }

    /// Hears of a thread from here on: nobody else does.
    pub(super) async fn watch(&mut self, thread: &ThreadId) -> bool {
        let params = json!({"threadId": thread, "excludeTurns": true});
        let watched = self.call("thread/resume", params).await;
        if let Err(error) = &watched {
            tracing::debug!(%error, "a thread without a client can't be watched");
        }
        watched.is_ok()
    }

    /// Hears no more of it.
    pub(super) async fn leave(&mut self, thread: &ThreadId) {
        let params = json!({"threadId": thread});
        if let Err(error) = self.call("thread/unsubscribe", params).await {
            tracing::debug!(%error, "a thread stays watched");
        }
    }

    /// Answers a call of a tool that came here.
    pub(super) async fn answer(&self, call: &ToolCall, answer: &Answer) {
        if let Some(server) = &self.server
            && let Err(error) = server.answer(&call.id, &tool_result(answer)).await
        {
            tracing::debug!(%error, "a tool's answer was not taken");
        }
    }

    async fn server(&mut self) -> Result<&AppServer, EngineError> {
        let server = match self.server.take() {
            Some(server) => server,
            None => {
                let socket = self
                    .engine
                    .borrow()
                    .as_ref()
                    .map(|engine| engine.socket.clone());
                let (server, heard) = super::connect_own(socket, PATIENCE).await?;
                self.heard = Some(heard);
                server
            }
        };
        Ok(self.server.insert(server))
    }

    async fn call(&mut self, method: &'static str, params: Value) -> Result<Value, EngineError> {
        let answer = self.server().await?.call(method, params).await;
        if matches!(answer, Err(EngineError::EngineDied { .. })) {
            self.forget();
        }
        answer
    }

    /// Stops a turn that the engine began by itself, and what would make it begin the next.
    pub(super) async fn halt(&mut self, thread: &ThreadId, turn: &TurnId) {
        let paused = json!({"threadId": thread, "status": "paused"});
        if let Err(error) = self.call("thread/goal/set", paused).await {
            tracing::info!(%error, "no goal was paused");
        }
        let params = json!({"threadId": thread, "turnId": turn});
        if let Err(error) = self.call("turn/interrupt", params).await {
            tracing::warn!(%error, "a turn that no longer fits could not be stopped");
        }
    }
}

#[async_trait(?Send)]
impl Engine for Calls {
    async fn run(&mut self, launch: &Launch) -> Result<Ran, EngineTrouble> {
        RolloutsOnly.run(launch).await
    }

    async fn park(&mut self, thread: &ThreadId) -> Result<ThreadId, EngineTrouble> {
        // Attached to its source it is in no list of the user's.
        let params = json!({
            "threadId": thread,
            "excludeTurns": true,
            "attachToSource": true,
            "threadSource": format!("{HIDDEN_SOURCE}_parked"),
        });
        let answer = self.call("thread/fork", params).await?;
        let copy = answer.pointer("/thread/id").and_then(Value::as_str);
        match copy {
            Some(copy) => {
                let params = json!({"threadId": copy});
                if let Err(error) = self.call("thread/unsubscribe", params).await {
                    tracing::debug!(%error, "a parked copy stays subscribed");
                }
                Ok(ThreadId::new(copy))
            }
            None => Err(EngineTrouble {
                what: "the engine's answer names no copy".to_owned(),
                hint: "codex-orch engine status tells whether it fits".to_owned(),
            }),
        }
    }

    async fn recover(&mut self, run: &OpenRun) -> Ran {
        RolloutsOnly.recover(run).await
    }
}
