//! What is asked of the app-server and what it answers, as plain data: threads, listings, configuration. Only the fields
//! codex-orch looks at; the engine has more, and may have others tomorrow.

use std::path::PathBuf;

use orch_protocol::ids::ThreadId;
use serde::Deserialize;
use serde_json::Value;

/// A notification of the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
}

/// The effective configuration, as far as codex-orch looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveConfig {
    /// `developer_instructions` after all layers. Project layers count only in trusted folders.
    pub developer_instructions: Option<String>,
    /// `model_provider` after all layers; `None` is upstream's default.
    pub model_provider: Option<String>,
    /// The whole of it.
    pub raw: Value,
}

/// The kind of client that started a thread, as upstream names it.
pub type SourceKind = &'static str;
/// Every kind, sub-agents included.
pub const ALL_SOURCES: [SourceKind; 10] = [
    "cli",
    "vscode",
    "exec",
    "appServer",
    "subAgent",
    "subAgentReview",
    "subAgentCompact",
    "subAgentThreadSpawn",
    "subAgentOther",
    "unknown",
];

/// Which threads to list, most recently updated first; archived and attached ones never.
#[derive(Debug, Clone, Default)]
pub struct ThreadQuery {
    /// Only those whose *recorded* working directory is exactly this. See [`crate::resolve`] for the latest one.
    pub cwd: Option<PathBuf>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Go on after an earlier page.
    pub cursor: Option<String>,
    /// Only threads of these kinds. Empty means what upstream takes for interactive: not `exec`.
    pub sources: Vec<SourceKind>,
    /// Only threads of these model providers. `None` means the configured one, an empty list all.
    pub providers: Option<Vec<String>>,
    /// Only threads whose name or title has this in it.
    pub search: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadPage {
    /// The threads.
    #[serde(rename = "data")]
    pub threads: Vec<ThreadSummary>,
    /// Where to go on.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A thread as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadSummary {
    /// Its id.
    pub id: ThreadId,
    /// The name a person gave it.
    #[serde(default)]
    pub name: Option<String>,
    /// The beginning of its first message.
    #[serde(default)]
    pub preview: String,
    /// The working directory recorded for it.
    pub cwd: PathBuf,
    /// Its rollout, when it has one.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Whose models it uses.
    #[serde(default)]
    pub model_provider: String,
    /// Seconds since 1970.
    #[serde(default)]
    pub updated_at: i64,
    /// The thread it was forked from.
    #[serde(default)]
    pub forked_from_id: Option<ThreadId>,
}

/// How a fork shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// As a thread of its own: it bears its source's name, and being newer it is what `resume --last` then takes.
    Listed,
    /// Attached to its source: hidden from listings, `--last` and names, resumable by id.
    Attached,
}
