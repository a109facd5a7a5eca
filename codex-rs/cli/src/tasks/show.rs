//! A task whole: what it is, how it stands here and why, what it is a part of and what it waits for.

use orch_core::command::find;
use orch_core::graph::Statuses;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Evidence, EvidenceKind, Origin, Task};
use orch_protocol::text::{clean, one_line};
use serde_json::json;

use super::line::Show;
use super::list::as_json;
use super::rows::{Rows, word};
use super::select::compare;
use super::{milestone, when, why};
use crate::out;
use crate::screen::{Screen, paint, styled, wrapped};
use crate::session::Seen;
use crate::trouble::Trouble;

/// Cells before a field's text.
const MARGIN: usize = 12;
/// At most so many rows of parts, of needs, and of what it holds up.
const MAX_ROWS: usize = 20;

/// Prints tasks whole.
pub(crate) fn show(seen: &Seen, asked: &Show) -> Result<(), Trouble> {
    let mut tasks: Vec<&Task> = Vec::new();
    for given in &asked.tasks {
        let task = find(&seen.state, given)?;
        if !tasks.iter().any(|known| known.id == task.id) {
            tasks.push(task);
        }
    }
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    let screen = Screen::of(&asked.shown.look);
    let rows = Rows::new(seen, &statuses, &screen);
    if asked.shown.json {
        let mut shown = as_json(seen, &tasks)?;
        for (value, task) in shown.iter_mut().zip(&tasks) {
            let parts = rows.parts(task);
            value["why"] = why::as_json(task, seen, !parts.is_empty());
            value["parts"] = parts.iter().map(|part| json!(part.id)).collect();
            value["unblocks"] = held_up(seen, &task.id)
                .iter()
                .map(|held| json!(held.id))
                .collect();
        }
        return out::json(&json!({"schema": "codex-orch.tasks/1", "tasks": shown}));
    }
    let sheets: Vec<String> = tasks
        .iter()
        .map(|task| sheet(task, seen, &statuses, &rows, &screen))
        .collect();
    out::page(&screen, &sheets.join("\n"))
}

/// Lines of fields: a name, and a text that hangs behind it.
struct Sheet {
    text: String,
    width: Option<usize>,
}

impl Sheet {
    fn field(&mut self, name: &str, text: &str) {
        let name = styled(paint::FAINT, &format!("{name:<MARGIN$}"));
        self.text += &format!("{name}{}\n", wrapped(text, self.width, MARGIN));
    }

    /// Rows are drawn to fit already.
    fn rows(&mut self, name: &str, rows: Vec<String>) {
        let (total, mut name) = (rows.len(), name);
        for row in rows.into_iter().take(MAX_ROWS) {
            let before = styled(paint::FAINT, &format!("{name:<MARGIN$}"));
            let before = if name.is_empty() {
                " ".repeat(MARGIN)
            } else {
                before
            };
            self.text += &format!("{before}{row}\n");
            name = "";
        }
        if total > MAX_ROWS {
            self.field("", &format!("and {} more", total - MAX_ROWS));
        }
    }
}

fn sheet(
    task: &Task,
    seen: &Seen,
    statuses: &Statuses,
    rows: &Rows<'_>,
    screen: &Screen,
) -> String {
    let title = one_line(&task.title, Task::MAX_TITLE);
    let margin = TaskId::LEN + 2;
    let mut sheet = Sheet {
        text: format!(
            "{}  {}\n",
            rows.id(&task.id),
            styled(paint::STRONG, &wrapped(&title, screen.width, margin))
        ),
        width: screen.width,
    };
    let parts = rows.parts(task);
    let (status, style) = word(task, statuses);
    sheet.rows("status", vec![styled(style, status)]);
    for line in why::lines(task, seen, !parts.is_empty()) {
        let indent = line.len() - line.trim_start().len();
        let text = wrapped(line.trim_start(), screen.width, MARGIN + indent);
        sheet.text += &format!("{}{text}\n", " ".repeat(MARGIN + indent));
    }
    sheet.field("priority", &format!("p{}", task.priority));
    for (name, value) in [("owner", &task.owner), ("acceptance", &task.acceptance)] {
        if let Some(value) = value {
            sheet.field(name, clean(value).trim());
        }
    }
    if let Some(name) = &task.milestone {
        sheet.field("milestone", &milestone::in_words(name, seen, statuses));
    }
    let drawn = |mut tasks: Vec<&Task>| -> Vec<String> {
        tasks.sort_by(|a, b| compare(a, b, statuses, &[]));
        let row = |task: &&Task| inner(task, rows, screen);
        tasks.iter().map(row).collect()
    };
    if let Some(id) = &task.parent {
        sheet.rows("part of", vec![named(id, seen, rows, screen)]);
    }
    if let Some((done, of)) = rows.progress(task) {
        sheet.field("parts", &format!("{done} of {of} done"));
        sheet.rows("", drawn(parts.to_vec()));
    }
    let needs = task
        .needs
        .iter()
        .map(|need| named(need, seen, rows, screen));
    sheet.rows("needs", needs.collect());
    sheet.rows("unblocks", drawn(held_up(seen, &task.id)));
    if let Some(commit) = &task.target_commit {
        sheet.field("commit", commit.as_str());
    }
    let told =
        |evidence: &&Evidence| evidence.kind == EvidenceKind::Note && why::tells(task, evidence);
    for evidence in task.evidence.iter().filter(|evidence| !told(evidence)) {
        sheet.field("evidence", &observed(evidence));
    }
    for note in &task.notes {
        sheet.field("note", clean(note).trim());
    }
    for alias in &task.aliases {
        sheet.field("also", &one_line(alias, Task::MAX_TITLE));
    }
    sheet.field("created", &when::both(task.created_at));
    sheet.field("origin", &came_from(&task.origin));
    sheet.text
}

/// A row within a sheet: as in a listing, in the cells behind the margin.
fn inner(task: &Task, rows: &Rows<'_>, screen: &Screen) -> String {
    rows.row_in(task, screen.width.map(|width| width.saturating_sub(MARGIN)))
}

fn named(id: &TaskId, seen: &Seen, rows: &Rows<'_>, screen: &Screen) -> String {
    match seen.state.tasks.get(id) {
        Some(task) => inner(task, rows, screen),
        None => format!(
            "{}  no longer in the backlog",
            one_line(id.as_str(), TaskId::LEN)
        ),
    }
}

/// Tasks that need this one.
fn held_up<'a>(seen: &'a Seen, id: &TaskId) -> Vec<&'a Task> {
    let tasks = seen.state.tasks.values();
    tasks.filter(|task| task.needs.contains(id)).collect()
}

/// A piece of evidence in a line.
pub(crate) fn observed(evidence: &Evidence) -> String {
    let kind = match evidence.kind {
        EvidenceKind::Commit => "commit",
        EvidenceKind::Command => "command",
        EvidenceKind::File => "file",
        EvidenceKind::Turn => "turn",
        EvidenceKind::Note => "said:",
    };
    let ok = match evidence.ok {
        Some(true) => ", which succeeded",
        Some(false) => ", which FAILED",
        None => "",
    };
    let tree = match &evidence.tree {
        Some(tree) => format!(" (at {})", tree.short()),
        None => String::new(),
    };
    let what = one_line(&evidence.reference, Task::MAX_TEXT);
    format!("{kind} {what}{ok}{tree}")
}

/// Where a task came from, in words.
pub(crate) fn came_from(origin: &Origin) -> String {
    let on = |branch: &Option<String>| match branch {
        Some(branch) => format!(" on {}", one_line(branch, 60)),
        None => String::new(),
    };
    let of = |thread: &str| format!(" of thread {}", one_line(thread, 60));
    match origin {
        Origin::Person { branch } => format!("added by a person{}", on(branch)),
        Origin::PlanStep { branch, thread, .. } => {
            format!("a step of the plan{}{}", of(thread.as_str()), on(branch))
        }
        Origin::Goal { branch, thread, .. } => {
            format!("the goal{}{}", of(thread.as_str()), on(branch))
        }
        Origin::Agent { branch, thread, .. } => {
            let thread = thread.as_ref().map(|thread| of(thread.as_str()));
            format!(
                "added by the main agent{}{}",
                thread.unwrap_or_default(),
                on(branch)
            )
        }
        Origin::Import { format, id } => {
            format!(
                "imported from {}, where it is {}",
                one_line(format, 40),
                one_line(id, 200)
            )
        }
    }
}
