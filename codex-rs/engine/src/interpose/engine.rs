//! From the engine to the client: what observers need is told to them, calls of our tools and our own threads are kept back.

use std::collections::HashSet;

use serde::Deserialize;
use tokio::sync::mpsc::error::TrySendError;

use super::{ClientId, Event, HIDDEN_SOURCE, Interposer, NAMESPACE, Pending};
use crate::frame::{Peek, peek};
use crate::link::frame::Frame;
use crate::relay::{EngineRules, Verdict};

/// Judges the engine's frames to one client.
#[derive(Debug)]
pub struct EngineSide {
    shared: Interposer,
    client: ClientId,
    pending: Pending,
    /// Ids of requests that were kept back.
    kept_back: HashSet<String>,
    /// The listener has missed something and will be told so.
    is_behind: bool,
}

#[derive(Debug, Deserialize)]
struct Resolved<'a> {
    #[serde(rename = "requestId", borrow)]
    request: &'a serde_json::value::RawValue,
}

#[derive(Debug, Deserialize)]
struct ToolParams<'a> {
    #[serde(borrow)]
    namespace: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfThread {
    thread_id: Option<String>,
    thread: Option<Started>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    id: String,
    thread_source: Option<String>,
}

impl EngineRules for EngineSide {
    fn from_engine(&mut self, frame: &Frame) -> Verdict {
        let Some(said) = frame.text().and_then(peek) else {
            return Verdict::Pass;
        };
        match (said.method.as_deref(), said.id) {
            (Some(method), Some(id)) => self.request(frame, method, id, &said),
            (Some(method), None) => self.notification(frame, method, &said),
            (None, Some(id)) => self.answer(frame, id),
            (None, None) => Verdict::Pass,
        }
    }
}

impl EngineSide {
    pub(super) fn new(shared: Interposer, client: ClientId, pending: Pending) -> Self {
        Self {
            shared,
            client,
            pending,
            kept_back: HashSet::new(),
            is_behind: false,
        }
    }

    fn request(&mut self, frame: &Frame, method: &str, id: &str, said: &Peek<'_>) -> Verdict {
        let is_ours = method == "item/tool/call"
            && said
                .params
                .and_then(|params| serde_json::from_str::<ToolParams<'_>>(params).ok())
                .is_some_and(|call| call.namespace.as_deref() == Some(NAMESPACE));
        if !is_ours {
            return self.unless_hidden(said);
        }
        self.kept_back.insert(id.to_owned());
        self.tell(Event::Tool {
            client: self.client,
            frame: frame.clone(),
        });
        Verdict::Drop
    }

    fn notification(&mut self, frame: &Frame, method: &str, said: &Peek<'_>) -> Verdict {
        if method == "serverRequest/resolved" && !self.kept_back.is_empty() {
            let resolved = said
                .params
                .and_then(|params| serde_json::from_str::<Resolved<'_>>(params).ok());
            if resolved.is_some_and(|resolved| self.kept_back.remove(resolved.request.get())) {
                return Verdict::Drop;
            }
        }
        if self.shared.observed.contains(&method) {
            self.tell(Event::Told {
                client: self.client,
                method: method.to_owned(),
                frame: frame.clone(),
            });
        }
        if method == "thread/started" {
            self.hide_ours(said);
        }
        self.unless_hidden(said)
    }

    fn answer(&mut self, frame: &Frame, id: &str) -> Verdict {
        if let Some((asked, thread)) = self.pending.take(id) {
            self.tell(Event::Answered {
                client: self.client,
                asked,
                thread,
                frame: frame.clone(),
            });
        }
        Verdict::Pass
    }

    fn hide_ours(&self, said: &Peek<'_>) {
        let started = of_thread(said).and_then(|of| of.thread);
        if let Some(Started { id, thread_source }) = started
            && thread_source.is_some_and(|source| source.starts_with(HIDDEN_SOURCE))
        {
            self.shared.hidden().insert(id);
        }
    }

    fn unless_hidden(&self, said: &Peek<'_>) -> Verdict {
        let hidden = self.shared.hidden();
        if hidden.is_empty() {
            return Verdict::Pass;
        }
        let of = of_thread(said);
        let thread = of.and_then(|of| of.thread_id.or(of.thread.map(|thread| thread.id)));
        match thread.is_some_and(|thread| hidden.contains(&thread)) {
            true => Verdict::Drop,
            false => Verdict::Pass,
        }
    }

    /// Tells the listener without waiting for it. When it is so far behind that nothing more can wait, it is told that
    /// something was missed as soon as it takes anything again; it then reads rollouts.
    fn tell(&mut self, event: Event) {
        let event = match self.shared.events.try_send(event) {
            Ok(()) => {
                self.is_behind = false;
                return;
            }
            Err(TrySendError::Closed(_)) => return,
            Err(TrySendError::Full(event)) => event,
        };
        let late = match event {
            // A call waits for its answer, and without the answer to a request a thread stays unknown: there are few of
            // them, and none may be lost.
            Event::Tool { .. } | Event::Answered { .. } => event,
            _ if self.is_behind => return,
            _ => {
                self.is_behind = true;
                Event::Missed {
                    client: self.client,
                }
            }
        };
        let events = self.shared.events.clone();
        tokio::spawn(async move { events.send(late).await });
    }
}

fn of_thread(said: &Peek<'_>) -> Option<OfThread> {
    serde_json::from_str(said.params?).ok()
}
