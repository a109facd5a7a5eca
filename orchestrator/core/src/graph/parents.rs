//! How far parents and milestones are: what is counted are the tasks that have no parts themselves. Percentages, and
//! when something will be done, are nobody's business here.

use std::collections::{BTreeMap, BTreeSet};

use orch_protocol::ids::TaskId;
use orch_protocol::task::TaskStatus;
use orch_protocol::tasks::Tasks;

use super::places::Places;
use super::status::{Family, Statuses};

/// How many tasks have which status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Progress {
    pub pending: usize,
    pub active: usize,
    pub blocked: usize,
    pub done: usize,
    pub dropped: usize,
}

impl Progress {
    /// Those that count: all but the dropped ones.
    pub fn total(&self) -> usize {
        self.pending + self.active + self.blocked + self.done
    }

    /// Counts one task more.
    pub fn count(&mut self, status: TaskStatus) {
        match status {
            TaskStatus::Pending => self.pending += 1,
            TaskStatus::Active => self.active += 1,
            TaskStatus::Blocked => self.blocked += 1,
            TaskStatus::Done => self.done += 1,
            TaskStatus::Dropped => self.dropped += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.pending += other.pending;
        self.active += other.active;
        self.blocked += other.blocked;
        self.done += other.done;
        self.dropped += other.dropped;
    }
}

/// The progress of every task that has parts: of all below it that have none. Parents in a loop share what hangs below
/// the loop.
pub fn progress<'a>(tasks: &'a Tasks, statuses: &Statuses) -> BTreeMap<&'a TaskId, Progress> {
    let ids = Places::new(tasks.keys());
    let family = Family::new(&ids, tasks);
    let mut counted = vec![Progress::default(); ids.len()];
    for (at, parts) in family.parts.iter().enumerate() {
        if parts.is_empty() {
            counted[at].count(statuses.of(ids[at]));
        }
    }
    let looped: BTreeSet<usize> = family.in_loops().into_iter().collect();
    let parents = family.parents_deepest_first();
    for parent in &parents {
        let parts = family.parts[*parent].iter();
        let below = parts.filter(|part| !looped.contains(part));
        let sum = below.fold(Progress::default(), |mut sum, part| {
            sum.add(&counted[*part]);
            sum
        });
        counted[*parent] = sum;
    }
    let mut left = looped;
    while let Some(first) = left.first().copied() {
        let above = |at: &usize| family.parent[*at].filter(|at| *at != first);
        let round: Vec<usize> = std::iter::successors(Some(first), above).collect();
        let sum = round.iter().fold(Progress::default(), |mut sum, at| {
            sum.add(&counted[*at]);
            sum
        });
        for at in round {
            counted[at] = sum;
            left.remove(&at);
        }
    }
    parents
        .into_iter()
        .map(|at| (ids[at], counted[at]))
        .collect()
}

/// The progress of every milestone that a task names: of the tasks that name it, and for a parent that does, of all below
/// it; each counts once.
pub fn milestones<'a>(tasks: &'a Tasks, statuses: &Statuses) -> BTreeMap<&'a str, Progress> {
    let ids = Places::new(tasks.keys());
    let family = Family::new(&ids, tasks);
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, task) in tasks.values().enumerate() {
        if let Some(name) = &task.milestone {
            named.entry(name).or_default().push(at);
        }
    }
    let reached = named.into_iter().map(|(name, mut open)| {
        let mut seen: BTreeSet<usize> = open.iter().copied().collect();
        let mut found = Progress::default();
        while let Some(at) = open.pop() {
            if family.parts[at].is_empty() {
                found.count(statuses.of(ids[at]));
            }
            open.extend(family.parts[at].iter().filter(|part| seen.insert(**part)));
        }
        (name, found)
    });
    reached.collect()
}
