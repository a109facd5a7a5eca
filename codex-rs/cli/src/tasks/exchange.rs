//! `codex-orch tasks import` and `export`: files are read and written here; what stands in them is
//! [`orch_runtime::exchange`]'s.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use orch_core::command::{Named, TaskCommand};
use orch_core::graph::Statuses;
use orch_core::judge::done_elsewhere;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_runtime::exchange::error::ExchangeError;
use orch_runtime::exchange::export::{ExportTask, export};
use orch_runtime::exchange::settle::{Importer, to_tasks};
use orch_runtime::exchange::{Format, Given, MAX_BYTES, parse};
use orch_runtime::ports::{Backlog, Clock as _, SystemClock};

use super::change::touched;
use super::line::{Export, Import};
use super::target;
use crate::backlog::{Who, change};
use crate::out;
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// Folders in folders are looked into so deep.
const MAX_DEPTH: usize = 8;
/// The most files of one folder.
const MAX_FILES: usize = 200_000;
/// Where other tools keep their backlogs, below the folder that is named: the files of one alone, or a folder of markdown.
const KNOWN: [(&str, Format); 5] = [
    ("issues.jsonl", Format::Beads),
    (".beads/issues.jsonl", Format::Beads),
    ("tasks.json", Format::Taskmaster),
    ("tasks/tasks.json", Format::Taskmaster),
    (".taskmaster/tasks/tasks.json", Format::Taskmaster),
];

impl From<ExchangeError> for Trouble {
    fn from(error: ExchangeError) -> Self {
        Self::usage(error.to_string(), error.hint())
    }
}

/// Takes over another tool's backlog: one operation, of those tasks that aren't there yet.
pub(crate) async fn import(mut project: Project, asked: Import) -> Result<(), Trouble> {
    let Import {
        from,
        format,
        dry_run,
        json,
    } = asked;
    let shown = one_line(&from.display().to_string(), 400);
    let unreadable = |error: std::io::Error| {
        Trouble::usage(
            format!("Failed to read {shown}: {error}"),
            "name the file of a backlog, or the folder of a tool",
        )
    };
    let from = from.canonicalize().map_err(unreadable)?;
    let (format, files) = read(&from, format).map_err(unreadable)?;
    let Some(format) = format else {
        return Err(Trouble::usage(
            format!("{shown} isn't a backlog of any format that is known"),
            "name its format with --format: beads, taskmaster, backlog-md or markdown",
        ));
    };
    // A path from the top of the work tree is the same in every clone.
    let top = project.place.repo.as_ref().map(|repo| &repo.worktree);
    let source = top.and_then(|top| from.strip_prefix(top).ok());
    let source = source.unwrap_or(&from).to_string_lossy().into_owned();
    let given: Vec<Given<'_>> = files
        .iter()
        .map(|(name, bytes)| Given { name, bytes })
        .collect();
    let imported = parse(format, &source, &given)?;
    let seen = project.see_archive().await?;
    let by = Importer {
        now: SystemClock.now(),
        branch: seen.here.branch.clone(),
        worktree: seen.here.worktree.clone(),
    };
    let tasks = to_tasks(&imported, &by);
    let total = tasks.len();
    let is_new = |task: &Task| {
        !seen.state.tasks.contains_key(&task.id) && !seen.state.archive.contains_key(&task.id)
    };
    let added = match dry_run {
        true => {
            let new = tasks.iter().filter(|(task, _)| is_new(task));
            new.map(|(task, _)| Named::of(task)).collect()
        }
        false => change(&mut project, Who::Person, TaskCommand::Import(tasks)).await?,
    };
    imported.remarks.iter().for_each(|remark| out::note(remark));
    let known = total.saturating_sub(added.len());
    touched(&added, if dry_run { "would add" } else { "added" }, json)?;
    match (added.len(), known) {
        (0, 0) => out::note("nothing was added: there are no tasks in it"),
        (0, known) => out::note(&format!("nothing was added: all {known} are there already")),
        (_, 0) => {}
        (_, known) => out::note(&format!(
            "{known} more are there already and stay as they are"
        )),
    }
    match dry_run {
        true => project.finish().await,
        false => project.settle().await,
    }
    Ok(())
}

/// Paths below what was named, and what the files hold.
type Files = Vec<(String, Vec<u8>)>;

/// The files of a backlog by their paths below what was named, and its format where one fits.
fn read(from: &Path, format: Option<Format>) -> std::io::Result<(Option<Format>, Files)> {
    let mut left = MAX_BYTES;
    if !from.is_dir() {
        let bytes = bytes_of(from, &mut left)?;
        let format = format.or_else(|| Format::guess(from, &bytes));
        let name = from.file_name().unwrap_or_default();
        return Ok((format, vec![(name.to_string_lossy().into_owned(), bytes)]));
    }
    let fits = |known: &Format| format.is_none_or(|format| format == *known);
    for (name, known) in KNOWN.iter().filter(|(_, known)| fits(known)) {
        let path = from.join(name);
        if path.is_file() {
            let bytes = bytes_of(&path, &mut left)?;
            return Ok((Some(*known), vec![((*name).to_owned(), bytes)]));
        }
    }
    let mut files = Vec::new();
    for path in markdown(from)? {
        let bytes = bytes_of(&path, &mut left)?;
        let name = path.strip_prefix(from).unwrap_or(&path);
        files.push((name.to_string_lossy().into_owned(), bytes));
    }
    let guess = |(name, bytes): &(String, Vec<u8>)| Format::guess(Path::new(name), bytes);
    let of_tool = |file: &(String, Vec<u8>)| guess(file) == Some(Format::BacklogMd);
    let format = format.or_else(|| match files.iter().any(of_tool) {
        true => Some(Format::BacklogMd),
        false => files.first().map(|_| Format::Markdown),
    });
    Ok((format, files))
}

/// The markdown files in a folder, by their names. Links and what is hidden are passed over.
fn markdown(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let ending = path.extension().and_then(|ending| ending.to_str());
            let is_markdown = ending.is_some_and(|ending| {
                ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("markdown")
            });
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((path, depth + 1));
            } else if kind.is_file() && is_markdown && found.len() < MAX_FILES {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What a file holds; one that is too long is read so far that whoever parses it refuses it.
fn bytes_of(path: &Path, left: &mut u64) -> std::io::Result<Vec<u8>> {
    // A pipe would be waited for.
    if !path.metadata()?.is_file() {
        let what = format!("{} is no plain file", path.display());
        return Err(std::io::Error::other(what));
    }
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(*left + 1).read_to_end(&mut bytes)?;
    *left = left.saturating_sub(read as u64);
    Ok(bytes)
}

/// Writes tasks for another tool.
pub(crate) async fn handed_out(mut project: Project, asked: Export) -> Result<(), Trouble> {
    let mut seen = match asked.all {
        true => project.see_archive().await?,
        false => project.see_of(Backlog::Whole).await?,
    };
    let archive = seen.take_archive();
    let mut tasks = exported(&seen, asked.all);
    if asked.all {
        tasks.extend(exported(&archive, true));
    }
    tasks.sort_by_key(|given| (given.task.created_at, &given.task.id));
    let written = export(asked.format, &tasks)?;
    written.remarks.iter().for_each(|remark| out::note(remark));
    target::put(&asked.target, &written.text)?;
    project.finish().await;
    Ok(())
}

fn exported(seen: &Seen, all: bool) -> Vec<ExportTask<'_>> {
    let statuses = Statuses::judge(&seen.state.tasks, &seen.here);
    let tasks = seen.state.tasks.values();
    tasks
        .filter(|task| all || statuses.of(&task.id).is_open())
        .map(|task| {
            let status = statuses.of(&task.id);
            let done_on = match status {
                TaskStatus::Done => None,
                TaskStatus::Pending
                | TaskStatus::Active
                | TaskStatus::Blocked
                | TaskStatus::Dropped => done_elsewhere(task, &seen.here),
            };
            ExportTask {
                task,
                status,
                done_on,
            }
        })
        .collect()
}
