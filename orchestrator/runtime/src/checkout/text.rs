//! Writes tasks as YAML: byte for byte the same for the same task, each task a block by itself.
//!
//! A task that a person has written in their own way is written in that way as far as it still says what it should;
//! what it says is always right, how it looks comes second.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use orch_protocol::ids::CommitId;
use orch_protocol::project::FileComments;
use orch_protocol::task::Task;
use orch_protocol::text::{clean, one_line};
use serde::Serialize;
use thiserror::Error;

use super::blocks::{self, Keys};
use super::parse::{Entry, read_block};
use super::view::TaskView;

/// Why a task could not be written.
#[derive(Debug, Error)]
#[error("Failed to write the tasks as YAML: {0}")]
pub struct Unwritable(String);

/// Of how blocks are written: goes up when the same task is written in another way.
pub(super) const VERSION: u32 = 1;

/// The keys of a task, in our order.
pub(super) const KEYS: [&str; 17] = [
    "id",
    "title",
    "status",
    "ready",
    "done_on",
    "owner",
    "priority",
    "parent",
    "needs",
    "milestone",
    "acceptance",
    "target_commit",
    "evidence",
    "claims",
    "origin",
    "created_at",
    "notes",
];

/// Writes a task as a block, in a person's own way where there is one.
pub fn render_task(view: &TaskView<'_>, layout: Option<&str>) -> Result<String, Unwritable> {
    if let Some(layout) = layout
        && let Some(text) = laid_out(view, layout)?
        && read_block(&text).is_some_and(|entry| KEYS.iter().all(|key| agrees(key, &entry, view)))
    {
        return Ok(text);
    }
    yaml(&[view])
}

/// The lines above the tasks.
pub(super) fn head(
    state: &CommitId,
    branch: Option<&str>,
    at: Option<&CommitId>,
    comments: Option<&FileComments>,
) -> String {
    let from = seen_from(branch, at);
    let top = comments.map_or("", |comments| &comments.top);
    format!(
        "# state {state}, as seen from {from}\n{}schema: {}\n",
        loose(top),
        super::SCHEMA
    )
}

/// A place in words, as the first line has it.
pub(super) fn seen_from(branch: Option<&str>, at: Option<&CommitId>) -> String {
    let branch = one_line(branch.unwrap_or("no branch"), 80);
    let at = at.map_or("no commit", CommitId::as_str);
    format!("{branch} at {at}")
}

/// The lines below the tasks.
pub(super) fn foot(comments: Option<&FileComments>) -> String {
    loose(comments.map_or("", |comments| &comments.end))
}

/// Comments and blank lines, and nothing that could be anything else.
pub(super) fn loose(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            out.push_str(&clean(&line.replace('\t', " ")));
            out.push('\n');
        }
    }
    out
}

fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, Unwritable> {
    let mut options = serde_saphyr::ser_options! {
        // A person edits one line more easily than a folded text.
        folded_wrap_chars: usize::MAX,
    };
    let failed = |error: serde_saphyr::ser::Error| Unwritable(error.to_string());
    let text = serde_saphyr::to_string_with_options(&value, options.clone()).map_err(failed)?;
    // Blank lines at the end of a text would be taken for space between tasks.
    let is_doubtful =
        |line: &str| line.ends_with('+') || (line.trim().is_empty() && !line.is_empty());
    if !text.lines().any(is_doubtful) {
        return Ok(text);
    }
    options.prefer_block_scalars = false;
    serde_saphyr::to_string_with_options(&value, options).map_err(failed)
}

/// The task in the order and with the comments of `layout`; none where that can't be told.
fn laid_out(view: &TaskView<'_>, layout: &str) -> Result<Option<String>, Unwritable> {
    let (
        Some(written),
        Some(Keys {
            margin,
            pieces,
            end,
        }),
    ) = (read_block(layout), blocks::keys(layout))
    else {
        return Ok(None);
    };
    let mut out = String::new();
    let mut above = String::new();
    for piece in &pieces {
        above.push_str(&piece.above);
        let is_ours = KEYS.contains(&piece.key);
        if is_ours && !agrees(piece.key, &written, view) {
            let Some(text) = field(piece.key, view, margin)? else {
                continue;
            };
            out.push_str(&std::mem::take(&mut above));
            out.push_str(&text);
        } else {
            out.push_str(&std::mem::take(&mut above));
            out.push_str(&piece.text);
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    let missing = KEYS
        .iter()
        .filter(|key| pieces.iter().all(|piece| piece.key != **key));
    for key in missing {
        if !agrees(key, &written, view)
            && let Some(text) = field(key, view, margin)?
        {
            out.push_str(&text);
        }
    }
    out.push_str(&above);
    out.push_str(&end);
    Ok(with_dash(&out, margin))
}

/// Makes the first key the beginning of an item.
fn with_dash(text: &str, margin: usize) -> Option<String> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if !bare.is_empty() && !bare.starts_with('#') {
            let mut out = text.to_owned();
            out.replace_range(at..at + 1, "-");
            return (margin > 1 && line.starts_with(' ')).then_some(out);
        }
        at += line.len();
    }
    None
}

/// One key and its value, indented; none where the key isn't written.
fn field(key: &str, view: &TaskView<'_>, margin: usize) -> Result<Option<String>, Unwritable> {
    let text = match key {
        "id" => pair(key, view.id),
        "title" => pair(key, view.title),
        "status" => pair(key, &view.status),
        "ready" if view.ready => pair(key, &true),
        "done_on" if view.done_on.is_some() => pair(key, &view.done_on),
        "owner" => pair(key, &view.owner),
        "priority" => pair(key, &view.priority),
        "parent" => pair(key, &view.parent),
        "needs" => pair(key, view.needs),
        "milestone" => pair(key, &view.milestone),
        "acceptance" => pair(key, &view.acceptance),
        "target_commit" => pair(key, &view.target_commit),
        "evidence" => pair(key, view.evidence),
        "claims" => pair(key, view.claims),
        "origin" => pair(key, view.origin),
        "created_at" => pair(key, &view.created_at),
        "notes" => pair(key, view.notes),
        _ => return Ok(None),
    }?;
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches('\n').is_empty() {
            out.push_str(line);
        } else {
            let _ = write!(out, "{:margin$}{line}", "");
        }
    }
    Ok(Some(out))
}

fn pair<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<String, Unwritable> {
    yaml(&BTreeMap::from([(key, value)]))
}

/// Whether a key says in an entry what it is to say. A key that isn't there says what a new task has.
pub(super) fn agrees(key: &str, entry: &Entry, view: &TaskView<'_>) -> bool {
    let text = |held: &Option<super::parse::At<String>>, is: Option<&str>| {
        held.as_ref().map(|held| held.value.as_str()) == is
    };
    match key {
        "id" => text(&entry.id, Some(view.id.as_str())),
        "title" => text(&entry.title, Some(view.title)),
        "status" => text(&entry.status, Some(view.status.name())),
        "ready" => entry.ready.as_ref().is_some_and(|ready| ready.value) == view.ready,
        "done_on" => text(&entry.done_on, view.done_on),
        "owner" => text(&entry.owner, view.owner),
        "priority" => {
            let held = entry.priority.as_ref().map(|priority| priority.value);
            held.unwrap_or(Task::DEFAULT_PRIORITY.into()) == i64::from(view.priority)
        }
        "parent" => text(&entry.parent, view.parent.map(|id| id.as_str())),
        "needs" => {
            let held = entry.needs.iter().map(|need| need.value.as_str());
            held.eq(view.needs.iter().map(|need| need.as_str()))
        }
        "milestone" => text(&entry.milestone, view.milestone),
        "acceptance" => text(&entry.acceptance, view.acceptance),
        "target_commit" => text(
            &entry.target_commit,
            view.target_commit.map(|id| id.as_str()),
        ),
        "evidence" => {
            let held = entry.evidence.iter().map(|seen| &seen.value);
            same(held, view.evidence)
        }
        "claims" => same(entry.claims.iter(), view.claims),
        "origin" => serde_json::to_value(view.origin).ok() == entry.origin,
        "created_at" => entry.created_at.as_deref() == Some(&view.created_at.to_string()),
        "notes" => {
            let held = entry.notes.iter().map(|note| &note.value);
            held.eq(view.notes)
        }
        _ => false,
    }
}

fn same<'a, T: Serialize>(
    held: impl ExactSizeIterator<Item = &'a serde_json::Value>,
    is: &[T],
) -> bool {
    held.len() == is.len()
        && held
            .zip(is)
            .all(|(held, is)| serde_json::to_value(is).is_ok_and(|is| is == *held))
}
