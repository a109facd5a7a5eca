//! Backlog.md: a folder with a markdown file a task. The front matter has the fields, the sections below the words.

use std::collections::HashMap;

use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::one_line;

use super::draft::{Draft, foreign_id};
use super::error::{ExchangeError, shown, text};
use super::fields::Fields;
use super::front_matter::{Document, read as document};
use super::remarks::Remarks;
use super::{Given, MAX_TASKS};

/// Fields that Backlog.md has and a task of ours doesn't: kept as notes without a word.
const KNOWN: [&str; 15] = [
    "reporter",
    "updated_date",
    "references",
    "documentation",
    "modified_files",
    "ordinal",
    "onStatusChange",
    "due_date",
    "planned_start",
    "planned_end",
    "actual_start",
    "actual_end",
    "type",
    "status",
    "created_date",
];

/// Reads every task file; of the other folders the milestones' names, and nothing else.
pub(super) fn read(files: &[Given<'_>], told: &mut Remarks) -> Result<Vec<Draft>, ExchangeError> {
    let mut milestones = HashMap::new();
    let mut found = Vec::new();
    for file in files {
        let folder = Folder::of(file.name);
        if folder == Folder::Other {
            told.say(
                "folder",
                format!("{} is no task: left out", shown(file.name)),
            );
            continue;
        }
        let Some(mut document) = document(file.name, text(file.name, file.bytes)?)? else {
            told.say(
                "bare",
                format!("{} has no front matter: left out", shown(file.name)),
            );
            continue;
        };
        if folder != Folder::Milestones {
            found.push((file.name, folder, document));
        } else if let (Some(id), Some(title)) =
            (document.fields.text("id"), document.fields.text("title"))
        {
            told.tally("of a milestone only its name is kept");
            milestones.insert(id.to_ascii_lowercase(), title);
        }
        if found.len() > MAX_TASKS {
            return Err(ExchangeError::TooMany {
                file: shown(file.name),
            });
        }
    }
    found
        .into_iter()
        .map(|(name, folder, document)| task(name, folder, document, &milestones, told))
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folder {
    Tasks,
    Drafts,
    Archive,
    Milestones,
    Other,
}

impl Folder {
    fn of(name: &str) -> Self {
        let folders: Vec<&str> = name.split(['/', '\\']).rev().skip(1).collect();
        let is = |wanted: &str| folders.contains(&wanted);
        if is("docs") || is("decisions") {
            Folder::Other
        } else if is("milestones") {
            Folder::Milestones
        } else if is("archive") {
            Folder::Archive
        } else if is("drafts") {
            Folder::Drafts
        } else {
            Folder::Tasks
        }
    }
}

fn task(
    name: &str,
    folder: Folder,
    document: Document<'_>,
    milestones: &HashMap<String, String>,
    told: &mut Remarks,
) -> Result<Draft, ExchangeError> {
    let Document { mut fields, body } = document;
    let Some(id) = fields.text("id").filter(|id| !foreign_id(id).is_empty()) else {
        return Err(ExchangeError::Shape {
            at: shown(name),
            what: "its front matter has no id".to_owned(),
        });
    };
    let title = fields.text("title");
    let mut draft = Draft::new(&id, shown(name), title.as_deref(), told);
    draft.owners(&fields.texts("assignee"));
    // Written without a zone, and meant as UTC.
    draft.created_at = fields.time("created_date");
    draft.stated_at = fields.time("updated_date");
    draft.note("labels", &fields.texts("labels").join(", "));
    if let Some(name) = fields.text("milestone") {
        let known = milestones.get(&name.to_ascii_lowercase());
        draft.counts_towards(known.unwrap_or(&name));
    }
    draft.needs = ids(fields.texts("dependencies"));
    draft.parts = ids(fields.texts("subtasks"));
    draft.parent = fields.text("parent_task_id").map(|id| foreign_id(&id));
    state(&mut draft, folder, &mut fields, told);
    priority(&mut draft, &mut fields, told);
    sections(&mut draft, body);
    draft.keep(fields, &KNOWN, told);
    if draft.state == ClaimState::Pending && draft.stated_at.is_some() {
        told.tally("the time of the last change isn't kept where it isn't that of the status");
    }
    Ok(draft)
}

fn ids(texts: Vec<String>) -> Vec<String> {
    texts.iter().map(|id| foreign_id(id)).collect()
}

fn state(draft: &mut Draft, folder: Folder, fields: &mut Fields, told: &mut Remarks) {
    let status = fields.text("status").unwrap_or_default();
    let known: String = status
        .to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let state = match known.as_str() {
        "" | "todo" | "backlog" | "open" | "new" | "ready" => Some(ClaimState::Pending),
        "draft" => Some(ClaimState::Pending),
        "inprogress" | "doing" | "active" | "started" => Some(ClaimState::Active),
        "review" | "inreview" | "testing" => Some(ClaimState::Active),
        "done" | "complete" | "completed" | "closed" => Some(ClaimState::Done),
        "blocked" | "onhold" | "waiting" => Some(ClaimState::Blocked),
        "cancelled" | "canceled" | "dropped" | "wontdo" => Some(ClaimState::Dropped),
        _ => None,
    };
    let plain = matches!(
        known.as_str(),
        "" | "todo" | "inprogress" | "done" | "blocked" | "dropped"
    );
    if !plain {
        draft.note("status", &status);
    }
    draft.state = state.unwrap_or_else(|| {
        told.say(
            "status",
            format!(
                "{} has the status {:?}, which isn't known here: taken as pending",
                draft.id,
                one_line(&status, 40)
            ),
        );
        ClaimState::Pending
    });
    match folder {
        Folder::Archive if draft.state != ClaimState::Done => {
            draft.state = ClaimState::Dropped;
            draft.because("archived");
        }
        Folder::Drafts if known != "draft" => draft.note("folder", "drafts"),
        Folder::Archive | Folder::Drafts | Folder::Tasks | Folder::Milestones | Folder::Other => {}
    }
}

fn priority(draft: &mut Draft, fields: &mut Fields, told: &mut Remarks) {
    let Some(text) = fields.text("priority") else {
        return;
    };
    draft.priority = match text.to_ascii_lowercase().as_str() {
        "critical" | "urgent" => 0,
        "high" => 1,
        "medium" => Task::DEFAULT_PRIORITY,
        "low" => 3,
        _ => {
            told.say(
                "priority",
                format!(
                    "{} has the priority {:?}, which isn't known here: taken as {}",
                    draft.id,
                    one_line(&text, 20),
                    draft.priority
                ),
            );
            draft.note("priority", &text);
            draft.priority
        }
    };
}

/// The sections of the body: the acceptance criteria are ours, the others notes under their headings.
fn sections(draft: &mut Draft, body: &str) {
    let mut heading = String::new();
    let mut words = String::new();
    let mut fenced = false;
    for line in body.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        match line.strip_prefix("## ") {
            Some(next) if !fenced => {
                section(draft, &heading, &words);
                heading = one_line(next, 60).to_lowercase();
                words.clear();
            }
            // Backlog.md's own marks around what it writes.
            _ if is_mark(line) => {}
            _ => {
                words.push_str(line);
                words.push('\n');
            }
        }
    }
    section(draft, &heading, &words);
}

fn section(draft: &mut Draft, heading: &str, words: &str) {
    match heading {
        "acceptance criteria" | "acceptance criteria (optional)" if draft.acceptance.is_none() => {
            draft.accepted_when(words);
        }
        heading => draft.note(heading, words),
    }
}

fn is_mark(line: &str) -> bool {
    let inside = line
        .trim()
        .strip_prefix("<!-- ")
        .and_then(|line| line.strip_suffix(" -->"));
    inside.is_some_and(|mark| {
        (mark.ends_with(":BEGIN") || mark.ends_with(":END"))
            && ["AC:", "DOD:", "SECTION:", "COMMENT:", "COMMENTS:"]
                .iter()
                .any(|start| mark.starts_with(start))
    })
}
