//! The task graph: what is ready, what closes a cycle. petgraph is named in this file alone.

use std::collections::{BTreeMap, BTreeSet};

use orch_protocol::ids::TaskId;
use orch_protocol::task::{ClaimState, Task, TaskStatus};
use petgraph::algo::{has_path_connecting, tarjan_scc};
use petgraph::graphmap::DiGraphMap;

use crate::judge::{Here, deciding, status_at};

/// Statuses of all tasks as seen from one place, parents derived from their parts.
#[derive(Debug, Clone, Default)]
pub struct Statuses {
    judged: BTreeMap<TaskId, TaskStatus>,
    parents: BTreeSet<TaskId>,
}

impl Statuses {
    /// Judges every task. A parent on whose own claims nothing holds takes its status from its parts: done when all
    /// that aren't dropped are done, active when one is active or done, else pending.
    pub fn judge(tasks: &BTreeMap<TaskId, Task>, here: &Here) -> Self {
        let mut parts: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
        for task in tasks.values() {
            if let Some(parent) = &task.parent {
                parts.entry(parent).or_default().push(&task.id);
            }
        }
        let mut judged: BTreeMap<TaskId, TaskStatus> = tasks
            .iter()
            .map(|(id, task)| (id.clone(), status_at(task, here)))
            .collect();
        // Deepest first: a parent's parts are settled before the parent. Depth is bounded against hostile parent loops.
        let mut parents: Vec<(usize, &TaskId)> =
            parts.keys().map(|id| (depth(tasks, id), *id)).collect();
        parents.sort_by(|a, b| b.cmp(a));
        for (_, parent) in parents {
            let Some(task) = tasks.get(parent) else {
                continue;
            };
            let own = deciding(task, here).map(|claim| claim.state);
            if own.is_some_and(|state| state != ClaimState::Active) {
                continue;
            }
            let of = parts
                .get(parent)
                .into_iter()
                .flatten()
                .filter_map(|id| judged.get(*id))
                .copied();
            let derived = derive(of, own.is_some());
            judged.insert(parent.clone(), derived);
        }
        let parents = parts.into_keys().cloned().collect();
        Self { judged, parents }
    }

    /// The status of a task; pending for one that isn't there.
    pub fn of(&self, id: &TaskId) -> TaskStatus {
        self.judged.get(id).copied().unwrap_or(TaskStatus::Pending)
    }

    /// Pending, not left to its parts, and every need done here.
    pub fn is_ready(&self, task: &Task) -> bool {
        self.of(&task.id) == TaskStatus::Pending
            && !self.parents.contains(&task.id)
            && task
                .needs
                .iter()
                .all(|need| self.of(need) == TaskStatus::Done)
    }
}

fn derive(parts: impl Iterator<Item = TaskStatus>, active: bool) -> TaskStatus {
    let live: Vec<TaskStatus> = parts
        .filter(|status| *status != TaskStatus::Dropped)
        .collect();
    if !live.is_empty() && live.iter().all(|status| *status == TaskStatus::Done) {
        TaskStatus::Done
    } else if active
        || live
            .iter()
            .any(|status| matches!(status, TaskStatus::Active | TaskStatus::Done))
    {
        TaskStatus::Active
    } else {
        TaskStatus::Pending
    }
}

fn depth(tasks: &BTreeMap<TaskId, Task>, id: &TaskId) -> usize {
    let above = |id: &TaskId| tasks.get(id).and_then(|task| task.parent.as_ref());
    std::iter::successors(above(id), |id| above(id))
        .take(64)
        .count()
}

fn needs(tasks: &BTreeMap<TaskId, Task>) -> DiGraphMap<&TaskId, ()> {
    let mut graph = DiGraphMap::new();
    for task in tasks.values() {
        graph.add_node(&task.id);
        for need in &task.needs {
            graph.add_edge(&task.id, need, ());
        }
    }
    graph
}

/// The cycle that the edge "`task` needs `need`" would close, from `task` round to `task`; `None` when it closes none.
pub fn cycle_closed_by(
    tasks: &BTreeMap<TaskId, Task>,
    task: &TaskId,
    need: &TaskId,
) -> Option<Vec<TaskId>> {
    if task == need {
        return Some(vec![task.clone(), task.clone()]);
    }
    if tasks.get(need).is_none_or(|need| need.needs.is_empty()) {
        return None;
    }
    let graph = needs(tasks);
    if !graph.contains_node(need) || !has_path_connecting(&graph, need, task, None) {
        return None;
    }
    let way = petgraph::algo::astar(&graph, need, |node| node == task, |_| 1u32, |_| 0u32)?.1;
    Some(std::iter::once(task).chain(way).cloned().collect())
}

/// No task needs itself, directly or over others.
pub fn is_acyclic(tasks: &BTreeMap<TaskId, Task>) -> bool {
    let graph = needs(tasks);
    tarjan_scc(&graph).iter().all(|part| part.len() == 1)
        && tasks.values().all(|task| !task.needs.contains(&task.id))
}

/// Tasks that can be begun, the most urgent first, then the oldest. Parents of open parts are left out.
pub fn ready<'a>(tasks: &'a BTreeMap<TaskId, Task>, statuses: &Statuses) -> Vec<&'a Task> {
    let mut ready: Vec<&Task> = tasks
        .values()
        .filter(|task| statuses.is_ready(task))
        .collect();
    ready.sort_by_key(|task| (task.priority, task.created_at, task.id.clone()));
    ready
}
