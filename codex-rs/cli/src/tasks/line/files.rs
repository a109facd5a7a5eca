//! What may be said to the commands that draw, take over and hand out: each reads or writes files.

use std::path::PathBuf;

use clap::{Args, ValueEnum as _};
use orch_runtime::exchange::Format;
use orch_runtime::exchange::export::ExportFormat;

use super::completion;
use crate::screen::Look;
use crate::tasks_graph;

/// Where a text goes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Target {
    /// Writes into a file, which isn't there yet
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Takes the place of a file that is there
    #[arg(long, requires = "file")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// tree or graph for the terminal, dot, mermaid, svg or html; by the name of the file when there is one
    #[arg(long, short, value_enum, hide_possible_values = true)]
    pub(crate) format: Option<tasks_graph::Format>,
    /// Also what is done or dropped
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Leaves out needs that follow from others
    #[arg(long)]
    pub(crate) reduce: bool,
    /// Only this task, what it waits for and what waits for it
    #[arg(long, value_name = "TASK", add = completion::ids())]
    pub(crate) focus: Option<String>,
    /// Lines and signs of ASCII alone
    #[arg(long)]
    pub(crate) ascii: bool,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) look: Look,
}

impl Graph {
    /// What is asked for: as it is said, as the file is named, or a tree.
    pub(crate) fn format(&self) -> tasks_graph::Format {
        let ending = self.target.file.as_ref().and_then(|file| file.extension());
        let named = ending.and_then(|ending| match ending.to_str()? {
            "gv" => Some(tasks_graph::Format::Dot),
            "mmd" => Some(tasks_graph::Format::Mermaid),
            "htm" => Some(tasks_graph::Format::Html),
            ending => tasks_graph::Format::from_str(ending, true).ok(),
        });
        self.format.or(named).unwrap_or(tasks_graph::Format::Tree)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file, or the folder of a tool
    pub(crate) from: PathBuf,
    /// beads, taskmaster, backlog-md or markdown; guessed otherwise
    #[arg(long, short, value_name = "NAME", value_parser = import_format)]
    pub(crate) format: Option<Format>,
    /// Only tells what would be added
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn import_format(given: &str) -> Result<Format, String> {
    Format::named(given).ok_or_else(|| {
        let names = Format::ALL.map(Format::name);
        format!("use one of {}", names.join(", "))
    })
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// yaml, json, markdown or beads
    #[arg(long, short, value_name = "NAME", default_value = "yaml", value_parser = export_format)]
    pub(crate) format: ExportFormat,
    /// Also what is done, dropped or archived
    #[arg(long, short)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

fn export_format(given: &str) -> Result<ExportFormat, String> {
    ExportFormat::named(given).ok_or_else(|| {
        let names = ExportFormat::ALL.map(ExportFormat::name);
        format!("use one of {}", names.join(", "))
    })
}
