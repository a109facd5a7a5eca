//! What holds a task up, and what it frees. A task waits for its unmet needs; one that is left to its parts waits for
//! those that are open; one that is active waits for nothing, for somebody has begun it.

use std::collections::BTreeSet;

use orch_protocol::ids::TaskId;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::tasks::Tasks;

use super::edges::Edges;
use super::most_urgent_first;
use super::places::Places;
use super::status::{Family, Statuses};

/// What holds a task up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockedBy<'a> {
    /// The needs that it names itself and that aren't done here, the most urgent first.
    pub needs: Vec<&'a Task>,
    /// Where the waiting begins: tasks that it waits for, directly or over others, and that wait for nothing
    /// themselves. These are ready, active, blocked or dropped. Empty when it waits for nothing, or in a cycle only.
    pub first: Vec<&'a Task>,
}

/// What a task frees when it is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unblocks<'a> {
    /// What becomes ready at once, the most urgent first.
    pub next: Vec<&'a Task>,
    /// Every open task that waits for it, directly or over others; `next` is among these.
    pub downstream: Vec<&'a Task>,
}

/// What holds `id` up; nothing when it isn't there.
pub fn blocked_by<'a>(tasks: &'a Tasks, statuses: &Statuses, id: &TaskId) -> BlockedBy<'a> {
    let waits = Waits::new(tasks, statuses);
    let Some(task) = waits.edges.at(id) else {
        return BlockedBy::default();
    };
    let reached = walk(task, |at| waits.edges.before(at));
    let first = reached
        .into_iter()
        .filter(|at| *at != task && waits.edges.before(*at).next().is_none());
    let needs: BTreeSet<&TaskId> = waits.edges.tasks[task].needs.iter().collect();
    BlockedBy {
        needs: most_urgent_first(
            needs
                .into_iter()
                .filter(|need| statuses.is_unmet(need))
                .filter_map(|need| tasks.get(need))
                .collect(),
        ),
        first: most_urgent_first(first.map(|at| waits.edges.tasks[at]).collect()),
    }
}

/// What `id` frees when it is done; nothing when it isn't there or is done already.
pub fn unblocks<'a>(tasks: &'a Tasks, statuses: &Statuses, id: &TaskId) -> Unblocks<'a> {
    let waits = Waits::new(tasks, statuses);
    let Some(task) = waits.edges.at(id) else {
        return Unblocks::default();
    };
    if waits.status[task] == TaskStatus::Done {
        return Unblocks::default();
    }
    let next = waits.freed_by(task);
    // A dropped part that is done after all frees what waits for its parent, though nothing waits for it now.
    let from = std::iter::once(task).chain(next.iter().copied());
    let mut downstream: BTreeSet<usize> = from
        .flat_map(|from| walk(from, |at| waits.edges.behind(at)))
        .collect();
    downstream.remove(&task);
    let tasks = |all: BTreeSet<usize>| {
        most_urgent_first(all.into_iter().map(|at| waits.edges.tasks[at]).collect())
    };
    Unblocks {
        next: tasks(next),
        downstream: tasks(downstream),
    }
}

/// A task with everything that it waits for and everything that waits for it, as far as needs and parts lead, whatever
/// their status; none when it isn't there.
pub fn around<'a>(tasks: &'a Tasks, id: &TaskId) -> BTreeSet<&'a TaskId> {
    let mut edges = Edges::new(tasks, |_| true);
    let ids = Places::new(tasks.keys());
    let family = Family::new(&ids, tasks);
    for at in 0..ids.len() {
        let needs = edges.tasks[at].needs.iter();
        let needs = needs.filter_map(|need| edges.at(need));
        let before = needs.chain(family.parts[at].iter().copied()).collect();
        edges.add(at, before);
    }
    let Some(task) = edges.at(id) else {
        return BTreeSet::new();
    };
    let before = walk(task, |at| edges.before(at));
    let behind = walk(task, |at| edges.behind(at));
    before.union(&behind).map(|at| ids[*at]).collect()
}

/// Everything reached from a task, itself included.
fn walk<I: Iterator<Item = usize>>(from: usize, to: impl Fn(usize) -> I) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for next in to(at) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

/// Who waits for whom: an edge goes from an open task to one that must be done before it is.
pub(super) struct Waits<'a> {
    pub(super) edges: Edges<'a>,
    pub(super) status: Vec<TaskStatus>,
    /// Open, and done by itself when its parts are: nobody does it.
    pub(super) left_to_parts: Vec<bool>,
    by_parts: Vec<bool>,
    family: Family,
}

impl<'a> Waits<'a> {
    pub(super) fn new(tasks: &'a Tasks, statuses: &Statuses) -> Self {
        let mut edges = Edges::new(tasks, |_| true);
        let ids = Places::new(tasks.keys());
        let family = Family::new(&ids, tasks);
        let status: Vec<TaskStatus> = ids.iter().map(|id| statuses.of(id)).collect();
        let by_parts: Vec<bool> = ids.iter().map(|id| statuses.is_by_parts(id)).collect();
        let left_to_parts: Vec<bool> = (0..ids.len())
            .map(|at| status[at].is_open() && by_parts[at] && statuses.has_open_parts(ids[at]))
            .collect();
        for at in 0..ids.len() {
            let parts = family.parts[at].iter().copied();
            let open_parts = parts.filter(|part| status[*part].is_open());
            let needs = edges.tasks[at].needs.iter();
            let unmet = needs
                .filter_map(|need| edges.at(need))
                .filter(|need| status[*need] != TaskStatus::Done);
            let before: Vec<usize> = match status[at] {
                TaskStatus::Done | TaskStatus::Dropped => Vec::new(),
                _ if left_to_parts[at] => open_parts.collect(),
                TaskStatus::Active => Vec::new(),
                TaskStatus::Pending | TaskStatus::Blocked => open_parts.chain(unmet).collect(),
            };
            edges.add(at, before);
        }
        Self {
            edges,
            status,
            left_to_parts,
            by_parts,
            family,
        }
    }

    /// What becomes ready when a task is done: with it, parents are done whose last open part it was.
    fn freed_by(&self, task: usize) -> BTreeSet<usize> {
        let mut done = BTreeSet::from([task]);
        let mut newly = vec![task];
        let mut touched = BTreeSet::new();
        while let Some(at) = newly.pop() {
            touched.extend(self.edges.behind(at));
            let Some(parent) = self.family.parent[at] else {
                continue;
            };
            touched.insert(parent);
            let whole = self.family.parts[parent].iter().all(|part| {
                done.contains(part)
                    || matches!(self.status[*part], TaskStatus::Done | TaskStatus::Dropped)
            });
            if whole
                && self.by_parts[parent]
                && self.status[parent] != TaskStatus::Done
                && done.insert(parent)
            {
                newly.push(parent);
            }
        }
        touched.retain(|at| {
            self.status[*at] == TaskStatus::Pending
                && !done.contains(at)
                && !self.left_to_parts[*at]
                && self.edges.before(*at).next().is_some()
                && self.edges.before(*at).all(|before| done.contains(&before))
        });
        touched
    }
}
