//! `project_state.json`: the part of the long cache that is not a task.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::git::{GitSnapshot, Head};
use crate::ids::{CommitId, LogId, ProposalId, RunId, SessionId, TaskId, ThreadId};
use crate::proposal::Proposal;
use crate::session::Digest;

/// What the work on one branch is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BranchContext {
    /// What the work is for, in the user's words.
    pub objective: Option<String>,
    /// The last session on the branch.
    pub last_session: Option<SessionId>,
    /// Its thread.
    pub last_thread: Option<ThreadId>,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Git at the end of its last turn.
    pub snapshot: Option<GitSnapshot>,
    /// The branch this context was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<String>,
    /// A copy of a conversation kept for this branch when the live thread went on elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_thread: Option<ThreadId>,
}

/// The context of a branch that is gone, or that was worked on too long ago to stand among the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedContext {
    /// When it was put away.
    pub at: Timestamp,
    /// What it was then.
    pub context: BranchContext,
}

/// A point of the project's history that the state was rolled up at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// When.
    pub at: Timestamp,
    /// What HEAD was.
    pub head: Head,
    /// Why it was made: `commit`, `task-done`, `session-end`, `recovery`.
    pub trigger: String,
    /// One line for people.
    pub text: String,
    /// The session it was made in.
    pub session: Option<SessionId>,
}

/// How a run of codex-orch started upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunKind {
    /// A new thread.
    Fresh,
    /// A thread that is there already.
    Resume {
        /// Which.
        thread: ThreadId,
    },
    /// A copy of a thread.
    Fork {
        /// Of which.
        thread: ThreadId,
    },
    /// A code review: recorded, but no turn of the user's.
    Review,
    /// One turn of an open thread, as a client of the interposer sent it.
    Turn {
        /// Of which.
        thread: ThreadId,
    },
}

/// What a person chose about a drift, before the thread's next turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftChoice {
    /// When.
    pub at: Timestamp,
    /// The choice's word.
    pub choice: String,
    /// HEAD as it was then: with another one, the choice no longer counts.
    pub head: Head,
}

/// A run that has begun and whose end isn't recorded yet: after a crash, what recovery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// The run; also written into the brief, which is how its rollout is found.
    pub run: RunId,
    /// When it began.
    pub at: Timestamp,
    /// How.
    pub kind: RunKind,
    /// The folder it runs in.
    pub cwd: String,
    /// Upstream's home during the run: where its rollout will be.
    pub codex_home: String,
    /// Git when it began; none outside a repository.
    pub snapshot: Option<GitSnapshot>,
    /// The log that the run writes: while its process lives, the run is nobody else's to recover.
    pub log: LogId,
    /// Tasks that the brief showed to the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brief_tasks: Vec<TaskId>,
    /// The engine goes on without codex-orch (the user's daemon): the turn may still run when its run is found open.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outlives: bool,
}

/// One drift that was met, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftEntry {
    /// When.
    pub at: Timestamp,
    /// The thread it was met on.
    pub thread: Option<ThreadId>,
    /// `advanced`, `branched`, … (docs/drift.md).
    pub kind: String,
    /// HEAD as expected.
    pub from: Option<Head>,
    /// HEAD as seen.
    pub to: Option<Head>,
    /// `fast-forward`, `fork`, `rebuild`, `stop`.
    pub choice: String,
    /// One line for people.
    pub text: String,
}

/// What a set of tasks is meant to reach together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Milestone {
    /// What it is for, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The day it is due, as `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
}

/// Comments of `project_tasks.yaml` that belong to no task. Each at most [`Task::MAX_LAYOUT`](crate::task::Task::MAX_LAYOUT)
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileComments {
    /// Lines above the tasks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub top: String,
    /// Lines below the last one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub end: String,
}

/// The long cache without its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Project {
    /// What differs by branch; at each roll-up the newest [`Project::MAX_CONTEXTS`].
    #[serde(default)]
    pub branches: BTreeMap<String, BranchContext>,
    /// Contexts that were put away, by the last name of their branch; the newest [`Project::MAX_ARCHIVED`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub archived: BTreeMap<String, ArchivedContext>,
    /// Milestones by name; tasks name theirs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub milestones: BTreeMap<String, Milestone>,
    /// Commits that claims name, and under which other ids their work was found: rebased, cherry-picked, squashed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rewrites: BTreeMap<CommitId, BTreeSet<CommitId>>,
    /// The newest [`Project::MAX_CHECKPOINTS`] points of roll-up, oldest first.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
    /// Proposals that wait for review.
    #[serde(default)]
    pub proposals: BTreeMap<ProposalId, Proposal>,
    /// Runs that have begun and not ended.
    #[serde(default)]
    pub open_runs: BTreeMap<RunId, OpenRun>,
    /// The newest [`Project::MAX_DRIFT`] drifts, oldest first.
    #[serde(default)]
    pub drift: Vec<DriftEntry>,
    /// Choices that wait for their thread's next turn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drift_choices: BTreeMap<ThreadId, DriftChoice>,
    /// What a person wrote into the tasks' file beside the tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<FileComments>,
}

impl Project {
    /// The most branches with a context.
    pub const MAX_CONTEXTS: usize = 200;
    /// The most contexts kept of branches that are gone.
    pub const MAX_ARCHIVED: usize = 200;
    /// The most checkpoints kept.
    pub const MAX_CHECKPOINTS: usize = 200;
    /// The most drifts kept.
    pub const MAX_DRIFT: usize = 200;
}

fn is_false(word: &bool) -> bool {
    !*word
}
