//! What a run has left, put together: its turns from the observer, its commits from git between two looks.

use orch_core::judge::{Here, Stand};
use orch_core::supervisor::{Ended, Supervisor};
use orch_protocol::Timestamp;
use orch_protocol::git::{CommitSummary, GitSnapshot, Head};
use orch_protocol::ids::RunId;
use orch_protocol::turn::TurnRecord;

use crate::driver::{Driver, DriverError};
use crate::git::GitError;
use crate::ports::Ran;

impl Driver<'_> {
    /// The work tree as `seen`, but for HEAD: that is the tip of the branch it stood on before, if there is one.
    async fn tip_of(
        &self,
        before: &GitSnapshot,
        seen: &GitSnapshot,
    ) -> Result<GitSnapshot, GitError> {
        let relation = self
            .git
            .relation(before.clone(), seen.clone(), None)
            .await?;
        let head = match (before.head.branch(), relation.expected_branch_at) {
            (Some(name), Some(commit)) => Head::Branch {
                name: name.to_owned(),
                commit,
            },
            (Some(_), None) | (None, _) => seen.head.clone(),
        };
        Ok(GitSnapshot {
            head,
            ..seen.clone()
        })
    }

    pub(super) async fn ended(
        &self,
        supervisor: &Supervisor,
        run: &RunId,
        ran: Ran,
        recovered: bool,
    ) -> Result<Ended, DriverError> {
        let now = self.now();
        let open = supervisor.state().project.open_runs.get(run);
        let (since, before) = match open {
            Some(open) => (open.at, open.snapshot.clone()),
            None => (now, None),
        };
        let mut after = self.git.look().await?;
        let mut made = Vec::new();
        if let (Some(before), Some(seen)) = (before, &after) {
            if recovered {
                // Only as far as its rollout goes, and on its own branch: HEAD may have been moved since.
                let until = ran.last_seen.unwrap_or(since);
                let was = self.tip_of(&before, seen).await?;
                made = self
                    .git
                    .made_between(before.clone(), was, since, until)
                    .await?;
                after = Some(as_left(before, seen, &made));
            } else {
                made = self
                    .git
                    .made_between(before, seen.clone(), since, now)
                    .await?;
            }
        }
        let mut turns = ran.turns;
        share_out(&made, &mut turns, since);
        let stand = after.as_ref().map(Stand::from);
        let judged = self
            .judged(supervisor.state(), stand.as_ref(), &made)
            .await?;
        let made_here = made.iter().map(|commit| commit.id.clone());
        let here = Here::at(stand.as_ref(), judged.reachable.with(made_here));
        let branches = self.branches(supervisor.state()).await?;
        Ok(Ended {
            now,
            run: run.clone(),
            exit_code: ran.exit_code,
            thread: ran.thread,
            turns,
            commits: made,
            after,
            here,
            branches,
            rewrites: judged.rewrites,
            reverts: judged.reverts,
            recovered,
        })
    }
}

/// What a run that was cut off has left of the work tree, as far as that can be told later: the last commit it made. What
/// moved since is drift, and is told as that.
fn as_left(before: GitSnapshot, seen: &GitSnapshot, made: &[CommitSummary]) -> GitSnapshot {
    let head = match (before.head.branch(), made.last()) {
        (Some(name), Some(last)) => Head::Branch {
            name: name.to_owned(),
            commit: last.id.clone(),
        },
        (Some(_), None) | (None, _) => before.head.clone(),
    };
    let dirty = if head == seen.head {
        seen.dirty.clone()
    } else {
        before.dirty.clone()
    };
    GitSnapshot {
        head,
        dirty,
        ..before
    }
}

/// Gives each commit to the turn it was made in: the last that had begun by then, of those that began in this run.
fn share_out(made: &[CommitSummary], turns: &mut [TurnRecord], since: Timestamp) {
    let began = |turn: &TurnRecord| turn.started_at.map(|at| at.as_second());
    for commit in made {
        let ours = turns
            .iter_mut()
            .filter(|turn| began(turn).is_none_or(|at| at >= since.as_second() - 1));
        let turn = ours.fold(None, |best: Option<&mut TurnRecord>, turn| match best {
            Some(best) if began(turn).is_some_and(|at| at > commit.time) => Some(best),
            Some(_) | None => Some(turn),
        });
        if let Some(turn) = turn {
            turn.commits.push(commit.clone());
        }
    }
}
