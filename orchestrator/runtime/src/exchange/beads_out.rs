//! Tasks as beads JSONL. What an issue has no field for is written where an import finds it again, or told.

use std::collections::{HashMap, HashSet};

use orch_protocol::Timestamp;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Claim, ClaimState, Origin, Task, TaskStatus};
use orch_protocol::text::clean;
use serde::Serialize;

use super::Format;
use super::error::ExchangeError;
use super::export::{ExportTask, Exported, unwritable};

/// Begins the ids of tasks that didn't come from beads.
pub(super) const OURS: &str = "orch-";
/// Begins the label that stands for a milestone.
pub(super) const MILESTONE: &str = "milestone:";
/// Begins the close reason of what was dropped, not done.
pub(super) const DROPPED: &str = "dropped";
const BETWEEN_NOTES: &str = "\n\n";

#[derive(Debug, Default, Serialize)]
struct Issue {
    id: String,
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    design: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    acceptance_criteria: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    notes: String,
    status: &'static str,
    priority: u8,
    issue_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Serialize)]
struct Dependency {
    issue_id: String,
    depends_on_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: Timestamp,
    created_by: &'static str,
}

/// How many tasks say what an issue can't.
#[derive(Debug, Default)]
struct Untold {
    claims: usize,
    elsewhere: usize,
    evidence: usize,
    commits: usize,
    aliases: usize,
    reasons: usize,
    notes: usize,
    edges: usize,
}

/// Writes an issue a line.
pub(super) fn write(tasks: &[ExportTask<'_>]) -> Result<Exported, ExchangeError> {
    let ids = ids(tasks);
    let mut untold = Untold::default();
    let mut text = String::new();
    for given in tasks {
        let issue = issue(given, &ids, &mut untold);
        text.push_str(&serde_json::to_string(&issue).map_err(unwritable)?);
        text.push('\n');
    }
    Ok(Exported {
        text,
        remarks: untold.into_lines(),
    })
}

/// What came from beads keeps its id there, unless two would have it.
fn ids<'a>(tasks: &[ExportTask<'a>]) -> HashMap<&'a TaskId, String> {
    let mut taken = HashSet::new();
    let mut ids = HashMap::new();
    for ExportTask { task, .. } in tasks {
        let theirs = match &task.origin {
            Origin::Import { format, id } if format == Format::Beads.name() => {
                Some(clean(id)).filter(|id| !id.starts_with(OURS))
            }
            Origin::Import { .. }
            | Origin::Person { .. }
            | Origin::PlanStep { .. }
            | Origin::Goal { .. }
            | Origin::Agent { .. } => None,
        };
        let id = theirs
            .filter(|id| !taken.contains(id))
            .unwrap_or_else(|| format!("{OURS}{}", task.id));
        taken.insert(id.clone());
        ids.insert(&task.id, id);
    }
    ids
}

fn issue(given: &ExportTask<'_>, ids: &HashMap<&TaskId, String>, untold: &mut Untold) -> Issue {
    let task = given.task;
    let id = ids.get(&task.id).cloned().unwrap_or_default();
    let last = task.claims.iter().max_by_key(|claim| claim.at);
    let times = task
        .claims
        .iter()
        .map(|claim| claim.at)
        .chain(task.evidence.iter().map(|seen| seen.at));
    let updated_at = times.max().unwrap_or(task.created_at).max(task.created_at);
    let (status, state) = match given.status {
        TaskStatus::Pending => ("open", ClaimState::Pending),
        TaskStatus::Active => ("in_progress", ClaimState::Active),
        TaskStatus::Blocked => ("blocked", ClaimState::Blocked),
        TaskStatus::Done => ("closed", ClaimState::Done),
        TaskStatus::Dropped => ("closed", ClaimState::Dropped),
    };
    let said: Option<&Claim> = task
        .claims
        .iter()
        .filter(|claim| claim.state == state)
        .max_by_key(|claim| claim.at);
    let reason = said.and_then(|claim| claim.reason.as_deref()).map(clean);
    let closed = status == "closed";
    let mut issue = Issue {
        id,
        title: clean(&task.title),
        acceptance_criteria: task.acceptance.as_deref().map(clean).unwrap_or_default(),
        status,
        priority: task.priority,
        issue_type: "task".to_owned(),
        assignee: task.owner.as_deref().map(clean),
        created_at: task.created_at,
        closed_at: closed.then(|| said.map_or(updated_at, |claim| claim.at)),
        close_reason: match given.status {
            TaskStatus::Done => reason.clone(),
            TaskStatus::Dropped => Some(match &reason {
                Some(why) => format!("{DROPPED}: {why}"),
                None => DROPPED.to_owned(),
            }),
            TaskStatus::Pending | TaskStatus::Active | TaskStatus::Blocked => None,
        },
        updated_at,
        ..Issue::default()
    };
    if let Some(name) = &task.milestone {
        issue.labels.push(format!("{MILESTONE}{}", clean(name)));
    }
    notes(&mut issue, task, untold);
    dependencies(&mut issue, task, ids, untold);

    untold.claims += usize::from(
        task.claims.len() > 1
            || last.is_some_and(|claim| !claim.commits.is_empty() || claim.branch.is_some()),
    );
    untold.elsewhere += usize::from(given.done_on.is_some());
    untold.evidence += usize::from(!task.evidence.is_empty());
    untold.commits += usize::from(task.target_commit.is_some());
    untold.aliases += usize::from(!task.aliases.is_empty());
    untold.reasons += usize::from(!closed && reason.is_some());
    issue
}

/// Notes that an import of beads made become the fields they were; the others are one text.
fn notes(issue: &mut Issue, task: &Task, untold: &mut Untold) {
    let mut others: Vec<String> = Vec::new();
    let (mut labels, mut kind) = (String::new(), String::new());
    for note in &task.notes {
        let note = clean(note);
        let (label, goes_on, text) = labelled(&note);
        let (field, between) = match label {
            "description" => (&mut issue.description, BETWEEN_NOTES),
            "design" => (&mut issue.design, BETWEEN_NOTES),
            "labels" => (&mut labels, ", "),
            "type" if kind.is_empty() && !text.contains(char::is_whitespace) => (&mut kind, ""),
            _ => {
                others.push(note);
                continue;
            }
        };
        if !field.is_empty() && !goes_on {
            field.push_str(between);
        }
        field.push_str(text);
    }
    if !kind.is_empty() {
        issue.issue_type = kind;
    }
    let labels = labels.split(", ").filter(|label| !label.is_empty());
    issue.labels.extend(labels.map(str::to_owned));
    untold.notes += usize::from(others.len() > 1);
    issue.notes = others.join(BETWEEN_NOTES);
}

/// `label: text`, or `label (2 of 3): text`, which goes on where the note before it ended.
fn labelled(note: &str) -> (&str, bool, &str) {
    let Some((label, text)) = note.split_once(": ") else {
        return ("", false, note);
    };
    match label.split_once(" (") {
        Some((label, count)) if count.ends_with(')') && count.contains(" of ") => {
            (label, !count.starts_with("1 "), text)
        }
        _ => (label, false, text),
    }
}

fn dependencies(
    issue: &mut Issue,
    task: &Task,
    ids: &HashMap<&TaskId, String>,
    untold: &mut Untold,
) {
    let mut missing = false;
    let edges = task
        .needs
        .iter()
        .map(|need| ("blocks", need))
        .chain(task.parent.iter().map(|parent| ("parent-child", parent)));
    for (kind, on) in edges {
        match ids.get(on) {
            None => missing = true,
            Some(on) => issue.dependencies.push(Dependency {
                issue_id: issue.id.clone(),
                depends_on_id: on.clone(),
                kind,
                created_at: task.created_at,
                created_by: "codex-orch",
            }),
        }
    }
    untold.edges += usize::from(missing);
}

impl Untold {
    fn into_lines(self) -> Vec<String> {
        let lines = [
            (
                self.claims,
                "beads has no claims by branch and commit: only the status as seen from here is told",
            ),
            (
                self.elsewhere,
                "done on another branch, which beads can't say: written as they stand here",
            ),
            (self.evidence, "beads has no evidence"),
            (self.commits, "beads has no target commit"),
            (self.aliases, "beads has no other wordings"),
            (self.reasons, "beads has a reason for what is closed only"),
            (
                self.notes,
                "beads has one text of notes: several were joined",
            ),
            (
                self.edges,
                "needs or parents outside of what is exported were left out",
            ),
        ];
        lines
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, text)| {
                format!(
                    "{text} ({count} {})",
                    if count == 1 { "task" } else { "tasks" }
                )
            })
            .collect()
    }
}
