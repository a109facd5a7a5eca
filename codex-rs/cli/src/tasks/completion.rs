//! Completion in the shell: of commands and options as clap knows them, and of task ids with their titles.
//!
//! The script that `tasks completion` prints asks this binary at every Tab, by [`VARIABLE`]. The answer is made from the
//! state as it lies there: nothing is written but the store's cache, no git is asked, and whatever goes wrong is silence.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Command, CommandFactory as _, ValueEnum};
use clap_complete::ArgValueCompleter;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use orch_core::state::State;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task};
use orch_protocol::text::one_line;
use orch_runtime::place::Place;
use orch_runtime::ports::{Backlog, Clock as _, StateStore as _, SystemClock, Wanted};
use orch_runtime::store::{BareStore, log};

use super::line::Args;
use crate::config::Config;
use crate::out;
use crate::trouble::Trouble;

/// The environment variable by which a shell's script asks; it names the shell.
const VARIABLE: &str = "CODEX_ORCH_COMPLETE";
/// What the script completes.
const NAME: &str = "codex-orch";
/// More than a person looks through.
const MAX_OFFERED: usize = 200;

/// A shell we can be completed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    fn adapter(self) -> &'static dyn EnvCompleter {
        match self {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        }
    }
}

/// Prints the script for a shell.
pub(crate) fn script(shell: Shell) -> Result<(), Trouble> {
    let mut script = Vec::new();
    let written = shell
        .adapter()
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script);
    match written {
        Ok(()) => out::raw(&script),
        Err(error) => Err(Trouble::new(
            format!("Failed to write the script: {error}"),
            "this is a fault of codex-orch; report it",
        )),
    }
}

/// Answers a shell's script; false when none asks. `args` are those of the process without its name.
pub(crate) fn answers(args: &[OsString]) -> bool {
    let Some(shell) = std::env::var_os(VARIABLE) else {
        return false;
    };
    let shell = shell
        .to_str()
        .and_then(|name| Shell::from_str(name, true).ok());
    let words = args
        .iter()
        .position(|arg| arg == "--")
        .map(|at| &args[at + 1..]);
    // What stands behind upstream's words is not ours to complete: silence lets the shell offer files.
    let is_ours =
        |words: &&[OsString]| words.len() == 2 || words.get(1).is_some_and(|word| word == "tasks");
    if let (Some(shell), Some(words)) = (shell, words.filter(is_ours)) {
        let mut answer = Vec::new();
        let folder = std::env::current_dir().ok();
        let mut command = command();
        command.build();
        let made = shell.adapter().write_complete(
            &mut command,
            words.to_vec(),
            folder.as_deref(),
            &mut answer,
        );
        if made.is_ok() {
            let _ = out::raw(&answer);
        }
    }
    true
}

/// Words of ours besides `tasks`, and those of upstream's that we know; `codex completion` knows all of upstream's.
const WORDS: [&str; 11] = [
    "exec",
    "resume",
    "fork",
    "agents",
    "app-server",
    "journal",
    "state",
    "drift",
    "engine",
    "mcp-orch",
    "demo",
];

fn command() -> Command {
    Command::new(NAME)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .subcommand(Args::command().name("tasks"))
        .subcommands(WORDS.map(Command::new))
}

/// Completes the id of a task.
pub(crate) fn ids() -> ArgValueCompleter {
    ArgValueCompleter::new(|given: &OsStr| {
        let given = given.to_str().unwrap_or_default();
        let Some(state) = state() else {
            return Vec::new();
        };
        matching(&state, given)
    })
}

/// Completes the name of a milestone.
pub(crate) fn milestones() -> ArgValueCompleter {
    ArgValueCompleter::new(|given: &OsStr| {
        let given = given.to_str().unwrap_or_default();
        let state = state().unwrap_or_default();
        let named = state
            .tasks
            .values()
            .filter_map(|task| task.milestone.clone());
        let mut names: Vec<String> = state
            .project
            .milestones
            .keys()
            .cloned()
            .chain(named)
            .collect();
        names.sort();
        names.dedup();
        names.retain(|name| name.starts_with(given));
        let one = |name: String| CompletionCandidate::new(one_line(&name, Task::MAX_NAME));
        names.into_iter().map(one).collect()
    })
}

/// Tasks whose ids begin with what was written so far; before anything is written, those that seem to be open.
fn matching(state: &State, given: &str) -> Vec<CompletionCandidate> {
    let prefix = if given.is_empty() {
        Some(String::new())
    } else {
        TaskId::prefix(given)
    };
    let Some(prefix) = prefix else {
        return Vec::new();
    };
    let is_offered = |task: &&Task| {
        task.id.as_str().starts_with(&prefix) && (!prefix.is_empty() || seems_open(task))
    };
    let mut tasks: Vec<&Task> = state.tasks.values().filter(is_offered).collect();
    tasks.sort_by_key(|task| (task.priority, task.created_at, &task.id));
    tasks.truncate(MAX_OFFERED);
    let one = |(place, task): (usize, &Task)| {
        // The shell keeps only what begins as it was written: upper case, `o` and `l` stay as they are.
        let rest = task.id.as_str().get(prefix.len()..).unwrap_or_default();
        let title = one_line(&task.title, 60);
        CompletionCandidate::new(format!("{given}{rest}"))
            .help(Some(StyledStr::from(title)))
            .display_order(Some(place))
    };
    tasks.into_iter().enumerate().map(one).collect()
}

/// By the newest word on it, wherever that holds: asking git would take too long for a key.
fn seems_open(task: &Task) -> bool {
    let newest = task.claims.iter().max_by_key(|claim| claim.at);
    newest.is_none_or(|claim| match claim.state {
        ClaimState::Done | ClaimState::Dropped => false,
        ClaimState::Pending | ClaimState::Active | ClaimState::Blocked => true,
    })
}

/// The state as it lies there.
fn state() -> Option<State> {
    let folder = std::env::current_dir().ok()?;
    let config = Config::load().ok()?;
    let place = place(&folder, &config);
    if !place.store.exists() {
        return None;
    }
    let mut store = BareStore::new(place.store, log::fresh_id(SystemClock.now()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    runtime
        .block_on(store.load(&Wanted::backlog(Backlog::Outline)))
        .ok()
}

/// Finding the place of a folder that is trusted now takes in a state that was kept aside: that is for a command to do.
fn place(folder: &Path, config: &Config) -> Place {
    let aside = Place::of(folder, &config.home, |_| false);
    match aside.store.exists() {
        true => aside,
        false => Place::of(folder, &config.home, |folder| config.trusts(folder)),
    }
}
