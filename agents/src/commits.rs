//! Where among a turn's events its commits were made, and which of them hold a step's work. Commits come from the git
//! observer; the events only say when.

use std::ops::Range;

use orch_core::judge::Here;
use orch_protocol::Timestamp;
use orch_protocol::git::CommitSummary;
use orch_protocol::turn::{CommandKind, TurnEvent, TurnRecord};

/// How much older than its turn a commit may be and still be its own (clocks have seconds in git, milliseconds here).
const SLACK_SECONDS: i64 = 60;

/// A commit with the position of the event that made it; the number of events for the turn's end.
pub(crate) type Placed<'a> = (usize, &'a CommitSummary);

/// Places the commits of a turn: pairwise with the successful commit commands where there are as many, else by time,
/// else all at the last commit command.
pub(crate) fn placed(record: &TurnRecord) -> Vec<Placed<'_>> {
    let commands: Vec<usize> = record
        .events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            TurnEvent::Command {
                kind: CommandKind::Commit,
                exit_code: Some(0),
                ..
            } => Some(at),
            TurnEvent::Command { .. }
            | TurnEvent::Plan { .. }
            | TurnEvent::File { .. }
            | TurnEvent::Message { .. }
            | TurnEvent::Error { .. } => None,
        })
        .collect();
    let mut commits: Vec<&CommitSummary> = record.commits.iter().collect();
    if commits.len() != commands.len() {
        // A pull or a merge brings commits that were made before: they are nobody's work in this turn.
        commits.retain(|commit| is_of_turn(commit, record));
    }
    if commits.len() == commands.len() {
        return commands.into_iter().zip(commits).collect();
    }
    let end = commands.last().copied().unwrap_or(record.events.len());
    commits
        .into_iter()
        .map(|commit| (by_time(record, &commands, commit).unwrap_or(end), commit))
        .collect()
}

fn is_of_turn(commit: &CommitSummary, record: &TurnRecord) -> bool {
    let began = record.started_at.map(Timestamp::as_second);
    commit.time == 0 || began.is_none_or(|began| commit.time + SLACK_SECONDS >= began)
}

/// The last commit command that had begun when the commit was made; without one, the last event.
fn by_time(record: &TurnRecord, commands: &[usize], commit: &CommitSummary) -> Option<usize> {
    let begun = |at: &usize| {
        let time = record.events.get(*at).and_then(time_of);
        time.is_some_and(|time| time.as_second() <= commit.time)
    };
    if commit.time == 0 {
        return None;
    }
    if commands.is_empty() {
        return (0..record.events.len()).rev().find(begun);
    }
    commands.iter().rev().copied().find(begun)
}

/// When an event happened.
pub(crate) fn time_of(event: &TurnEvent) -> Option<Timestamp> {
    match event {
        TurnEvent::Plan { at, .. }
        | TurnEvent::Command { at, .. }
        | TurnEvent::File { at, .. }
        | TurnEvent::Message { at, .. }
        | TurnEvent::Error { at, .. } => *at,
    }
}

/// The commits that hold the work of a step: those made in its interval, else the first later one that touches its
/// files; where its files aren't known, the next one.
pub(crate) fn of_interval<'a>(
    placed: &[Placed<'a>],
    span: &Range<usize>,
    files: &[String],
) -> Vec<&'a CommitSummary> {
    let inside: Vec<&CommitSummary> = placed
        .iter()
        .filter(|(at, _)| span.contains(at))
        .map(|(_, commit)| *commit)
        .collect();
    if !inside.is_empty() {
        return inside;
    }
    placed
        .iter()
        .filter(|(at, _)| *at >= span.end)
        .find(|(_, commit)| files.is_empty() || commit.files.is_empty() || touches(commit, files))
        .map(|(_, commit)| *commit)
        .into_iter()
        .collect()
}

/// The commit changed one of the files.
pub(crate) fn touches(commit: &CommitSummary, files: &[String]) -> bool {
    commit.files.iter().any(|path| files.contains(path))
}

/// A patch's path as git names it: from the top of the work tree. What lies outside stays as it is.
pub(crate) fn from_top(path: &str, cwd: Option<&str>, here: &Here) -> String {
    let whole = match cwd {
        Some(cwd) if !is_absolute(path) => format!("{cwd}/{path}"),
        _ => path.to_owned(),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let top: Vec<&str> = here
        .worktree
        .as_deref()
        .unwrap_or_default()
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    match parts.strip_prefix(top.as_slice()) {
        Some(rest) if !top.is_empty() => rest.join("/"),
        _ => path.trim_start_matches("./").to_owned(),
    }
}

fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':')
}
