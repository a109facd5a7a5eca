//! Tasks as text: what a format can't express is told in remarks.

use orch_protocol::Timestamp;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::task::{Claim, Evidence, Origin, Task, TaskStatus};
use orch_protocol::text::clean;
use serde::Serialize;

use super::error::ExchangeError;
use super::{beads_out, checklist_out, front_matter};

/// A format that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportFormat {
    /// As `project_tasks.yaml`.
    Yaml,
    /// As `codex-orch tasks list --json`.
    Json,
    /// A checklist, grouped by milestone and parent, ids in brackets.
    Markdown,
    /// `.beads/issues.jsonl`.
    Beads,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [ExportFormat; 4] = [
        ExportFormat::Yaml,
        ExportFormat::Json,
        ExportFormat::Markdown,
        ExportFormat::Beads,
    ];

    /// The name in commands.
    pub fn name(self) -> &'static str {
        match self {
            ExportFormat::Yaml => "yaml",
            ExportFormat::Json => "json",
            ExportFormat::Markdown => "markdown",
            ExportFormat::Beads => "beads",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// A task and how it is seen from where one stands.
#[derive(Debug, Clone, Copy)]
pub struct ExportTask<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its status here.
    pub status: TaskStatus,
    /// The branch on which it is done, when that isn't here.
    pub done_on: Option<&'a str>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The text, ending with a line feed unless it is empty.
    pub text: String,
    /// What the format can't express, each in one line.
    pub remarks: Vec<String>,
}

/// Writes the tasks, in the order in which they come.
///
/// # Errors
/// Only if a value can't be written in the format at all, which no task that was read from a store is.
pub fn export(format: ExportFormat, tasks: &[ExportTask<'_>]) -> Result<Exported, ExchangeError> {
    match format {
        ExportFormat::Beads => beads_out::write(tasks),
        ExportFormat::Markdown => Ok(checklist_out::write(tasks)),
        ExportFormat::Yaml => {
            let file = YamlFile {
                schema: 1,
                tasks: tasks.iter().map(Shown::new).collect(),
            };
            front_matter::write(&file).map(whole)
        }
        ExportFormat::Json => {
            let file = JsonFile {
                schema: "codex-orch.tasks/1",
                tasks: tasks.iter().map(Shown::new).collect(),
            };
            serde_json::to_string_pretty(&file)
                .map(|text| whole(text + "\n"))
                .map_err(unwritable)
        }
    }
}

/// A value that the format has no way to write.
pub(super) fn unwritable(error: impl std::fmt::Display) -> ExchangeError {
    ExchangeError::Shape {
        at: "export".to_owned(),
        what: error.to_string(),
    }
}

fn whole(text: String) -> Exported {
    Exported {
        text,
        remarks: Vec::new(),
    }
}

#[derive(Serialize)]
struct YamlFile<'a> {
    schema: u64,
    tasks: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct JsonFile<'a> {
    schema: &'static str,
    tasks: Vec<Shown<'a>>,
}

/// Every field of a task but its layout, which is a matter of one file.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a TaskId,
    title: String,
    status: TaskStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_on: Option<String>,
    owner: Option<String>,
    priority: u8,
    parent: Option<&'a TaskId>,
    needs: &'a [TaskId],
    #[serde(skip_serializing_if = "Option::is_none")]
    milestone: Option<String>,
    acceptance: Option<String>,
    target_commit: Option<&'a CommitId>,
    evidence: &'a [Evidence],
    claims: &'a [Claim],
    origin: &'a Origin,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
    notes: Vec<String>,
}

impl<'a> Shown<'a> {
    fn new(given: &ExportTask<'a>) -> Self {
        let task = given.task;
        Self {
            id: &task.id,
            title: clean(&task.title),
            status: given.status,
            done_on: given.done_on.map(clean),
            owner: task.owner.as_deref().map(clean),
            priority: task.priority,
            parent: task.parent.as_ref(),
            needs: &task.needs,
            milestone: task.milestone.as_deref().map(clean),
            acceptance: task.acceptance.as_deref().map(clean),
            target_commit: task.target_commit.as_ref(),
            evidence: &task.evidence,
            claims: &task.claims,
            origin: &task.origin,
            created_at: task.created_at,
            aliases: &task.aliases,
            notes: task.notes.iter().map(|note| clean(note)).collect(),
        }
    }
}
