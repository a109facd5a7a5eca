//! Writes rollouts for tests, line by line, in the forms of every version.

use orch_protocol::turn::{TurnEvent, TurnRecord};
use orch_rollout::reader::Reader;
use orch_rollout::thread::Rollout;
use serde_json::{Value, json};

pub const THREAD: &str = "01a00000-0000-7000-8000-00000000000a";
/// A thread older than [`THREAD`], and a turn of it.
pub const PARENT: &str = "019f0000-0000-7000-8000-00000000000b";
pub const PARENT_TURN: &str = "019f0000-0001-7000-8000-00000000000c";
/// Turns younger than [`THREAD`].
pub const TURN: &str = "01a00000-0001-7000-8000-000000000001";
pub const TURN_2: &str = "01a00000-0002-7000-8000-000000000002";

/// Lines, a second apart.
#[derive(Default, Clone)]
pub struct Lines {
    pub lines: Vec<String>,
    ordinals: bool,
}

impl Lines {
    /// A rollout of [`THREAD`].
    pub fn new() -> Self {
        Lines::default().line("session_meta", meta(THREAD))
    }

    /// The same with ordinals, as paginated rollouts have them.
    pub fn paginated() -> Self {
        let lines = Lines {
            ordinals: true,
            ..Lines::default()
        };
        lines.line("session_meta", meta(THREAD))
    }

    pub fn line(mut self, kind: &str, payload: Value) -> Self {
        let count = self.lines.len();
        let mut line = json!({"timestamp": time(count), "type": kind, "payload": payload});
        if self.ordinals {
            line["ordinal"] = count.into();
        }
        // The order of keys that the engine writes.
        self.lines.push(ordered(&line));
        self
    }

    pub fn event(self, payload: Value) -> Self {
        self.line("event_msg", payload)
    }

    pub fn response(self, payload: Value) -> Self {
        self.line("response_item", payload)
    }

    pub fn item(self, turn: &str, item: Value) -> Self {
        self.event(
            json!({"type": "item_completed", "thread_id": THREAD, "turn_id": turn, "item": item}),
        )
    }

    pub fn user(self, text: &str) -> Self {
        self.response(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}))
            .event(json!({"type": "user_message", "message": text, "images": []}))
    }

    pub fn agent(self, text: &str) -> Self {
        self.event(json!({"type": "agent_message", "message": text}))
            .response(json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}))
    }

    pub fn started(self, turn: &str) -> Self {
        self.event(json!({"type": "task_started", "turn_id": turn}))
    }

    pub fn complete(self, turn: &str) -> Self {
        self.event(json!({"type": "task_complete", "turn_id": turn, "last_agent_message": null}))
    }

    pub fn context(self, cwd: &str) -> Self {
        self.line("turn_context", json!({"cwd": cwd, "model": "m1"}))
    }

    pub fn call(self, id: &str, name: &str, arguments: Value) -> Self {
        self.response(
            json!({"type": "function_call", "name": name, "arguments": arguments.to_string(), "call_id": id}),
        )
    }

    pub fn exec(self, id: &str, cmd: &str) -> Self {
        self.call(id, "exec_command", json!({"cmd": cmd}))
    }

    pub fn custom(self, id: &str, name: &str, input: &str) -> Self {
        self.response(json!({"type": "custom_tool_call", "status": "completed", "call_id": id, "name": name, "input": input}))
    }

    pub fn output(self, id: &str, output: impl Into<Value>) -> Self {
        self.response(
            json!({"type": "function_call_output", "call_id": id, "output": output.into()}),
        )
    }

    pub fn tokens(self, total: u64, last: u64) -> Self {
        let usage = |n: u64| json!({"input_tokens": n, "cached_input_tokens": n / 2, "output_tokens": n / 10});
        self.event(
            json!({"type": "token_count", "info": {"total_token_usage": usage(total), "last_token_usage": usage(last)}}),
        )
    }

    pub fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }

    pub fn read(&self) -> Rollout {
        read(self.text().as_bytes())
    }
}

pub fn meta(thread: &str) -> Value {
    json!({"id": thread, "cwd": "/w", "originator": "o", "cli_version": "0.1.0", "source": "cli",
        "git": {"commit_hash": "c0ffee", "branch": "main"}})
}

pub fn time(second: usize) -> String {
    format!(
        "2026-01-01T{:02}:{:02}:{:02}.000Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn ordered(line: &Value) -> String {
    let ordinal = line
        .get("ordinal")
        .map_or(String::new(), |n| format!("\"ordinal\":{n},"));
    // serde_json sorts keys, so a payload's type, which the engine writes first, is put there.
    let mut payload = line["payload"].clone();
    let kind = payload
        .as_object_mut()
        .and_then(|payload| payload.remove("type"));
    let rest = payload.to_string();
    let payload = match kind {
        Some(kind) => format!("{{\"type\":{kind},{}", &rest[1..]).replacen(
            ",}",
            "}",
            usize::from(rest == "{}"),
        ),
        None => rest,
    };
    format!(
        "{{\"timestamp\":{},{ordinal}\"type\":{},\"payload\":{payload}}}",
        line["timestamp"], line["type"]
    )
}

pub fn read(bytes: &[u8]) -> Rollout {
    Reader::new(bytes).read_all().unwrap()
}

/// A turn's events, one short line each.
pub fn shown(turn: &TurnRecord) -> Vec<String> {
    turn.events
        .iter()
        .map(|event| match event {
            TurnEvent::Plan { steps, .. } => {
                let steps: Vec<String> = steps
                    .iter()
                    .map(|step| format!("{} {:?}", step.step, step.status))
                    .collect();
                format!("plan: {}", steps.join(", "))
            }
            TurnEvent::Command {
                command,
                kind,
                exit_code,
                vouches,
                ..
            } => {
                let says_nothing = if *vouches { "" } else { " (says nothing)" };
                format!("{kind:?} `{command}` {exit_code:?}{says_nothing}")
            }
            TurnEvent::File {
                path, change, ok, ..
            } => format!("{change:?} {path} {ok}"),
            TurnEvent::Message { text, .. } => format!("says {text}"),
            TurnEvent::Error { text, .. } => format!("error {text}"),
        })
        .collect()
}
