//! Backlogs of other tools: text → tasks and tasks → text. Pure: whoever calls reads and writes the files.
//!
//! What a format says and a task of ours can't is kept as a note on the task (`labels: a, b`) or told in a remark; nothing
//! is dropped silently. Nothing here looks at the store: importing a backlog twice gives the same ids, so the store adds
//! nothing twice.

mod backlog_md;
mod beads;
mod beads_out;
mod checklist;
mod checklist_out;
mod draft;
pub mod error;
pub mod export;
mod fields;
mod front_matter;
mod outline;
mod remarks;
mod resolve;
pub mod settle;
mod taskmaster;

use std::path::Path;

use orch_protocol::Timestamp;
use orch_protocol::ids::TaskId;
use orch_protocol::task::ClaimState;

use error::ExchangeError;

/// The most bytes of one import, all its files together. Callers look at a file's size before they read it.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most tasks of one import.
pub const MAX_TASKS: usize = 200_000;
/// The deepest nesting of parents that is taken over; what lies deeper is hung up at this depth and told.
pub const MAX_DEPTH: usize = 32;

/// A format that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `.beads/issues.jsonl` of beads: an issue a line.
    Beads,
    /// `tasks.json` of Task Master, the old form and the one with tags.
    Taskmaster,
    /// The folder of Backlog.md: a markdown file with YAML front matter a task.
    BacklogMd,
    /// Checklists in markdown.
    Markdown,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [
        Format::Beads,
        Format::Taskmaster,
        Format::BacklogMd,
        Format::Markdown,
    ];

    /// The name in commands and in a task's origin.
    pub fn name(self) -> &'static str {
        match self {
            Format::Beads => "beads",
            Format::Taskmaster => "taskmaster",
            Format::BacklogMd => "backlog-md",
            Format::Markdown => "markdown",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Guesses from a file's name and its first bytes; none where nothing fits. A folder of markdown files is guessed by
    /// any one of its task files.
    pub fn guess(path: &Path, bytes: &[u8]) -> Option<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        let head = bytes.get(..bytes.len().min(64 * 1024)).unwrap_or(bytes);
        let head = String::from_utf8_lossy(head);
        let head = head.trim_start_matches('\u{feff}').trim_start();
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Some(Format::Beads),
            Some("json") => Some(Format::Taskmaster),
            Some("md" | "markdown") if front_matter::has_task(head) => Some(Format::BacklogMd),
            Some("md" | "markdown" | "txt") => Some(Format::Markdown),
            _ if head.starts_with('{') => match head.lines().next().map(str::trim_end) {
                Some(line) if line.ends_with('}') && line.contains("\"id\"") => Some(Format::Beads),
                _ => Some(Format::Taskmaster),
            },
            _ if front_matter::has_task(head) => Some(Format::BacklogMd),
            _ if head.contains("[ ]") || head.contains("[x]") => Some(Format::Markdown),
            _ => None,
        }
    }
}

/// A file of an import.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Its path below what is imported, for messages; Backlog.md's folders (`archive/`, `drafts/`) are told by it.
    pub name: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// The tasks, in the order of the files.
    pub tasks: Vec<ImportedTask>,
    /// What a person should know: what could not be taken over as it was, each in one line.
    pub remarks: Vec<String>,
}

/// A task of another tool, in our words. Needs and parents name tasks of the same import, and never close a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedTask {
    /// Its id there; a checklist's is its file and line.
    pub id: String,
    /// Its id here: the same at every import of the same backlog.
    pub task: TaskId,
    /// The format it came from.
    pub format: Format,
    /// One line.
    pub title: String,
    /// What is said of it.
    pub state: ClaimState,
    /// Why.
    pub reason: Option<String>,
    /// When that was said, if known.
    pub stated_at: Option<Timestamp>,
    /// Who is to do it.
    pub owner: Option<String>,
    /// 0 to 4.
    pub priority: u8,
    /// The milestone it counts towards.
    pub milestone: Option<String>,
    /// The task it is a part of, by its id there.
    pub parent: Option<String>,
    /// What must be done before it, by their ids there.
    pub needs: Vec<String>,
    /// How one tells that it is done.
    pub acceptance: Option<String>,
    /// Remarks, and what a task of ours has no field for.
    pub notes: Vec<String>,
    /// When it was made there, if known.
    pub created_at: Option<Timestamp>,
}

/// Reads a backlog. `source` names it and is part of every id: the same for the same place (a path from the top of the work
/// tree), different for different ones.
///
/// # Errors
/// Whatever can't be read whole: broken syntax with its line, a file that is too large, too many tasks. Nothing is taken
/// from such a backlog.
pub fn parse(format: Format, source: &str, files: &[Given<'_>]) -> Result<Imported, ExchangeError> {
    let bytes: u64 = files.iter().map(|file| file.bytes.len() as u64).sum();
    if bytes > MAX_BYTES {
        return Err(ExchangeError::TooLarge {
            file: error::shown(source),
            bytes,
            max: MAX_BYTES,
        });
    }
    let mut told = remarks::Remarks::default();
    let drafts = match format {
        Format::Beads => beads::read(files, &mut told)?,
        Format::Taskmaster => taskmaster::read(files, &mut told)?,
        Format::BacklogMd => backlog_md::read(files, &mut told)?,
        Format::Markdown => checklist::read(files, &mut told)?,
    };
    if drafts.is_empty() {
        told.say(
            "empty",
            format!("no task was found in {}", error::shown(source)),
        );
    }
    Ok(resolve::resolve(format, source, drafts, told))
}
