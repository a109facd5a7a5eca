//! `codex-orch drift`: which conversation waits for a decision, and the decision.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use orch_core::drift::OnDrift;
use orch_core::supervisor::Input;
use orch_protocol::ids::ThreadId;
use orch_protocol::project::DriftEntry;
use orch_protocol::text::one_line;
use orch_runtime::ports::{Clock as _, SystemClock};
use orch_runtime::upstream::RolloutsOnly;
use serde_json::json;

use crate::out;
use crate::session::{Project, Seen};
use crate::tasks::parse;
use crate::trouble::Trouble;

/// Conversations that no longer fit the repository
#[derive(Debug, Parser)]
#[command(name = "codex-orch drift", disable_version_flag = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows which conversations wait for a decision, and what moved
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Decides how a conversation goes on: its next message is sent accordingly
    Resolve {
        /// fork: park a copy for the branch it comes from, and go on here. fast-forward: go on here
        #[arg(value_parser = ["fork", "fast-forward"])]
        choice: String,
        /// The conversation, when more than one waits
        #[arg(long)]
        thread: Option<String>,
    },
}

pub(crate) async fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(Args { command }) = parse::<Args>("codex-orch drift", args)? else {
        return Ok(0);
    };
    let mut project = Project::here()?;
    let seen = project.see().await?;
    match command {
        Command::Status { json } => {
            status(&seen, json)?;
            project.finish().await;
        }
        Command::Resolve { choice, thread } => {
            let entry = wanted(&seen, thread.as_deref())?;
            let (Some(choice), Some(thread), Some(now)) = (
                OnDrift::parse(&choice),
                entry.thread.clone(),
                seen.stand.as_ref(),
            ) else {
                return Err(Trouble::new(
                    "there is no repository here",
                    "cd to the repository that the conversation belongs to",
                ));
            };
            let input = Input::Chosen {
                now: SystemClock.now(),
                thread: thread.clone(),
                choice,
                head: now.head.clone(),
            };
            let (mut engine, mut tell) = (RolloutsOnly, out::note);
            let mut driver = project.driver(&mut engine, &mut tell);
            driver.note(&thread, input).await?;
            out::line(&format!(
                "{thread}: {}; send the message again and it goes on",
                choice.name()
            ))?;
            project.settle().await;
        }
    }
    Ok(0)
}

/// What waits: threads whose last drift was stopped, the newest last.
fn waiting(seen: &Seen) -> Vec<&DriftEntry> {
    let all = &seen.state.project.drift;
    let is_last = |entry: &DriftEntry| {
        let of_thread = |other: &&DriftEntry| other.thread == entry.thread;
        all.iter()
            .rfind(of_thread)
            .is_some_and(|last| last == entry)
    };
    let chosen = &seen.state.project.drift_choices;
    all.iter()
        .filter(|entry| entry.choice == OnDrift::Stop.name() && is_last(entry))
        .filter(|entry| {
            entry
                .thread
                .as_ref()
                .is_some_and(|thread| !chosen.contains_key(thread))
        })
        .collect()
}

fn wanted<'a>(seen: &'a Seen, thread: Option<&str>) -> Result<&'a DriftEntry, Trouble> {
    let waiting = waiting(seen);
    let found: Vec<&&DriftEntry> = match thread {
        Some(given) => waiting
            .iter()
            .filter(|entry| is_of(entry.thread.as_ref(), given))
            .collect(),
        None => waiting.iter().collect(),
    };
    match (found.as_slice(), thread) {
        ([entry], _) => Ok(entry),
        ([], None) => Err(Trouble::new(
            "no conversation waits for a decision",
            "codex-orch state show tells what is known here",
        )),
        ([], Some(given)) => Err(Trouble::new(
            format!(
                "the conversation {} doesn't wait for a decision",
                one_line(given, 60)
            ),
            "codex-orch drift status lists those that do",
        )),
        (_, _) => Err(Trouble::new(
            format!("{} conversations wait for a decision", found.len()),
            "name one with --thread; codex-orch drift status lists them",
        )),
    }
}

fn is_of(thread: Option<&ThreadId>, given: &str) -> bool {
    thread.is_some_and(|thread| thread.as_str().starts_with(given))
}

fn status(seen: &Seen, json: bool) -> Result<(), Trouble> {
    let waiting = waiting(seen);
    if json {
        return out::json(&json!({"schema": "codex-orch.drift/1", "drift": waiting}));
    }
    if waiting.is_empty() {
        return out::line("no conversation waits for a decision");
    }
    for entry in waiting {
        let thread = entry.thread.as_ref().map_or("?", ThreadId::as_str);
        out::line(&format!(
            "{}  {}\n    {}",
            entry.at.strftime("%Y-%m-%d %H:%M UTC"),
            one_line(thread, 60),
            one_line(&entry.text, 400)
        ))?;
    }
    out::line(
        "go back to where it was, begin a new conversation with /new, or: codex-orch drift resolve fork|fast-forward",
    )
}
