//! A session's journal entry in markdown: what people and later agents read. Each thing is said once, where one looks for
//! it, with what it rests on; text that came from a model or a user is escaped and bounded.

use orch_core::judge::done_elsewhere;
use orch_protocol::Timestamp;
use orch_protocol::session::Session;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_protocol::turn::{TurnRecord, TurnStatus};

use crate::digest::in_turns;
use crate::markdown::{Section, code, plain};
use crate::summariser::{commands_in_words, counted, files, request, tests};
use crate::told::{Told, last_error};

/// Bytes of lines for each section; with titles and notes they stay below `Summariser::MAX_JOURNAL`.
mod room {
    pub(super) const HAPPENED: usize = 24_000;
    pub(super) const COMMITS: usize = 9_000;
    pub(super) const CHANGES: usize = 9_000;
    pub(super) const TASKS: usize = 9_000;
    pub(super) const OPEN_ENDS: usize = 5_000;
    pub(super) const NEXT: usize = 3_500;
}

/// The longest request shown whole, in characters.
const MAX_GOAL: usize = 600;

/// Writes the entry of a session.
pub(crate) fn of(told: &Told<'_>) -> String {
    let sections = [
        heading(told),
        goal(told.session),
        happened(told.session),
        commits(told),
        changes(told),
        tasks(told),
        open_ends(told),
        next(told),
    ];
    sections.concat()
}

fn heading(told: &Told<'_>) -> String {
    let session = told.session;
    let branch = match &session.branch {
        Some(branch) => format!("on {}", code(branch, 120)),
        None => "without a branch".to_owned(),
    };
    let last = session.turns.last().map(|turn| &turn.record);
    let ended = last.and_then(|record| record.ended_at.or(record.started_at));
    let head = match &told.view.here.head {
        Some(head) => format!(" · as seen from {}", code(head.short(), 10)),
        None => String::new(),
    };
    format!(
        "# Session of {} {branch}\n\n{}, {}{head} · {}\n",
        session.started_at.strftime("%Y-%m-%d"),
        hours(session.started_at, ended),
        counted(session.turns.len(), "turn"),
        code(session.id.as_str(), 160),
    )
}

/// `10:18 UTC`, `10:18 to 11:02 UTC`, `10:18 to 2026-11-23 09:00 UTC`.
fn hours(from: Timestamp, to: Option<Timestamp>) -> String {
    let minute = |at: Timestamp| at.strftime("%H:%M").to_string();
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    match to {
        Some(to) if day(to) != day(from) => {
            format!("{} to {} {} UTC", minute(from), day(to), minute(to))
        }
        Some(to) if minute(to) != minute(from) => format!("{} to {} UTC", minute(from), minute(to)),
        Some(_) | None => format!("{} UTC", minute(from)),
    }
}

/// The first request: whole, if it isn't long.
fn goal(session: &Session) -> String {
    let asked = session.turns.first().map(|turn| {
        let whole = plain(&turn.record.request, MAX_GOAL);
        if whole.is_empty() {
            "(no text)".to_owned()
        } else {
            whole
        }
    });
    format!("\n## Goal\n\n{}\n", asked.unwrap_or_default())
}

/// Turns, oldest first; where there is no room for all, the newest.
fn happened(session: &Session) -> String {
    let entries: Vec<String> = session
        .turns
        .iter()
        .enumerate()
        .map(|(at, turn)| {
            // What the first one was asked stands above.
            let asked = match at {
                0 => String::new(),
                _ => format!(" “{}”", plain(&request(&turn.record, 160), 200)),
            };
            let outcome = match turn.reverted {
                true => "was taken back",
                false => ended(&turn.record),
            };
            format!("Turn {}{asked} {outcome}: {}", at + 1, done(&turn.record))
        })
        .collect();
    let mut room = room::HAPPENED;
    let fitting = entries
        .iter()
        .rev()
        .take_while(|entry| {
            let fits = entry.len() + 3 <= room;
            room = room.saturating_sub(entry.len() + 3);
            fits
        })
        .count();
    let left_out = entries.len() - fitting;
    let mut section = Section::new("What happened", room::HAPPENED + 100);
    if left_out > 0 {
        section.entry(&format!("… {left_out} earlier turns, left out for length"));
    }
    for entry in &entries[left_out..] {
        section.entry(entry);
    }
    section.end().unwrap_or_default()
}

fn ended(record: &TurnRecord) -> &'static str {
    match record.status {
        TurnStatus::Completed => "completed",
        TurnStatus::Failed => "failed",
        TurnStatus::Interrupted => "was interrupted",
    }
}

fn done(record: &TurnRecord) -> String {
    let tests = tests(record);
    let tests = tests[tests.len().saturating_sub(3)..]
        .iter()
        .map(|test| format!("{} {}", code(test.command, 120), test.outcome()));
    let count = |n: usize, what: &str| (n > 0).then(|| counted(n, what));
    let parts: Vec<String> = commands_in_words(record)
        .into_iter()
        .chain(count(files(record).len(), "patched file"))
        .chain(count(record.commits.len(), "commit"))
        .chain(tests)
        .collect();
    if parts.is_empty() {
        "nothing was run or changed".to_owned()
    } else {
        parts.join(", ")
    }
}

fn commits(told: &Told<'_>) -> String {
    let mut section = Section::new("Commits", room::COMMITS);
    for (turn, commit) in told.commits() {
        section.entry(&format!(
            "{} {} (turn {turn})",
            code(commit.id.as_str(), 64),
            plain(&commit.subject, 120),
        ));
    }
    section.end().unwrap_or_default()
}

fn changes(told: &Told<'_>) -> String {
    let mut section = Section::new("Changes", room::CHANGES);
    let dirty = told.uncommitted();
    for file in told.changed() {
        let patched =
            (!file.turns.is_empty()).then(|| format!("patched in {}", in_turns(&file.turns)));
        let commit = file
            .commit
            .map(|commit| format!("commit {}", code(commit.id.short(), 10)));
        let dirty = dirty
            .contains(&file.path.as_str())
            .then(|| "not committed".to_owned());
        let ground: Vec<String> = patched.into_iter().chain(commit).chain(dirty).collect();
        section.entry(&format!(
            "{} ({})",
            code(&file.path, 200),
            ground.join(", ")
        ));
    }
    section.end().unwrap_or_default()
}

/// The backlog of the session: parts stand under what they are parts of.
fn tasks(told: &Told<'_>) -> String {
    let mut section = Section::new("Tasks", room::TASKS);
    let is_part = |task: &Task| {
        let parent = task.parent.as_ref();
        told.tasks
            .iter()
            .any(|known| Some(&known.id) == parent && known.parent.is_none())
    };
    for task in told.tasks.iter().filter(|task| !is_part(task)) {
        section.entry(&entry(told, task));
        let parts = told.tasks.iter();
        for part in parts.filter(|part| part.parent.as_ref() == Some(&task.id) && is_part(part)) {
            section.part(&entry(told, part));
        }
    }
    section.end().unwrap_or_default()
}

/// A task with its status and what that rests on.
fn entry<'a>(told: &Told<'a>, task: &'a Task) -> String {
    let title = plain(&task.title, 200);
    let id = code(task.id.as_str(), 20);
    let status = told.status(task);
    let (parts, done) = told.parts(task);
    let ground = match (ground(told, task, status), parts) {
        (ground, 0) => ground,
        (None, parts) => Some(format!("{done} of {} done", counted(parts, "part"))),
        (Some(ground), parts) => Some(format!(
            "{ground}, {done} of {} done",
            counted(parts, "part")
        )),
    };
    let ground = ground
        .map(|ground| format!(", {ground}"))
        .unwrap_or_default();
    format!("{title} — {}{ground} ({id})", status.name())
}

fn ground<'a>(told: &Told<'a>, task: &'a Task, status: TaskStatus) -> Option<String> {
    let Some(claim) = told.ground(task) else {
        return done_elsewhere(task, told.view.here)
            .filter(|_| status != TaskStatus::Done)
            .map(|branch| format!("done on {}", code(branch, 80)));
    };
    let word = match claim.commits.as_slice() {
        [] => format!("the {}'s word", claim.by.name()),
        commits => {
            let ids: Vec<String> = commits
                .iter()
                .take(5)
                .map(|commit| code(commit.short(), 10))
                .collect();
            format!("commit {}", ids.join(", "))
        }
    };
    let waits = status == TaskStatus::Done && claim.commits.is_empty();
    Some(format!(
        "{word}{}",
        if waits { ", not committed" } else { "" }
    ))
}

fn open_ends(told: &Told<'_>) -> String {
    let mut section = Section::new("Open ends", room::OPEN_ENDS);
    for (turn, test) in told.failing_tests() {
        section.entry(&format!(
            "Tests fail: {} exited {} (turn {turn})",
            code(test.command, 160),
            test.exit_code
        ));
    }
    for (turn, record) in told.unfinished() {
        let outcome = ended(record);
        section.entry(&match last_error(record) {
            Some(error) => format!("Turn {turn} {outcome}: {}", plain(error, 300)),
            None => format!("Turn {turn} {outcome}"),
        });
    }
    let dirty = told.uncommitted();
    if !dirty.is_empty() {
        let shown: Vec<String> = dirty.iter().take(10).map(|path| code(path, 200)).collect();
        let more = match dirty.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        section.entry(&format!("Not committed: {}{more}", shown.join(", ")));
    }
    for task in told.blocked() {
        let reason = told
            .ground(task)
            .and_then(|claim| claim.reason.as_deref())
            .map(|reason| format!(": {}", plain(&one_line(reason, 300), 400)));
        section.entry(&format!(
            "Blocked: {} ({}){}",
            plain(&task.title, 200),
            code(task.id.as_str(), 20),
            reason.unwrap_or_default()
        ));
    }
    let none = || "\n## Open ends\n\nNone were seen.\n".to_owned();
    section.end().unwrap_or_else(none)
}

fn next(told: &Told<'_>) -> String {
    let mut section = Section::new("Next", room::NEXT);
    for task in told.next() {
        section.entry(&format!(
            "{} ({}, {})",
            plain(&task.title, 200),
            code(task.id.as_str(), 20),
            told.status(task).name()
        ));
    }
    section.end().unwrap_or_default()
}
