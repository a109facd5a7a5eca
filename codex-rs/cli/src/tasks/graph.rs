//! `codex-orch tasks graph`: which tasks are drawn, and where the picture goes. Drawing itself is [`tasks_graph`]'s.

use std::io::{IsTerminal as _, stdout};

use orch_core::command::find;
use orch_core::graph::Statuses;
use orch_runtime::ports::Backlog;

use super::line::Graph;
use super::target;
use crate::out;
use crate::screen::Screen;
use crate::session::Project;
use crate::tasks_graph::{self, Choice, Drawing, Format, Pen};
use crate::trouble::Trouble;

/// Columns of a file's or a pipe's line, which may be of any length: more than the longest title takes.
const NO_END: usize = 2_000;

/// Draws the task graph.
pub(crate) async fn graph(mut project: Project, asked: Graph) -> Result<(), Trouble> {
    let format = asked.format();
    let is_shown = asked.target.file.is_none();
    if is_shown && stdout().is_terminal() {
        unreadable(format)?;
    }
    // The page tells of acceptance as well, which no outline holds.
    let backlog = match format {
        Format::Html => Backlog::Whole,
        Format::Tree | Format::Graph | Format::Dot | Format::Mermaid | Format::Svg => {
            Backlog::Outline
        }
    };
    let seen = project.see_of(backlog).await?;
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    let focus = match &asked.focus {
        Some(given) => Some(find(&seen.state, given)?.id.clone()),
        None => None,
    };
    let choice = Choice {
        all: asked.all,
        reduce: asked.reduce,
        focus,
    };
    let drawing = Drawing::new(&seen.state.tasks, &statuses, &seen.here, &choice);
    if drawing.nodes.is_empty() {
        out::note(match seen.state.tasks.is_empty() {
            true => "no tasks; codex-orch tasks add \"...\" makes one",
            false => "no tasks are open; --all draws those that are done or dropped as well",
        });
    }
    let screen = Screen::of(&asked.look);
    let width = screen.width.filter(|_| is_shown);
    let pen = Pen {
        width: width.unwrap_or(NO_END),
        colour: screen.color && is_shown,
        ascii: asked.ascii,
    };
    let text = tasks_graph::draw(&drawing, format, &pen);
    match format {
        Format::Tree | Format::Graph if is_shown => out::page(&screen, &text)?,
        Format::Tree
        | Format::Graph
        | Format::Dot
        | Format::Mermaid
        | Format::Svg
        | Format::Html => target::put(&asked.target, &text)?,
    }
    project.finish().await;
    Ok(())
}

/// Pictures are for files.
fn unreadable(format: Format) -> Result<(), Trouble> {
    let name = match format {
        Format::Tree | Format::Graph | Format::Dot | Format::Mermaid => return Ok(()),
        Format::Svg => "svg",
        Format::Html => "html",
    };
    Err(Trouble::usage(
        format!("{name} is nothing to read in a terminal"),
        format!("write it into a file: codex-orch tasks graph -o backlog.{name}"),
    ))
}
