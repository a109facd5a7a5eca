//! Cycles, told before they are closed and whole. Two kinds of waiting are looked at: of needs alone, which is what the
//! state refuses when facts are applied; and of needs and parts together (a parent waits for its parts), which is what a
//! command refuses. Only what can be reached from the new edge is looked at.

use std::collections::{BTreeMap, VecDeque};

use orch_protocol::ids::TaskId;
use orch_protocol::tasks::Tasks;

/// The cycle of needs that the edge "`task` needs `need`" would close, from `task` round to `task`; `None` when it closes
/// none. It is the shortest one. Parents and parts don't count here.
pub fn cycle_closed_by(tasks: &Tasks, task: &TaskId, need: &TaskId) -> Option<Vec<TaskId>> {
    closed(tasks, &Parts::new(), task, need)
}

/// As [`cycle_closed_by`], and a parent counts as waiting for its parts: a task that needs what it is a part of could
/// never be done. Each task on the way waits for the next one, as a need or as a part.
pub fn wait_closed_by(tasks: &Tasks, task: &TaskId, need: &TaskId) -> Option<Vec<TaskId>> {
    closed(tasks, &parts(tasks), task, need)
}

/// The cycle that making `task` a part of `parent` would close, from `parent` round to `parent`: a loop of parents, or a
/// task that waits for what it is a part of. `None` when it closes none. A parent that `task` has now doesn't matter.
pub fn cycle_closed_by_parent(
    tasks: &Tasks,
    task: &TaskId,
    parent: &TaskId,
) -> Option<Vec<TaskId>> {
    closed(tasks, &parts(tasks), parent, task)
}

/// The cycle that a new task `id` with this parent and these needs would close, from the parent round to the parent;
/// `None` when it closes none. Nothing waits for a new task but its parent.
pub fn cycle_closed_by_new(
    tasks: &Tasks,
    id: &TaskId,
    parent: &TaskId,
    needs: &[TaskId],
) -> Option<Vec<TaskId>> {
    let parts = parts(tasks);
    needs.iter().find_map(|need| {
        let way = way(tasks, &parts, need, parent)?;
        Some([parent, id].into_iter().chain(way).cloned().collect())
    })
}

type Parts<'a> = BTreeMap<&'a TaskId, Vec<&'a TaskId>>;

fn parts(tasks: &Tasks) -> Parts<'_> {
    let mut parts = Parts::new();
    for (id, task) in tasks {
        if let Some(parent) = &task.parent {
            parts.entry(parent).or_default().push(id);
        }
    }
    parts
}

fn closed(tasks: &Tasks, parts: &Parts<'_>, from: &TaskId, to: &TaskId) -> Option<Vec<TaskId>> {
    let way = way(tasks, parts, to, from)?;
    Some(std::iter::once(from).chain(way).cloned().collect())
}

/// The shortest way of waiting from one task to another, both named; broad before deep.
fn way<'a>(
    tasks: &'a Tasks,
    parts: &Parts<'a>,
    from: &'a TaskId,
    to: &'a TaskId,
) -> Option<Vec<&'a TaskId>> {
    let mut came_from: BTreeMap<&TaskId, Option<&TaskId>> = BTreeMap::from([(from, None)]);
    let mut next = VecDeque::from([from]);
    while let Some(at) = next.pop_front() {
        if at == to {
            let mut way: Vec<&TaskId> =
                std::iter::successors(Some(at), |id| came_from.get(id).copied().flatten())
                    .collect();
            way.reverse();
            return Some(way);
        }
        let needs = tasks.get(at).map(|task| task.needs.as_slice());
        let parts = parts.get(at).map(Vec::as_slice);
        let before = needs.into_iter().flatten();
        for waited in before.chain(parts.into_iter().flatten().copied()) {
            came_from.entry(waited).or_insert_with(|| {
                next.push_back(waited);
                Some(at)
            });
        }
    }
    None
}
