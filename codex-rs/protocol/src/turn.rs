//! A turn as observers saw it: what was asked, what ran, what changed. Evidence is made from this and nothing else.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::git::CommitSummary;
use crate::ids::{ThreadId, TurnId};

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// The engine reported its end.
    Completed,
    /// The engine reported an error.
    Failed,
    /// The user stopped it, or the engine died: its end was never written.
    Interrupted,
}

/// What started a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnKind {
    /// A message of the user to a root thread.
    #[default]
    User,
    /// A code review.
    Review,
}

/// The status the model gave a step of its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum StepStatus {
    Pending,
    InProgress,
    Completed,
}

/// One step of a plan: a text, without an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// What the model wrote.
    pub step: String,
    /// What it says of it.
    pub status: StepStatus,
}

/// What a shell command was for, told from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Runs tests.
    Test,
    /// Makes a git commit.
    Commit,
    /// Anything else.
    Other,
}

/// How a file was changed by a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// Something that happened in a turn. A turn's events stand in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TurnEvent {
    /// The model wrote or changed its plan.
    Plan {
        /// When it did.
        at: Option<Timestamp>,
        /// Its reason, if given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explanation: Option<String>,
        /// The whole plan, in order.
        steps: Vec<PlanStep>,
    },
    /// A shell command ran.
    Command {
        /// When it began.
        at: Option<Timestamp>,
        /// Upstream's id of the call.
        call_id: String,
        /// The command as the shell got it, at most [`TurnRecord::MAX_COMMAND`] characters.
        command: String,
        /// What it was for.
        kind: CommandKind,
        /// Its exit code; none when it was still running, was refused or was killed.
        exit_code: Option<i32>,
        /// Exit code 0 of this command means that what it did succeeded. It doesn't of `cargo test | tail`.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        vouches: bool,
    },
    /// A file was changed by a patch.
    File {
        /// When.
        at: Option<Timestamp>,
        /// Path as the patch names it (relative to the turn's folder, or absolute).
        path: String,
        /// How.
        change: ChangeKind,
        /// The engine reported success.
        ok: bool,
    },
    /// The agent said something to the user.
    Message {
        /// When.
        at: Option<Timestamp>,
        /// The text, at most [`TurnRecord::MAX_MESSAGE`] characters.
        text: String,
    },
    /// The engine reported an error to the user.
    Error {
        /// When.
        at: Option<Timestamp>,
        /// The text, at most [`TurnRecord::MAX_MESSAGE`] characters.
        text: String,
    },
}

/// Tokens, as the provider reported them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUsage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// Those of them that were read from the provider's cache.
    pub cached_input: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
}

/// One turn of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// The thread it belongs to.
    pub thread: ThreadId,
    /// The turn.
    pub turn: TurnId,
    /// What started it.
    #[serde(default)]
    pub kind: TurnKind,
    /// How it ended.
    pub status: TurnStatus,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended; none while it runs or if its end was never written.
    pub ended_at: Option<Timestamp>,
    /// What the user asked, at most [`TurnRecord::MAX_MESSAGE`] characters.
    pub request: String,
    /// The folder it ran in.
    pub cwd: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// What happened, in order, at most [`TurnRecord::MAX_EVENTS`].
    pub events: Vec<TurnEvent>,
    /// How many events were left out for that bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_dropped: u64,
    /// What it cost.
    pub usage: TokenUsage,
    /// Commits that came to be reachable from HEAD during the turn, oldest first; added by the git observer, never from text.
    #[serde(default)]
    pub commits: Vec<CommitSummary>,
}

fn yes() -> bool {
    true
}

fn is_yes(yes: &bool) -> bool {
    *yes
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl TurnRecord {
    /// The longest command kept, in characters.
    pub const MAX_COMMAND: usize = 2_000;
    /// The longest message or request kept, in characters.
    pub const MAX_MESSAGE: usize = 4_000;
    /// The most events kept of a turn; plans and commits' commands are kept before others.
    pub const MAX_EVENTS: usize = 2_000;
    /// The most steps kept of a plan.
    pub const MAX_STEPS: usize = 100;

    /// The last thing the agent said.
    pub fn last_message(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| match event {
            TurnEvent::Message { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The last plan of the turn.
    pub fn last_plan(&self) -> Option<&[PlanStep]> {
        self.events.iter().rev().find_map(|event| match event {
            TurnEvent::Plan { steps, .. } => Some(steps.as_slice()),
            _ => None,
        })
    }
}
