//! What an edit by hand comes to: a file as it was read, beside what it had shown, becomes changes, or is refused whole.
//!
//! Pure: no file, no clock, no store. It takes what a person may write and tells what it leaves.

use std::collections::BTreeSet;

use orch_core::command::Asker;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, TaskId};
use orch_protocol::project::FileComments;
use orch_protocol::proposal::Change;
use orch_protocol::task::{Claim, ClaimState, Evidence, EvidenceKind, Task, TaskStatus};
use orch_protocol::tasks::Tasks;
use orch_protocol::text::{clean, one_line};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::names::{Names, Whose};
use super::parse::{At, Entry, Parsed, read_block};
use super::text::{loose, render_task};
use super::view::{Judged, TaskView};
use super::{fields, text};

/// Why nothing of an edit was taken in; the file is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Refused {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What is wrong there.
    pub what: String,
    /// What to do about it, in one line.
    pub hint: String,
}

impl Refused {
    pub(super) fn at(line: u64, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            line,
            column: 1,
            what: what.into(),
            hint: hint.into(),
        }
    }
}

/// What an edit comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// What it changes in the backlog.
    pub changes: Vec<Change>,
    /// The comments outside of the tasks, as they were and as they are; none where they are the same.
    pub comments: Option<(Option<FileComments>, Option<FileComments>)>,
    /// What was not taken, a line each.
    pub remarks: Vec<String>,
}

impl Taken {
    /// Nothing is different.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.comments.is_none()
    }
}

/// Which tasks a text was to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All: one that is missing was taken out.
    Whole,
    /// Some: what is missing stays as it is.
    Part,
}

/// What an edit is seen against.
pub struct Against<'a> {
    /// The tasks that the text was made from.
    pub base: &'a Tasks,
    /// The comments outside of them.
    pub comments: Option<&'a FileComments>,
    /// How a task was shown; none where that isn't known any more.
    pub shown: &'a dyn Fn(&TaskId) -> Option<Judged>,
    /// The state now: what else may be named.
    pub now: &'a State,
    /// Who edited, where, and when that was noticed. Equal nonces make equal ids, so the same text taken in twice is once.
    pub asker: &'a Asker,
    /// When the text was saved; not after `asker.now`.
    pub saved: Timestamp,
    /// What is missing.
    pub scope: Scope,
}

/// Writes tasks as a text for an editor; [`super::parse::read`] reads it back.
pub fn document(views: &[TaskView<'_>]) -> Result<String, text::Unwritable> {
    let mut out = String::from("tasks:\n");
    for view in views {
        out.push_str(&render_task(view, view.layout)?);
    }
    Ok(out)
}

/// Tells what was edited.
pub fn taken(against: &Against<'_>, parsed: &Parsed) -> Result<Taken, Refused> {
    let names = Names::of(against, parsed)?;
    let mut taken = Taken::default();
    let (mut added, mut merged) = (Vec::new(), Vec::new());
    let mut present = BTreeSet::new();
    for (entry, whose) in parsed.entries.iter().zip(names.whose()) {
        match whose {
            Whose::Known(base) => {
                present.insert(&base.id);
                let theirs = known(against, &names, entry, base, &mut taken)?;
                if theirs != **base {
                    merged.push((entry, Some(*base), theirs));
                }
            }
            Whose::New(id) => {
                added.push((entry, None, new(against, &names, entry, id, &mut taken)?))
            }
        }
    }
    fields::check_edges(against.now, added.iter().chain(&merged))?;
    let additions = added.into_iter().map(|(_, _, task)| Change::AddTask {
        task: Box::new(task),
    });
    let merges = merged
        .into_iter()
        .map(|(_, base, theirs)| Change::MergeTask {
            task: theirs.id.clone(),
            base: base.cloned().map(Box::new),
            theirs: Some(Box::new(theirs)),
        });
    let said = std::mem::take(&mut taken.changes);
    taken.changes = additions.chain(merges).chain(said).collect();
    if against.scope == Scope::Whole {
        removed(against, &present, &mut taken);
        comments(against, parsed, &mut taken);
    }
    Ok(taken)
}

/// What stands outside of the tasks.
fn comments(against: &Against<'_>, parsed: &Parsed, taken: &mut Taken) {
    let Some(FileComments { top, end }) = &parsed.comments else {
        return;
    };
    let was = against.comments.cloned();
    let kept = |text: &str| match text.contains('#') {
        true => loose(text),
        false => String::new(),
    };
    let is = FileComments {
        top: kept(top),
        end: kept(end),
    };
    if is.top.len().max(is.end.len()) > Task::MAX_LAYOUT {
        let told = "the comments above or below the tasks are longer than 16 KiB and were not kept";
        taken.remarks.push(told.to_owned());
        return;
    }
    let is = Some(is).filter(|is| *is != FileComments::default());
    if was != is {
        taken.comments = Some((was, is));
    }
}

/// A task that was shown, with what was edited of it; what is said of it goes to `taken`.
fn known(
    against: &Against<'_>,
    names: &Names<'_>,
    entry: &Entry,
    base: &Task,
    taken: &mut Taken,
) -> Result<Task, Refused> {
    let shown = (against.shown)(&base.id);
    let written = Judged {
        status: status(entry)?.unwrap_or_else(|| {
            shown
                .as_ref()
                .map_or(TaskStatus::Pending, |shown| shown.status)
        }),
        ready: entry.ready.as_ref().is_some_and(|ready| ready.value),
        done_on: entry.done_on.as_ref().map(|at| at.value.clone()),
    };
    match (&shown, &entry.status) {
        (Some(shown), Some(_)) if shown.status != written.status => {
            let claim = claim(against, &base.id, claimed(written.status), None);
            taken.changes.push(Change::Claim {
                task: base.id.clone(),
                claim,
            });
        }
        (None, Some(_)) if !taken.remarks.iter().any(|told| told == UNKNOWN_STATUS) => {
            taken.remarks.push(UNKNOWN_STATUS.to_owned());
        }
        (Some(_) | None, Some(_) | None) => {}
    }
    let as_written =
        |layout: Option<&str>| render_task(&TaskView::new(base, &written), layout).ok();
    if entry.block.is_some() && as_written(base.layout.as_deref()) == entry.block {
        return Ok(base.clone());
    }
    let mut theirs = fields::edited(entry, base, names)?;
    observed(against, entry, base, taken)?;
    let before = base.layout.as_deref().and_then(read_block);
    let held: BTreeSet<&str> = before
        .iter()
        .flat_map(|entry| &entry.unknown)
        .map(|key| key.value.as_str())
        .collect();
    unknown(entry, &held, taken);
    theirs.layout = layout(entry, &theirs, &written, taken);
    Ok(theirs)
}

/// A task that somebody added.
fn new(
    against: &Against<'_>,
    names: &Names<'_>,
    entry: &Entry,
    id: &TaskId,
    taken: &mut Taken,
) -> Result<Task, Refused> {
    let bare = Task::new(
        id.clone(),
        "",
        against.asker.origin.clone(),
        against.asker.now,
    );
    let mut task = fields::edited(entry, &bare, names)?;
    let status = status(entry)?.unwrap_or(TaskStatus::Pending);
    if status != TaskStatus::Pending {
        let claim = claim(against, id, claimed(status), None);
        taken.changes.push(Change::Claim {
            task: id.clone(),
            claim,
        });
    }
    if !entry.claims.is_empty() || entry.origin.is_some() || entry.created_at.is_some() {
        taken.remarks.push(format!(
            "line {}: claims, origin and created_at of a new task are ours to write and were not taken",
            entry.line
        ));
    }
    notes(against, id, &entry.evidence, taken)?;
    unknown(entry, &BTreeSet::new(), taken);
    let written = Judged {
        status,
        ready: entry.ready.as_ref().is_some_and(|ready| ready.value),
        done_on: None,
    };
    // An id that we gave belongs into the text, too.
    task.layout = layout(entry, &task, &written, taken);
    Ok(task)
}

const UNKNOWN_STATUS: &str = "how tasks were shown isn't known any more, so no status was taken from the file; use codex-orch tasks done";

/// A person's own way of writing a task; none where it is ours.
fn layout(entry: &Entry, task: &Task, written: &Judged, taken: &mut Taken) -> Option<Box<str>> {
    let view = TaskView::new(task, written);
    let text = render_task(&view, Some(entry.block.as_deref()?)).ok()?;
    if render_task(&view, None).ok()? == text {
        return None;
    }
    if text.len() > Task::MAX_LAYOUT {
        taken.remarks.push(format!(
            "line {}: {} is longer than 16 KiB; its comments were not kept",
            entry.line, task.id
        ));
        return None;
    }
    Some(text.into())
}

fn status(entry: &Entry) -> Result<Option<TaskStatus>, Refused> {
    const ALL: [TaskStatus; 5] = [
        TaskStatus::Pending,
        TaskStatus::Active,
        TaskStatus::Blocked,
        TaskStatus::Done,
        TaskStatus::Dropped,
    ];
    let Some(At { line, value }) = &entry.status else {
        return Ok(None);
    };
    let found = ALL.into_iter().find(|status| status.name() == value.trim());
    found.map(Some).ok_or_else(|| {
        Refused::at(
            *line,
            format!("{:?} is no status", one_line(value, 40)),
            "write pending, active, blocked, done or dropped",
        )
    })
}

fn claimed(status: TaskStatus) -> ClaimState {
    match status {
        TaskStatus::Pending => ClaimState::Pending,
        TaskStatus::Active => ClaimState::Active,
        TaskStatus::Blocked => ClaimState::Blocked,
        TaskStatus::Done => ClaimState::Done,
        TaskStatus::Dropped => ClaimState::Dropped,
    }
}

fn claim(against: &Against<'_>, task: &TaskId, state: ClaimState, reason: Option<&str>) -> Claim {
    let asker = against.asker;
    Claim {
        id: ClaimId::from_seed(&[task.as_str(), "by hand", &asker.nonce]),
        state,
        by: asker.by,
        at: asker.now,
        branch: asker.branch.clone(),
        worktree: asker.worktree.clone(),
        commits: Vec::new(),
        files: Vec::new(),
        reason: reason.map(str::to_owned),
    }
}

/// What observers wrote stays; what somebody added to it becomes notes.
fn observed(
    against: &Against<'_>,
    entry: &Entry,
    base: &Task,
    taken: &mut Taken,
) -> Result<(), Refused> {
    let mut told = |line: u64, what: &str| {
        taken
            .remarks
            .push(format!("line {line}, {}: {what}", base.id));
    };
    if entry.claims != values(&base.claims) {
        told(
            entry.line,
            "claims are a record of what was said and were left as they are; to say something else, change `status`",
        );
    }
    let origin = serde_json::to_value(&base.origin).ok();
    let created = base.created_at.to_string();
    if entry.origin != origin || entry.created_at.as_ref() != Some(&created) {
        told(entry.line, "origin and created_at were left as they are");
    }
    let held = values(&base.evidence);
    let is_held = |seen: &&At<Value>| held.contains(&seen.value);
    let missing = held
        .iter()
        .filter(|held| entry.evidence.iter().all(|seen| seen.value != **held))
        .count();
    let extra: Vec<&At<Value>> = entry
        .evidence
        .iter()
        .filter(|seen| !is_held(seen))
        .collect();
    if missing > 0 {
        let line = extra.first().map_or(entry.line, |seen| seen.line);
        told(
            line,
            "evidence is written by observers and was left as it is; what you add to it is taken as a note",
        );
    }
    // As many as are missing are others, rewritten.
    let added: Vec<At<Value>> = extra.into_iter().skip(missing).cloned().collect();
    notes(against, &base.id, &added, taken)
}

fn values<T: Serialize>(held: &[T]) -> Vec<Value> {
    let values = held.iter().map(serde_json::to_value);
    values.map(Result::unwrap_or_default).collect()
}

fn notes(
    against: &Against<'_>,
    task: &TaskId,
    added: &[At<Value>],
    taken: &mut Taken,
) -> Result<(), Refused> {
    let mut evidence = Vec::new();
    for At { line, value } in added {
        let said = match value {
            Value::Object(fields) => {
                let of = |key: &str| fields.get(key).and_then(Value::as_str);
                match (of("kind"), of("ref")) {
                    (Some("note") | None, Some(said)) => said.to_owned(),
                    (Some(kind), Some(said)) => format!("{kind} {said}"),
                    (_, None) => {
                        let hint =
                            "write `- what you saw` or `- kind: note` with `ref: what you saw`";
                        return Err(Refused::at(*line, "this evidence says nothing", hint));
                    }
                }
            }
            Value::String(said) => said.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
        };
        let reference = fields::bounded(*line, "evidence", clean(&said).trim(), Task::MAX_TEXT)?;
        evidence.push(Evidence {
            kind: EvidenceKind::Note,
            reference,
            ok: None,
            tree: None,
            at: against.saved,
            session: None,
        });
    }
    if !evidence.is_empty() {
        taken.changes.push(Change::AddEvidence {
            task: task.clone(),
            evidence,
        });
    }
    Ok(())
}

fn unknown(entry: &Entry, held: &BTreeSet<&str>, taken: &mut Taken) {
    for key in entry
        .unknown
        .iter()
        .filter(|key| !held.contains(key.value.as_str()))
    {
        let told = one_line(&key.value, 40);
        taken.remarks.push(format!(
            "line {}: {told:?} is no key of a task; it is kept in the file and means nothing",
            key.line
        ));
    }
}

/// What is missing is dropped, never erased.
fn removed(against: &Against<'_>, present: &BTreeSet<&TaskId>, taken: &mut Taken) {
    let reason = "removed from project_tasks.yaml by hand";
    for id in against.base.keys().filter(|id| !present.contains(id)) {
        let dropped = (against.shown)(id).is_some_and(|shown| shown.status == TaskStatus::Dropped);
        if dropped || !against.now.tasks.contains_key(id) {
            continue;
        }
        taken.changes.push(Change::Claim {
            task: id.clone(),
            claim: claim(against, id, ClaimState::Dropped, Some(reason)),
        });
        taken.remarks.push(format!(
            "{id} was removed from the file: it is dropped now, and not erased"
        ));
    }
}
