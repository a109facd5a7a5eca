//! What an agent would like to change. The supervisor applies it by policy or keeps it for review.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{ClaimId, CommitId, ProposalId, TaskId};
use crate::task::{Actor, Claim, Evidence, Task};

/// One change of the backlog, small enough to be judged, applied and undone by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Adds a task; nothing happens if one with its id is there.
    AddTask {
        /// The whole task.
        task: Box<Task>,
    },
    /// Adds a claim to a task.
    Claim {
        /// The task.
        task: TaskId,
        /// The claim.
        claim: Claim,
    },
    /// Gives a claim that was made for uncommitted work the commits that hold it.
    AnchorClaim {
        /// The task.
        task: TaskId,
        /// The claim.
        claim: ClaimId,
        /// The commits.
        commits: Vec<CommitId>,
    },
    /// Appends evidence to a task.
    AddEvidence {
        /// The task.
        task: TaskId,
        /// What was seen.
        evidence: Vec<Evidence>,
    },
    /// Remembers another wording of a task.
    AddAlias {
        /// The task.
        task: TaskId,
        /// The wording.
        alias: String,
    },
    /// Sets or clears single fields of a task.
    EditTask {
        /// The task.
        task: TaskId,
        /// The fields.
        edit: TaskEdit,
    },
    /// Adds an edge: `task` can't be done before `need`.
    AddNeed {
        /// The task that waits.
        task: TaskId,
        /// The one it waits for.
        need: TaskId,
    },
    /// Removes an edge.
    RemoveNeed {
        /// The task that waited.
        task: TaskId,
        /// The one it waited for.
        need: TaskId,
    },
    /// Brings in what differs between two versions of a task, by structural 3-way merge with the task as it is: an edit
    /// by hand (`base` is what the person saw), an operation undone (`base` is what it had made).
    MergeTask {
        /// The task.
        task: TaskId,
        /// What both sides began with; none where the task wasn't there.
        base: Option<Box<Task>>,
        /// What one side made of it; none where it is gone there.
        theirs: Option<Box<Task>>,
    },
    /// Moves a closed task out of the backlog that is read on every command, or back into it.
    Archive {
        /// The task.
        task: TaskId,
        /// Out of it.
        archived: bool,
    },
}

impl Change {
    /// The task it changes.
    pub fn task(&self) -> &TaskId {
        match self {
            Change::AddTask { task } => &task.id,
            Change::Claim { task, .. }
            | Change::AnchorClaim { task, .. }
            | Change::AddEvidence { task, .. }
            | Change::AddAlias { task, .. }
            | Change::EditTask { task, .. }
            | Change::AddNeed { task, .. }
            | Change::RemoveNeed { task, .. }
            | Change::MergeTask { task, .. }
            | Change::Archive { task, .. } => task,
        }
    }
}

/// Fields of a task to be set; absent ones stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskEdit {
    /// New title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// New owner; an empty text clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// New priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// New parent; an empty text clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// New milestone; an empty text clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
    /// New acceptance; an empty text clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<String>,
    /// New target commit; an empty id clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_commit: Option<CommitId>,
    /// A remark to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How sure an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A guess from words.
    Low,
    /// The agent's word, and nothing observed speaks against it.
    Medium,
    /// It follows from what was observed.
    High,
}

/// A change with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Derived from what it proposes: proposed twice, it is one.
    pub id: ProposalId,
    /// Who proposes.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The change.
    pub change: Change,
    /// Why, in one sentence for a person.
    pub reason: String,
    /// How sure.
    pub confidence: Confidence,
    /// What it rests on, as observed.
    pub evidence: Vec<Evidence>,
}
