//! The scenario file: what the model will say, as plain data.
//!
//! A scenario is a list of *replies*; the engine asks several times a turn, and each request takes one reply: the first
//! one in the file that is not used up and whose `when` fits. When none is left the `fallback` answers, for ever.
//!
//! ```json
//! {
//!   "name": "what this shows",
//!   "replies": [
//!     {"when": {"user": "fix it"}, "steps": [{"run": "make test"}]},
//!     {"steps": [{"say": "Fixed."}]}
//!   ],
//!   "fallback": {"steps": [{"say": "Done."}]}
//! }
//! ```
//!
//! A reply runs its `steps` in order, then fails by its `fault`, if it has one, or completes. Unknown keys are errors.
//! Files are read and checked in [`loading`](crate::loading). How a reply looks on the wire is not known here.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A list of replies, and what is answered when none is left.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the scenario shows; for people.
    #[serde(default)]
    pub name: String,
    /// The replies, in the order in which they are tried.
    pub replies: Vec<Reply>,
    /// Answers when no reply is left that fits; says `Done.` unless given.
    #[serde(default = "Reply::done")]
    pub fallback: Reply,
}

/// The answer to one request of the engine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Which requests it is for; all of them unless given.
    pub when: Option<When>,
    /// Whether it is never used up.
    #[serde(default)]
    pub repeat: bool,
    /// How long to wait before the first byte, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// Extra response headers, such as `retry-after`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Texts taken from the request, by name, for `{{capture NAME}}` in the steps.
    #[serde(default)]
    pub capture: BTreeMap<String, Pattern>,
    /// What the model does, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What goes wrong after the steps.
    pub fault: Option<Fault>,
    /// The tokens it reports.
    #[serde(default)]
    pub usage: Usage,
}

/// Fits a request that contains every text given.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Occurs anywhere in [`input_text`](crate::record::Asked::input_text).
    pub input: Option<String>,
    /// Occurs in the last message of the role `user`.
    pub user: Option<String>,
}

/// A regular expression with exactly one group; its last match in the request's text counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

/// One thing the model does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Says something, in one piece.
    Say(String),
    /// Says something piece by piece, each a delta.
    Stream(Vec<String>),
    /// Declines: a message whose content is a refusal.
    Refuse(String),
    /// Thinks; the text is the reasoning summary.
    Reasoning(String),
    /// Calls `exec_command` with this command line.
    Run(String),
    /// Calls `update_plan` with these steps and their statuses.
    Plan(Vec<(String, PlanStatus)>),
    /// Calls any function.
    Call(Call),
    /// Calls a tool that takes free text.
    Custom(Custom),
    /// Waits so many milliseconds.
    PauseMs(u64),
}

/// How far a step of a plan is, in the words of `update_plan`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Not begun.
    Pending,
    /// Being worked on.
    InProgress,
    /// Finished.
    Completed,
}

/// A function call; tools of an MCP server `NAME` are in the namespace `mcp__NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The namespace, for tools that have one.
    pub namespace: Option<String>,
    /// The tool's name.
    pub name: String,
    /// Its arguments, as the object they are.
    #[serde(default)]
    pub arguments: serde_json::Map<String, Value>,
}

/// A call of a free-text tool, such as `apply_patch`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// The tool's name.
    pub name: String,
    /// The text handed to it.
    pub input: String,
}

/// What goes wrong with a reply. The steps are sent before it, where that is possible.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An HTTP error instead of an event stream; the steps are not sent.
    Status(HttpError),
    /// Bytes that are no event stream, and no UTF-8, under the status 200; the steps are not sent.
    Garbage,
    /// An event stream without a byte in it; the steps are not sent.
    Empty,
    /// Not even a status line until [`release`](crate::server::Server::release); then the reply goes its way.
    Hang,
    /// The steps, then silence until [`release`](crate::server::Server::release); then the reply completes.
    Stall,
    /// The steps, then the connection breaks.
    Cut,
    /// The steps, then an orderly end of the stream without `response.completed`.
    Unfinished,
    /// The steps, an event whose data is no JSON, then an orderly end.
    MalformedEvent,
    /// The steps, then `response.failed`.
    Failed(Failure),
    /// The steps, then `response.incomplete` with this reason, such as `max_output_tokens`.
    Incomplete(String),
}

/// An HTTP error answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpError {
    /// The status code, 400 to 599.
    pub code: u16,
    /// The body: a string is sent as it is, anything else as JSON.
    #[serde(default)]
    pub body: Value,
}

/// What `response.failed` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Such as `rate_limit_exceeded`, `context_length_exceeded`, `invalid_prompt`.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// The tokens a reply reports.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens of the request, those from the cache among them.
    pub input: u64,
    /// Tokens of the request that came from the cache.
    pub cached: u64,
    /// Tokens of the answer.
    pub output: u64,
}

impl Reply {
    fn done() -> Self {
        Self {
            steps: vec![Step::Say("Done.".to_owned())],
            ..Self::default()
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let regex = Regex::new(&text).map_err(|error| error.to_string())?;
        match regex.captures_len() {
            2 => Ok(Self(regex)),
            groups => Err(format!("`{text}` has {} groups, not one", groups - 1)),
        }
    }
}

impl Pattern {
    /// The group of the last match in `text`.
    pub(crate) fn last_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let last = self.0.captures_iter(text).last()?;
        Some(last.get(1)?.as_str())
    }

    /// The expression as it was written.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input: 100,
            cached: 0,
            output: 10,
        }
    }
}
