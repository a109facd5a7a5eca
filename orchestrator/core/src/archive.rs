//! Which closed tasks leave the backlog that is read on every command. They are moved, never dropped: the archive is
//! still shown and searched, and what is said of a task in it takes the task back.
//!
//! Nothing that stays may look different afterwards. So no task leaves that an open one needs or hangs together with:
//! trees leave whole, a parent before its parts.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use orch_protocol::Timestamp;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Actor, Claim, Task};
use orch_protocol::tasks::Tasks;

use crate::graph::Statuses;
use crate::judge::{Here, deciding};

/// When a closed task may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// It was closed longer ago than this.
    pub age: SignedDuration,
    /// So many of the closed tasks stay, the newest.
    pub newest: usize,
    /// At most so many leave at once.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            age: SignedDuration::from_hours(30 * 24),
            newest: 500,
            at_once: 200,
        }
    }
}

/// The tasks that are to leave, in that order. `trunk` is the branch that work goes to in the end, where it is known.
///
/// At a detached HEAD nothing leaves: what is done there may be done nowhere else.
pub fn leaving(
    tasks: &Tasks,
    here: &Here,
    trunk: Option<&str>,
    now: Timestamp,
    limits: &Limits,
) -> Vec<TaskId> {
    let is_detached = here.worktree.is_some() && here.branch.is_none();
    if is_detached || tasks.len() <= limits.newest {
        return Vec::new();
    }
    let statuses = Statuses::judge(tasks, here);
    // From here on a task is its place in the backlog's order: a look-up by id for each question would be most of the cost.
    let all: Vec<&Task> = tasks.values().collect();
    let ids: Vec<&TaskId> = tasks.keys().collect();
    let place = |id: &TaskId| ids.binary_search(&id).ok();
    let open: Vec<bool> = ids.iter().map(|id| statuses.of(id).is_open()).collect();
    let closed_at: Vec<Timestamp> = all.iter().map(|task| closed_at(task, here)).collect();
    let mut stays: Vec<bool> = all
        .iter()
        .enumerate()
        .map(|(at, task)| {
            let claim = deciding(task, here);
            open[at]
                || now.duration_since(closed_at[at]) <= limits.age
                || claim.is_some_and(|claim| !is_settled(claim, here, trunk))
        })
        .collect();
    let waiting = (0..all.len()).filter(|at| open[*at]);
    for need in waiting.flat_map(|at| &all[at].needs).filter_map(place) {
        stays[need] = true;
    }
    let mut newest: Vec<usize> = (0..all.len()).filter(|at| !open[*at]).collect();
    newest.sort_by_key(|at| Reverse((closed_at[*at], *at)));
    newest
        .into_iter()
        .take(limits.newest)
        .for_each(|at| stays[at] = true);

    let parent = |at: usize| place(all[at].parent.as_ref()?);
    let trees = Trees::of((0..all.len()).map(parent).collect());
    let held: BTreeSet<&str> = trees
        .whole
        .iter()
        .filter(|tree| tree.iter().any(|at| open[*at]))
        .flatten()
        .chain(&trees.looped)
        .filter_map(|at| all[*at].milestone.as_deref())
        .collect();
    let is_held = |at: usize| {
        let milestone = all[at].milestone.as_deref();
        stays[at] || milestone.is_some_and(|name| held.contains(name))
    };
    let mut leave: Vec<Vec<usize>> = trees.whole;
    leave.retain(|tree| !tree.iter().any(|at| is_held(*at)));
    leave.sort_by_key(|tree| {
        (
            tree.iter().map(|at| closed_at[*at]).max(),
            tree.first().copied(),
        )
    });
    let leave = leave.into_iter().flatten().take(limits.at_once);
    leave.map(|at| ids[at].clone()).collect()
}

/// When a task was closed here. One that is closed by its parts alone was closed when they were: they leave together.
fn closed_at(task: &Task, here: &Here) -> Timestamp {
    deciding(task, here).map_or(task.created_at, |claim| claim.at)
}

/// Whether a claim that holds here counts elsewhere too: a person's word does, and work that came here from another branch
/// or stands on the trunk. What was done on this very branch may still be missing everywhere else.
fn is_settled(claim: &Claim, here: &Here, trunk: Option<&str>) -> bool {
    let holds_everywhere = claim.commits.is_empty() && claim.by == Actor::Person;
    let came_here = claim.branch != here.branch;
    let is_trunk = trunk.is_none_or(|trunk| here.branch.as_deref() == Some(trunk));
    holds_everywhere || is_trunk || (came_here && !claim.commits.is_empty())
}

/// The backlog by its trees, each with its parents before their parts; a task is its place.
struct Trees {
    whole: Vec<Vec<usize>>,
    /// What hangs in or below a loop of parents: it has no root, and stays.
    looped: Vec<usize>,
}

impl Trees {
    /// `parents` holds the parent of each task, if that is in the backlog.
    fn of(parents: Vec<Option<usize>>) -> Self {
        let mut parts = vec![Vec::new(); parents.len()];
        let mut roots = Vec::new();
        for (part, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => parts[*parent].push(part),
                None => roots.push(part),
            }
        }
        let mut rooted = vec![false; parents.len()];
        let mut grow = |root| {
            let mut tree = vec![root];
            let mut next = 0;
            while let Some(at) = tree.get(next).copied() {
                rooted[at] = true;
                tree.extend(&parts[at]);
                next += 1;
            }
            tree
        };
        let whole = roots.into_iter().map(&mut grow).collect();
        let looped = (0..parents.len()).filter(|at| !rooted[*at]).collect();
        Self { whole, looped }
    }
}
