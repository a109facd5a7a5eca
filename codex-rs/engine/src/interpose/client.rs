//! From the client to the engine: threads get our tools and the plan tool, turns wait for a ruling and get context.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::{Asked, ClientId, Event, Held, Interposer, Pending, Ruling};
use crate::frame::{Peek, peek};
use crate::link::frame::Frame;
use crate::relay::{ClientRules, Verdict};
use crate::splice::{Existing, push_elements, set_member};

/// A frame isn't held longer than this, whatever keeps the listener: the user's work goes first.
const HOLD: Duration = Duration::from_secs(10);
/// JSON-RPC's range for errors of an implementation's own.
const REFUSED: i64 = -32_050;
/// The plan is where tasks come from; upstream has it off.
const PLAN_TOOL: (&str, &str) = ("tools.update_plan.enabled", "true");

/// Judges a client's frames.
#[derive(Debug)]
pub struct ClientSide {
    pub(super) shared: Interposer,
    pub(super) client: ClientId,
    pub(super) pending: Pending,
}

/// What is read of a request's parameters. None of it is relied on: a request that is damaged is the engine's to refuse.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Named {
    #[serde(deserialize_with = "lenient")]
    thread_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    ephemeral: Option<bool>,
}

fn lenient<'de, D, T>(reader: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(reader)?;
    Ok(serde_json::from_value(value).ok())
}

impl ClientRules for ClientSide {
    async fn from_client(&mut self, frame: &Frame) -> Verdict {
        let Some(text) = frame.text() else {
            return Verdict::Pass;
        };
        let Some(request) = peek(text) else {
            return Verdict::Pass;
        };
        let (Some(id), Some(method)) = (request.id, request.method.as_deref()) else {
            return Verdict::Pass;
        };
        match method {
            "thread/start" => self.thread(text, id, &request, true),
            "thread/resume" | "thread/fork" => self.thread(text, id, &request, false),
            "thread/unsubscribe" => {
                let thread = named(&request).thread_id;
                self.pending.put(id, Asked::Leave, thread);
                Verdict::Pass
            }
            method => match Held::of(method) {
                Some(held) => self.held(frame, text, id, &request, held).await,
                None => Verdict::Pass,
            },
        }
    }
}

impl ClientSide {
    fn thread(&self, text: &str, id: &str, request: &Peek<'_>, is_new: bool) -> Verdict {
        let named = named(request);
        self.pending.put(id, Asked::Thread, named.thread_id);
        // Titles, recaps, what a client asks beside the conversation.
        if named.ephemeral == Some(true) {
            return Verdict::Pass;
        }
        let (key, value) = PLAN_TOOL;
        let with_plan = set_member(text, &["params", "config"], key, value, Existing::Keep);
        let with_plan = with_plan.unwrap_or_else(|| text.to_owned());
        let tools: &str = &self.shared.tools;
        let edited = match is_new {
            true => push_elements(&with_plan, &["params", "dynamicTools"], &[tools])
                .unwrap_or(with_plan),
            false => with_plan,
        };
        match edited == text {
            true => Verdict::Pass,
            false => Verdict::Replace(edited),
        }
    }

    async fn held(
        &self,
        frame: &Frame,
        text: &str,
        id: &str,
        request: &Peek<'_>,
        held: Held,
    ) -> Verdict {
        let (ruling, ruled) = oneshot::channel();
        let event = Event::Held {
            client: self.client,
            held,
            frame: frame.clone(),
            ruling,
        };
        let asked = async {
            self.shared.events.send(event).await.ok()?;
            ruled.await.ok()
        };
        let ruling = match tokio::time::timeout(HOLD, asked).await {
            Ok(Some(ruling)) => ruling,
            Ok(None) | Err(_) => {
                tracing::warn!(?held, "nobody has ruled on a frame: it goes on");
                Ruling::AS_IT_IS
            }
        };
        match ruling {
            Ruling::Refuse(message) => Verdict::Answer(refusal(id, &message)),
            Ruling::Go(context) => {
                self.pending
                    .put(id, Asked::Held(held), named(request).thread_id);
                match held {
                    Held::TurnStart => with_context(text, &context),
                    Held::ReviewStart
                    | Held::QueueAdd
                    | Held::QueueStart
                    | Held::CompactStart
                    | Held::ShellCommand
                    | Held::Revert => Verdict::Pass,
                }
            }
        }
    }
}

fn named(request: &Peek<'_>) -> Named {
    let params = request.params.unwrap_or_default();
    serde_json::from_str(params).unwrap_or_default()
}

fn with_context(text: &str, context: &[(String, String)]) -> Verdict {
    let mut edited: Option<String> = None;
    for (key, value) in context {
        let entry = json!({"kind": "application", "value": value}).to_string();
        let before = edited.as_deref().unwrap_or(text);
        let path = ["params", "additionalContext"];
        // A shape we don't know is the engine's to judge.
        edited = set_member(before, &path, key, &entry, Existing::Replace).or(edited);
    }
    edited.map_or(Verdict::Pass, Verdict::Replace)
}

/// The id goes back as it came.
fn refusal(id: &str, message: &str) -> String {
    let error = json!({"code": REFUSED, "message": message});
    format!(r#"{{"id":{id},"error":{error}}}"#)
}
