//! Tasks: what is to be done, who said it is, and what was seen of it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{ClaimId, CommitId, SessionId, TaskId, ThreadId, TurnId};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A person, by command or by hand.
    Person,
    /// The agent the person talks to.
    MainAgent,
    /// Our sub-agent for the backlog.
    BacklogKeeper,
    /// Our sub-agent for summaries.
    Summariser,
    /// The supervisor itself (snapshots, recovery).
    Supervisor,
}

impl Actor {
    /// The name people read.
    pub fn name(self) -> &'static str {
        match self {
            Actor::Person => "person",
            Actor::MainAgent => "main agent",
            Actor::BacklogKeeper => "backlog-keeper",
            Actor::Summariser => "summariser",
            Actor::Supervisor => "supervisor",
        }
    }
}

/// What a claim says of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ClaimState {
    /// Takes back earlier claims: the task is open again.
    Pending,
    Active,
    Blocked,
    Done,
    Dropped,
}

/// A task's status as seen from a HEAD. Derived from claims by git, never stored in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TaskStatus {
    Pending,
    Active,
    Blocked,
    Done,
    Dropped,
}

impl TaskStatus {
    /// The word used in files and listings.
    pub fn name(self) -> &'static str {
        match self {
            TaskStatus::Pending => "pending",
            TaskStatus::Active => "active",
            TaskStatus::Blocked => "blocked",
            TaskStatus::Done => "done",
            TaskStatus::Dropped => "dropped",
        }
    }

    /// Neither done nor dropped.
    pub fn is_open(self) -> bool {
        !matches!(self, TaskStatus::Done | TaskStatus::Dropped)
    }
}

/// Somebody's word on a task. Whether it holds at a HEAD is decided by git.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Its id.
    pub id: ClaimId,
    /// What it says.
    pub state: ClaimState,
    /// Who says it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The branch it was made on; none when HEAD was detached or there is no repository.
    pub branch: Option<String>,
    /// The work tree it was made in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// The commits that hold the work. Empty: a person's word holds everywhere, an agent's on its branch and work tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<CommitId>,
    /// Files the work changed that were not committed yet when the claim was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The reason, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The kind of thing a piece of evidence points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A commit; `ref` is its id.
    Commit,
    /// A shell command; `ref` is its text.
    Command,
    /// A changed file; `ref` is its path.
    File,
    /// A turn; `ref` is its id.
    Turn,
    /// A person's or the main agent's words; verifies nothing.
    Note,
}

/// Something that was observed and bears on a task. Append-only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// What it points at.
    pub kind: EvidenceKind,
    /// The thing itself: a commit id, a command, a path, a turn id, or words.
    #[serde(rename = "ref")]
    pub reference: String,
    /// It succeeded (commands: exit code 0); none where success has no meaning.
    pub ok: Option<bool>,
    /// The commit that HEAD stood at when it was seen; evidence is stale when files changed since.
    pub tree: Option<CommitId>,
    /// When.
    pub at: Timestamp,
    /// The session it was seen in.
    pub session: Option<SessionId>,
}

/// Where a task came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A person added it.
    Person {
        /// The branch they were on.
        branch: Option<String>,
    },
    /// A step of the main agent's plan.
    PlanStep {
        /// The branch the thread was on.
        branch: Option<String>,
        /// The thread.
        thread: ThreadId,
        /// The turn in which the step first appeared.
        turn: TurnId,
    },
    /// What a thread was asked for: the parent of its plan's steps.
    Goal {
        /// The branch the thread was on.
        branch: Option<String>,
        /// The thread.
        thread: ThreadId,
        /// Its first turn.
        turn: TurnId,
    },
    /// The main agent added it by tool.
    Agent {
        /// The branch it was on.
        branch: Option<String>,
        /// The thread, when the engine named it.
        thread: Option<ThreadId>,
        /// The turn, when the engine named it.
        turn: Option<TurnId>,
    },
    /// It was imported from another tool's backlog.
    Import {
        /// Which format it came from: `beads`, `taskmaster`, `backlog-md`, `markdown`.
        format: String,
        /// Its id there; for a checklist, its file and line.
        id: String,
    },
}

/// A unit of work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// One line, at most [`Task::MAX_TITLE`] characters.
    pub title: String,
    /// Who is to do it; free text (`agent`, a name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// 0 is the most urgent, 4 the least, 2 the default.
    #[serde(default = "default_priority")]
    pub priority: u8,
    /// The task it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Tasks that must be done before it. Sorted; never a cycle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TaskId>,
    /// The milestone it counts towards, by name; at most [`Task::MAX_NAME`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
    /// How one tells that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<String>,
    /// What was said of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// What was seen of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// The commit that brought it, or is meant to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_commit: Option<CommitId>,
    /// Where it came from.
    pub origin: Origin,
    /// When it was added.
    pub created_at: Timestamp,
    /// Other wordings under which the main agent named it, newest last, at most [`Task::MAX_ALIASES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Remarks, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The block of `project_tasks.yaml` in which a person last wrote it: its comments and the order of its keys; none
    /// where they are as we write them. At most [`Task::MAX_LAYOUT`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Box<str>>,
}

fn default_priority() -> u8 {
    Task::DEFAULT_PRIORITY
}

impl Task {
    /// A task that nothing has been said of yet, with the default priority.
    pub fn new(
        id: TaskId,
        title: impl Into<String>,
        origin: Origin,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            title: title.into(),
            owner: None,
            priority: Self::DEFAULT_PRIORITY,
            parent: None,
            needs: Vec::new(),
            milestone: None,
            acceptance: None,
            claims: Vec::new(),
            evidence: Vec::new(),
            target_commit: None,
            origin,
            created_at,
            aliases: Vec::new(),
            notes: Vec::new(),
            layout: None,
        }
    }

    /// The longest title, in characters.
    pub const MAX_TITLE: usize = 200;
    /// The longest acceptance text, note or reason, in characters.
    pub const MAX_TEXT: usize = 2_000;
    /// The longest owner or milestone name, in characters.
    pub const MAX_NAME: usize = 80;
    /// The longest layout, in bytes; a longer one isn't kept, and the task is written as we write them.
    pub const MAX_LAYOUT: usize = 16 * 1024;
    /// The most wordings remembered.
    pub const MAX_ALIASES: usize = 8;
    /// The most pieces of evidence kept on a task; the oldest ones that are no commits make room.
    pub const MAX_EVIDENCE: usize = 50;
    /// The priority of a task that names none.
    pub const DEFAULT_PRIORITY: u8 = 2;
    /// The least urgent priority.
    pub const MAX_PRIORITY: u8 = 4;
}
