//! Commands on the backlog, from a person or from the main agent's tools: checked as a whole before anything changes.

use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, CommitId, TaskId};
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::{Actor, Claim, ClaimState, Evidence, EvidenceKind, Origin, Task};
use orch_protocol::text::{clean, one_line};
use thiserror::Error;

use crate::graph::cycle_closed_by;
use crate::state::State;

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
    #[error("{given:?} begins more than one id: {}", candidates.join(", "))]
    Ambiguous {
        given: String,
        candidates: Vec<String>,
    },
    #[error("that need would close a cycle: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    #[error("nothing to change was given")]
    Nothing,
}

impl Refusal {
    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        match self {
            Refusal::NoTitle => {
                "give one line of text, as in: codex-orch tasks add \"Write the parser\"".to_owned()
            }
            Refusal::Priority(_) => "use 0, 1, 2, 3 or 4; 2 is the default".to_owned(),
            Refusal::NoTask(_) => "codex-orch tasks list --all shows every id".to_owned(),
            Refusal::Ambiguous { .. } => "write more characters of the id".to_owned(),
            Refusal::Cycle(_) => {
                "leave out one of the needs on that way, or turn one round".to_owned()
            }
            Refusal::Nothing => "name at least one field".to_owned(),
        }
    }
}

/// Finds the task that `given` names: a whole id or its unambiguous beginning.
pub fn find<'a>(state: &'a State, given: &str) -> Result<&'a Task, Refusal> {
    let unknown = || Refusal::NoTask(one_line(given, 40));
    let prefix = TaskId::prefix(given).ok_or_else(unknown)?;
    let mut found = state
        .tasks
        .range(TaskId::new(prefix.clone())..)
        .take_while(|(id, _)| id.as_str().starts_with(&prefix));
    let (_, first) = found.next().ok_or_else(unknown)?;
    match found.next() {
        None => Ok(first),
        Some((second, _)) => Err(Refusal::Ambiguous {
            given: given.to_owned(),
            candidates: [&first.id, second]
                .into_iter()
                .chain(found.take(3).map(|(id, _)| id))
                .map(ToString::to_string)
                .collect(),
        }),
    }
}

/// Turns a command into changes, or refuses it whole.
pub fn changes(
    state: &State,
    command: &TaskCommand,
    asker: &Asker,
) -> Result<Vec<Change>, Refusal> {
    match command {
        TaskCommand::Add(new) => add(state, new, asker),
        TaskCommand::Edit { task, edit } => {
            let task = find(state, task)?.id.clone();
            let edit = checked(state, edit)?;
            Ok(vec![Change::EditTask { task, edit }])
        }
        TaskCommand::Claim {
            task,
            state: said,
            reason,
            commits,
        } => {
            let task = find(state, task)?.id.clone();
            let reason = reason
                .as_deref()
                .map(text)
                .filter(|reason| !reason.is_empty());
            let claim = claim(&task, *said, reason.clone(), commits, asker);
            let mut changes = vec![Change::Claim {
                task: task.clone(),
                claim,
            }];
            let note = reason.map(|reason| evidence(EvidenceKind::Note, reason, asker));
            let linked = commits
                .iter()
                .map(|commit| evidence(EvidenceKind::Commit, commit.to_string(), asker));
            let evidence: Vec<Evidence> = linked.chain(note).collect();
            if !evidence.is_empty() {
                changes.push(Change::AddEvidence { task, evidence });
            }
            Ok(changes)
        }
        TaskCommand::Update {
            task,
            edit,
            state: said,
            reason,
        } => {
            let (task, edit) = (task.clone(), edit.clone());
            let edit = TaskCommand::Edit {
                task: task.clone(),
                edit,
            };
            let claim = TaskCommand::Claim {
                task,
                state: *said,
                reason: reason.clone(),
                commits: Vec::new(),
            };
            Ok([
                changes(state, &edit, asker)?,
                changes(state, &claim, asker)?,
            ]
            .concat())
        }
        TaskCommand::Link { task, commit } => {
            let task = find(state, task)?.id.clone();
            let evidence = vec![evidence(EvidenceKind::Commit, commit.to_string(), asker)];
            Ok(vec![Change::AddEvidence { task, evidence }])
        }
        TaskCommand::Need { task, need } => {
            let (task, need) = (find(state, task)?.id.clone(), find(state, need)?.id.clone());
            if let Some(cycle) = cycle_closed_by(&state.tasks, &task, &need) {
                return Err(Refusal::Cycle(
                    cycle.iter().map(ToString::to_string).collect(),
                ));
            }
            Ok(vec![Change::AddNeed { task, need }])
        }
    }
}

fn add(state: &State, new: &NewTask, asker: &Asker) -> Result<Vec<Change>, Refusal> {
    let title = one_line(&new.title, Task::MAX_TITLE);
    if title.is_empty() {
        return Err(Refusal::NoTitle);
    }
    let mut needs = Vec::new();
    for need in &new.needs {
        needs.push(find(state, need)?.id.clone());
    }
    needs.sort();
    needs.dedup();
    let parent = new
        .parent
        .as_deref()
        .map(|parent| find(state, parent))
        .transpose()?
        .map(|task| task.id.clone());
    let id = TaskId::from_seed(&[&title, &asker.nonce]);
    let task = Task {
        owner: new
            .owner
            .as_deref()
            .map(|owner| one_line(owner, 80))
            .filter(|owner| !owner.is_empty()),
        priority: priority(new.priority)?.unwrap_or(Task::DEFAULT_PRIORITY),
        parent,
        needs,
        milestone: new
            .milestone
            .as_deref()
            .map(|name| one_line(name, Task::MAX_NAME))
            .filter(|name| !name.is_empty()),
        acceptance: new
            .acceptance
            .as_deref()
            .map(text)
            .filter(|text| !text.is_empty()),
        ..Task::new(id, title, asker.origin.clone(), asker.now)
    };
    Ok(vec![Change::AddTask {
        task: Box::new(task),
    }])
}

fn checked(state: &State, edit: &TaskEdit) -> Result<TaskEdit, Refusal> {
    if *edit == TaskEdit::default() {
        return Err(Refusal::Nothing);
    }
    let title = edit
        .title
        .as_deref()
        .map(|title| one_line(title, Task::MAX_TITLE));
    if title.as_deref() == Some("") {
        return Err(Refusal::NoTitle);
    }
    Ok(TaskEdit {
        title,
        owner: edit.owner.as_deref().map(|owner| one_line(owner, 80)),
        priority: priority(edit.priority)?,
        parent: edit
            .parent
            .as_deref()
            .map(|parent| match parent.trim() {
                "" => Ok(String::new()),
                given => find(state, given).map(|task| task.id.to_string()),
            })
            .transpose()?,
        milestone: edit
            .milestone
            .as_deref()
            .map(|name| one_line(name, Task::MAX_NAME)),
        acceptance: edit.acceptance.as_deref().map(text),
        target_commit: edit.target_commit.clone(),
        note: edit
            .note
            .as_deref()
            .map(text)
            .filter(|note| !note.is_empty()),
    })
}

fn priority(given: Option<u8>) -> Result<Option<u8>, Refusal> {
    match given {
        Some(given) if given > Task::MAX_PRIORITY => Err(Refusal::Priority(given)),
        given => Ok(given),
    }
}

fn text(given: &str) -> String {
    orch_protocol::text::bounded(clean(given).trim(), Task::MAX_TEXT)
}

fn claim(
    task: &TaskId,
    state: ClaimState,
    reason: Option<String>,
    commits: &[CommitId],
    asker: &Asker,
) -> Claim {
    Claim {
        id: ClaimId::from_seed(&[task.as_str(), &asker.nonce]),
        state,
        by: asker.by,
        at: asker.now,
        branch: asker.branch.clone(),
        worktree: asker.worktree.clone(),
        commits: commits.to_vec(),
        files: Vec::new(),
        reason,
    }
}

fn evidence(kind: EvidenceKind, reference: String, asker: &Asker) -> Evidence {
    Evidence {
        kind,
        reference,
        ok: None,
        tree: None,
        at: asker.now,
        session: None,
    }
}
