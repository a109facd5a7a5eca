//! Why a task has the status it has here: every claim, every commit it names, and what git says of them. Plain data;
//! how it is worded is the reader's.

use std::cmp::Reverse;

use orch_protocol::ids::CommitId;
use orch_protocol::task::{Actor, Claim, Task, TaskStatus};

use crate::judge::{Here, deciding, done_elsewhere, holds, is_unknown, may_hold, status_at};

/// A task's status at one place, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The status by the task's own claims; what its parts make of a parent is not in it.
    pub status: TaskStatus,
    /// The claim that decides it; none holds here where it is absent.
    pub deciding: Option<Said<'a>>,
    /// The other claims, the newest first.
    pub others: Vec<Said<'a>>,
    /// Another branch on which it is done.
    pub elsewhere: Option<&'a str>,
    /// A claim newer than the deciding one can't be judged: history is cut off.
    pub is_unknown: bool,
}

/// A claim, and whether it holds here.
#[derive(Debug, Clone, PartialEq)]
pub struct Said<'a> {
    /// The claim: its state, by whom, when, on which branch.
    pub claim: &'a Claim,
    /// Whether it counts here, and if not, why.
    pub verdict: Verdict,
    /// The commits it names, in its order.
    pub commits: Vec<(&'a CommitId, Place<'a>)>,
}

/// Whether a claim counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, and decides.
    Decides,
    /// It holds, and a newer one that holds decides.
    Overtaken,
    /// HEAD doesn't reach all of its commits.
    NotReached,
    /// Nobody can tell whether HEAD reaches its commits.
    Unknown,
    /// It names no commits, and was made on another branch.
    OtherBranch,
    /// It names no commits, and was made in another work tree.
    OtherWorktree,
}

/// Where a claimed commit is, as seen from HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// HEAD reaches it.
    Here,
    /// HEAD reaches its work under this id.
    Rewritten(&'a CommitId),
    /// HEAD reaches neither.
    NotHere,
    /// History is cut off before it could tell.
    Unknown,
}

/// Explains the status of `task` here.
pub fn explain<'a>(task: &'a Task, here: &'a Here) -> Explanation<'a> {
    let decides = deciding(task, here);
    let said = |claim: &'a Claim| Said {
        claim,
        verdict: verdict(claim, decides, here),
        commits: claim
            .commits
            .iter()
            .map(|commit| (commit, place(commit, here)))
            .collect(),
    };
    let is_deciding = |claim: &Claim| decides.is_some_and(|decides| std::ptr::eq(decides, claim));
    // Stable: of equals, the later in the list is the newer.
    let mut others: Vec<&Claim> = task.claims.iter().rev().collect();
    others.sort_by_key(|claim| Reverse(claim.at));
    Explanation {
        status: status_at(task, here),
        deciding: decides.map(said),
        others: others
            .into_iter()
            .filter(|claim| !is_deciding(claim))
            .map(said)
            .collect(),
        elsewhere: done_elsewhere(task, here),
        is_unknown: is_unknown(task, here),
    }
}

fn verdict(claim: &Claim, decides: Option<&Claim>, here: &Here) -> Verdict {
    if holds(claim, here) {
        return match decides {
            Some(decides) if std::ptr::eq(decides, claim) => Verdict::Decides,
            Some(_) | None => Verdict::Overtaken,
        };
    }
    if may_hold(claim, here) {
        return Verdict::Unknown;
    }
    match (claim.commits.is_empty(), claim.by) {
        (false, _) => Verdict::NotReached,
        (true, Actor::Person) => Verdict::Overtaken,
        (true, Actor::MainAgent | Actor::BacklogKeeper | Actor::Summariser | Actor::Supervisor)
            if claim.branch != here.branch =>
        {
            Verdict::OtherBranch
        }
        (true, Actor::MainAgent | Actor::BacklogKeeper | Actor::Summariser | Actor::Supervisor) => {
            Verdict::OtherWorktree
        }
    }
}

fn place<'a>(commit: &CommitId, here: &'a Here) -> Place<'a> {
    if here.reachable.is_ancestor(commit) {
        Place::Here
    } else if let Some(found) = here.reachable.rewritten_to(commit) {
        Place::Rewritten(found)
    } else if here.reachable.is_unknown(commit) {
        Place::Unknown
    } else {
        Place::NotHere
    }
}
