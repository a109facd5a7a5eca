//! Beads: `.beads/issues.jsonl`, an issue a line. Its issues are read; its daemon, its database and its agents aren't known here.

use std::collections::HashSet;

use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::one_line;
use serde_json::{Map, Value};

use super::beads_out::{DROPPED, MILESTONE, OURS};
use super::draft::{Draft, foreign_id, own_id};
use super::error::{ExchangeError, json, shown, text};
use super::fields::{Fields, as_text};
use super::remarks::Remarks;
use super::{Given, MAX_TASKS};

/// The longest line.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// Fields that beads has and a task of ours doesn't: kept as notes without a word. Those of its agents aren't listed, and so
/// are told.
const KNOWN: [&str; 15] = [
    "estimated_minutes",
    "created_by",
    "owner",
    "closed_by_session",
    "due_at",
    "defer_until",
    "external_ref",
    "source_system",
    "compaction_level",
    "compacted_at",
    "compacted_at_commit",
    "original_size",
    "pinned",
    "metadata",
    "spec_id",
];

/// Reads every line.
pub(super) fn read(files: &[Given<'_>], told: &mut Remarks) -> Result<Vec<Draft>, ExchangeError> {
    let mut drafts = Vec::new();
    let mut deleted = HashSet::new();
    for file in files {
        for (at, line) in text(file.name, file.bytes)?.lines().enumerate() {
            let Some(fields) = record(file.name, at + 1, line)? else {
                continue;
            };
            let place = match files.len() {
                1 => format!("line {}", at + 1),
                _ => format!("{}:{}", shown(file.name), at + 1),
            };
            if let Some(draft) = issue(fields, place, &mut deleted, told)? {
                drafts.push(draft);
            }
            if drafts.len() > MAX_TASKS {
                return Err(ExchangeError::TooMany {
                    file: shown(file.name),
                });
            }
        }
    }
    without_deleted(&mut drafts, &deleted);
    Ok(drafts)
}

/// The fields of a line; none for an empty one.
fn record(file: &str, number: usize, line: &str) -> Result<Option<Fields>, ExchangeError> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"]
        .iter()
        .any(|mark| trimmed.starts_with(mark))
    {
        return Err(ExchangeError::Unmerged {
            file: shown(file),
            line: number,
        });
    }
    if line.len() > MAX_LINE {
        return Err(ExchangeError::Shape {
            at: format!("{}:{number}", shown(file)),
            what: format!("the line is longer than {MAX_LINE} bytes"),
        });
    }
    let map: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| json(file, number, &error))?;
    Ok(Some(Fields::new(map)))
}

fn issue(
    mut fields: Fields,
    place: String,
    deleted: &mut HashSet<String>,
    told: &mut Remarks,
) -> Result<Option<Draft>, ExchangeError> {
    // Newer exports name the kind of each line, and hold memories beside issues.
    if let Some(kind) = fields.text("_type").filter(|kind| kind != "issue") {
        told.say(
            "kind",
            format!(
                "{place} is no issue but of kind {:?}: left out",
                one_line(&kind, 40)
            ),
        );
        return Ok(None);
    }
    let Some(id) = fields.text("id").filter(|id| !foreign_id(id).is_empty()) else {
        return Err(ExchangeError::Shape {
            at: place,
            what: "this issue has no id".to_owned(),
        });
    };
    let status = fields.text("status").unwrap_or_else(|| "open".to_owned());
    if status == "tombstone" {
        told.say(
            "deleted",
            format!("{} was deleted there ({place}): left out", foreign_id(&id)),
        );
        deleted.insert(foreign_id(&id));
        return Ok(None);
    }
    let title = fields.text("title");
    let mut draft = Draft::new(&id, place, title.as_deref(), told);
    draft.ours = draft.id.strip_prefix(OURS).and_then(own_id);
    for field in ["description", "design"] {
        if let Some(text) = fields.text(field) {
            draft.note(field, &text);
        }
    }
    if let Some(text) = fields.text("acceptance_criteria") {
        draft.accepted_when(&text);
    }
    draft.created_at = fields.time("created_at");
    if let Some(owner) = fields.text("assignee") {
        draft.owners(&[owner]);
    }
    if let Some(kind) = fields.text("issue_type").filter(|kind| kind != "task") {
        draft.note("type", &kind);
    }
    state(&mut draft, &mut fields, &status, told);
    priority(&mut draft, &mut fields, told);
    labels(&mut draft, fields.texts("labels"));
    dependencies(&mut draft, fields.value("dependencies"), told);
    if let Some(notes) = fields.text("notes") {
        draft.note("", &notes);
    }
    comments(&mut draft, fields.value("comments"));
    draft.keep(fields, &KNOWN, told);
    Ok(Some(draft))
}

fn state(draft: &mut Draft, fields: &mut Fields, status: &str, told: &mut Remarks) {
    let closed = fields.time("closed_at");
    let updated = fields.time("updated_at");
    let reason = fields.text("close_reason");
    draft.state = match status {
        "open" => ClaimState::Pending,
        "in_progress" => ClaimState::Active,
        "hooked" => {
            draft.note("status", status);
            ClaimState::Active
        }
        "blocked" => ClaimState::Blocked,
        "deferred" => {
            draft.because("deferred");
            ClaimState::Blocked
        }
        "closed" => ClaimState::Done,
        "pinned" => {
            draft.note("status", status);
            ClaimState::Pending
        }
        other => {
            told.say(
                "status",
                format!(
                    "{} has the status {:?}, which isn't known here: taken as pending",
                    draft.id,
                    one_line(other, 40)
                ),
            );
            draft.note("status", other);
            ClaimState::Pending
        }
    };
    match (draft.state, reason) {
        (_, None) => {}
        (ClaimState::Done, Some(reason)) => match reason.strip_prefix(DROPPED) {
            Some(why) => {
                draft.state = ClaimState::Dropped;
                draft.because(why.trim_start_matches(':'));
            }
            None => draft.because(&reason),
        },
        (_, Some(reason)) => draft.note("close reason", &reason),
    }
    draft.stated_at = closed.or(updated);
    let kept = match draft.state {
        ClaimState::Pending => draft.created_at,
        _ => draft.stated_at,
    };
    if updated.is_some_and(|at| kept != Some(at)) {
        told.tally("the time of the last change isn't kept where it isn't that of the status");
    }
}

fn priority(draft: &mut Draft, fields: &mut Fields, told: &mut Remarks) {
    // Beads leaves out what is zero, and zero is its most urgent.
    let Some(text) = fields.text("priority") else {
        draft.priority = 0;
        return;
    };
    match text
        .parse::<u8>()
        .ok()
        .filter(|given| *given <= Task::MAX_PRIORITY)
    {
        Some(given) => draft.priority = given,
        None => {
            told.say(
                "priority",
                format!(
                    "{} has the priority {:?}, which isn't between 0 and 4: taken as {}",
                    draft.id,
                    one_line(&text, 20),
                    draft.priority
                ),
            );
            draft.note("priority", &text);
        }
    }
}

fn labels(draft: &mut Draft, labels: Vec<String>) {
    let mut others = Vec::new();
    for label in labels {
        match label.strip_prefix(MILESTONE) {
            Some(name) if draft.milestone.is_none() && !name.trim().is_empty() => {
                draft.counts_towards(name)
            }
            _ => others.push(one_line(&label, 200)),
        }
    }
    draft.note("labels", &others.join(", "));
}

fn dependencies(draft: &mut Draft, value: Option<Value>, told: &mut Remarks) {
    let values = match value {
        None => return,
        Some(Value::Array(values)) => values,
        Some(other) => {
            draft.note("dependencies", &as_text(other));
            return;
        }
    };
    for value in values {
        let Value::Object(map) = value else {
            draft.note("dependency", &as_text(value));
            continue;
        };
        let mut fields = Fields::new(map);
        let kind = fields.text("type").unwrap_or_else(|| "blocks".to_owned());
        let of = fields.text("issue_id").map(|id| foreign_id(&id));
        let Some(on) = fields.text("depends_on_id").map(|id| foreign_id(&id)) else {
            draft.note("dependency", &kind);
            continue;
        };
        if let Some(of) = of.filter(|of| *of != draft.id) {
            told.say(
                "edge",
                format!(
                    "{} holds a dependency of {of} on {on}: kept as a note",
                    draft.id
                ),
            );
            draft.note(&format!("dependency of {of}"), &format!("{kind} {on}"));
            continue;
        }
        match kind.as_str() {
            "blocks" => draft.needs.push(on),
            "parent-child" if draft.parent.is_none() => draft.parent = Some(on),
            "parent-child" => draft.note("also a part of", &on),
            other => draft.note(&one_line(other, 40), &on),
        }
        if fields.value("created_at").is_some() | fields.value("created_by").is_some() {
            told.tally("who added a dependency and when isn't kept");
        }
        for (name, text) in fields.left() {
            if name != "metadata" && name != "thread_id" {
                told.unknown_field(&format!("dependencies.{name}"));
            }
            if text != "{}" {
                draft.note(&format!("dependency {name}"), &text);
            }
        }
    }
}

fn comments(draft: &mut Draft, value: Option<Value>) {
    let values = match value {
        None => return,
        Some(Value::Array(values)) => values,
        Some(other) => vec![other],
    };
    for value in values {
        let Value::Object(map) = value else {
            draft.note("comment", &as_text(value));
            continue;
        };
        let mut fields = Fields::new(map);
        let text = fields.text("text").unwrap_or_default();
        let said: Vec<String> = ["author", "created_at"]
            .into_iter()
            .filter_map(|name| fields.text(name).map(|text| one_line(&text, 80)))
            .collect();
        match said.is_empty() {
            true => draft.note("comment", &text),
            false => draft.note(&format!("comment ({})", said.join(", ")), &text),
        }
    }
}

/// What was deleted there holds nothing up, there or here.
fn without_deleted(drafts: &mut [Draft], deleted: &HashSet<String>) {
    for draft in drafts {
        let (gone, needs): (Vec<String>, Vec<String>) = std::mem::take(&mut draft.needs)
            .into_iter()
            .partition(|need| deleted.contains(need));
        draft.needs = needs;
        for need in gone {
            draft.note("needed, but deleted there", &need);
        }
        if let Some(parent) = draft.parent.take_if(|parent| deleted.contains(parent)) {
            draft.note("parent, but deleted there", &parent);
        }
    }
}
