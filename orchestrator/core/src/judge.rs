//! Whether a task is done *here*: its claims, judged by what git can reach from HEAD.

use std::collections::BTreeSet;

use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::CommitId;
use orch_protocol::task::{Actor, Claim, ClaimState, Task, TaskStatus};

use crate::state::State;

/// The commits, of those that claims name, that HEAD reaches. Made by one walk, and worth nothing at another HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reachable(BTreeSet<CommitId>);

impl Reachable {
    /// Takes what the walk found.
    pub fn new(commits: impl IntoIterator<Item = CommitId>) -> Self {
        Self(commits.into_iter().collect())
    }

    /// With commits that are reached by what HEAD was when a run was cut off, though not by what it is now.
    pub fn with(mut self, commits: impl IntoIterator<Item = CommitId>) -> Self {
        self.0.extend(commits);
        self
    }

    /// HEAD reaches `commit`.
    pub fn contains(&self, commit: &CommitId) -> bool {
        self.0.contains(commit)
    }
}

/// Where a task is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Here {
    /// The branch; none when detached or outside a repository.
    pub branch: Option<String>,
    /// Top of the work tree; none outside a repository.
    pub worktree: Option<String>,
    /// The commit HEAD stands at.
    pub head: Option<CommitId>,
    /// What HEAD reaches.
    pub reachable: Reachable,
}

impl Here {
    /// The place a snapshot was taken at.
    pub fn new(snapshot: Option<&GitSnapshot>, reachable: Reachable) -> Self {
        match snapshot {
            None => Self {
                reachable,
                ..Self::default()
            },
            Some(seen) => Self {
                branch: seen.head.branch().map(str::to_owned),
                worktree: Some(seen.worktree.clone()),
                head: seen.head.commit().cloned(),
                reachable,
            },
        }
    }
}

/// Whether a claim holds here: with commits, if HEAD reaches them all; without, a person's word holds everywhere, an
/// agent's only on the branch and in the work tree it was given for.
pub fn holds(claim: &Claim, here: &Here) -> bool {
    if !claim.commits.is_empty() {
        return claim
            .commits
            .iter()
            .all(|commit| here.reachable.contains(commit));
    }
    match claim.by {
        Actor::Person => true,
        _ => {
            claim.branch == here.branch
                && (claim.worktree.is_none()
                    || here.worktree.is_none()
                    || claim.worktree == here.worktree)
        }
    }
}

/// The claim that decides a task's status here: the newest that holds, the later one in the list among equals.
pub fn deciding<'a>(task: &'a Task, here: &Here) -> Option<&'a Claim> {
    task.claims
        .iter()
        .filter(|claim| holds(claim, here))
        .max_by_key(|claim| claim.at)
}

/// A task's status here by its own claims; pending without one that holds.
pub fn status_at(task: &Task, here: &Here) -> TaskStatus {
    match deciding(task, here).map(|claim| claim.state) {
        None | Some(ClaimState::Pending) => TaskStatus::Pending,
        Some(ClaimState::Active) => TaskStatus::Active,
        Some(ClaimState::Blocked) => TaskStatus::Blocked,
        Some(ClaimState::Done) => TaskStatus::Done,
        Some(ClaimState::Dropped) => TaskStatus::Dropped,
    }
}

/// The other branch on which a done-claim that doesn't hold here was made: "done on feature".
pub fn done_elsewhere<'a>(task: &'a Task, here: &Here) -> Option<&'a str> {
    task.claims
        .iter()
        .rev()
        .filter(|claim| claim.state == ClaimState::Done && claim.branch != here.branch)
        .find(|claim| !holds(claim, here))
        .and_then(|claim| claim.branch.as_deref())
}

/// Every commit that a claim of `state` names: what a walk from HEAD has to look for.
pub fn claimed_commits(state: &State) -> BTreeSet<CommitId> {
    state
        .tasks
        .values()
        .flat_map(|task| &task.claims)
        .flat_map(|claim| claim.commits.iter().cloned())
        .collect()
}
