//! The interposer: what is looked at, held, edited and kept back of the frames between a client and the engine. Everything
//! else passes byte for byte. `docs/interposer.md` lists every frame that is touched.
//!
//! It does no IO and decides nothing: whoever listens to its [`Event`]s rules on what it holds, and answers the tool calls
//! it keeps back. It never waits for that listener but where a frame is held, so a slow one doesn't slow the client down.

mod client;
mod engine;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

pub use client::ClientSide;
pub use engine::EngineSide;

use crate::link::frame::Frame;

/// The namespace of our tools, as the engine and the model see it.
pub const NAMESPACE: &str = "codex_orch";
/// What `threadSource` of a thread of ours begins with: clients don't hear of such threads.
pub const HIDDEN_SOURCE: &str = "codex_orch";
/// Events that may wait for the listener.
pub const EVENTS: usize = 4_096;
/// Requests of one client that may wait for the engine's answer and are remembered for it.
const MAX_PENDING: usize = 1_024;

/// One client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A request that is held until somebody has ruled on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// `thread/resume` or `thread/fork`. Never refused; held until it is known whether the thread has our tools.
    ThreadOpen,
    /// `turn/start`: begins a turn, or joins the one that runs.
    TurnStart,
    /// `review/start`.
    ReviewStart,
    /// `thread/queue/add`: a message for when the running turn has ended.
    QueueAdd,
    /// `thread/queue/start`.
    QueueStart,
    /// `thread/compact/start`.
    CompactStart,
    /// `thread/shellCommand`: the user's own command. Never refused; held so that git can be looked at before it runs.
    ShellCommand,
    /// `thread/revert`. Never refused; held so that what is taken back is known before it is.
    Revert,
}

impl Held {
    fn of(method: &str) -> Option<Self> {
        Some(match method {
            "thread/resume" | "thread/fork" => Self::ThreadOpen,
            "turn/start" => Self::TurnStart,
            "review/start" => Self::ReviewStart,
            "thread/queue/add" => Self::QueueAdd,
            "thread/queue/start" => Self::QueueStart,
            "thread/compact/start" => Self::CompactStart,
            "thread/shellCommand" => Self::ShellCommand,
            "thread/revert" => Self::Revert,
            _ => return None,
        })
    }
}

/// What becomes of a held request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It goes on with something added, key by key: a `turn/start` with context fragments (texts), a
    /// [`Held::ThreadOpen`] with settings of its configuration (JSON).
    Go(Vec<(String, String)>),
    /// It is answered with an error of this message, and the engine doesn't see it.
    Refuse(String),
}

impl Ruling {
    /// It goes on as it is.
    pub const AS_IT_IS: Self = Self::Go(Vec::new());
}

/// A request whose answer by the engine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `thread/start`, `thread/resume` or `thread/fork`: the answer describes a thread the client now hears of.
    Thread,
    /// `thread/unsubscribe`: the client hears no more of a thread.
    Leave,
    /// A held one.
    Held(Held),
}

/// Something the listener must know or answer.
#[derive(Debug)]
pub enum Event {
    /// A request waits for a ruling.
    Held {
        /// Whose.
        client: ClientId,
        /// Which.
        held: Held,
        /// The whole frame.
        frame: Frame,
        /// Where the ruling goes.
        ruling: oneshot::Sender<Ruling>,
    },
    /// The engine answered a request.
    Answered {
        /// Whose.
        client: ClientId,
        /// Which.
        asked: Asked,
        /// The thread it named, if it named one.
        thread: Option<String>,
        /// The answer.
        frame: Frame,
    },
    /// The engine told the client something that observers need.
    Told {
        /// The client.
        client: ClientId,
        /// The method.
        method: String,
        /// The whole frame.
        frame: Frame,
    },
    /// A tool of ours is called. The client doesn't see it.
    Tool {
        /// On whose connection.
        client: ClientId,
        /// The whole frame.
        frame: Frame,
    },
    /// The listener was too far behind: some of what this client was told is missing here. Rollouts have it.
    Missed {
        /// The client.
        client: ClientId,
    },
    /// The connection has ended.
    Gone {
        /// Whose.
        client: ClientId,
    },
}

/// What all connections of one engine share.
#[derive(Debug, Clone)]
pub struct Interposer {
    events: mpsc::Sender<Event>,
    tools: Arc<str>,
    observed: &'static [&'static str],
    hidden: Arc<Mutex<HashSet<String>>>,
}

impl Interposer {
    /// `tools` is the engine's description of our tools: one dynamic tool as JSON, its namespace [`NAMESPACE`]. `observed` are
    /// the notifications that become [`Event::Told`].
    pub fn new(
        events: mpsc::Sender<Event>,
        tools: String,
        observed: &'static [&'static str],
    ) -> Self {
        Self {
            events,
            tools: tools.into(),
            observed,
            hidden: Arc::default(),
        }
    }

    /// The two sides of a client's connection.
    pub fn sides(&self, client: ClientId) -> (ClientSide, EngineSide) {
        let pending = Pending::default();
        let ours = ClientSide {
            shared: self.clone(),
            client,
            pending: pending.clone(),
        };
        (ours, EngineSide::new(self.clone(), client, pending))
    }

    /// Tells the listener something about a connection, after all that was told of it before.
    pub async fn tell(&self, event: Event) {
        // Nobody listens any more.
        let _ = self.events.send(event).await;
    }

    fn hidden(&self) -> MutexGuard<'_, HashSet<String>> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests on their way, by the id as the client wrote it.
#[derive(Debug, Clone, Default)]
struct Pending(Arc<Mutex<HashMap<String, Waiting>>>);

/// What was asked, and of which thread.
type Waiting = (Asked, Option<String>);

impl Pending {
    fn put(&self, id: &str, asked: Asked, thread: Option<String>) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < MAX_PENDING {
            pending.insert(id.to_owned(), (asked, thread));
        }
    }

    fn take(&self, id: &str) -> Option<Waiting> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.is_empty() {
            true => None,
            false => pending.remove(id),
        }
    }
}
