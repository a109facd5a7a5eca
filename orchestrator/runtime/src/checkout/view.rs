//! A task as people read it: judged, its fields in the order in which one asks about it. No YAML here.

use orch_core::graph::Statuses;
use orch_core::judge::{Here, done_elsewhere};
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::task::{Claim, Evidence, Origin, Task, TaskStatus};
use serde::{Deserialize, Serialize};

/// What is shown of a task and stands in none of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Judged {
    /// Its status here.
    pub status: TaskStatus,
    /// It can be begun.
    pub ready: bool,
    /// The other branch it is done on.
    pub done_on: Option<String>,
}

/// A task as seen from a place.
#[derive(Debug, Clone, Hash, Serialize)]
pub struct TaskView<'a> {
    pub(crate) id: &'a TaskId,
    pub(crate) title: &'a str,
    pub(crate) status: TaskStatus,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) done_on: Option<&'a str>,
    pub(crate) owner: Option<&'a str>,
    pub(crate) priority: u8,
    pub(crate) parent: Option<&'a TaskId>,
    pub(crate) needs: &'a [TaskId],
    pub(crate) milestone: Option<&'a str>,
    pub(crate) acceptance: Option<&'a str>,
    pub(crate) target_commit: Option<&'a CommitId>,
    pub(crate) evidence: &'a [Evidence],
    pub(crate) claims: &'a [Claim],
    pub(crate) origin: &'a Origin,
    pub(crate) created_at: Timestamp,
    pub(crate) notes: &'a [String],
    #[serde(skip)]
    pub(crate) layout: Option<&'a str>,
}

impl<'a> TaskView<'a> {
    /// Shows a task that was judged.
    pub fn new(task: &'a Task, judged: &'a Judged) -> Self {
        Self {
            status: judged.status,
            ready: judged.ready,
            done_on: judged.done_on.as_deref(),
            ..Self::unjudged(task)
        }
    }

    /// Shows a task as it is judged by `statuses`, which were made from `here`.
    pub fn seen(task: &'a Task, statuses: &Statuses, here: &Here) -> Self {
        let status = statuses.of(&task.id);
        Self {
            status,
            ready: statuses.is_ready(task),
            done_on: match status {
                TaskStatus::Done => None,
                TaskStatus::Pending
                | TaskStatus::Active
                | TaskStatus::Blocked
                | TaskStatus::Dropped => done_elsewhere(task, here),
            },
            ..Self::unjudged(task)
        }
    }

    /// Shows a task with the status that it has without any claim.
    fn unjudged(task: &'a Task) -> Self {
        Self {
            id: &task.id,
            title: &task.title,
            status: TaskStatus::Pending,
            ready: false,
            done_on: None,
            owner: task.owner.as_deref(),
            priority: task.priority,
            parent: task.parent.as_ref(),
            needs: &task.needs,
            milestone: task.milestone.as_deref(),
            acceptance: task.acceptance.as_deref(),
            target_commit: task.target_commit.as_ref(),
            evidence: &task.evidence,
            claims: &task.claims,
            origin: &task.origin,
            created_at: task.created_at,
            notes: &task.notes,
            layout: task.layout.as_deref(),
        }
    }

    /// Whose view it is.
    pub fn id(&self) -> &TaskId {
        self.id
    }

    /// What of it was judged.
    pub fn judged(&self) -> Judged {
        Judged {
            status: self.status,
            ready: self.ready,
            done_on: self.done_on.map(str::to_owned),
        }
    }
}

/// Every task as seen from `here`, oldest first.
pub fn views<'a>(state: &'a State, here: &Here) -> impl Iterator<Item = TaskView<'a>> {
    let statuses = Statuses::judge(&state.tasks, here);
    let mut tasks: Vec<&Task> = state.tasks.values().collect();
    tasks.sort_by_key(|task| (task.created_at, &task.id));
    let view = move |task: &'a Task| TaskView::seen(task, &statuses, here);
    tasks.into_iter().map(view)
}
