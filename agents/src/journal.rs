//! A session's journal entry in markdown: what people and later agents read. Every claim is followed by what it rests on,
//! in brackets; text that came from a model or a user is escaped and bounded.

use orch_core::agent::View;
use orch_core::judge::{deciding, done_elsewhere, status_at};
use orch_protocol::session::{Digest, Session, SessionTurn};
use orch_protocol::task::{Task, TaskStatus};

use crate::digest::{changed_files, in_turns, last_tests, next, tasks, unfinished};
use crate::history;
use crate::markdown::{Section, code, plain};
use crate::summariser::{outcome, request};

/// Bytes of lines for each section; with titles and notes they stay below `Summariser::MAX_JOURNAL`.
mod room {
    pub(super) const GOAL: usize = 3_000;
    pub(super) const HAPPENED: usize = 24_000;
    pub(super) const CHANGES: usize = 9_000;
    pub(super) const COMMITS: usize = 9_000;
    pub(super) const TASKS: usize = 9_000;
    pub(super) const OPEN_ENDS: usize = 5_000;
    pub(super) const NEXT: usize = 3_500;
}

/// Writes the entry of a session.
pub(crate) fn of(view: View<'_>, session: &Session, digest: &Digest) -> String {
    let tasks = tasks(view, session);
    let branch = session
        .branch
        .as_deref()
        .map_or("no branch".to_owned(), |name| plain(name, 120));
    let mut page = format!(
        "# {} · {branch} · {}\n",
        session.started_at.strftime("%Y-%m-%d"),
        plain(session.id.as_str(), 160)
    );
    let mut goal = Section::new("Goal", room::GOAL);
    goal.entry(&format!("{} (request, turn 1)", plain(&digest.goal, 300)));
    page.push_str(&goal.end());
    page.push_str(&happened(session));
    page.push_str(&changes(session));
    page.push_str(&commits(session, digest));
    page.push_str(&backlog(view, &tasks));
    page.push_str(&open_ends(view, session, &tasks));
    let mut section = Section::new("Next", room::NEXT);
    for task in next(view, &tasks) {
        let status = status_at(task, view.here).name();
        section.entry(&format!(
            "{} (task {}, {status})",
            plain(&task.title, 200),
            code(task.id.as_str(), 20)
        ));
    }
    page.push_str(&section.end());
    page
}

/// Turns, oldest first; where there is no room for all, the newest.
fn happened(session: &Session) -> String {
    let entries: Vec<String> = session
        .turns
        .iter()
        .enumerate()
        .map(|(at, turn)| {
            let asked = plain(&request(&turn.record, 160), 200);
            let outcome = outcome(turn.record.status);
            format!("{asked} — {} (turn {}, {outcome})", summary(turn), at + 1)
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
    section.end()
}

fn summary(turn: &SessionTurn) -> String {
    let text = turn
        .summary
        .as_ref()
        .map_or("not summed up", |summary| summary.text.as_str());
    // The request stands before it already.
    let text = match text.split_once(". Turn ") {
        Some((asked, rest)) if asked.starts_with("Asked: ") => {
            rest.split_once(": ").map_or(rest, |(_, rest)| rest)
        }
        _ => text,
    };
    plain(text, 600)
}

fn changes(session: &Session) -> String {
    let mut section = Section::new("Changes", room::CHANGES);
    for (path, turns) in changed_files(session) {
        section.entry(&format!(
            "{} (patch, {})",
            code(path, 200),
            in_turns(&turns)
        ));
    }
    for (command, exit, turn) in last_tests(session) {
        let word = if exit == 0 {
            "Tests passed"
        } else {
            "Tests failed"
        };
        section.entry(&format!(
            "{word} ({} exited {exit}, turn {turn})",
            code(command, 160)
        ));
    }
    section.end()
}

fn commits(session: &Session, digest: &Digest) -> String {
    let mut section = Section::new("Commits", room::COMMITS);
    for commit in &digest.commits {
        let turn = session
            .turns
            .iter()
            .position(|turn| {
                turn.record
                    .commits
                    .iter()
                    .any(|known| known.id == commit.id)
            })
            .unwrap_or_default();
        section.entry(&format!(
            "{} (commit {}, turn {})",
            plain(&commit.subject, 120),
            code(commit.id.as_str(), 64),
            turn + 1
        ));
    }
    section.end()
}

fn backlog(view: View<'_>, tasks: &[&Task]) -> String {
    let mut section = Section::new("Tasks", room::TASKS);
    for task in tasks {
        let status = status_at(task, view.here);
        section.entry(&format!(
            "{} {}: {} ({})",
            code(task.id.as_str(), 20),
            plain(&task.title, 200),
            status.name(),
            ground(view, task, status)
        ));
    }
    section.end()
}

/// What a task's status rests on.
fn ground(view: View<'_>, task: &Task, status: TaskStatus) -> String {
    let head = match &view.here.head {
        Some(head) => format!("as seen from {}", code(head.short(), 10)),
        None => "no commit yet".to_owned(),
    };
    let Some(claim) = deciding(task, view.here) else {
        return match done_elsewhere(task, view.here) {
            Some(branch) => format!("done on {}, {head}", code(branch, 80)),
            None => format!("no claim holds, {head}"),
        };
    };
    match (claim.commits.as_slice(), status) {
        ([], TaskStatus::Done) => format!("word of the {}, no commit, {head}", claim.by.name()),
        ([], _) => format!("word of the {}, {head}", claim.by.name()),
        (commits, _) => {
            let ids: Vec<String> = commits
                .iter()
                .take(5)
                .map(|commit| code(commit.short(), 10))
                .collect();
            format!("commit {}, {head}", ids.join(", "))
        }
    }
}

fn open_ends(view: View<'_>, session: &Session, tasks: &[&Task]) -> String {
    let mut section = Section::new("Open ends", room::OPEN_ENDS);
    for (command, exit, turn) in last_tests(session) {
        if exit != 0 {
            section.entry(&format!(
                "Tests fail ({} exited {exit}, turn {turn})",
                code(command, 160)
            ));
        }
    }
    for (turn, record) in unfinished(session) {
        let asked = plain(&request(record, 120), 160);
        section.entry(&format!("{asked} (turn {turn} {})", outcome(record.status)));
    }
    for file in session.snapshot.iter().flat_map(|snapshot| &snapshot.dirty) {
        section.entry(&format!(
            "{} is not committed (git, end of the last turn)",
            code(&file.path, 200)
        ));
    }
    for task in tasks.iter().filter(|task| !history::is_goal(task)) {
        let status = status_at(task, view.here);
        if status.is_open() {
            section.entry(&format!(
                "{} (task {}, {})",
                plain(&task.title, 200),
                code(task.id.as_str(), 20),
                status.name()
            ));
        }
    }
    section.end()
}
