//! Answers: data for programs and models, and the same in a few lines of text. Everything in them was written by models
//! or strangers, so it is cleaned; and whatever the backlog holds, an answer stays below 16 KiB: a model pays for it.

use orch_core::graph::Statuses;
use orch_core::judge::{Here, deciding, done_elsewhere};
use orch_core::state::State;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{EvidenceKind, Task, TaskStatus};
use orch_protocol::text::{bounded, clean, one_line};
use serde::Serialize;
use serde_json::{Value, json};

use crate::trouble::Trouble;

/// What of an answer may be data, as JSON.
const MAX_DATA: usize = 11 * 1024;
/// What of it may be text, as JSON writes it.
const MAX_TEXT: usize = 4 * 1024;
/// The longest line of text, in characters.
const MAX_LINE: usize = 400;
/// The most entries of one list inside of a task.
const MAX_INNER: usize = 10;

/// What a call brings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(super) text: String,
    pub(super) data: Value,
    pub(crate) is_error: bool,
}

impl Answer {
    /// All a model needs, as one text: the data when there is some, for the lines only say the same.
    pub(crate) fn for_model(&self) -> String {
        match self.data.is_null() || self.is_error {
            true => self.text.clone(),
            false => self.data.to_string(),
        }
    }

    /// One thing: data, and a line that says the same.
    pub(super) fn of(data: Value, line: &str) -> Self {
        Self {
            text: one_line(line, MAX_LINE),
            data,
            is_error: false,
        }
    }

    /// `{NOUN: items, "more": how many were left out}`. Items come with a line each, and are left out from where they
    /// no longer fit; `total` is how many there are in all.
    pub(super) fn list(
        noun: &str,
        items: impl Iterator<Item = (Value, String)>,
        total: usize,
    ) -> Self {
        let (mut held, mut lines) = (Vec::new(), Vec::new());
        let (mut data_left, mut text_left) = (MAX_DATA, MAX_TEXT);
        for (item, line) in items {
            let Some(left) = data_left.checked_sub(bytes(&item)) else {
                break;
            };
            data_left = left;
            held.push(item);
            let line = one_line(&line, MAX_LINE);
            match text_left.checked_sub(bytes(&line)) {
                Some(left) => {
                    text_left = left;
                    lines.push(line);
                }
                // The data goes on where the text ends.
                None => text_left = 0,
            }
        }
        let more = total - held.len();
        lines.push(match (held.len(), more) {
            (0, 0) => format!("no {noun}"),
            (n, 0) => format!("{n} {noun}"),
            (n, more) => format!("{n} {noun}, {more} more: ask for fewer"),
        });
        Self {
            text: lines.join("\n"),
            data: json!({noun: held, "more": more}),
            is_error: false,
        }
    }

    /// What went wrong, and what to do about it.
    pub(crate) fn refused(what: &str, hint: &str) -> Self {
        let (what, hint) = (one_line(what, MAX_LINE), one_line(hint, MAX_LINE));
        Self {
            text: format!("{what}\nhint: {hint}"),
            data: json!({"error": what, "hint": hint}),
            is_error: true,
        }
    }
}

impl From<Trouble> for Answer {
    fn from(trouble: Trouble) -> Self {
        let [what, hint] = trouble.lines();
        Self::refused(what, hint)
    }
}

fn bytes(value: &impl Serialize) -> usize {
    // What can't be written isn't sent either; a comma comes with each.
    serde_json::to_string(value).map_or(0, |text| text.len()) + 1
}

/// Tasks as seen from one place.
pub(super) struct Tasks<'a> {
    pub(super) state: &'a State,
    pub(super) here: &'a Here,
    pub(super) statuses: Statuses,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(state: &'a State, here: &'a Here) -> Self {
        let statuses = Statuses::judge(&state.tasks, here);
        Self {
            state,
            here,
            statuses,
        }
    }

    /// A task in a listing.
    pub(super) fn row(&self, task: &Task) -> (Value, String) {
        let status = self.statuses.of(&task.id);
        let ready = self.statuses.is_ready(task);
        let title = one_line(&task.title, Task::MAX_TITLE);
        let mut row = json!({
            "id": task.id,
            "title": title,
            "status": status,
            "priority": task.priority,
        });
        let optional = [
            ("ready", ready.then_some(Value::Bool(true))),
            ("owner", task.owner.as_deref().map(|owner| line(owner, 80))),
            ("parent", task.parent.as_ref().map(|id| json!(id))),
            (
                "needs",
                (!task.needs.is_empty())
                    .then(|| json!(task.needs.iter().take(MAX_INNER).collect::<Vec<_>>())),
            ),
            ("done_on", self.done_on(task).map(|branch| line(branch, 80))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                row[name] = value;
            }
        }
        let word = if ready { "ready" } else { status.name() };
        let text = format!("{} {word} p{} {title}", task.id, task.priority);
        (row, text)
    }

    /// A task whole. Long texts are cut, the longer the less room there is.
    pub(super) fn whole(&self, task: &Task) -> Value {
        let limits = [Task::MAX_TEXT, 500, 120, 30];
        let mut views = limits.iter().map(|limit| self.whole_within(task, *limit));
        let fitting = views.find(|view| bytes(view) <= MAX_DATA);
        fitting.unwrap_or_else(|| self.row(task).0)
    }

    fn whole_within(&self, task: &Task, limit: usize) -> Value {
        let cut = |text: &str| bounded(clean(text).trim(), limit);
        let short = |id: &TaskId| {
            let known = self.state.tasks.get(id);
            let title = known.map(|task| one_line(&task.title, limit));
            json!({"id": id, "title": title, "status": self.statuses.of(id)})
        };
        let mut parts: Vec<&TaskId> = Vec::new();
        let mut waiting: Vec<&TaskId> = Vec::new();
        for other in self.state.tasks.values() {
            if other.parent.as_ref() == Some(&task.id) {
                parts.push(&other.id);
            }
            if other.needs.contains(&task.id) {
                waiting.push(&other.id);
            }
        }
        let said = deciding(task, self.here).map(|claim| {
            json!({
                "by": claim.by.name(),
                "at": claim.at,
                "commits": claim.commits.iter().take(MAX_INNER).collect::<Vec<_>>(),
                "reason": claim.reason.as_deref().map(cut),
            })
        });
        let seen = |kind: EvidenceKind, reference: &str, ok: Option<bool>| json!({"kind": kind, "ref": cut(reference), "ok": ok});
        let evidence = newest(&task.evidence);
        let evidence = evidence.map(|it| seen(it.kind, &it.reference, it.ok));
        json!({
            "id": task.id,
            "title": one_line(&task.title, Task::MAX_TITLE),
            "status": self.statuses.of(&task.id),
            "ready": self.statuses.is_ready(task),
            "said": said,
            "done_on": self.done_on(task).map(|branch| one_line(branch, 80)),
            "owner": task.owner.as_deref().map(cut),
            "priority": task.priority,
            "parent": task.parent.as_ref().map(short),
            "parts": parts.iter().take(MAX_INNER).map(|id| short(id)).collect::<Vec<_>>(),
            "parts_in_all": parts.len(),
            "needs": task.needs.iter().take(MAX_INNER).map(short).collect::<Vec<_>>(),
            "needs_in_all": task.needs.len(),
            "needed_by": waiting.iter().take(MAX_INNER).map(|id| short(id)).collect::<Vec<_>>(),
            "needed_by_in_all": waiting.len(),
            "acceptance": task.acceptance.as_deref().map(cut),
            "target_commit": task.target_commit,
            "evidence": evidence.collect::<Vec<_>>(),
            "evidence_in_all": task.evidence.len(),
            "notes": newest(&task.notes).map(|note| cut(note)).collect::<Vec<_>>(),
            "notes_in_all": task.notes.len(),
            "created_at": task.created_at,
        })
    }

    fn done_on(&self, task: &'a Task) -> Option<&'a str> {
        match self.statuses.of(&task.id) {
            TaskStatus::Done => None,
            _ => done_elsewhere(task, self.here),
        }
    }
}

fn line(text: &str, max: usize) -> Value {
    Value::String(one_line(text, max))
}

fn newest<T>(list: &[T]) -> impl Iterator<Item = &T> {
    list.iter().skip(list.len().saturating_sub(MAX_INNER))
}
