//! `codex-orch journal`: what happened, session by session.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use orch_protocol::text::{clean, one_line};
use serde_json::json;

use crate::out;
use crate::session::Project;
use crate::tasks::parse;
use crate::trouble::Trouble;

/// What happened, session by session
#[derive(Debug, Parser)]
#[command(name = "codex-orch journal", disable_version_flag = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the entries, newest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints an entry, the newest when none is named
    Show {
        /// Its name, as `list` prints it
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(args) = parse::<Args>("codex-orch journal", args)? else {
        return Ok(0);
    };
    let mut project = Project::here()?;
    let seen = project.see().await?;
    let mut names: Vec<&String> = seen.state.journal.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(sort_key(name)));
    match args.command {
        Command::List { json: true } => {
            let entries: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            out::json(&json!({"schema": "codex-orch.journal/1", "journal": entries}))?;
        }
        Command::List { json: false } => {
            if names.is_empty() {
                out::note("no session has been recorded here yet");
            }
            for name in names {
                let goal = project
                    .store
                    .journal(&seen.state, name)?
                    .and_then(|text| goal(&text))
                    .unwrap_or_default();
                out::line(format!("{name}  {goal}").trim_end())?;
            }
        }
        Command::Show { name, json } => {
            let Some(name) = name.or_else(|| names.first().map(ToString::to_string)) else {
                return Err(Trouble::new(
                    "no session has been recorded here yet",
                    "run codex-orch exec",
                ));
            };
            let Some(text) = project.store.journal(&seen.state, &name)? else {
                let name = one_line(&name, 60);
                return Err(Trouble::usage(
                    format!("there is no entry {name:?}"),
                    "codex-orch journal list shows every name",
                ));
            };
            match json {
                true => out::json(
                    &json!({"schema": "codex-orch.journal/1", "journal": [{"name": name, "text": text}]}),
                )?,
                false => out::line(clean(&text).trim_end())?,
            }
        }
    }
    project.finish().await;
    Ok(0)
}

/// Date first, then the number as a number.
pub(crate) fn sort_key(name: &str) -> (String, u64) {
    let (stem, n) = name.rsplit_once('_').unwrap_or((name, "0"));
    (
        stem.get(..10).unwrap_or(stem).to_owned(),
        n.parse().unwrap_or(0),
    )
}

/// The first line below the heading `Goal`.
pub(crate) fn goal(text: &str) -> Option<String> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim() != "## Goal")
        .skip(1);
    lines
        .find(|line| !line.trim().is_empty())
        .map(|line| one_line(line, 100))
}
