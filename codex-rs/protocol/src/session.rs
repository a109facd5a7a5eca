//! Sessions: the short cache. One stretch of one root thread on one branch.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::git::{CommitSummary, GitSnapshot};
use crate::ids::{RunId, SessionId, TaskId, ThreadId};
use crate::turn::{PlanStep, TurnRecord};

/// A summary of a session, made from its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// When it was made.
    pub at: Timestamp,
    /// What the session was for.
    pub goal: String,
    /// What was done, one sentence an entry.
    pub changes: Vec<String>,
    /// Commits made, oldest first.
    pub commits: Vec<CommitSummary>,
    /// What was left open.
    pub open_ends: Vec<String>,
    /// What comes next.
    pub next_actions: Vec<String>,
}

/// What a turn amounted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnSummary {
    /// One or two sentences.
    pub text: String,
    /// Tasks it bore on.
    pub tasks: Vec<TaskId>,
}

/// A turn with what was made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTurn {
    /// What was observed.
    pub record: TurnRecord,
    /// What it amounted to; none until the summariser has seen it.
    pub summary: Option<TurnSummary>,
    /// The user has taken it back since (`thread/revert`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub reverted: bool,
}

/// One stretch of one root thread on one branch: a file in `sessions/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Also the stem of its file's name.
    pub id: SessionId,
    /// The thread.
    pub thread: ThreadId,
    /// The branch; none when detached or outside a repository.
    pub branch: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// Runs that contributed, oldest first.
    pub runs: Vec<RunId>,
    /// Git at the end of its last turn: what the next turn expects.
    pub snapshot: Option<GitSnapshot>,
    /// The last plan of the main agent.
    pub plan: Vec<PlanStep>,
    /// Its turns, oldest first.
    pub turns: Vec<SessionTurn>,
    /// Its summary; none until it ended once.
    pub digest: Option<Digest>,
    /// Name of its journal entry, once written.
    pub journal: Option<String>,
}

fn is_false(word: &bool) -> bool {
    !*word
}
