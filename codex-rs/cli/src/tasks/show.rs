//! A task whole: what it is, how it stands here and why, what it is a part of and what it waits for.

use orch_core::command::find;
use orch_core::graph::Statuses;
use orch_core::graph::waits::{blocked_by, unblocks};
use orch_core::judge::is_unknown;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Evidence, EvidenceKind, Origin, Task};
use orch_protocol::text::{clean, one_line};
use orch_runtime::ports::Git as _;
use serde_json::{Value, json};

use super::line::Show;
use super::list::Listed;
use super::rows::{Rows, word};
use super::select::sorted;
use super::why::Held;
use super::{milestone, when, why};
use crate::out;
use crate::screen::{Screen, paint, styled, wrapped};
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// Cells before a field's text.
const MARGIN: usize = 12;
/// At most so many rows of parts, of needs, and of what it holds up.
const MAX_ROWS: usize = 20;

/// Branches are looked for of so many commits: each costs a walk.
const MAX_WALKS: usize = 8;

/// The backlog or the archive, with what is worked out of it.
struct Side<'a> {
    seen: &'a Seen,
    statuses: &'a Statuses,
    rows: Rows<'a>,
    is_archive: bool,
}

/// Prints tasks whole, archived ones too.
pub(crate) async fn show(mut project: Project, asked: &Show) -> Result<(), Trouble> {
    let mut seen = project.see_tasks(&asked.tasks).await?;
    let mut ids: Vec<TaskId> = Vec::new();
    let mut held = Held::new();
    for given in &asked.tasks {
        let task = find(&seen.state, given)?;
        if ids.contains(&task.id) {
            continue;
        }
        ids.push(task.id.clone());
        for commit in why::missing(task, &seen.here) {
            if held.len() < MAX_WALKS && !held.contains_key(&commit) {
                let holding = project.git.holding(commit.clone()).await?;
                held.insert(commit, holding);
            }
        }
    }
    let archive = seen.take_archive();
    let screen = Screen::of(&asked.shown.look);
    let judged = [&seen, &archive].map(|seen| Statuses::judge(&seen.state.tasks, &seen.here));
    let side = |seen, statuses, is_archive| {
        let rows = Rows::new(seen, statuses, &screen);
        Side {
            seen,
            statuses,
            rows: if is_archive { rows.of_archive() } else { rows },
            is_archive,
        }
    };
    let [live, old] = &judged;
    let sides = [side(&seen, live, false), side(&archive, old, true)];
    let of = |id: &TaskId| {
        let found = |side: &'_ Side<'_>| side.seen.state.tasks.contains_key(id);
        sides.iter().position(found).unwrap_or_default()
    };
    if asked.shown.json {
        let shown = ids.iter().map(|id| as_value(id, &sides[of(id)], &held));
        let shown: Vec<Value> = shown.collect::<Result<_, _>>()?;
        out::json(&json!({"schema": "codex-orch.tasks/1", "tasks": shown}))?;
    } else {
        let sheets: Vec<String> = ids
            .iter()
            .filter_map(|id| {
                let (side, other) = match of(id) {
                    0 => (&sides[0], &sides[1]),
                    _ => (&sides[1], &sides[0]),
                };
                let task = side.seen.state.tasks.get(id)?;
                Some(sheet(task, side, other, &held, &screen))
            })
            .collect();
        out::page(&screen, &sheets.join("\n"))?;
    }
    project.finish().await;
    Ok(())
}

fn as_value(id: &TaskId, side: &Side<'_>, held: &Held) -> Result<Value, Trouble> {
    let Side { seen, statuses, .. } = side;
    let Some(task) = seen.state.tasks.get(id) else {
        return Ok(Value::Null);
    };
    let ids = |tasks: &[&Task]| tasks.iter().map(|task| json!(task.id)).collect::<Value>();
    let parts = side.rows.parts(task);
    let freed = unblocks(&seen.state.tasks, statuses, id);
    let mut value = out::value(&Listed::of(task, seen, statuses, side.is_archive))?;
    value["why"] = why::as_json(task, &seen.here, held, !parts.is_empty());
    value["parts"] = ids(parts);
    value["progress"] = match side.rows.progress(task) {
        Some((done, total)) => json!({"done": done, "total": total}),
        None => Value::Null,
    };
    value["blocked_by"] = ids(&blocked_by(&seen.state.tasks, statuses, id).first);
    value["unblocks"] = ids(&freed.next);
    value["downstream"] = ids(&freed.downstream);
    Ok(value)
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

fn sheet(task: &Task, side: &Side<'_>, other: &Side<'_>, held: &Held, screen: &Screen) -> String {
    let Side {
        seen,
        statuses,
        rows,
        is_archive,
    } = side;
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
    let (status, style) = word(task, statuses, &seen.here);
    let mut status = styled(style, status);
    if is_unknown(task, &seen.here) {
        status += ": history is cut off here";
    }
    if *is_archive {
        status += ", archived";
    }
    sheet.rows("status", vec![status]);
    for line in why::lines(task, &seen.here, held, !parts.is_empty()) {
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
    let drawn = |tasks: &[&Task]| -> Vec<String> {
        let tasks = sorted(tasks.iter().copied(), statuses, &[]);
        let drawn = tasks.iter().map(|task| inner(task, rows, screen));
        drawn.collect()
    };
    let named = |id: &TaskId| named(id, side, other, screen);
    if let Some(id) = &task.parent {
        sheet.rows("part of", vec![named(id)]);
    }
    if let Some((done, of)) = rows.progress(task) {
        sheet.field("parts", &format!("{done} of {of} done"));
        sheet.rows("", drawn(parts));
    }
    sheet.rows("needs", task.needs.iter().map(named).collect());
    let held_up = blocked_by(&seen.state.tasks, statuses, &task.id);
    let is_far = |first: &&Task| {
        let is_part = first.parent.as_ref() == Some(&task.id);
        !is_part && !task.needs.contains(&first.id)
    };
    let far: Vec<&Task> = held_up.first.into_iter().filter(is_far).collect();
    sheet.rows("first", drawn(&far));
    let freed = unblocks(&seen.state.tasks, statuses, &task.id);
    let is_later = |behind: &&Task| freed.next.iter().all(|next| next.id != behind.id);
    let later: Vec<&Task> = freed.downstream.iter().copied().filter(is_later).collect();
    sheet.rows("unblocks", drawn(&freed.next));
    sheet.rows("later", drawn(&later));
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

fn named(id: &TaskId, side: &Side<'_>, other: &Side<'_>, screen: &Screen) -> String {
    let row = |side: &Side<'_>| {
        let task = side.seen.state.tasks.get(id)?;
        Some(inner(task, &side.rows, screen))
    };
    row(side).or_else(|| row(other)).unwrap_or_else(|| {
        let id = one_line(id.as_str(), TaskId::LEN);
        format!("{id}  no longer in the backlog")
    })
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
