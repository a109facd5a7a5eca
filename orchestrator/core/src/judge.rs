//! Whether a task is done *here*: its claims, judged by what git can reach from HEAD.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use orch_protocol::git::{GitSnapshot, Head};
use orch_protocol::ids::CommitId;
use orch_protocol::task::{Actor, Claim, ClaimState, Task, TaskStatus};

use crate::state::State;

/// What git says, at one HEAD, of the commits that claims name. Made by one walk, and worth nothing at another HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reachable {
    /// Looked up once a claim: as quickly as can be.
    itself: HashSet<CommitId>,
    rewritten: BTreeMap<CommitId, CommitId>,
    unknown: BTreeSet<CommitId>,
}

impl Reachable {
    /// Takes the commits that HEAD reaches.
    pub fn new(commits: impl IntoIterator<Item = CommitId>) -> Self {
        Self {
            itself: commits.into_iter().collect(),
            ..Self::default()
        }
    }

    /// With commits that are reached by what HEAD was when a run was cut off, though not by what it is now.
    pub fn with(mut self, commits: impl IntoIterator<Item = CommitId>) -> Self {
        self.itself.extend(commits);
        self
    }

    /// With commits whose work HEAD reaches under another id: as named, and as found.
    pub fn with_rewritten(mut self, pairs: impl IntoIterator<Item = (CommitId, CommitId)>) -> Self {
        self.rewritten.extend(pairs);
        self
    }

    /// With commits of which nobody can tell: history is cut off before it says (a shallow clone).
    pub fn with_unknown(mut self, commits: impl IntoIterator<Item = CommitId>) -> Self {
        self.unknown.extend(commits);
        self
    }

    /// HEAD reaches the work of `commit`: as itself or rewritten.
    pub fn contains(&self, commit: &CommitId) -> bool {
        self.is_ancestor(commit) || self.rewritten.contains_key(commit)
    }

    /// HEAD reaches `commit` as itself.
    pub fn is_ancestor(&self, commit: &CommitId) -> bool {
        self.itself.contains(commit)
    }

    /// What `commit` was rewritten to, where HEAD reaches that and not itself.
    pub fn rewritten_to(&self, commit: &CommitId) -> Option<&CommitId> {
        self.rewritten
            .get(commit)
            .filter(|_| !self.is_ancestor(commit))
    }

    /// Nobody can tell whether HEAD reaches `commit`.
    pub fn is_unknown(&self, commit: &CommitId) -> bool {
        self.unknown.contains(commit) && !self.contains(commit)
    }
}

/// Where one stands in a repository: a look that costs nothing, without the files that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Absolute path of the git directory that all work trees share.
    pub common_dir: String,
    /// Absolute path of this work tree's top.
    pub worktree: String,
    /// What HEAD is.
    pub head: Head,
}

impl From<&GitSnapshot> for Stand {
    fn from(seen: &GitSnapshot) -> Self {
        Self {
            common_dir: seen.common_dir.clone(),
            worktree: seen.worktree.clone(),
            head: seen.head.clone(),
        }
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
        Self::at(snapshot.map(Stand::from).as_ref(), reachable)
    }

    /// The place where one stands; outside a repository without one.
    pub fn at(stand: Option<&Stand>, reachable: Reachable) -> Self {
        match stand {
            None => Self {
                reachable,
                ..Self::default()
            },
            Some(stand) => Self {
                branch: stand.head.branch().map(str::to_owned),
                worktree: Some(stand.worktree.clone()),
                head: stand.head.commit().cloned(),
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

/// The other branch on which a done-claim that doesn't hold here was made, as the newest word there: "done on feature".
/// Silent about a claim of which nobody can tell whether it holds here.
pub fn done_elsewhere<'a>(task: &'a Task, here: &Here) -> Option<&'a str> {
    let overtaken = |at: usize, claim: &Claim| {
        task.claims.iter().enumerate().any(|(index, other)| {
            let is_later = (other.at, index) > (claim.at, at);
            let counts_there = other.branch == claim.branch
                || (other.commits.is_empty() && other.by == Actor::Person);
            is_later && counts_there && other.state != ClaimState::Done
        })
    };
    task.claims
        .iter()
        .enumerate()
        .filter(|(_, claim)| claim.state == ClaimState::Done && claim.branch != here.branch)
        .filter(|(_, claim)| !holds(claim, here) && !may_hold(claim, here))
        .filter(|(at, claim)| !overtaken(*at, claim))
        .filter_map(|(at, claim)| Some(((claim.at, at), claim.branch.as_deref()?)))
        .max()
        .map(|(_, branch)| branch)
}

/// Whether nobody can tell that a claim holds here: commits it names are unknown, and none of them is known to be missing.
pub fn may_hold(claim: &Claim, here: &Here) -> bool {
    let known = |commit| here.reachable.contains(commit) || here.reachable.is_unknown(commit);
    !holds(claim, here) && !claim.commits.is_empty() && claim.commits.iter().all(known)
}

/// Whether a task's status here rests on what can't be told: a claim newer than the deciding one may hold.
pub fn is_unknown(task: &Task, here: &Here) -> bool {
    let decided = deciding(task, here).map(|claim| claim.at);
    task.claims
        .iter()
        .any(|claim| decided.is_none_or(|at| claim.at >= at) && may_hold(claim, here))
}

/// Every commit that a claim of `state` names: what a walk from HEAD has to look for.
pub fn claimed_commits(state: &State) -> BTreeSet<CommitId> {
    let claims = state.tasks.values().flat_map(|task| &task.claims);
    let commits = claims.flat_map(|claim| &claim.commits);
    // Sorted by what stands side by side first: ten thousand ids are told apart without following a pointer each time.
    let mut claimed: Vec<(u64, &CommitId)> =
        commits.map(|commit| (commit.head(), commit)).collect();
    claimed.sort_unstable();
    claimed.dedup();
    claimed.into_iter().map(|(_, id)| id.clone()).collect()
}
