//! Listings: rows for people, views for programs.

use std::mem::ManuallyDrop;
use std::ops::Not;

use orch_core::graph::Statuses;
use orch_core::judge::is_unknown;
use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::text::one_line;
use orch_runtime::checkout::TaskView;
use orch_runtime::ports::Backlog;
use serde::Serialize;

use super::line::{Key, List, Ready, Search, Sort, Standing};
use super::rows::Rows;
use super::select::{is_narrowed, select, texts, words};
use super::tree::branches;
use crate::out;
use crate::screen::{Screen, cut, paint, styled};
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// So many bytes are printed at once.
const PART: usize = 8 * 1024;

/// What `ready` asks of `list`.
pub(crate) fn ready(asked: Ready) -> List {
    List {
        status: vec![Standing::Ready],
        listing: asked.listing,
        ..List::default()
    }
}

/// What `search` asks of `list`.
pub(crate) fn search(asked: Search) -> List {
    List {
        text: Some(asked.words.join(" ")),
        all: true,
        with_archive: true,
        listing: asked.listing,
        ..List::default()
    }
}

/// Looks at as much of the project as a listing needs.
pub(crate) async fn see(project: &mut Project, wanted: &List) -> Result<Seen, Trouble> {
    if wanted.archived || wanted.with_archive {
        return project.see_archive().await;
    }
    // Programs are told everything, and words are looked for in every text.
    let backlog = match wanted.listing.shown.json || wanted.text.is_some() {
        true => Backlog::Whole,
        false => Backlog::Outline,
    };
    project.see_of(backlog).await
}

/// Prints the tasks that are asked for.
pub(crate) fn list(seen: Seen, wanted: &List) -> Result<(), Trouble> {
    // The process is about to end: to give back what a large backlog takes, piece by piece, would be a tenth of all it does.
    let mut seen = ManuallyDrop::new(seen);
    let archive = seen.take_archive();
    let (seen, archive) = match wanted.archived {
        true => (&archive, None),
        false => (&*seen, wanted.with_archive.then_some(&archive)),
    };
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    let archived = archive.map(|seen| (seen, Statuses::judge(&seen.state.tasks, &seen.here)));
    let mut wanted = wanted.clone();
    wanted.all |= wanted.archived;
    if wanted.listing.shown.json && wanted.sort.is_empty() {
        // Programs get what they always got: the oldest first.
        wanted.sort = vec![Sort {
            key: Key::Created,
            reversed: false,
        }];
    }
    let mut tasks = select(seen, &statuses, &wanted)?;
    let mut old = match &archived {
        Some((archive, statuses)) => select(archive, statuses, &wanted)?,
        None => Vec::new(),
    };
    let total = tasks.len() + old.len();
    let limit = wanted.listing.limit.unwrap_or(total);
    tasks.truncate(limit);
    old.truncate(limit - tasks.len());
    if wanted.listing.shown.json {
        let shown = tasks
            .iter()
            .map(|task| Listed::of(task, seen, &statuses, wanted.archived));
        let archived = archived.iter().flat_map(|(archive, statuses)| {
            old.iter()
                .map(move |task| Listed::of(task, archive, statuses, true))
        });
        return out::json_list("codex-orch.tasks/1", "tasks", shown.chain(archived));
    }
    if tasks.is_empty() && old.is_empty() {
        out::note(&nothing(seen, &statuses, &wanted, total));
        return Ok(());
    }
    let screen = Screen::of(&wanted.listing.shown.look);
    let rows = Rows::new(seen, &statuses, &screen);
    let looked_for = wanted.text.as_deref().map(words).unwrap_or_default();
    let mut text = String::new();
    let mut line = |row: String, task: &Task| -> Result<(), Trouble> {
        text += &(row + "\n");
        if let Some(hit) = hit(task, &looked_for, &screen) {
            text += &(hit + "\n");
        }
        // Whoever reads along (`| head`) needn't wait for the last one. On a terminal, all of it decides on the pager.
        if screen.height.is_none() && text.len() >= PART {
            out::page(&screen, &std::mem::take(&mut text))?;
        }
        Ok(())
    };
    if wanted.tree {
        for branch in branches(&seen.state.tasks, &tasks) {
            let row = rows.row(branch.task, &branch.guide, !branch.is_wanted);
            line(row, branch.task)?;
        }
    } else {
        for task in &tasks {
            line(rows.row(task, "", false), task)?;
        }
    }
    if let Some((archive, statuses)) = &archived {
        let rows = Rows::new(archive, statuses, &screen).of_archive();
        for task in &old {
            line(rows.row(task, "", false), task)?;
        }
    }
    out::page(&screen, &text)?;
    let shown = tasks.len() + old.len();
    if shown < total {
        out::note(&format!(
            "{} more; --limit {total} shows all",
            total - shown
        ));
    }
    Ok(())
}

/// A task as programs are told of it.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    #[serde(flatten)]
    view: TaskView<'a>,
    #[serde(skip_serializing_if = "Not::not")]
    unknown: bool,
    #[serde(skip_serializing_if = "Not::not")]
    archived: bool,
}

impl<'a> Listed<'a> {
    /// `statuses` are those of the tasks that are `seen`, or of the archive.
    pub(crate) fn of(task: &'a Task, seen: &Seen, statuses: &Statuses, archived: bool) -> Self {
        Self {
            view: TaskView::seen(task, statuses, &seen.here),
            unknown: is_unknown(task, &seen.here),
            archived,
        }
    }
}

/// The line of a text that holds a word which the title doesn't hold; none when the title holds them all.
fn hit(task: &Task, words: &[String], screen: &Screen) -> Option<String> {
    let holds = |text: &str, word: &String| text.to_lowercase().contains(word);
    let missing = words.iter().find(|word| !holds(&task.title, word))?;
    let mut lines = texts(task).skip(1).flat_map(str::lines);
    let line = one_line(lines.find(|line| holds(line, missing))?, Task::MAX_TEXT);
    let margin = TaskId::LEN + 2;
    let room = screen
        .width
        .map_or(Task::MAX_TEXT, |width| width.saturating_sub(margin));
    let line = cut(&line, room);
    Some(format!(
        "{}{}",
        " ".repeat(margin),
        styled(paint::FAINT, &line)
    ))
}

/// Why there are no rows, and where there would be some.
fn nothing(seen: &Seen, statuses: &Statuses, wanted: &List, total: usize) -> String {
    let all = seen.state.tasks.len();
    let open = seen
        .state
        .tasks
        .keys()
        .filter(|id| statuses.of(id).is_open());
    let (open, has_more) = (open.count(), !wanted.all && wanted.status.is_empty());
    if all == 0 && wanted.archived {
        "no tasks are archived".to_owned()
    } else if all == 0 {
        "no tasks; codex-orch tasks add \"...\" makes one".to_owned()
    } else if total > 0 {
        format!("no tasks shown of {total} that match")
    } else if wanted.status == [Standing::Ready] {
        format!("no tasks are ready of the {open} open ones")
    } else if !is_narrowed(wanted) {
        format!("no tasks are open; --all shows the {all} that are done or dropped")
    } else if has_more {
        format!("no tasks match among the {open} open ones; --all looks at all {all}")
    } else {
        format!("no tasks match among all {all}")
    }
}
