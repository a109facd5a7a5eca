//! The clients that are connected: what is said to them, and which of them was asked what. With two clients on one thread
//! the engine asks both; one answer counts, so one is given.

use std::collections::{HashMap, VecDeque};

use orch_engine::interpose::ClientId;
use orch_engine::link::frame::Frame;
use orch_protocol::ids::ThreadId;
use tokio::sync::mpsc;

use super::calls::{ToolCall, notice, tool_answer};
use crate::mcp::Answer;

/// Calls that are remembered as taken up.
const REMEMBERED: usize = 1_024;

/// Where frames of ours go out on a client's connection.
#[derive(Debug)]
pub(crate) struct Outlets {
    /// To the client.
    pub(crate) client: mpsc::Sender<Frame>,
    /// To the engine.
    pub(crate) engine: mpsc::Sender<Frame>,
}

#[derive(Debug, Default)]
pub(super) struct Clients {
    outlets: HashMap<ClientId, Outlets>,
    /// Calls, and on whose connection each is answered.
    taken_up: VecDeque<(String, ClientId)>,
}

impl Clients {
    pub(super) fn connected(&mut self, client: ClientId, outlets: Outlets) {
        self.outlets.insert(client, outlets);
    }

    pub(super) fn gone(&mut self, client: ClientId) {
        self.outlets.remove(&client);
        // The engine asks the others again, or whoever comes next.
        self.taken_up.retain(|(_, by)| *by != client);
    }

    /// Whether a call is to be answered on this connection.
    pub(super) fn takes_up(&mut self, client: ClientId, call: &str) -> bool {
        if self.taken_up.iter().any(|(known, _)| known == call) {
            return false;
        }
        if self.taken_up.len() >= REMEMBERED {
            self.taken_up.pop_front();
        }
        self.taken_up.push_back((call.to_owned(), client));
        true
    }

    pub(super) async fn answer(&self, client: ClientId, call: &ToolCall, answer: &Answer) {
        if let Some(outlets) = self.outlets.get(&client) {
            // A connection that has ended needs none.
            let _ = outlets.engine.send(tool_answer(call, answer)).await;
        }
    }

    /// A line of ours on a client's screen, if it takes one now.
    pub(super) fn tell(&self, client: ClientId, thread: &ThreadId, message: &str) {
        if let Some(outlets) = self.outlets.get(&client) {
            let _ = outlets.client.try_send(notice(thread, message));
        }
    }
}
