//! What a session amounted to, as plain text and data. The page that people read is `journal.rs`.

use orch_core::rollup::{MAX_ENTRY, MAX_GOAL};
use orch_protocol::session::{Digest, Session};
use orch_protocol::task::TaskStatus;
use orch_protocol::text::one_line;

use crate::summariser::{listed, outcome, request};
use crate::told::{Told, last_error};

/// Sums up a session as it is known now. How much of it is kept is `orch_core::rollup`'s to say, which tells what it cuts.
pub(crate) fn of(told: &Told<'_>) -> Digest {
    Digest {
        at: told.view.now,
        goal: goal(told.session),
        changes: lines(changes(told)),
        commits: told
            .commits()
            .into_iter()
            .map(|(_, commit)| commit.clone())
            .collect(),
        open_ends: lines(open_ends(told)),
        next_actions: lines(told.next().into_iter().map(|task| {
            let status = told.status(task).name();
            format!("[{}] {} ({status})", task.id, task.title)
        })),
    }
}

fn lines(entries: impl IntoIterator<Item = String>) -> Vec<String> {
    entries
        .into_iter()
        .map(|entry| one_line(&entry, MAX_ENTRY))
        .collect()
}

/// What the session was for: its first request.
fn goal(session: &Session) -> String {
    session
        .turns
        .first()
        .map(|turn| request(&turn.record, MAX_GOAL))
        .unwrap_or_default()
}

fn changes(told: &Told<'_>) -> Vec<String> {
    let done = told.tasks.iter().copied();
    let done = done
        .filter(|task| told.status(task) == TaskStatus::Done)
        .map(|task| {
            let claim = told.ground(task);
            match (claim, claim.and_then(|claim| claim.commits.last())) {
                (_, Some(commit)) => format!("{} (done, commit {})", task.title, commit.short()),
                (Some(_), None) => format!("{} (done, not committed)", task.title),
                (None, None) => format!("{} (all parts done)", task.title),
            }
        });
    let files = told.changed().into_iter().map(|file| {
        let path = one_line(&file.path, 120);
        match file.commit {
            Some(commit) => format!("{path} changed in commit {}", commit.id.short()),
            None => format!("{path} changed in {}", in_turns(&file.turns)),
        }
    });
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

/// What went wrong or is unsettled. Open tasks are no open ends: they are what comes next.
fn open_ends(told: &Told<'_>) -> Vec<String> {
    let failing = told.failing_tests().into_iter().map(|(turn, test)| {
        let command = one_line(test.command, 120);
        format!("`{command}` exited {} in turn {turn}", test.exit_code)
    });
    let unfinished = told.unfinished().map(|(turn, record)| {
        let why = last_error(record).map_or_else(
            || request(record, 120),
            |error| format!("{} ({})", one_line(error, 120), request(record, 80)),
        );
        format!("turn {turn} {}: {why}", outcome(record.status))
    });
    let dirty = told.uncommitted();
    let shown = dirty.iter().map(|path| one_line(path, 80));
    let uncommitted =
        (!dirty.is_empty()).then(|| format!("not committed: {}", listed(shown, dirty.len(), 3)));
    let blocked = told
        .blocked()
        .map(|task| format!("[{}] {} is blocked", task.id, task.title));
    failing
        .chain(unfinished)
        .chain(uncommitted)
        .chain(blocked)
        .collect()
}
