//! Commands on the backlog, from a person or from the main agent's tools: checked as a whole before anything changes.

mod milestone;
mod plan;
mod reads;

use std::fmt;

use orch_protocol::Timestamp;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::proposal::TaskEdit;
use orch_protocol::task::{Actor, Claim, ClaimState, Origin, Task};
use orch_protocol::tasks::Tasks;
use orch_protocol::text::one_line;
use thiserror::Error;

use crate::state::State;

pub use plan::plan;
pub use reads::Reads;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskCommand {
    /// A new task.
    Add(NewTask),
    /// New values for single fields.
    Edit {
        /// The task, as written: an id or its unambiguous beginning.
        task: String,
        /// The values.
        edit: TaskEdit,
    },
    /// A word on its state.
    Claim {
        /// The task, as written.
        task: String,
        /// What is said.
        state: ClaimState,
        /// Why.
        reason: Option<String>,
        /// Commits that hold the work; the caller has checked that they exist.
        commits: Vec<CommitId>,
    },
    /// New values and a word on its state: both or neither.
    Update {
        /// The task, as written.
        task: String,
        /// The values.
        edit: TaskEdit,
        /// What is said.
        state: ClaimState,
        /// Why.
        reason: Option<String>,
    },
    /// A commit that belongs to a task, whatever its state.
    Link {
        /// The task, as written.
        task: String,
        /// The commit; the caller has checked that it exists.
        commit: CommitId,
    },
    /// An edge.
    Need {
        /// The task that waits, as written.
        task: String,
        /// The one it waits for, as written.
        need: String,
    },
    /// An edge that is no more.
    Unneed {
        /// The task that waited, as written.
        task: String,
        /// The one it waited for, as written.
        need: String,
    },
    /// New values for a milestone, which is made when there is none of that name.
    Milestone {
        /// Its name.
        name: String,
        /// What it is for; an empty text clears it, none leaves it.
        text: Option<String>,
        /// The day it is due, as `YYYY-MM-DD`; an empty text clears it, none leaves it.
        due: Option<String>,
    },
    /// A milestone that is no more: its tasks count towards none.
    RemoveMilestone {
        /// Its name.
        name: String,
    },
    /// Tasks of another tool's backlog, with what is said of their states. Those that are there already stay as they are.
    Import(Vec<(Task, Option<Claim>)>),
    /// Several commands as one: all are carried out, or none. Each sees what the ones before it have made.
    All(Vec<TaskCommand>),
}

/// The fields a new task can be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTask {
    /// One line.
    pub title: String,
    /// Who is to do it.
    pub owner: Option<String>,
    /// 0 to 4.
    pub priority: Option<u8>,
    /// The task it is a part of, as written.
    pub parent: Option<String>,
    /// The milestone it counts towards.
    pub milestone: Option<String>,
    /// What must be done before it, as written.
    pub needs: Vec<String>,
    /// How one tells that it is done.
    pub acceptance: Option<String>,
    /// A remark.
    pub note: Option<String>,
}

/// A task as it is named to people: its id says which, its title says what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: TaskId,
    /// Its title: one line, cleaned.
    pub title: String,
}

impl Named {
    /// Names a task.
    pub fn of(task: &Task) -> Self {
        Self {
            id: task.id.clone(),
            title: one_line(&task.title, Task::MAX_TITLE),
        }
    }

    /// The longest title within a sentence, in characters.
    const MAX_TITLE: usize = 40;
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = one_line(&self.title, Self::MAX_TITLE);
        write!(f, "{} ({title})", self.id)
    }
}

fn listed(tasks: &[Named], between: &str) -> String {
    let each: Vec<String> = tasks.iter().map(ToString::to_string).collect();
    each.join(between)
}

/// Who asks, where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// A person or the main agent.
    pub by: Actor,
    /// Where the task comes from, should one be added.
    pub origin: Origin,
    /// The branch they are on.
    pub branch: Option<String>,
    /// The work tree they are in.
    pub worktree: Option<String>,
    /// The commit HEAD stands at.
    pub head: Option<CommitId>,
    /// When.
    pub now: Timestamp,
    /// Makes ids of this command differ from those of any other: the log and its next number.
    pub nonce: String,
}

/// Why a command was refused; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("a task needs a title")]
    NoTitle,
    #[error("priority {0} is not between 0 (most urgent) and 4")]
    Priority(u8),
    #[error("there is no task {0:?}")]
    NoTask(String),
    #[error("{given:?} begins more than one id: {}{}", listed(candidates, ", "), and_more(*more))]
    Ambiguous {
        given: String,
        candidates: Vec<Named>,
        /// How many more there are.
        more: usize,
    },
    #[error("that need would close a cycle: {}", listed(.0, " → "))]
    Cycle(Vec<Named>),
    #[error("that parent would wait for itself: {}", listed(.0, " → "))]
    ParentCycle(Vec<Named>),
    #[error("{task} doesn't need {need}")]
    NoNeed { task: Named, need: Named },
    #[error("a milestone needs a name")]
    NoName,
    #[error("there is no milestone {0:?}")]
    NoMilestone(String),
    #[error("{0:?} is no day")]
    Due(String),
    #[error("nothing to change was given")]
    Nothing,
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

impl Refusal {
    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        match self {
            Refusal::NoTitle => {
                "give one line of text, as in: codex-orch tasks add \"Write the parser\""
            }
            Refusal::Priority(_) => "use 0, 1, 2, 3 or 4; 2 is the default",
            Refusal::NoTask(_) => "codex-orch tasks list --all shows every id",
            Refusal::Ambiguous { .. } => "write more characters of the id",
            Refusal::Cycle(_) => "a parent waits for its parts; leave out one of the needs on that way, or turn one round",
            Refusal::ParentCycle(_) => "a parent waits for its parts: give it one that doesn't wait for it already",
            Refusal::NoNeed { .. } => "codex-orch tasks show tells what a task needs",
            Refusal::NoName => {
                "give a few words, as in: codex-orch tasks milestone set \"First release\""
            }
            Refusal::NoMilestone(_) => "codex-orch tasks milestone shows every name",
            Refusal::Due(_) => "write it as year-month-day, as in 2027-01-31",
            Refusal::Nothing => "name at least one field",
        }
        .to_owned()
    }
}

/// Finds the task that `given` names: a whole id or its unambiguous beginning. Archived tasks are looked at only where the
/// backlog has none of that beginning.
pub fn find<'a>(state: &'a State, given: &str) -> Result<&'a Task, Refusal> {
    let unknown = || Refusal::NoTask(one_line(given, 40));
    let prefix = TaskId::prefix(given).ok_or_else(unknown)?;
    [&state.tasks, &state.archive]
        .into_iter()
        .find_map(|tasks| among(tasks, given, &prefix))
        .unwrap_or_else(|| Err(unknown()))
}

/// The one task whose id begins so; none where no id does.
fn among<'a>(tasks: &'a Tasks, given: &str, prefix: &str) -> Option<Result<&'a Task, Refusal>> {
    let mut found = tasks
        .range(TaskId::new(prefix)..)
        .take_while(|(id, _)| id.as_str().starts_with(prefix));
    let (_, first) = found.next()?;
    let Some((_, second)) = found.next() else {
        return Some(Ok(first));
    };
    let mut candidates = vec![Named::of(first), Named::of(second)];
    candidates.extend(found.by_ref().take(3).map(|(_, task)| Named::of(task)));
    Some(Err(Refusal::Ambiguous {
        given: given.trim().to_owned(),
        candidates,
        more: found.count(),
    }))
}
