//! The statuses of all tasks as seen from one place: their own by claims, those of parents by their parts. It is worked
//! out on every command, so its cost is that of one sort. What a single claim says is judged elsewhere.

use std::borrow::Borrow;

use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task, TaskStatus};
use orch_protocol::tasks::Tasks;

use super::places::Places;
use crate::judge::{Here, deciding, status_at};

/// Statuses of all tasks as seen from one place, parents derived from their parts.
#[derive(Debug, Clone, Default)]
pub struct Statuses {
    ids: Places<TaskId>,
    judged: Vec<Judged>,
}

#[derive(Debug, Clone, Copy)]
struct Judged {
    status: TaskStatus,
    /// It has parts, and nothing but "active" was said of it itself: it is what its parts are.
    by_parts: bool,
    /// There are parts of it.
    has_parts: bool,
    /// At least one of them is open.
    has_open_parts: bool,
}

impl Statuses {
    /// Judges every task. A parent on whose own claims nothing holds takes its status from its parts: done when all
    /// that aren't dropped are done, active when one is active or done, else pending. In a loop of parents, each is
    /// derived once, in the order of their ids.
    pub fn judge(tasks: &Tasks, here: &Here) -> Self {
        let ids = Places::new(tasks.keys().cloned());
        let mut judged: Vec<Judged> = tasks
            .values()
            .map(|task| Judged {
                status: status_at(task, here),
                by_parts: false,
                has_parts: false,
                has_open_parts: false,
            })
            .collect();
        let family = Family::new(&ids, tasks);
        let held: Vec<&Task> = tasks.values().collect();
        let parents = family.parents_deepest_first();
        for parent in parents.iter().copied() {
            let parts = &family.parts[parent];
            let own = deciding(held[parent], here).map(|claim| claim.state);
            if own.is_some_and(|state| state != ClaimState::Active) {
                continue;
            }
            let of = parts.iter().map(|part| judged[*part].status);
            judged[parent].status = derive(of, own.is_some());
            judged[parent].by_parts = true;
        }
        // Last: in a loop, a part may be derived after the task that it is a part of.
        for parent in parents {
            let mut parts = family.parts[parent].iter();
            judged[parent].has_parts = true;
            judged[parent].has_open_parts = parts.any(|part| judged[*part].status.is_open());
        }
        Self { ids, judged }
    }

    /// The status of a task; pending for one that isn't there.
    pub fn of(&self, id: &TaskId) -> TaskStatus {
        self.get(id)
            .map_or(TaskStatus::Pending, |judged| judged.status)
    }

    /// Pending, not left to its parts, and every need done here. A need of a task that isn't in the backlog holds
    /// nobody up: that task was archived, or its adding was undone.
    pub fn is_ready(&self, task: &Task) -> bool {
        let own = self.get(&task.id);
        own.is_none_or(|own| own.status == TaskStatus::Pending && !own.has_open_parts)
            && task.needs.iter().all(|need| !self.is_unmet(need))
    }

    /// A need of this task isn't met: the task is there and isn't done.
    pub fn is_unmet(&self, need: &TaskId) -> bool {
        self.get(need)
            .is_some_and(|judged| judged.status != TaskStatus::Done)
    }

    /// The task has parts, whatever their status.
    pub fn has_parts(&self, id: &TaskId) -> bool {
        self.get(id).is_some_and(|judged| judged.has_parts)
    }

    /// The task has a part that is open: it is left to its parts, and isn't begun itself.
    pub fn has_open_parts(&self, id: &TaskId) -> bool {
        self.get(id).is_some_and(|judged| judged.has_open_parts)
    }

    /// The task is done when its parts are, with no word on itself.
    pub fn is_by_parts(&self, id: &TaskId) -> bool {
        self.get(id).is_some_and(|judged| judged.by_parts)
    }

    fn get(&self, id: &TaskId) -> Option<&Judged> {
        self.judged.get(self.ids.at(id)?)
    }
}

fn derive(parts: impl Iterator<Item = TaskStatus>, active: bool) -> TaskStatus {
    let (mut live, mut done, mut begun) = (0usize, 0usize, active);
    for status in parts {
        match status {
            TaskStatus::Dropped => continue,
            TaskStatus::Done => {
                done += 1;
                begun = true;
            }
            TaskStatus::Active => begun = true,
            TaskStatus::Pending | TaskStatus::Blocked => {}
        }
        live += 1;
    }
    match (live > 0 && live == done, begun) {
        (true, _) => TaskStatus::Done,
        (false, true) => TaskStatus::Active,
        (false, false) => TaskStatus::Pending,
    }
}

/// Who is a part of whom, by place in the backlog's order. A parent that isn't there is none.
pub(super) struct Family {
    /// The parts of each task.
    pub(super) parts: Vec<Vec<usize>>,
    /// The parent of each task.
    pub(super) parent: Vec<Option<usize>>,
}

impl Family {
    /// `ids` are the keys of `tasks`, in order.
    pub(super) fn new<I: Borrow<TaskId>>(ids: &Places<I>, tasks: &Tasks) -> Self {
        let parent: Vec<Option<usize>> = tasks
            .values()
            .map(|task| ids.at(task.parent.as_ref()?))
            .collect();
        let mut parts = vec![Vec::new(); ids.len()];
        for (part, parent) in parent.iter().enumerate() {
            if let Some(parent) = parent {
                parts[*parent].push(part);
            }
        }
        Self { parts, parent }
    }

    /// Every task that has parts, each after all of its parts that have parts; those in a loop come last, by id.
    pub(super) fn parents_deepest_first(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.parts.iter().map(Vec::len).collect();
        let mut settled: Vec<usize> = (0..open.len()).filter(|task| open[*task] == 0).collect();
        let mut order = Vec::new();
        while let Some(task) = settled.pop() {
            if !self.parts[task].is_empty() {
                order.push(task);
            }
            if let Some(parent) = self.parent[task] {
                open[parent] -= 1;
                if open[parent] == 0 {
                    settled.push(parent);
                }
            }
        }
        order.extend((0..open.len()).filter(|task| open[*task] > 0));
        order
    }

    /// The tasks that a parent loop goes through.
    pub(super) fn in_loops(&self) -> Vec<usize> {
        let order = self.parents_deepest_first();
        let mut settled = vec![false; self.parts.len()];
        let mut looped = Vec::new();
        for task in order {
            let whole = self.parts[task]
                .iter()
                .all(|part| self.parts[*part].is_empty() || settled[*part]);
            settled[task] = whole;
            if !whole {
                looped.push(task);
            }
        }
        looped
    }
}
