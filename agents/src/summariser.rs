//! The summariser: what a turn and a session amounted to, from what was observed. The agent's own words are not used: a
//! summary that says "tests pass" says so because a test command exited with 0.

use orch_core::agent::{Agent, Opinion, Question, View};
use orch_protocol::ids::TaskId;
use orch_protocol::session::{Digest, Session, TurnSummary};
use orch_protocol::task::{Actor, EvidenceKind, Task};
use orch_protocol::text::{bounded, one_line};
use orch_protocol::turn::{CommandKind, TurnEvent, TurnRecord, TurnStatus};

use crate::interval::succeeded;
use crate::told::Told;
use crate::words::normalised;
use crate::{digest, history, journal};

/// Sums up turns and sessions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summariser;

impl Summariser {
    /// The longest summary of a turn, in characters.
    pub const MAX_SUMMARY: usize = 800;
    /// The longest journal entry, in bytes.
    pub const MAX_JOURNAL: usize = 64 * 1024;
}

impl Agent for Summariser {
    fn actor(&self) -> Actor {
        Actor::Summariser
    }

    fn consider(&self, view: View<'_>, question: Question<'_>) -> Vec<Opinion> {
        match question {
            Question::Turn {
                session, record, ..
            } => {
                let summary = turn_summary(view, record);
                let known = view
                    .state
                    .sessions
                    .get(session)
                    .and_then(|session| {
                        session
                            .turns
                            .iter()
                            .find(|turn| turn.record.turn == record.turn)
                    })
                    .and_then(|turn| turn.summary.as_ref());
                if known == Some(&summary) {
                    return Vec::new();
                }
                vec![Opinion::Turn {
                    turn: record.turn.clone(),
                    summary,
                }]
            }
            Question::SessionEnd { session } => view
                .state
                .sessions
                .get(session)
                .and_then(|session| session_opinion(view, session))
                .into_iter()
                .collect(),
        }
    }
}

fn session_opinion(view: View<'_>, session: &Session) -> Option<Opinion> {
    if session.turns.is_empty() {
        return None;
    }
    let told = Told::new(view, session);
    let made = digest::of(&told);
    let journal = journal::of(&told);
    let same_text = session
        .journal
        .as_ref()
        .and_then(|name| view.state.journal.get(name))
        .is_some_and(|text| text.as_ref() == Some(&journal));
    let same_digest = session.digest.as_ref().is_some_and(|known| {
        Digest {
            at: made.at,
            ..known.clone()
        } == made
    });
    (!(same_text && same_digest)).then_some(Opinion::Session {
        digest: made,
        journal,
    })
}

/// The last run of a test command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Test<'a> {
    pub(crate) command: &'a str,
    pub(crate) exit_code: i32,
    /// The tests passed; none when the exit code doesn't say.
    pub(crate) passed: Option<bool>,
}

impl Test<'_> {
    /// What became of the tests, in words.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.passed {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "ran, its exit code doesn't tell whether the tests passed",
        }
    }
}

/// The last run of each test command of a turn, in the order of their last runs.
pub(crate) fn tests(record: &TurnRecord) -> Vec<Test<'_>> {
    let mut tests: Vec<Test<'_>> = Vec::new();
    for event in &record.events {
        match event {
            TurnEvent::Command {
                command,
                kind: CommandKind::Test,
                exit_code: Some(exit_code),
                vouches,
                ..
            } => {
                tests.retain(|known| known.command != command);
                tests.push(Test {
                    command,
                    exit_code: *exit_code,
                    passed: succeeded(*exit_code, *vouches),
                });
            }
            TurnEvent::Command { .. }
            | TurnEvent::File { .. }
            | TurnEvent::Plan { .. }
            | TurnEvent::Message { .. }
            | TurnEvent::Error { .. } => {}
        }
    }
    tests
}

/// Files that a turn's patches changed, in the order of their first change.
pub(crate) fn files(record: &TurnRecord) -> Vec<&str> {
    let mut files: Vec<&str> = Vec::new();
    for event in &record.events {
        match event {
            TurnEvent::File { path, ok: true, .. } if !files.contains(&path.as_str()) => {
                files.push(path);
            }
            TurnEvent::File { .. }
            | TurnEvent::Plan { .. }
            | TurnEvent::Command { .. }
            | TurnEvent::Message { .. }
            | TurnEvent::Error { .. } => {}
        }
    }
    files
}

/// Exit codes of a turn's commands; none for one that didn't end.
fn exit_codes(record: &TurnRecord) -> impl Iterator<Item = Option<i32>> {
    record.events.iter().filter_map(|event| match event {
        TurnEvent::Command { exit_code, .. } => Some(*exit_code),
        TurnEvent::Plan { .. }
        | TurnEvent::File { .. }
        | TurnEvent::Message { .. }
        | TurnEvent::Error { .. } => None,
    })
}

/// The first line of what was asked.
pub(crate) fn request(record: &TurnRecord, max: usize) -> String {
    let line = record
        .request
        .lines()
        .map(|line| one_line(line, max))
        .find(|line| !line.is_empty());
    line.unwrap_or_else(|| "(no text)".to_owned())
}

/// How a turn ended, as a word.
pub(crate) fn outcome(status: TurnStatus) -> &'static str {
    match status {
        TurnStatus::Completed => "completed",
        TurnStatus::Failed => "failed",
        TurnStatus::Interrupted => "interrupted",
    }
}

fn turn_summary(view: View<'_>, record: &TurnRecord) -> TurnSummary {
    let mut parts = Vec::new();
    parts.extend(commands_in_words(record));
    let tests = tests(record);
    parts.extend(
        tests[tests.len().saturating_sub(3)..]
            .iter()
            .map(|test| format!("`{}` {}", one_line(test.command, 60), test.outcome())),
    );
    let files = files(record);
    if !files.is_empty() {
        parts.push(format!(
            "{} changed ({})",
            counted(files.len(), "file"),
            listed(files.iter().map(|path| one_line(path, 60)), files.len(), 3)
        ));
    }
    if !record.commits.is_empty() {
        let commits = record
            .commits
            .iter()
            .map(|commit| format!("{} {}", commit.id.short(), one_line(&commit.subject, 72)));
        parts.push(format!(
            "committed {}",
            listed(commits, record.commits.len(), 3)
        ));
    }
    let done = if parts.is_empty() {
        "nothing was run or changed".to_owned()
    } else {
        parts.join(", ")
    };
    let text = format!(
        "Asked: {}. Turn {}: {done}.",
        request(record, 160).trim_end_matches(['.', ' ']),
        outcome(record.status)
    );
    TurnSummary {
        text: bounded(&one_line(&text, usize::MAX), Summariser::MAX_SUMMARY),
        tasks: tasks_of(view, record),
    }
}

/// `4 commands (2 failed)`; none when none ran.
pub(crate) fn commands_in_words(record: &TurnRecord) -> Option<String> {
    let ran = exit_codes(record).count();
    let failed = exit_codes(record)
        .filter(|code| code.is_some_and(|code| code != 0))
        .count();
    match (ran, failed) {
        (0, _) => None,
        (ran, 0) => Some(counted(ran, "command")),
        (ran, failed) => Some(format!("{} ({failed} failed)", counted(ran, "command"))),
    }
}

pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

pub(crate) fn listed(items: impl Iterator<Item = String>, total: usize, max: usize) -> String {
    let shown: Vec<String> = items.take(max).collect();
    let rest = total.saturating_sub(shown.len());
    if rest > 0 {
        format!("{} and {rest} more", shown.join("; "))
    } else {
        shown.join("; ")
    }
}

/// Tasks that a turn bore on: made in it, seen in it, or in its last plan.
fn tasks_of(view: View<'_>, record: &TurnRecord) -> Vec<TaskId> {
    let plan: Vec<String> = record
        .last_plan()
        .unwrap_or_default()
        .iter()
        .map(|step| normalised(&one_line(&step.step, Task::MAX_TITLE)))
        .collect();
    view.state
        .tasks
        .values()
        .filter(|task| {
            let seen = task.evidence.iter().any(|seen| {
                seen.kind == EvidenceKind::Turn && seen.reference == record.turn.as_str()
            });
            let mut wordings = std::iter::once(&task.title).chain(&task.aliases);
            seen || history::turn_of(task) == Some(&record.turn)
                || (history::thread_of(task) == Some(&record.thread)
                    && !history::is_goal(task)
                    && wordings.any(|text| plan.contains(&normalised(text))))
        })
        .map(|task| task.id.clone())
        .collect()
}
