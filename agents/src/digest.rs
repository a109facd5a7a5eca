//! What a session amounted to, as plain text and data. The page that people read is `journal.rs`.

use std::collections::BTreeSet;

use orch_core::agent::View;
use orch_core::judge::{deciding, status_at};
use orch_protocol::git::CommitSummary;
use orch_protocol::session::{Digest, Session};
use orch_protocol::task::{EvidenceKind, Task, TaskStatus};
use orch_protocol::text::one_line;
use orch_protocol::turn::{TurnRecord, TurnStatus};

use crate::history;
use crate::summariser::{files, outcome, request, tests};

/// The most entries of each list of a digest.
const MAX_ENTRIES: usize = 40;
/// The longest entry, in characters.
const MAX_ENTRY: usize = 300;

/// Sums up a session as it is known now.
pub(crate) fn of(view: View<'_>, session: &Session) -> Digest {
    let tasks = tasks(view, session);
    Digest {
        at: view.now,
        goal: goal(session),
        changes: bounded(changes(view, session, &tasks)),
        commits: commits(session),
        open_ends: bounded(open_ends(view, session, &tasks)),
        next_actions: bounded(next(view, &tasks).into_iter().map(|task| {
            let status = status_at(task, view.here).name();
            format!("[{}] {} ({status})", task.id, task.title)
        })),
    }
}

fn bounded(entries: impl IntoIterator<Item = String>) -> Vec<String> {
    entries
        .into_iter()
        .take(MAX_ENTRIES)
        .map(|entry| one_line(&entry, MAX_ENTRY))
        .collect()
}

/// What the session was for: its first request.
pub(crate) fn goal(session: &Session) -> String {
    session
        .turns
        .first()
        .map(|turn| request(&turn.record, MAX_ENTRY))
        .unwrap_or_default()
}

/// The session's tasks: of its thread, or seen in its turns.
pub(crate) fn tasks<'a>(view: View<'a>, session: &Session) -> Vec<&'a Task> {
    let turns: BTreeSet<&str> = session
        .turns
        .iter()
        .map(|turn| turn.record.turn.as_str())
        .collect();
    let mut tasks: Vec<&Task> = view
        .state
        .tasks
        .values()
        .filter(|task| {
            history::thread_of(task) == Some(&session.thread)
                || task.evidence.iter().any(|seen| {
                    seen.kind == EvidenceKind::Turn && turns.contains(seen.reference.as_str())
                })
        })
        .collect();
    tasks.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    tasks
}

/// Commits of the session, oldest first, each once.
pub(crate) fn commits(session: &Session) -> Vec<CommitSummary> {
    let mut commits: Vec<CommitSummary> = Vec::new();
    for commit in session.turns.iter().flat_map(|turn| &turn.record.commits) {
        if !commits.iter().any(|known| known.id == commit.id) {
            commits.push(commit.clone());
        }
    }
    commits
}

/// Files that were changed by patches, each with the numbers of the turns (from 1) that changed it.
pub(crate) fn changed_files(session: &Session) -> Vec<(&str, Vec<usize>)> {
    let mut changed: Vec<(&str, Vec<usize>)> = Vec::new();
    for (at, turn) in session.turns.iter().enumerate() {
        for path in files(&turn.record) {
            match changed.iter_mut().find(|(known, _)| *known == path) {
                Some((_, turns)) => turns.push(at + 1),
                None => changed.push((path, vec![at + 1])),
            }
        }
    }
    changed
}

/// The last result of each test command, with the number of its turn.
pub(crate) fn last_tests(session: &Session) -> Vec<(&str, i32, usize)> {
    let mut last: Vec<(&str, i32, usize)> = Vec::new();
    for (at, turn) in session.turns.iter().enumerate() {
        for (command, code) in tests(&turn.record) {
            last.retain(|(known, _, _)| *known != command);
            last.push((command, code, at + 1));
        }
    }
    last
}

/// Turns that didn't come to their end, with their numbers.
pub(crate) fn unfinished(session: &Session) -> Vec<(usize, &TurnRecord)> {
    session
        .turns
        .iter()
        .enumerate()
        .map(|(at, turn)| (at + 1, &turn.record))
        .filter(|(_, record)| match record.status {
            TurnStatus::Completed => false,
            TurnStatus::Failed | TurnStatus::Interrupted => true,
        })
        .collect()
}

/// Open tasks in the order in which to go on: what is under way, then what waits; a goal only if none of its steps is open.
pub(crate) fn next<'a>(view: View<'_>, tasks: &[&'a Task]) -> Vec<&'a Task> {
    let open = |task: &Task| status_at(task, view.here).is_open();
    let has_open_step = |goal: &Task| {
        tasks
            .iter()
            .any(|task| task.parent.as_ref() == Some(&goal.id) && open(task))
    };
    let mut next: Vec<&Task> = tasks
        .iter()
        .copied()
        .filter(|task| match status_at(task, view.here) {
            TaskStatus::Active | TaskStatus::Pending => true,
            TaskStatus::Blocked | TaskStatus::Done | TaskStatus::Dropped => false,
        })
        .filter(|task| !history::is_goal(task) || (!has_steps(tasks, task) && !has_open_step(task)))
        .collect();
    next.sort_by_key(|task| {
        (
            status_at(task, view.here) != TaskStatus::Active,
            task.priority,
        )
    });
    next
}

fn has_steps(tasks: &[&Task], goal: &Task) -> bool {
    tasks
        .iter()
        .any(|task| task.parent.as_ref() == Some(&goal.id))
}

fn changes(view: View<'_>, session: &Session, tasks: &[&Task]) -> Vec<String> {
    let done = tasks
        .iter()
        .filter(|task| status_at(task, view.here) == TaskStatus::Done)
        .map(|task| {
            let commits = deciding(task, view.here).map(|claim| claim.commits.as_slice());
            match commits.and_then(<[_]>::last) {
                Some(commit) => format!("{} (done, commit {})", task.title, commit.short()),
                None => format!("{} (done, not committed)", task.title),
            }
        });
    let files = changed_files(session)
        .into_iter()
        .map(|(path, turns)| format!("{} changed in {}", one_line(path, 120), in_turns(&turns)));
    done.chain(files).collect()
}

/// `turn 2`, `turns 2, 3`.
pub(crate) fn in_turns(turns: &[usize]) -> String {
    let list: Vec<String> = turns.iter().take(10).map(usize::to_string).collect();
    let more = if turns.len() > list.len() {
        ", …"
    } else {
        ""
    };
    let word = if turns.len() == 1 { "turn" } else { "turns" };
    format!("{word} {}{more}", list.join(", "))
}

fn open_ends(view: View<'_>, session: &Session, tasks: &[&Task]) -> Vec<String> {
    let mut ends = Vec::new();
    for (command, code, turn) in last_tests(session) {
        if code != 0 {
            ends.push(format!(
                "`{}` exited {code} in turn {turn}",
                one_line(command, 120)
            ));
        }
    }
    for (turn, record) in unfinished(session) {
        let (outcome, request) = (outcome(record.status), request(record, 120));
        ends.push(format!("turn {turn} was {outcome}: {request}"));
    }
    let dirty = session.snapshot.iter().flat_map(|snapshot| &snapshot.dirty);
    ends.extend(dirty.map(|file| format!("{} is not committed", one_line(&file.path, 200))));
    for task in tasks.iter().filter(|task| !history::is_goal(task)) {
        let status = status_at(task, view.here);
        if status.is_open() {
            ends.push(format!("[{}] {} is {}", task.id, task.title, status.name()));
        }
    }
    ends
}
