//! The live observer: what an app-server's notifications tell of its threads, as it happens. It makes the same turn records
//! as the rollout reader makes of the files of the same threads, with the same rules; each checks the other.
//!
//! What is *not* here: any IO, any clock (the time is handed in), any request. It doesn't read the bulk: deltas are not looked
//! at, and of items only what records keep. What the wire doesn't carry, and where the two observers therefore differ, is
//! said in `docs/observation.md`. [`seen`] is what comes out, `wire` what goes in, `state` one thread in between.

pub mod seen;
mod state;
mod wire;

use std::collections::HashMap;

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::turn::TurnKind;
use serde::Deserialize;

use crate::live::seen::{Above, Role, Seen};
use crate::live::state::State;
use crate::live::wire::{
    Collaboration, ErrorParams, ItemHead, ItemParams, PlanParams, SettingsUpdated, Thread,
    ThreadOnly, ThreadStarted, TurnParams, UsageParams,
};

/// The notifications that [`LiveThreads::take`] looks at. Deltas aren't among them: what they bring comes whole in the end.
pub const OBSERVED: [&str; 11] = [
    "thread/started",
    "thread/settings/updated",
    "turn/started",
    "turn/completed",
    "turn/plan/updated",
    "item/started",
    "item/completed",
    "thread/tokenUsage/updated",
    "error",
    "thread/reverted",
    "thread/closed",
];

/// The threads of one app-server.
#[derive(Default)]
pub struct LiveThreads {
    threads: HashMap<String, State>,
    /// Counts what was taken in: tells which thread has been silent longest.
    now: u64,
}

/// The most threads remembered; the one that has been silent longest makes room.
const MAX_THREADS: usize = 1_024;
/// No id is longer, in bytes; one that is names nothing.
const MAX_ID: usize = 128;

impl LiveThreads {
    /// Takes in a notification: its method, its parameters as JSON, and when it came. What is unknown or damaged is passed over.
    /// All are those of one connection: what comes twice is said twice.
    pub fn take(&mut self, method: &str, params: &str, now: Timestamp) -> Vec<Seen> {
        self.now += 1;
        self.taken(method, params, now).unwrap_or_default()
    }

    /// Takes in a thread as an answer of the engine describes it (`thread` of `thread/start`, `thread/resume`, `thread/fork`):
    /// a resumed thread is not announced. The answer to a resume comes before that thread's first turn.
    pub fn know(&mut self, thread: &str) -> Vec<Seen> {
        self.now += 1;
        read(thread)
            .and_then(|thread| self.announced(&thread))
            .unwrap_or_default()
    }

    /// Someone asks the engine to take back the turns from `before` on (`thread/revert`). The notification that it was done
    /// doesn't say which ones.
    pub fn revert_asked(&mut self, thread: &ThreadId, before: &TurnId) {
        if let Some(state) = self.threads.get_mut(thread.as_str()) {
            state.revert_asked(before);
        }
    }

    /// The engine is gone: what was open is interrupted, nothing is known any more.
    pub fn engine_gone(&mut self) -> Vec<Seen> {
        let mut gone: Vec<State> = std::mem::take(&mut self.threads).into_values().collect();
        gone.sort_by_key(|state| state.heard);
        gone.iter_mut().flat_map(State::silenced).collect()
    }

    /// The turn that runs in `thread`.
    pub fn running(&self, thread: &ThreadId) -> Option<&TurnId> {
        self.threads.get(thread.as_str())?.running()
    }

    /// What `thread` is to the user, if it was heard of.
    pub fn role(&self, thread: &ThreadId) -> Option<Role> {
        Some(self.threads.get(thread.as_str())?.thread.role)
    }

    fn taken(&mut self, method: &str, params: &str, now: Timestamp) -> Option<Vec<Seen>> {
        match method {
            "thread/started" => {
                let params: ThreadStarted<'_> = read(params)?;
                self.announced(&params.thread)
            }
            "thread/settings/updated" => {
                let params: SettingsUpdated<'_> = read(params)?;
                let state = self.state(params.thread_id.as_str())?;
                Some(state.settings(params.thread_settings))
            }
            "turn/started" => {
                let params: TurnParams<'_> = read(params)?;
                self.turn_started(&params, now)
            }
            "turn/completed" => {
                let params: TurnParams<'_> = read(params)?;
                let state = self.state(params.thread_id.as_str())?;
                Some(state.turn_completed(&params.turn, now))
            }
            "turn/plan/updated" => {
                let params: PlanParams<'_> = read(params)?;
                let state = self.state(params.thread_id.as_str())?;
                Some(state.plan(&params, now))
            }
            "item/started" => self.item(read(params)?, false, now),
            "item/completed" => self.item(read(params)?, true, now),
            "thread/tokenUsage/updated" => {
                let params: UsageParams<'_> = read(params)?;
                let state = self.state(params.thread_id.as_str())?;
                state.usage(&params);
                None
            }
            "error" => {
                let params: ErrorParams<'_> = read(params)?;
                let state = self.state(params.thread_id.as_str())?;
                state.error(&params, now);
                None
            }
            "thread/reverted" => {
                let params: ThreadOnly<'_> = read(params)?;
                let state = self.state(params.thread_id.as_str())?;
                Some(state.reverted())
            }
            "thread/closed" => {
                let params: ThreadOnly<'_> = read(params)?;
                let mut state = self.threads.remove(params.thread_id.as_str())?;
                let mut seen = state.silenced();
                seen.push(Seen::ThreadClosed {
                    thread: state.thread.thread,
                });
                Some(seen)
            }
            _ => None,
        }
    }

    fn announced(&mut self, found: &Thread<'_>) -> Option<Vec<Seen>> {
        let was_known = self.threads.contains_key(found.id.as_str());
        let state = self.state(found.id.as_str())?;
        let before = state.thread.clone();
        state.announced(found);
        let is_news = !was_known || state.thread != before;
        Some(if is_news {
            vec![Seen::Thread(Box::new(state.thread.clone()))]
        } else {
            Vec::new()
        })
    }

    fn turn_started(&mut self, params: &TurnParams<'_>, now: Timestamp) -> Option<Vec<Seen>> {
        let (thread, turn) = (params.thread_id.as_str(), params.turn.id.as_str());
        if !is_id(turn) {
            return None;
        }
        let root =
            Some(params.turn.root_turn_id.as_str()).filter(|root| is_id(root) && *root != turn);
        let owner = root.and_then(|root| self.owner(root));
        // A review runs in a turn of its own below the one that was asked for, in the same thread.
        if owner.as_ref().is_some_and(|owner| owner.as_str() == thread) {
            return None;
        }
        if let Some(owner) = &owner {
            self.works_for(thread, owner.as_str(), None);
        }
        let above = root.map(|turn| Above {
            thread: owner,
            turn: TurnId::new(turn),
        });
        let state = self.state(thread)?;
        Some(state.turn_started(turn, above, TurnKind::User, now))
    }

    fn item(
        &mut self,
        params: ItemParams<'_>,
        completed: bool,
        now: Timestamp,
    ) -> Option<Vec<Seen>> {
        let item = params.item.get();
        let head: ItemHead<'_> = read(item)?;
        if matches!(
            head.kind.as_str(),
            "collabAgentToolCall" | "subAgentActivity"
        ) {
            let found: Collaboration<'_> = read(item)?;
            let model = found.model.into_non_empty();
            let receivers = found.receiver_thread_ids.iter();
            for receiver in receivers.chain([&found.agent_thread_id]) {
                self.works_for(receiver.as_str(), params.thread_id.as_str(), model.clone());
            }
            return None;
        }
        let state = self.state(params.thread_id.as_str())?;
        Some(state.item(head.kind.as_str(), item, &params, completed, now))
    }

    /// One thread has another work for it.
    fn works_for(&mut self, below: &str, above: &str, model: Option<String>) {
        let above = self.threads.get(above).map(|state| state.thread.clone());
        if let (Some(above), Some(state)) = (above, self.state(below)) {
            state.works_for(&above, model);
        }
    }

    /// The thread that a turn belongs to.
    fn owner(&self, turn: &str) -> Option<ThreadId> {
        let mut threads = self.threads.values();
        threads
            .find(|state| state.has_turn(turn))
            .map(|state| state.thread.thread.clone())
    }

    fn state(&mut self, thread: &str) -> Option<&mut State> {
        if !is_id(thread) {
            return None;
        }
        if !self.threads.contains_key(thread) {
            if self.threads.len() >= MAX_THREADS {
                let idle = self
                    .threads
                    .values()
                    .filter(|state| state.running().is_none());
                let silent = idle.min_by_key(|state| state.heard);
                let silent = silent.or(self.threads.values().min_by_key(|state| state.heard))?;
                let silent = silent.thread.thread.clone();
                self.threads.remove(silent.as_str());
            }
            let state = State::new(ThreadId::new(thread));
            self.threads.insert(thread.to_owned(), state);
        }
        let state = self.threads.get_mut(thread)?;
        state.heard = self.now;
        Some(state)
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}
