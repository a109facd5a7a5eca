//! `codex-orch tasks`: the backlog as seen from HEAD. This file hands each command its arguments.
//!
//! [`mod@line`] is the command line; [`select`], [`list`], [`rows`], [`tree`], [`show`], [`why`], [`history`], [`graph`] and
//! [`milestone`] show; [`change`], [`document`] and [`editor`] change; [`exchange`] reads and writes what other tools read;
//! [`completion`] answers shells.

mod change;
pub(crate) mod completion;
mod document;
mod editor;
mod exchange;
mod graph;
mod history;
mod line;
mod list;
mod milestone;
mod rows;
mod select;
mod show;
mod target;
mod tree;
mod when;
mod why;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;
use orch_protocol::task::{ClaimState, TaskStatus};

use self::line::{Args, Command, List, Milestone, MilestoneCommand};
use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

/// Parses the arguments of one of our commands; none when it was a call for help, which has been answered.
pub(crate) fn parse<T: Parser>(name: &str, args: Vec<OsString>) -> Result<Option<T>, Trouble> {
    let name = OsString::from(name);
    match T::try_parse_from(std::iter::once(name.clone()).chain(args)) {
        Ok(args) => Ok(Some(args)),
        Err(error) if !error.use_stderr() => {
            out::line(error.render().to_string().trim_end()).map(|()| None)
        }
        Err(error) => {
            let text = error.render().to_string();
            let name = name.to_string_lossy();
            let what = match error.kind() {
                // Clap answers this one with the whole help.
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    format!("{name} needs a command")
                }
                _ => {
                    let first = text.lines().take_while(|line| !line.trim().is_empty());
                    let first: Vec<&str> = first.map(str::trim).collect();
                    first.join(" ").trim_start_matches("error: ").to_owned()
                }
            };
            let tip = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("tip: "));
            let hint = match tip {
                Some(tip) => format!("{tip}; {name} --help shows how it is used"),
                None => format!("{name} --help shows how it is used"),
            };
            Err(Trouble::usage(what, hint))
        }
    }
}

/// What concerns one now comes first.
pub(crate) fn order(status: TaskStatus) -> u8 {
    match status {
        TaskStatus::Active => 0,
        TaskStatus::Pending => 1,
        TaskStatus::Blocked => 2,
        TaskStatus::Done => 3,
        TaskStatus::Dropped => 4,
    }
}

pub(crate) async fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(Args { command, list }) = parse::<Args>("codex-orch tasks", args)? else {
        return Ok(0);
    };
    match command.unwrap_or(Command::List(list)) {
        Command::List(wanted) => listed(wanted).await,
        Command::Ready(asked) => listed(list::ready(asked)).await,
        Command::Search(asked) => listed(list::search(asked)).await,
        Command::Show(asked) => show::show(Project::here()?, &asked).await,
        Command::Log(asked) => history::log(Project::here()?, &asked).await,
        Command::Graph(asked) => graph::graph(Project::here()?, asked).await,
        Command::Import(asked) => exchange::import(Project::here()?, asked).await,
        Command::Export(asked) => exchange::handed_out(Project::here()?, asked).await,
        Command::Add(add) => change::add(Project::here()?, add).await,
        Command::Edit(edit) => change::edit(Project::here()?, edit).await,
        Command::Start(said) => say(said, ClaimState::Active, "started").await,
        Command::Done(done) => change::done(Project::here()?, done).await,
        Command::Block(said) => say(said, ClaimState::Blocked, "blocked").await,
        Command::Drop(said) => say(said, ClaimState::Dropped, "dropped").await,
        Command::Reopen(said) => say(said, ClaimState::Pending, "reopened").await,
        Command::Need(need) => change::need(Project::here()?, need, false).await,
        Command::Unneed(need) => change::need(Project::here()?, need, true).await,
        Command::Note(note) => change::note(Project::here()?, note).await,
        Command::Milestone(Milestone {
            command,
            shown: wanted,
        }) => match command.unwrap_or(MilestoneCommand::List(wanted)) {
            MilestoneCommand::List(wanted) => milestone::list(Project::here()?, &wanted).await,
            command @ (MilestoneCommand::Set { .. } | MilestoneCommand::Remove { .. }) => {
                change::milestone(Project::here()?, command).await
            }
        },
        Command::Completion { shell } => completion::script(shell),
    }?;
    Ok(0)
}

async fn listed(wanted: List) -> Result<(), Trouble> {
    let mut project = Project::here()?;
    let seen = list::see(&mut project, &wanted).await?;
    list::list(seen, &wanted)?;
    project.finish().await;
    Ok(())
}

async fn say(said: line::Said, state: ClaimState, word: &str) -> Result<(), Trouble> {
    change::say(Project::here()?, said, state, word).await
}
