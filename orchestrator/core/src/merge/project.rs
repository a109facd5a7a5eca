//! What is no task: branch contexts, milestones, rewrites, history, and what waits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use orch_protocol::Timestamp;
use orch_protocol::ids::CommitId;
use orch_protocol::project::{BranchContext, FileComments, Milestone, Project};
use serde::Serialize;

use super::list::{self, Gone, Sides, stored, weight};

/// Merges field by field.
pub(super) fn merge(sides: Sides<'_, Project>) -> Project {
    Project {
        branches: list::map(
            sides.map(|project| &project.branches),
            Gone::Yields,
            merge_context,
        ),
        archived: list::map(
            sides.map(|project| &project.archived),
            Gone::Yields,
            |_, ours, theirs| newer(ours, theirs, |archived| archived.at),
        ),
        milestones: list::map(
            sides.map(|project| &project.milestones),
            Gone::Yields,
            merge_milestone,
        ),
        rewrites: merge_rewrites(sides.map(|project| &project.rewrites)),
        checkpoints: history(
            sides.map(|project| project.checkpoints.as_slice()),
            Project::MAX_CHECKPOINTS,
            |point| point.at,
        ),
        proposals: list::map(
            sides.map(|project| &project.proposals),
            Gone::Stays,
            |_, ours, theirs| newer(ours, theirs, |proposal| proposal.at),
        ),
        open_runs: list::map(
            sides.map(|project| &project.open_runs),
            Gone::Stays,
            |_, ours, theirs| newer(ours, theirs, |run| run.at),
        ),
        drift: history(
            sides.map(|project| project.drift.as_slice()),
            Project::MAX_DRIFT,
            |drift| drift.at,
        ),
        drift_choices: list::map(
            sides.map(|project| &project.drift_choices),
            Gone::Yields,
            |_, ours, theirs| newer(ours, theirs, |choice| choice.at),
        ),
        comments: merge_comments(sides.map(|project| &project.comments)),
    }
}

/// What stands above the tasks and what stands below them, each for itself; the longer text where both sides changed it.
fn merge_comments(sides: Sides<'_, Option<FileComments>>) -> Option<FileComments> {
    let blank = FileComments::default();
    let sides = sides.map(|comments| comments.as_ref().unwrap_or(&blank));
    let top = sides.map(|comments| &comments.top);
    let end = sides.map(|comments| &comments.end);
    let merged = FileComments {
        top: top.choose(|text| weight(Some(text))).0.clone(),
        end: end.choose(|text| weight(Some(text))).0.clone(),
    };
    Some(merged).filter(|merged| *merged != blank)
}

fn merge_context(
    base: Option<&BranchContext>,
    ours: &BranchContext,
    theirs: &BranchContext,
) -> BranchContext {
    let blank = BranchContext::default();
    let sides = Sides {
        base: base.unwrap_or(&blank),
        ours,
        theirs,
    };
    // What the last session left belongs together: one side's digest under another one's session would be a lie.
    let [base, ours, theirs] = [sides.base, sides.ours, sides.theirs].map(Left::of);
    let last = Sides {
        base: &base,
        ours: &ours,
        theirs: &theirs,
    };
    let (left, _) = last.choose(|left| {
        (
            left.digested_at(),
            left.0.last_session.clone(),
            left.stored(),
        )
    });
    let objective = sides.map(|context| &context.objective);
    let forked_from = sides.map(|context| &context.forked_from);
    let parked = sides.map(|context| &context.parked_thread);
    BranchContext {
        objective: objective.choose(|text| weight(text.as_deref())).0.clone(),
        forked_from: forked_from.choose(|text| weight(text.as_deref())).0.clone(),
        parked_thread: parked.choose(|thread| thread.as_ref()).0.clone(),
        ..left.0.clone()
    }
}

/// What the last session left on a branch: the session, its thread, its digest, git at its end.
struct Left<'a>(&'a BranchContext);

impl<'a> Left<'a> {
    fn of(context: &'a BranchContext) -> Self {
        Self(context)
    }

    fn digested_at(&self) -> Option<Timestamp> {
        self.0.digest.as_ref().map(|digest| digest.at)
    }

    fn stored(&self) -> String {
        let context = self.0;
        stored(&(&context.last_thread, &context.digest, &context.snapshot))
    }
}

impl PartialEq for Left<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0, other.0);
        a.last_session == b.last_session
            && a.last_thread == b.last_thread
            && a.digest == b.digest
            && a.snapshot == b.snapshot
    }
}

fn merge_milestone(base: Option<&Milestone>, ours: &Milestone, theirs: &Milestone) -> Milestone {
    let blank = Milestone::default();
    let sides = Sides {
        base: base.unwrap_or(&blank),
        ours,
        theirs,
    };
    let text = sides.map(|milestone| &milestone.text);
    let due = sides.map(|milestone| &milestone.due);
    Milestone {
        text: text.choose(|text| weight(text.as_deref())).0.clone(),
        // The earlier day; one over none.
        due: due.choose(|day| day.as_ref().map(Reverse)).0.clone(),
    }
}

type Rewrites = BTreeMap<CommitId, BTreeSet<CommitId>>;

fn merge_rewrites(sides: Sides<'_, Rewrites>) -> Rewrites {
    let none = BTreeSet::new();
    let mut out = sides.ours.clone();
    for named in super::differing(sides.base, sides.theirs) {
        let found = sides.map(|rewrites| rewrites.get(named).unwrap_or(&none));
        let found = match (sides.ours.get(named), sides.theirs.get(named)) {
            (ours, theirs) if ours == sides.base.get(named) => theirs.cloned(),
            (ours, theirs) if ours == theirs => ours.cloned(),
            _ => Some(union(found)).filter(|found| !found.is_empty()),
        };
        match found {
            Some(found) => out.insert(named.clone(), found),
            None => out.remove(named),
        };
    }
    out
}

/// Everything that a side added, and what neither removed.
fn union<T: Ord + Clone>(sides: Sides<'_, BTreeSet<T>>) -> BTreeSet<T> {
    let Sides { base, ours, theirs } = sides;
    let stays =
        |item: &&T| !base.contains(*item) || (ours.contains(*item) && theirs.contains(*item));
    ours.union(theirs).filter(stays).cloned().collect()
}

/// A list of what happened, oldest first: the newest `max` of what a side added and neither removed.
fn history<T: Clone + PartialEq + Serialize>(
    sides: Sides<'_, [T]>,
    max: usize,
    at: impl Fn(&T) -> Timestamp,
) -> Vec<T> {
    let mut out = list::keyed(
        sides,
        stored,
        |item| (at(item), stored(item)),
        |_, ours, _| ours.clone(),
    );
    if sides.settled().is_none() {
        let surplus = out.len().saturating_sub(max);
        out.drain(..surplus);
    }
    out
}

/// The newer of two; at the same time, the one that is greater as it is stored.
fn newer<T: Clone + Serialize>(ours: &T, theirs: &T, at: impl Fn(&T) -> Timestamp) -> T {
    let rank = |of: &T| (at(of), stored(of));
    if rank(ours) > rank(theirs) {
        ours
    } else {
        theirs
    }
    .clone()
}
