//! Tasks and claims of ours, made of what was imported.

use std::collections::HashMap;

use orch_protocol::Timestamp;
use orch_protocol::ids::{ClaimId, TaskId};
use orch_protocol::task::{Actor, Claim, ClaimState, Origin, Task};

use super::{Imported, ImportedTask};

/// Who imports, where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Importer {
    /// When.
    pub now: Timestamp,
    /// The branch they are on.
    pub branch: Option<String>,
    /// The work tree they are in.
    pub worktree: Option<String>,
}

/// The tasks to add, each with the claim that says its state: a person's word without commits, which holds everywhere. A
/// pending task has none. The claim of a task that is there already is not to be added again: its state may have changed.
///
/// A task stands before those it needs, so that adding one after the other never has a cycle to look for.
pub fn to_tasks(imported: &Imported, by: &Importer) -> Vec<(Task, Option<Claim>)> {
    let ours: HashMap<&str, &TaskId> = imported
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), &task.task))
        .collect();
    dependents_first(&imported.tasks)
        .into_iter()
        .map(|task| (made(task, &ours, by), claim(task, by)))
        .collect()
}

fn made(from: &ImportedTask, ours: &HashMap<&str, &TaskId>, by: &Importer) -> Task {
    let find = |id: &String| ours.get(id.as_str()).map(|id| (*id).clone());
    let mut needs: Vec<TaskId> = from.needs.iter().filter_map(find).collect();
    needs.sort();
    needs.dedup();
    let origin = Origin::Import {
        format: from.format.name().to_owned(),
        id: from.id.clone(),
    };
    // A clock that is wrong elsewhere doesn't make a task of the future.
    let created_at = from.created_at.map_or(by.now, |at| at.min(by.now));
    Task {
        owner: from.owner.clone(),
        priority: from.priority,
        parent: from.parent.as_ref().and_then(find),
        needs,
        milestone: from.milestone.clone(),
        acceptance: from.acceptance.clone(),
        notes: from.notes.clone(),
        ..Task::new(from.task.clone(), from.title.clone(), origin, created_at)
    }
}

fn claim(from: &ImportedTask, by: &Importer) -> Option<Claim> {
    let word = match from.state {
        ClaimState::Pending => return None,
        ClaimState::Active => "active",
        ClaimState::Blocked => "blocked",
        ClaimState::Done => "done",
        ClaimState::Dropped => "dropped",
    };
    Some(Claim {
        id: ClaimId::from_seed(&["import", from.task.as_str(), word]),
        state: from.state,
        by: Actor::Person,
        at: from.stated_at.map_or(by.now, |at| at.min(by.now)),
        branch: by.branch.clone(),
        worktree: by.worktree.clone(),
        commits: Vec::new(),
        files: Vec::new(),
        reason: from.reason.clone(),
    })
}

/// Kahn's order along the needs; needs never close a cycle here, and what would all the same comes last.
fn dependents_first(tasks: &[ImportedTask]) -> Vec<&ImportedTask> {
    let index: HashMap<&str, usize> = tasks
        .iter()
        .enumerate()
        .map(|(at, task)| (task.id.as_str(), at))
        .collect();
    let mut waiting = vec![0usize; tasks.len()];
    let needs = |task: &ImportedTask| -> Vec<usize> {
        let found = task
            .needs
            .iter()
            .filter_map(|need| index.get(need.as_str()));
        found.copied().collect()
    };
    for task in tasks {
        for need in needs(task) {
            if let Some(count) = waiting.get_mut(need) {
                *count += 1;
            }
        }
    }
    let free = waiting.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut free: std::collections::VecDeque<usize> = free.map(|(at, _)| at).collect();
    let mut order = Vec::with_capacity(tasks.len());
    let mut placed = vec![false; tasks.len()];
    while let Some(at) = free.pop_front() {
        let Some(task) = tasks.get(at) else { continue };
        order.push(task);
        if let Some(placed) = placed.get_mut(at) {
            *placed = true;
        }
        for need in needs(task) {
            if let Some(count) = waiting.get_mut(need) {
                *count -= 1;
                if *count == 0 {
                    free.push_back(need);
                }
            }
        }
    }
    let left = tasks.iter().zip(&placed).filter(|(_, placed)| !**placed);
    order.extend(left.map(|(task, _)| task));
    order
}
