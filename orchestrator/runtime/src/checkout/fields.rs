//! The fields that a person may write, checked: each is as it was, or what was written, or refused with its line.

use orch_core::graph::cycle_closed_by;
use orch_core::state::State;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;
use orch_protocol::text::{clean, one_line};

use super::edits::Refused;
use super::names::Names;
use super::parse::{At, Entry};

/// `base` with what an entry says in its place.
pub(super) fn edited(entry: &Entry, base: &Task, names: &Names<'_>) -> Result<Task, Refused> {
    let mut theirs = base.clone();
    theirs.title = match &entry.title {
        Some(title) if title.value == base.title => title.value.clone(),
        Some(title) => line(title, "title", Task::MAX_TITLE)?.unwrap_or_default(),
        None => String::new(),
    };
    if theirs.title.is_empty() {
        let at = entry.title.as_ref().map_or(entry.line, |title| title.line);
        let hint = "write `title:` and one line of text; to drop a task, write `status: dropped`";
        return Err(Refused::at(at, "a task needs a title", hint));
    }
    theirs.owner = named(&entry.owner, &base.owner, "owner")?;
    theirs.milestone = named(&entry.milestone, &base.milestone, "milestone")?;
    theirs.priority = priority(entry)?;
    theirs.acceptance = match &entry.acceptance {
        Some(text) if base.acceptance.as_ref() == Some(&text.value) => base.acceptance.clone(),
        Some(At { line, value }) => {
            let text = bounded(*line, "acceptance", clean(value).trim(), Task::MAX_TEXT)?;
            Some(text).filter(|text| !text.is_empty())
        }
        None => None,
    };
    theirs.parent = match &entry.parent {
        Some(parent) if base.parent.as_ref().map(TaskId::as_str) == Some(&parent.value) => {
            base.parent.clone()
        }
        Some(parent) if parent.value.trim().is_empty() => None,
        Some(parent) => Some(names.find(parent)?),
        None => None,
    };
    theirs.needs = Vec::with_capacity(entry.needs.len());
    for need in &entry.needs {
        let known = base.needs.iter().find(|known| known.as_str() == need.value);
        let need = known.map_or_else(|| names.find(need), |known| Ok(known.clone()))?;
        theirs.needs.push(need);
    }
    theirs.needs.sort();
    theirs.needs.dedup();
    theirs.target_commit = commit(entry, base)?;
    theirs.notes = Vec::with_capacity(entry.notes.len());
    for At { line, value } in &entry.notes {
        let note = match base.notes.contains(value) {
            true => value.clone(),
            false => bounded(*line, "note", clean(value).trim(), Task::MAX_TEXT)?,
        };
        if !note.is_empty() {
            theirs.notes.push(note);
        }
    }
    Ok(theirs)
}

/// A text that isn't too long.
pub(super) fn bounded(line: u64, what: &str, text: &str, max: usize) -> Result<String, Refused> {
    match text.chars().count() {
        count if count > max => Err(Refused::at(
            line,
            format!("this {what} has {count} characters, and {max} is the most"),
            "shorten it; a longer text has its place in a file of the repository",
        )),
        _ => Ok(text.to_owned()),
    }
}

fn line(given: &At<String>, what: &str, max: usize) -> Result<Option<String>, Refused> {
    let text = bounded(given.line, what, &one_line(&given.value, usize::MAX), max)?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn named(
    given: &Option<At<String>>,
    base: &Option<String>,
    what: &str,
) -> Result<Option<String>, Refused> {
    match given {
        None => Ok(None),
        Some(given) if base.as_ref() == Some(&given.value) => Ok(base.clone()),
        Some(given) => line(given, what, Task::MAX_NAME),
    }
}

fn priority(entry: &Entry) -> Result<u8, Refused> {
    let Some(At { line, value }) = &entry.priority else {
        return Ok(Task::DEFAULT_PRIORITY);
    };
    let fits = u8::try_from(*value).ok();
    fits.filter(|value| *value <= Task::MAX_PRIORITY)
        .ok_or_else(|| {
            Refused::at(
                *line,
                format!("priority {value} is not between 0 (most urgent) and 4"),
                "use 0, 1, 2, 3 or 4; 2 is the default",
            )
        })
}

fn commit(entry: &Entry, base: &Task) -> Result<Option<CommitId>, Refused> {
    let Some(At { line, value }) = &entry.target_commit else {
        return Ok(None);
    };
    if base.target_commit.as_ref().map(CommitId::as_str) == Some(value) {
        return Ok(base.target_commit.clone());
    }
    let id = value.trim().to_ascii_lowercase();
    let is_whole = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| Some(CommitId::new(id))).ok_or_else(|| {
        Refused::at(
            *line,
            format!("{:?} is no whole commit id", one_line(value, 40)),
            "write all of its digits, as git rev-parse prints them",
        )
    })
}

/// Refuses needs and parents that lead back to where they began.
pub(super) fn check_edges<'a>(
    now: &State,
    edited: impl Iterator<Item = &'a (&'a Entry, Option<&'a Task>, Task)> + Clone,
) -> Result<(), Refused> {
    let changes_edges = |(_, base, theirs): &&(&Entry, Option<&Task>, Task)| match base {
        Some(base) => base.needs != theirs.needs || base.parent != theirs.parent,
        None => !theirs.needs.is_empty() || theirs.parent.is_some(),
    };
    if !edited.clone().any(|edit| changes_edges(&edit)) {
        return Ok(());
    }
    let mut tasks: Tasks = now.tasks.clone();
    let (mut needs, mut parents) = (Vec::new(), Vec::new());
    for (entry, base, theirs) in edited {
        let id = &theirs.id;
        let held = tasks.get_or_insert_with(id, || theirs.clone());
        held.parent.clone_from(&theirs.parent);
        let was = base.map_or(&[][..], |base| &base.needs);
        let stays =
            |need: &TaskId| base.is_some() && (!was.contains(need) || theirs.needs.contains(need));
        held.needs.retain(stays);
        let new = theirs
            .needs
            .iter()
            .filter(|need| !held.needs.contains(need));
        needs.extend(new.map(|need| (*entry, id, need)));
        if theirs.parent.is_some() && base.is_none_or(|base| base.parent != theirs.parent) {
            parents.push((*entry, id));
        }
    }
    for (entry, task, need) in needs {
        if let Some(cycle) = cycle_closed_by(&tasks, task, need) {
            let cycle: Vec<&str> = cycle.iter().map(TaskId::as_str).collect();
            let at = entry
                .needs
                .iter()
                .find(|given| need.as_str() == given.value);
            return Err(Refused::at(
                at.or(entry.needs.first())
                    .map_or(entry.line, |need| need.line),
                format!("that need would close a cycle: {}", cycle.join(" → ")),
                "leave out one of the needs on that way, or turn one round",
            ));
        }
        if let Some(held) = tasks.get_mut(task) {
            held.needs.push(need.clone());
        }
    }
    parents
        .into_iter()
        .try_for_each(|(entry, task)| check_parents(&tasks, entry, task))
}

fn check_parents(tasks: &Tasks, entry: &Entry, task: &TaskId) -> Result<(), Refused> {
    let above = |id: &TaskId| tasks.get(id).and_then(|task| task.parent.clone());
    // No way up is longer than there are tasks.
    let way = std::iter::successors(above(task), above).take(tasks.len() + 1);
    for parent in way {
        if parent == *task {
            let at = entry
                .parent
                .as_ref()
                .map_or(entry.line, |parent| parent.line);
            return Err(Refused::at(
                at,
                format!("task {task} would be a part of itself"),
                "name another parent, or none",
            ));
        }
    }
    Ok(())
}
