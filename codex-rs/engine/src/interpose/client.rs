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
            "thread/start" => {
                let named = named(&request);
                self.pending.put(id, Asked::Thread, named.thread_id);
                // Titles, recaps, what a client asks beside the conversation.
                match named.ephemeral {
                    Some(true) => Verdict::Pass,
                    Some(false) | None => {
                        let tools: &str = &self.shared.tools;
                        let with_tools = push_elements(text, &["params", "dynamicTools"], &[tools]);
                        with_settings(text, with_tools, &[])
                    }
                }
            }
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
            Ruling::Go(added) => {
                let named = named(request);
                let asked = match held {
                    Held::ThreadOpen => Asked::Thread,
                    held => Asked::Held(held),
                };
                self.pending.put(id, asked, named.thread_id);
                match held {
                    Held::TurnStart => with_context(text, &added),
                    Held::ThreadOpen => match named.ephemeral {
                        Some(true) => Verdict::Pass,
                        Some(false) | None => with_settings(text, None, &added),
                    },
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

/// `edited`, or else `text`, with the plan tool switched on and `settings` in its configuration, unless the client has set
/// them.
fn with_settings(text: &str, edited: Option<String>, settings: &[(String, String)]) -> Verdict {
    let mut edited = edited;
    let plan = (PLAN_TOOL.0.to_owned(), PLAN_TOOL.1.to_owned());
    for (key, value) in std::iter::once(&plan).chain(settings) {
        let before = edited.as_deref().unwrap_or(text);
        // A shape we don't know is the engine's to judge.
        edited = set_member(before, &["params", "config"], key, value, Existing::Keep).or(edited);
    }
    match edited {
        Some(edited) if edited != text => Verdict::Replace(edited),
        Some(_) | None => Verdict::Pass,
    }
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
