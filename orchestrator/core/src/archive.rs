//! Which closed tasks leave the backlog that is read on every command. They are moved, never dropped: the archive is
//! still shown and searched, and what is said of a task in it takes the task back.
//!
//! Nothing that stays may look different afterwards. So no task leaves that an open one needs or hangs together with:
//! trees leave whole, a parent before its parts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use orch_protocol::Timestamp;
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Actor, Claim, Task};

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
    tasks: &BTreeMap<TaskId, Task>,
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
    let kept = kept(tasks, here, &statuses, limits.newest);
    let may_leave = |task: &&Task| {
        let claim = deciding(task, here);
        !kept.contains(&task.id)
            && !statuses.of(&task.id).is_open()
            && now.duration_since(closed_at(task, here)) > limits.age
            && claim.is_none_or(|claim| is_settled(claim, here, trunk))
    };
    let trees = Trees::of(tasks);
    let open = |tree: &[&Task]| tree.iter().any(|task| statuses.of(&task.id).is_open());
    let held: BTreeSet<&str> = trees
        .whole
        .iter()
        .filter(|tree| open(tree))
        .flatten()
        .chain(&trees.looped)
        .filter_map(|task| task.milestone.as_deref())
        .collect();
    let is_free = |task: &&Task| {
        let milestone = task.milestone.as_deref();
        milestone.is_none_or(|name| !held.contains(name))
    };
    let mut leave: Vec<_> = trees
        .whole
        .iter()
        .filter(|tree| tree.iter().all(|task| may_leave(task) && is_free(task)))
        .map(|tree| {
            let last = tree.iter().map(|task| closed_at(task, here)).max();
            (last, tree)
        })
        .collect();
    leave.sort_by_key(|(last, tree)| (*last, tree.first().map(|root| &root.id)));
    leave
        .into_iter()
        .flat_map(|(_, tree)| tree.iter().map(|task| task.id.clone()))
        .take(limits.at_once)
        .collect()
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

/// What stays, whatever its age: the newest of the closed tasks, and what an open one needs.
fn kept<'a>(
    tasks: &'a BTreeMap<TaskId, Task>,
    here: &Here,
    statuses: &Statuses,
    newest: usize,
) -> BTreeSet<&'a TaskId> {
    let (open, mut closed): (Vec<&Task>, Vec<&Task>) = tasks
        .values()
        .partition(|task| statuses.of(&task.id).is_open());
    closed.sort_by_cached_key(|task| Reverse((closed_at(task, here), &task.id)));
    let newest = closed.into_iter().take(newest).map(|task| &task.id);
    let needed = open.into_iter().flat_map(|task| &task.needs);
    newest.chain(needed).collect()
}

/// The backlog by its trees, each with its parents before their parts.
struct Trees<'a> {
    whole: Vec<Vec<&'a Task>>,
    /// What hangs in or below a loop of parents: it has no root, and stays.
    looped: Vec<&'a Task>,
}

impl<'a> Trees<'a> {
    fn of(tasks: &'a BTreeMap<TaskId, Task>) -> Self {
        let mut parts: BTreeMap<&TaskId, Vec<&Task>> = BTreeMap::new();
        let mut roots = Vec::new();
        for task in tasks.values() {
            match task.parent.as_ref().filter(|id| tasks.contains_key(id)) {
                Some(parent) => parts.entry(parent).or_default().push(task),
                None => roots.push(task),
            }
        }
        let mut rooted = BTreeSet::new();
        let whole = roots
            .into_iter()
            .map(|root| {
                let mut tree = vec![root];
                let mut at = 0;
                while let Some(task) = tree.get(at) {
                    rooted.insert(&task.id);
                    tree.extend(parts.get(&task.id).into_iter().flatten());
                    at += 1;
                }
                tree
            })
            .collect();
        let looped = tasks.values().filter(|task| !rooted.contains(&task.id));
        Self {
            whole,
            looped: looped.collect(),
        }
    }
}
