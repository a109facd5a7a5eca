//! A session as it is told of: its tasks, judged once, and the facts of its turns put together. Digest and journal both
//! read from here, so that they never disagree with one another or with the list of tasks.

use std::collections::BTreeSet;

use orch_core::agent::View;
use orch_core::graph::Statuses;
use orch_core::judge::{deciding, status_at};
use orch_protocol::git::CommitSummary;
use orch_protocol::session::Session;
use orch_protocol::task::{Actor, Claim, EvidenceKind, Task, TaskStatus};
use orch_protocol::turn::{TurnEvent, TurnRecord, TurnStatus};

use crate::commits::from_top;
use crate::history;
use crate::summariser::{Test, files, tests};

/// A session, with what is judged of it.
pub(crate) struct Told<'a> {
    pub(crate) view: View<'a>,
    pub(crate) session: &'a Session,
    /// Its tasks: of its thread, or seen in its turns; oldest first.
    pub(crate) tasks: Vec<&'a Task>,
    statuses: Statuses,
}

/// A file that the session changed.
pub(crate) struct Changed {
    /// From the top of the work tree.
    pub(crate) path: String,
    /// Numbers of the turns (from 1) whose patches changed it.
    pub(crate) turns: Vec<usize>,
    /// The last commit of the session that holds it.
    pub(crate) commit: Option<CommitSummary>,
}

impl<'a> Told<'a> {
    /// Judges a session's tasks.
    pub(crate) fn new(view: View<'a>, session: &'a Session) -> Self {
        let turns: BTreeSet<&str> = session
            .turns
            .iter()
            .map(|turn| turn.record.turn.as_str())
            .collect();
        let is_seen = |task: &Task| {
            task.evidence.iter().any(|seen| {
                seen.kind == EvidenceKind::Turn && turns.contains(seen.reference.as_str())
            })
        };
        // What the main agent says by its tools names no turn, but a branch and a time.
        let is_said = |task: &Task| {
            task.claims.iter().any(|claim| {
                claim.by == Actor::MainAgent
                    && claim.at >= session.started_at
                    && claim.branch == session.branch
            })
        };
        let is_own = |task: &Task| history::thread_of(task) == Some(&session.thread);
        let mut tasks: Vec<&Task> = view
            .state
            .tasks
            .values()
            .filter(|task| is_own(task) || is_seen(task) || is_said(task))
            .collect();
        tasks.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Self {
            view,
            session,
            tasks,
            statuses: Statuses::judge(&view.state.tasks, view.here),
        }
    }

    /// A task's status here, derived from its parts where its own claims don't tell.
    pub(crate) fn status(&self, task: &Task) -> TaskStatus {
        self.statuses.of(&task.id)
    }

    /// The claim that a task's status rests on; none where it rests on its parts, or on nothing.
    pub(crate) fn ground(&self, task: &'a Task) -> Option<&'a Claim> {
        deciding(task, self.view.here)
            .filter(|_| status_at(task, self.view.here) == self.status(task))
    }

    /// How many parts a task has that weren't dropped, and how many of them are done.
    pub(crate) fn parts(&self, task: &Task) -> (usize, usize) {
        let parts = self.view.state.tasks.values();
        let statuses: Vec<TaskStatus> = parts
            .filter(|part| part.parent.as_ref() == Some(&task.id))
            .map(|part| self.status(part))
            .filter(|status| *status != TaskStatus::Dropped)
            .collect();
        let done = statuses
            .iter()
            .filter(|status| **status == TaskStatus::Done)
            .count();
        (statuses.len(), done)
    }

    /// Open tasks in the order in which to go on: what is under way, what can be begun, what waits for others. A task with
    /// parts is left to its parts.
    pub(crate) fn next(&self) -> Vec<&'a Task> {
        let mut next: Vec<&Task> = self
            .tasks
            .iter()
            .copied()
            .filter(|task| match self.status(task) {
                TaskStatus::Active | TaskStatus::Pending => self.parts(task).0 == 0,
                TaskStatus::Blocked | TaskStatus::Done | TaskStatus::Dropped => false,
            })
            .collect();
        next.sort_by_key(|task| {
            let is_active = self.status(task) == TaskStatus::Active;
            let waits = !is_active && !self.statuses.is_ready(task);
            (!is_active, waits, task.priority)
        });
        next
    }

    /// Tasks that wait for something that isn't a task.
    pub(crate) fn blocked(&self) -> impl Iterator<Item = &'a Task> {
        let tasks = self.tasks.iter().copied();
        tasks.filter(|task| self.status(task) == TaskStatus::Blocked)
    }

    /// Commits of the session, oldest first, each once, with the number of its turn.
    pub(crate) fn commits(&self) -> Vec<(usize, &'a CommitSummary)> {
        let mut commits: Vec<(usize, &CommitSummary)> = Vec::new();
        for (at, turn) in self.session.turns.iter().enumerate() {
            for commit in &turn.record.commits {
                if !commits.iter().any(|(_, known)| known.id == commit.id) {
                    commits.push((at + 1, commit));
                }
            }
        }
        commits
    }

    /// Files that patches or commits changed, in the order in which they first were.
    pub(crate) fn changed(&self) -> Vec<Changed> {
        let mut changed: Vec<Changed> = Vec::new();
        let mut note = |path: String, turn: Option<usize>, commit: Option<&CommitSummary>| {
            let at = changed.iter().position(|known| known.path == path);
            let at = at.unwrap_or_else(|| {
                changed.push(Changed {
                    path,
                    turns: Vec::new(),
                    commit: None,
                });
                changed.len() - 1
            });
            changed[at].turns.extend(turn);
            changed[at].commit = commit.cloned().or(changed[at].commit.take());
        };
        for (at, turn) in self.session.turns.iter().enumerate() {
            let cwd = turn.record.cwd.as_deref();
            for path in files(&turn.record) {
                note(from_top(path, cwd, self.view.here), Some(at + 1), None);
            }
            for commit in &turn.record.commits {
                for path in &commit.files {
                    note(path.clone(), None, Some(commit));
                }
            }
        }
        changed
    }

    /// Files that git calls changed at the end of the last turn.
    pub(crate) fn uncommitted(&self) -> Vec<&'a str> {
        let dirty = self.session.snapshot.iter().flat_map(|seen| &seen.dirty);
        dirty.map(|file| file.path.as_str()).collect()
    }

    /// Test commands whose last run failed, with the number of its turn.
    pub(crate) fn failing_tests(&self) -> Vec<(usize, Test<'a>)> {
        let mut last: Vec<(usize, Test<'a>)> = Vec::new();
        let standing = self.session.turns.iter().enumerate();
        for (at, turn) in standing.filter(|(_, turn)| !turn.reverted) {
            for test in tests(&turn.record) {
                last.retain(|(_, known)| known.command != test.command);
                last.push((at + 1, test));
            }
        }
        last.retain(|(_, test)| test.passed == Some(false));
        last
    }

    /// Turns that didn't come to their end, with their numbers.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = (usize, &'a TurnRecord)> {
        let turns = self.session.turns.iter().enumerate();
        turns
            .filter(|(_, turn)| !turn.reverted)
            .map(|(at, turn)| (at + 1, &turn.record))
            .filter(|(_, record)| match record.status {
                TurnStatus::Completed => false,
                TurnStatus::Failed | TurnStatus::Interrupted => true,
            })
    }
}

/// What the engine said went wrong, last of all.
pub(crate) fn last_error(record: &TurnRecord) -> Option<&str> {
    record.events.iter().rev().find_map(|event| match event {
        TurnEvent::Error { text, .. } => Some(text.as_str()),
        TurnEvent::Plan { .. }
        | TurnEvent::Command { .. }
        | TurnEvent::File { .. }
        | TurnEvent::Message { .. } => None,
    })
}
