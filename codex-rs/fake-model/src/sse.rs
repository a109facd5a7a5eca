//! How a reply looks on the wire: server-sent events of the Responses API. Pure; `http` sends what this makes.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::scenario::{Call, Custom, Fault, Step, Usage};
use crate::script::{Captured, Taken};

/// A piece of a response body, or what happens between two of them.
#[derive(Debug)]
pub(crate) enum Part {
    Bytes(Bytes),
    Pause(Duration),
    /// Silence until released.
    Hold,
    /// The connection breaks.
    Cut,
}

/// The body that answers with the reply's steps and ends as its fault says.
pub(crate) fn body(taken: &Taken) -> Vec<Part> {
    let response = format!("resp-{}", taken.id);
    let ended = |kind: &str, rest: Value| {
        event(
            kind,
            json!({"response": merged(json!({"id": response}), rest)}),
        )
    };
    let end = match &taken.reply.fault {
        None | Some(Fault::Hang) => vec![completed(&response, taken.reply.usage)],
        Some(Fault::Status(error)) => return vec![bytes(plain(&error.body))],
        Some(Fault::Garbage) => return vec![Part::Bytes(Bytes::from_static(GARBAGE))],
        Some(Fault::Empty) => return Vec::new(),
        Some(Fault::Stall) => vec![Part::Hold, completed(&response, taken.reply.usage)],
        Some(Fault::Cut) => vec![Part::Cut],
        Some(Fault::Unfinished) => Vec::new(),
        Some(Fault::MalformedEvent) => vec![bytes(
            "event: response.completed\ndata: {\"type\":\"response.comp\n\n".to_owned(),
        )],
        Some(Fault::Failed(failure)) => {
            let error = json!({"code": failure.code, "message": failure.message});
            vec![ended(
                "response.failed",
                json!({"status": "failed", "error": error}),
            )]
        }
        Some(Fault::Incomplete(reason)) => {
            let details = json!({"reason": reason});
            vec![ended(
                "response.incomplete",
                json!({"status": "incomplete", "incomplete_details": details}),
            )]
        }
    };
    let created = event("response.created", json!({"response": {"id": response}}));
    let steps = taken
        .reply
        .steps
        .iter()
        .enumerate()
        .flat_map(|(place, step)| {
            let writer = Writer {
                captured: &taken.captured,
                id: format!("{}-{place}", taken.id),
            };
            writer.step(place, step)
        });
    std::iter::once(created).chain(steps).chain(end).collect()
}

const GARBAGE: &[u8] = b"\x00\xff\xfe<html>\r\nthis is no event stream\xc3\x28</html>\n\n\n";

/// Writes one step.
struct Writer<'a> {
    captured: &'a Captured,
    /// Distinguishes the step from all others the server sends.
    id: String,
}

impl Writer<'_> {
    fn step(&self, place: usize, step: &Step) -> Vec<Part> {
        let fill = |text: &str| self.captured.fill(text);
        let item = match step {
            Step::PauseMs(ms) => return vec![Part::Pause(Duration::from_millis(*ms))],
            Step::Stream(pieces) => return self.streamed(place, pieces),
            Step::Say(text) => {
                self.message(json!({"type": "output_text", "text": fill(text), "annotations": []}))
            }
            Step::Refuse(text) => self.message(json!({"type": "refusal", "refusal": fill(text)})),
            Step::Reasoning(text) => {
                let summary = json!([{"type": "summary_text", "text": fill(text)}]);
                json!({"type": "reasoning", "id": format!("rs-{}", self.id), "summary": summary})
            }
            Step::Run(cmd) => self.call(None, "exec_command", &json!({"cmd": fill(cmd)})),
            Step::Plan(steps) => {
                let plan: Vec<Value> = steps
                    .iter()
                    .map(|(step, status)| json!({"step": fill(step), "status": status}))
                    .collect();
                self.call(None, "update_plan", &json!({"plan": plan}))
            }
            Step::Call(Call {
                namespace,
                name,
                arguments,
            }) => self.call(
                namespace.as_deref(),
                name,
                &self.filled(&Value::Object(arguments.clone())),
            ),
            Step::Custom(Custom { name, input }) => {
                json!({"type": "custom_tool_call", "call_id": self.call_id(), "name": name, "input": fill(input)})
            }
        };
        vec![event(
            "response.output_item.done",
            json!({"output_index": place, "item": item}),
        )]
    }

    /// A message in deltas: the engine wants to hear of the item first, and gets it whole at the end.
    fn streamed(&self, place: usize, pieces: &[String]) -> Vec<Part> {
        let pieces: Vec<String> = pieces
            .iter()
            .map(|piece| self.captured.fill(piece))
            .collect();
        let mut begun = self.message(json!({}));
        begun["content"] = json!([]);
        let whole = self
            .message(json!({"type": "output_text", "text": pieces.concat(), "annotations": []}));
        let added = event(
            "response.output_item.added",
            json!({"output_index": place, "item": begun}),
        );
        let deltas = pieces.iter().map(|piece| {
            let at = json!({"item_id": begun["id"], "output_index": place, "content_index": 0});
            event(
                "response.output_text.delta",
                merged(at, json!({"delta": piece})),
            )
        });
        let done = event(
            "response.output_item.done",
            json!({"output_index": place, "item": whole}),
        );
        std::iter::once(added).chain(deltas).chain([done]).collect()
    }

    fn message(&self, content: Value) -> Value {
        json!({"type": "message", "role": "assistant", "id": format!("msg-{}", self.id), "content": [content]})
    }

    fn call(&self, namespace: Option<&str>, name: &str, arguments: &Value) -> Value {
        let mut item = json!({"type": "function_call", "call_id": self.call_id(), "name": name, "arguments": arguments.to_string()});
        if let Some(namespace) = namespace {
            item["namespace"] = json!(namespace);
        }
        item
    }

    fn call_id(&self) -> String {
        format!("call-{}", self.id)
    }

    /// `value` with the placeholders in its strings replaced, however deep they are.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.captured.fill(text)),
            Value::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), self.filled(value)))
                    .collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

fn completed(response: &str, usage: Usage) -> Part {
    let usage = json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input + usage.output,
    });
    event(
        "response.completed",
        json!({"response": {"id": response, "status": "completed", "usage": usage}}),
    )
}

/// One event; the engine goes by the `type` inside its data.
fn event(kind: &str, data: Value) -> Part {
    let data = merged(json!({"type": kind}), data);
    bytes(format!("event: {kind}\ndata: {data}\n\n"))
}

fn merged(mut into: Value, from: Value) -> Value {
    if let (Value::Object(into), Value::Object(from)) = (&mut into, from) {
        into.extend(from);
    }
    into
}

fn plain(body: &Value) -> String {
    match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}

fn bytes(text: String) -> Part {
    Part::Bytes(Bytes::from(text))
}
