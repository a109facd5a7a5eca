//! `codex-orch state`: what is known here, how it came to be, and where it is kept.

mod keep;
mod log;
mod show;
mod undo;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::session::Project;
use crate::tasks::parse;
use crate::trouble::Trouble;

/// What is known here, how it came to be, and where it is kept
#[derive(Debug, Parser)]
#[command(name = "codex-orch state", disable_version_flag = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the state as seen from HEAD
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists what changed the state, the newest first: who, what, when, at which commit of the code
    Log {
        /// How many
        #[arg(short = 'n', long, default_value_t = 50)]
        limit: usize,
        /// Also what undid something, what was undone, and bookkeeping
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes back the newest operation, the N newest, or any one by its id; what came later stays
    Undo {
        /// How many, or the id of one as `state log` shows it
        which: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Checks every file, every id and every reference, and says how to mend what doesn't hold
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints where the state is kept
    Path {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Packs the store; nothing that can be reached is lost
    Gc,
    /// Writes the whole state as one JSON document
    Export {
        /// Into this file instead of stdout; it must not be there yet
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Sets the state of this project aside, and begins anew; it can be brought back
    Forget {
        /// Don't ask
        #[arg(long)]
        yes: bool,
        /// Bring back what was last set aside
        #[arg(long, conflicts_with = "yes")]
        restore: bool,
    },
}

pub(crate) async fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(Args { command }) = parse::<Args>("codex-orch state", args)? else {
        return Ok(0);
    };
    let project = Project::here()?;
    match command {
        Command::Show { json } => show::run(project, json).await.map(|()| 0),
        Command::Log { limit, all, json } => log::run(project, limit, all, json).await.map(|()| 0),
        Command::Undo { which, json } => {
            undo::run(project, which.as_deref(), json).await.map(|()| 0)
        }
        Command::Verify { json } => verify::run(project, json).await,
        Command::Path { json } => keep::path(&project, json).map(|()| 0),
        Command::Gc => keep::pack(project).await.map(|()| 0),
        Command::Export { output } => keep::export(project, output.as_deref()).await.map(|()| 0),
        Command::Forget { restore: true, .. } => keep::restore(&project).map(|()| 0),
        Command::Forget { yes, .. } => keep::forget(project, yes).await.map(|()| 0),
    }
}
