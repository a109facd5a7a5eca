//! Turns a command into events, or refuses it whole. Nothing is changed here: the supervisor makes facts of the events.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{ClaimId, CommitId, FactId, LogId, TaskId};
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::{Claim, ClaimState, Evidence, EvidenceKind, Task};
use orch_protocol::text::{bounded, clean, one_line};

use super::milestone::{remove, set, spelled};
use super::{Asker, Named, NewTask, Refusal, TaskCommand, find};
use crate::graph::{cycle_closed_by_new, cycle_closed_by_parent, wait_closed_by};
use crate::state::State;

/// What a command comes to: events in the order in which they are to be applied.
pub fn plan(state: &State, command: &TaskCommand, asker: &Asker) -> Result<Vec<Event>, Refusal> {
    match command {
        TaskCommand::Milestone { name, text, due } => set(state, name, text, due),
        TaskCommand::RemoveMilestone { name } => remove(state, name),
        TaskCommand::Import(tasks) => Ok(import(state, tasks)),
        TaskCommand::All(commands) => all(state, commands, asker),
        TaskCommand::Add(_)
        | TaskCommand::Edit { .. }
        | TaskCommand::Claim { .. }
        | TaskCommand::Update { .. }
        | TaskCommand::Link { .. }
        | TaskCommand::Need { .. }
        | TaskCommand::Unneed { .. } => {
            let back: Vec<Event> = archived(state, command)
                .into_iter()
                .map(|task| {
                    by_command(Change::Archive {
                        task,
                        archived: false,
                    })
                })
                .collect();
            let changes = match back.is_empty() {
                true => changes(state, command, asker)?,
                false => {
                    let mut scratch = state.clone();
                    try_out(&mut scratch, &back, asker);
                    changes(&scratch, command, asker)?
                }
            };
            Ok(back
                .into_iter()
                .chain(changes.into_iter().map(by_command))
                .collect())
        }
    }
}

/// Archived tasks that a command changes, or gives a part: they are brought back first.
fn archived(state: &State, command: &TaskCommand) -> BTreeSet<TaskId> {
    let (task, parent) = match command {
        TaskCommand::Add(new) => (None, new.parent.as_ref()),
        TaskCommand::Edit { task, edit } | TaskCommand::Update { task, edit, .. } => {
            (Some(task), edit.parent.as_ref())
        }
        TaskCommand::Claim { task, .. }
        | TaskCommand::Link { task, .. }
        | TaskCommand::Need { task, .. }
        | TaskCommand::Unneed { task, .. } => (Some(task), None),
        TaskCommand::Milestone { .. }
        | TaskCommand::RemoveMilestone { .. }
        | TaskCommand::Import(_)
        | TaskCommand::All(_) => (None, None),
    };
    task.into_iter()
        .chain(parent)
        .filter_map(|given| find(state, given).ok())
        .map(|task| task.id.clone())
        .filter(|id| !state.tasks.contains_key(id))
        .collect()
}

/// A change by command, as the log says it.
pub(super) fn by_command(change: Change) -> Event {
    Event::Changed {
        change,
        reason: "by command".to_owned(),
    }
}

/// Changes of tasks alone; none for commands that are planned as events.
fn changes(state: &State, command: &TaskCommand, asker: &Asker) -> Result<Vec<Change>, Refusal> {
    match command {
        TaskCommand::Add(new) => add(state, new, asker),
        TaskCommand::Edit { task, edit } => {
            let task = find(state, task)?;
            let edit = checked(state, task, edit)?;
            let task = task.id.clone();
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
            Ok(claimed(task, *said, reason, commits, asker))
        }
        TaskCommand::Update {
            task,
            edit,
            state: said,
            reason,
        } => {
            let edit = TaskCommand::Edit {
                task: task.clone(),
                edit: edit.clone(),
            };
            let claim = TaskCommand::Claim {
                task: task.clone(),
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
            match wait_closed_by(&state.tasks, &task, &need) {
                Some(cycle) => Err(Refusal::Cycle(named(state, &cycle))),
                None => Ok(vec![Change::AddNeed { task, need }]),
            }
        }
        TaskCommand::Unneed { task, need } => {
            let (task, need) = (find(state, task)?, find_need(state, task, need)?);
            match task.needs.contains(&need.id) {
                true => Ok(vec![Change::RemoveNeed {
                    task: task.id.clone(),
                    need: need.id,
                }]),
                false => Err(Refusal::NoNeed {
                    task: Named::of(task),
                    need,
                }),
            }
        }
        TaskCommand::Milestone { .. }
        | TaskCommand::RemoveMilestone { .. }
        | TaskCommand::Import(_)
        | TaskCommand::All(_) => Ok(Vec::new()),
    }
}

/// The task that `given` names; one that is gone from the backlog can still be named by a task that needs it.
fn find_need(state: &State, task: &str, given: &str) -> Result<Named, Refusal> {
    let refusal = match find(state, given) {
        Ok(need) => return Ok(Named::of(need)),
        Err(refusal) => refusal,
    };
    let gone = TaskId::parse(given)
        .filter(|id| find(state, task).is_ok_and(|task| task.needs.contains(id)));
    gone.map(|id| Named {
        id,
        title: "not in the backlog".to_owned(),
    })
    .ok_or(refusal)
}

fn named(state: &State, ids: &[TaskId]) -> Vec<Named> {
    ids.iter()
        .filter_map(|id| state.tasks.get(id).map(Named::of))
        .collect()
}

/// Each command is planned on what the ones before it come to, so that all of them are carried out or none.
fn all(state: &State, commands: &[TaskCommand], asker: &Asker) -> Result<Vec<Event>, Refusal> {
    if commands.is_empty() {
        return Err(Refusal::Nothing);
    }
    let mut scratch: Option<State> = None;
    let mut events = Vec::new();
    for (n, command) in commands.iter().enumerate() {
        // Ids are made from the nonce: what is said twice in one command is two things. They come a nanosecond apart, so
        // that listings by time keep the order in which they were said.
        let later = SignedDuration::from_nanos(i64::try_from(n).unwrap_or_default());
        let asker = Asker {
            nonce: format!("{}.{n}", asker.nonce),
            now: asker.now.checked_add(later).unwrap_or(asker.now),
            ..asker.clone()
        };
        let planned = plan(scratch.as_ref().unwrap_or(state), command, &asker)?;
        if n + 1 < commands.len() && planned.iter().any(bears_on_plans) {
            let scratch = scratch.get_or_insert_with(|| state.clone());
            try_out(scratch, &planned, &asker);
        }
        events.extend(planned);
    }
    Ok(events)
}

/// Whether what may be planned afterwards depends on it: words, claims and evidence bear on nothing.
fn bears_on_plans(event: &Event) -> bool {
    let Event::Changed { change, .. } = event else {
        return true;
    };
    match change {
        Change::Claim { .. }
        | Change::AnchorClaim { .. }
        | Change::AddEvidence { .. }
        | Change::AddAlias { .. } => false,
        Change::AddTask { .. }
        | Change::EditTask { .. }
        | Change::AddNeed { .. }
        | Change::RemoveNeed { .. }
        | Change::MergeTask { .. }
        | Change::Archive { .. } => true,
    }
}

/// Applies events to a copy of the state that is thrown away, under a log of no process.
fn try_out(scratch: &mut State, events: &[Event], asker: &Asker) {
    let log = LogId::new("scratch");
    for event in events {
        let seq = scratch.folded.get(&log).copied().unwrap_or_default() + 1;
        scratch.apply(&Fact {
            id: FactId {
                log: log.clone(),
                seq,
            },
            at: asker.now,
            by: asker.by,
            op: seq,
            head: None,
            event: event.clone(),
        });
    }
}

fn add(state: &State, new: &NewTask, asker: &Asker) -> Result<Vec<Change>, Refusal> {
    let title = one_line(&new.title, Task::MAX_TITLE);
    if title.is_empty() {
        return Err(Refusal::NoTitle);
    }
    let mut needs = BTreeSet::new();
    for need in &new.needs {
        needs.insert(find(state, need)?.id.clone());
    }
    let parent = match new.parent.as_deref() {
        Some(parent) => Some(find(state, parent)?.id.clone()),
        None => None,
    };
    let id = TaskId::from_seed(&[&title, &asker.nonce]);
    let needs: Vec<TaskId> = needs.into_iter().collect();
    if let Some(parent) = &parent
        && let Some(cycle) = cycle_closed_by_new(&state.tasks, &id, parent, &needs)
    {
        let new = Named { id, title };
        let known = |at: &TaskId| match *at == new.id {
            true => Some(new.clone()),
            false => state.tasks.get(at).map(Named::of),
        };
        return Err(Refusal::Cycle(cycle.iter().filter_map(known).collect()));
    }
    let task = Task {
        owner: name(&new.owner),
        priority: priority(new.priority)?.unwrap_or(Task::DEFAULT_PRIORITY),
        parent,
        needs,
        milestone: name(&new.milestone).map(|name| spelled(state, &name)),
        acceptance: long(&new.acceptance),
        notes: long(&new.note).into_iter().collect(),
        ..Task::new(id, title, asker.origin.clone(), asker.now)
    };
    Ok(vec![Change::AddTask {
        task: Box::new(task),
    }])
}

fn name(given: &Option<String>) -> Option<String> {
    let name = one_line(given.as_deref()?, Task::MAX_NAME);
    Some(name).filter(|name| !name.is_empty())
}

fn long(given: &Option<String>) -> Option<String> {
    let text = text(given.as_deref()?);
    Some(text).filter(|text| !text.is_empty())
}

fn checked(state: &State, task: &Task, edit: &TaskEdit) -> Result<TaskEdit, Refusal> {
    let title = edit
        .title
        .as_deref()
        .map(|title| one_line(title, Task::MAX_TITLE));
    if title.as_deref() == Some("") {
        return Err(Refusal::NoTitle);
    }
    let parent = match edit.parent.as_deref().map(str::trim) {
        None => None,
        Some("") => Some(String::new()),
        Some(given) => {
            let parent = find(state, given)?;
            if let Some(cycle) = cycle_closed_by_parent(&state.tasks, &task.id, &parent.id) {
                return Err(Refusal::ParentCycle(named(state, &cycle)));
            }
            Some(parent.id.to_string())
        }
    };
    let milestone = edit.milestone.as_deref();
    let milestone = milestone.map(|name| spelled(state, name));
    let edit = TaskEdit {
        title,
        owner: edit
            .owner
            .as_deref()
            .map(|owner| one_line(owner, Task::MAX_NAME)),
        priority: priority(edit.priority)?,
        parent,
        milestone,
        acceptance: edit.acceptance.as_deref().map(text),
        target_commit: edit.target_commit.clone(),
        note: long(&edit.note),
    };
    match edit == TaskEdit::default() {
        true => Err(Refusal::Nothing),
        false => Ok(edit),
    }
}

fn import(state: &State, tasks: &[(Task, Option<Claim>)]) -> Vec<Event> {
    let imported = |change| Event::Changed {
        change,
        reason: "imported".to_owned(),
    };
    let mut events = Vec::new();
    let new =
        |task: &Task| !state.tasks.contains_key(&task.id) && !state.archive.contains_key(&task.id);
    // A task's needs may come after it: edges are added when all tasks are there.
    let mut edges = Vec::new();
    for (task, claim) in tasks.iter().filter(|(task, _)| new(task)) {
        let alone = Task {
            needs: Vec::new(),
            ..task.clone()
        };
        events.push(imported(Change::AddTask {
            task: Box::new(alone),
        }));
        edges.extend(task.needs.iter().map(|need| {
            imported(Change::AddNeed {
                task: task.id.clone(),
                need: need.clone(),
            })
        }));
        if let Some(claim) = claim {
            events.push(imported(Change::Claim {
                task: task.id.clone(),
                claim: claim.clone(),
            }));
        }
    }
    events.extend(edges);
    events
}

fn priority(given: Option<u8>) -> Result<Option<u8>, Refusal> {
    match given {
        Some(given) if given > Task::MAX_PRIORITY => Err(Refusal::Priority(given)),
        given => Ok(given),
    }
}

fn text(given: &str) -> String {
    bounded(clean(given).trim(), Task::MAX_TEXT)
}

fn claimed(
    task: TaskId,
    state: ClaimState,
    reason: Option<String>,
    commits: &[CommitId],
    asker: &Asker,
) -> Vec<Change> {
    let claim = Claim {
        id: ClaimId::from_seed(&[task.as_str(), &asker.nonce]),
        state,
        by: asker.by,
        at: asker.now,
        branch: asker.branch.clone(),
        worktree: asker.worktree.clone(),
        commits: commits.to_vec(),
        files: Vec::new(),
        reason: reason.clone(),
    };
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
    changes
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
