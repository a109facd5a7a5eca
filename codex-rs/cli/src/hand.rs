//! Edits by hand of `.codex-orch/`: noticed by every command of ours, taken in as a whole, or told with line and column.

use orch_core::command::Asker;
use orch_core::state::State;
use orch_core::supervisor::HandEdit;
use orch_protocol::Timestamp;
use orch_protocol::ids::CommitId;
use orch_protocol::task::{Actor, Origin};
use orch_runtime::checkout::edits::{Against, Refused, Scope, taken};
use orch_runtime::checkout::{Checkout, Edited, TASKS, parse};
use orch_runtime::ports::{Backlog, Clock, StateStore, SystemClock};
use orch_runtime::upstream::RolloutsOnly;

use crate::out;
use crate::session::{Project, Seen};
use crate::trouble::{Trouble, chain};

/// Since when a turn has been running in this process, and until when it did.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TurnTimes {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl TurnTimes {
    /// A turn begins now.
    pub(crate) fn begin(&mut self) {
        (self.since, self.until) = (Some(SystemClock.now()), None);
    }

    /// It has ended.
    pub(crate) fn end(&mut self) {
        self.until = Some(SystemClock.now());
    }

    fn hold(self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| since <= at) && self.until.is_none_or(|until| at <= until)
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::new(refused.to_string(), refused.hint)
    }
}

impl Project {
    /// Takes in what somebody edited in the checkout. What can't be taken in is told and fails nothing.
    pub(crate) async fn take_in(&mut self) {
        let Some(root) = &self.place.checkout else {
            return;
        };
        let checkout = Checkout::new(root, &self.place.store);
        let (content, trouble) = match checkout.edited() {
            Ok(None) => return,
            Ok(Some(edited)) => match self.take(&checkout, &edited).await {
                Ok(()) => return,
                Err(trouble) => (edited.content, trouble.line()),
            },
            Err(error) => (String::new(), chain(&error)),
        };
        // One command looks more than once.
        if self.untaken.as_ref() != Some(&content) {
            out::note(&format!(
                "nothing of your edit of .codex-orch/{TASKS} was taken in: {trouble}"
            ));
            self.untaken = Some(content);
        }
    }

    async fn take(&mut self, checkout: &Checkout, edited: &Edited) -> Result<(), Trouble> {
        let parsed = parse::read(&edited.text)?;
        let seen = self.look(Backlog::Whole).await?;
        let (base, before) = self.base(edited)?;
        let asker = self.editor(&seen, edited);
        let shown = edited.shown(&before.tasks, &seen.here);
        let against = Against {
            base: &before.tasks,
            comments: before.project.comments.as_ref(),
            shown: &|id| shown.get(id).cloned(),
            now: &seen.state,
            asker: &asker,
            saved: edited.saved.min(asker.now),
            scope: Scope::Whole,
        };
        let taken = taken(&against, &parsed)?;
        let count = taken.changes.len();
        if !taken.is_empty() {
            let edit = HandEdit {
                file: TASKS.to_owned(),
                base,
                changes: taken.changes,
                comments: taken.comments,
            };
            let (mut engine, mut tell) = (RolloutsOnly, out::note);
            let mut driver = self.driver(&mut engine, &mut tell);
            driver.hand_edit(asker, edit).await?;
            self.store.fold().await?;
        }
        if count > 0 {
            let of = if count == 1 { "change" } else { "changes" };
            out::note(&format!("{count} {of} taken in from .codex-orch/{TASKS}"));
        }
        taken.remarks.iter().for_each(|remark| out::note(remark));
        // Written anew at once: what was taken in isn't taken for an edit again.
        let seen = self.look(Backlog::Whole).await?;
        let told = checkout.refresh(&self.store, seen.shown(), &seen.here, Some(&edited.content));
        match told {
            Ok(told) => told.iter().for_each(|line| out::note(line)),
            Err(error) => out::note(&chain(&error)),
        }
        Ok(())
    }

    /// The newest state, of those that the file may have been made from, that is still there.
    fn base(&self, edited: &Edited) -> Result<(CommitId, State), Trouble> {
        for commit in &edited.bases {
            if let Some(found) = self.store.state_at(commit)? {
                return Ok((commit.clone(), found));
            }
        }
        Err(Trouble::new(
            "line 1, column 1: the file doesn't name a state that is known here",
            format!(
                "bring its first line back (# state <id>, as seen from …), or move {TASKS} away: it is then written anew"
            ),
        ))
    }

    /// Whoever saved the file: while a turn runs, the agent.
    fn editor(&self, seen: &Seen, edited: &Edited) -> Asker {
        let branch = seen.here.branch.clone();
        let by_agent = self.turn.hold(edited.saved) || self.is_turn_running(&seen.state);
        let (by, origin) = match by_agent {
            true => (
                Actor::MainAgent,
                Origin::Agent {
                    branch: branch.clone(),
                    thread: None,
                    turn: None,
                },
            ),
            false => (
                Actor::Person,
                Origin::Person {
                    branch: branch.clone(),
                },
            ),
        };
        Asker {
            by,
            origin,
            branch,
            worktree: seen.here.worktree.clone(),
            head: seen.here.head.clone(),
            now: SystemClock.now(),
            // The same text taken in twice, by two processes or after a crash, is taken in once.
            nonce: format!("by hand {}", edited.content),
        }
    }

    /// Whether an agent works in this work tree now, in another process.
    fn is_turn_running(&self, state: &State) -> bool {
        let here = self.place.repo.as_ref().map(|repo| repo.worktree.as_path());
        state.project.open_runs.values().any(|run| {
            let worktree = run
                .snapshot
                .as_ref()
                .map(|seen| std::path::Path::new(&seen.worktree));
            worktree == here && run.log != *self.store.log_id() && !self.store.is_dead(&run.log)
        })
    }
}
