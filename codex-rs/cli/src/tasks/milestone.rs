//! Milestones: what a set of tasks is meant to reach together, and how far it has come.

use std::collections::BTreeSet;

use orch_core::graph::Statuses;
use orch_core::graph::parents;
use orch_protocol::project::Milestone;
use orch_protocol::task::Task;
use orch_protocol::text::one_line;
use orch_runtime::ports::Backlog;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::line::Shown;
use super::when;
use crate::out;
use crate::screen::{Screen, cut, paint, styled};
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// Cells of a bar.
const BAR: usize = 10;
/// Cells of how many are done of how many.
const COUNT: usize = 7;
/// In fewer cells a text says nothing.
const MIN_TEXT: usize = 10;
/// The widest name in a listing, in cells.
const MAX_NAME: usize = 32;

/// Prints every milestone that is described or that a task names: the earliest due first.
pub(crate) async fn list(mut project: Project, shown: &Shown) -> Result<(), Trouble> {
    let seen = project.see_of(Backlog::Outline).await?;
    listed(&seen, shown)?;
    project.finish().await;
    Ok(())
}

fn listed(seen: &Seen, shown: &Shown) -> Result<(), Trouble> {
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    let milestones = milestones(seen, &statuses);
    if shown.json {
        let one = |one: &One<'_>| {
            json!({
                "name": one.name,
                "text": one.milestone.text,
                "due": one.milestone.due,
                "done": one.done,
                "total": one.of,
            })
        };
        let listed: Vec<Value> = milestones.iter().map(one).collect();
        return out::json(&json!({
            "schema": "codex-orch.milestones/1",
            "milestones": listed,
        }));
    }
    if milestones.is_empty() {
        out::note("no milestones; codex-orch tasks milestone set NAME makes one");
        return Ok(());
    }
    let screen = Screen::of(&shown.look);
    let name = |one: &One<'_>| cut(&one_line(one.name, Task::MAX_NAME), MAX_NAME);
    let due = |one: &One<'_>| {
        let is_reached = one.of > 0 && one.done == one.of;
        let due = one.milestone.due.as_deref();
        due.map(|due| due_in_words(due, is_reached))
            .unwrap_or_default()
    };
    let widest = |cells: &dyn Fn(&One<'_>) -> usize| milestones.iter().map(cells).max();
    let names = widest(&|one| name(one).width()).unwrap_or_default();
    let dues = widest(&|one| due(one).0.width()).unwrap_or_default();
    let before = names + 2 + BAR + 2 + COUNT + 2 + dues + 2;
    let mut text = String::new();
    for one in &milestones {
        let (name, (due, style)) = (name(one), due(one));
        let count = format!("{}/{}", one.done, one.of);
        let full = (one.done * BAR).checked_div(one.of).unwrap_or_default();
        let what = one.milestone.text.as_deref().unwrap_or_default();
        let what = one_line(what, Task::MAX_TITLE);
        let room = screen.width.map(|width| width.saturating_sub(before));
        let what = match room {
            Some(room) if room < MIN_TEXT => String::new(),
            Some(room) => cut(&what, room),
            None => what,
        };
        let row = format!(
            "{}{}  {}{}  {count:>COUNT$}  {}{}  {what}",
            styled(paint::STRONG, &name),
            " ".repeat(names - name.width()),
            styled(paint::GOOD, &"█".repeat(full)),
            styled(paint::FAINT, &"░".repeat(BAR - full)),
            styled(style, &due),
            " ".repeat(dues - due.width()),
        );
        text += &(row.trim_end().to_owned() + "\n");
    }
    out::page(&screen, &text)
}

/// A milestone in a line, for a task that counts towards it.
pub(crate) fn in_words(name: &str, seen: &Seen, statuses: &Statuses) -> String {
    let milestones = milestones(seen, statuses);
    let name_shown = one_line(name, Task::MAX_NAME);
    let Some(one) = milestones.iter().find(|one| one.name == name) else {
        return name_shown;
    };
    let due = one.milestone.due.as_deref();
    let due = due.map(|due| format!(", {}", due_in_words(due, one.done == one.of).0));
    format!(
        "{name_shown}: {} of {} done{}",
        one.done,
        one.of,
        due.unwrap_or_default()
    )
}

struct One<'a> {
    name: &'a str,
    milestone: Milestone,
    done: usize,
    of: usize,
}

fn milestones<'a>(seen: &'a Seen, statuses: &Statuses) -> Vec<One<'a>> {
    let progress = parents::milestones(&seen.state.tasks, statuses);
    let known = &seen.state.project.milestones;
    let names: BTreeSet<&str> = known
        .keys()
        .map(String::as_str)
        .chain(progress.keys().copied())
        .collect();
    let one = |name: &'a str| {
        let progress = progress.get(name).copied().unwrap_or_default();
        One {
            name,
            milestone: known.get(name).cloned().unwrap_or_default(),
            done: progress.done,
            of: progress.total(),
        }
    };
    let mut milestones: Vec<One<'_>> = names.into_iter().map(one).collect();
    // Those that are due at no day come last; days as they are written sort as days.
    milestones.sort_by_key(|one| (one.milestone.due.is_none(), one.milestone.due.clone()));
    milestones
}

fn due_in_words(due: &str, is_reached: bool) -> (String, anstyle::Style) {
    let day = one_line(due, 10);
    if is_reached {
        return (format!("due {day}"), paint::FAINT);
    }
    match when::days_to(due) {
        Some(days) if days < 0 => (format!("due {day}, {} late", in_days(-days)), paint::BAD),
        Some(0) => (format!("due {day}, today"), paint::WARN),
        Some(days) => {
            let style = if days <= 7 { paint::WARN } else { paint::FAINT };
            (format!("due {day}, in {}", in_days(days)), style)
        }
        None => (format!("due {day}"), paint::FAINT),
    }
}

fn in_days(days: i32) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
