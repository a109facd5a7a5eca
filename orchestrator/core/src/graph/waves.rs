//! In which order the open tasks can be done: waves, and the longest chain. What a single task waits for is told by
//! [`waits`](super::waits).

use std::collections::BTreeMap;

use orch_protocol::ids::TaskId;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::tasks::Tasks;

use super::edges::Knot;
use super::most_urgent_first;
use super::status::Statuses;
use super::waits::Waits;

/// The open tasks in layers. A parent that is left to its parts isn't among them: it is done when they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waves<'a> {
    /// The first holds what is ready or active now; each next one what becomes ready once all before it are done. The
    /// most urgent comes first in each; none is empty.
    pub waves: Vec<Vec<&'a Task>>,
    /// Those that never become ready as things are: blocked ones, those behind a blocked or a dropped one, and those in
    /// a cycle.
    pub stuck: Vec<&'a Task>,
    /// Parents that are left to their parts, and the place in `waves` of that with which they are done; those that never
    /// are done as things are aren't here.
    pub parents: BTreeMap<&'a TaskId, usize>,
}

/// Sorts the open tasks into waves.
pub fn waves<'a>(tasks: &'a Tasks, statuses: &Statuses) -> Waves<'a> {
    let waits = Waits::new(tasks, statuses);
    let mut wave: Vec<Option<usize>> = vec![None; waits.status.len()];
    for Knot { tasks, is_cycle } in waits.edges.settled_first() {
        for at in tasks {
            wave[at] = match waits.status[at] {
                _ if is_cycle => None,
                TaskStatus::Blocked | TaskStatus::Dropped => None,
                TaskStatus::Done => Some(0),
                TaskStatus::Pending | TaskStatus::Active => waits
                    .edges
                    .before(at)
                    .map(|before| wave[before])
                    .try_fold(0, |most, before| Some(most.max(before?)))
                    .map(|most| most + usize::from(!waits.left_to_parts[at])),
            };
        }
    }
    let mut found = Waves::default();
    for (at, task) in waits.edges.tasks.iter().enumerate() {
        if !waits.status[at].is_open() {
            continue;
        }
        match wave[at].and_then(|wave| wave.checked_sub(1)) {
            wave if waits.left_to_parts[at] => {
                found.parents.extend(wave.map(|wave| (&task.id, wave)));
            }
            None => found.stuck.push(task),
            Some(wave) => {
                if found.waves.len() <= wave {
                    found.waves.resize(wave + 1, Vec::new());
                }
                found.waves[wave].push(task);
            }
        }
    }
    found.waves = found.waves.into_iter().map(most_urgent_first).collect();
    found.stuck = most_urgent_first(found.stuck);
    found
}

/// The longest chain of open tasks that wait for one another, by their number, in the order in which they are to be done.
/// Among chains of one length the one that ends in the most urgent task is taken, then the oldest, then by id; and so on
/// towards its beginning. A parent that is left to its parts isn't counted, its parts are. Tasks in a cycle are left out.
pub fn critical_path<'a>(tasks: &'a Tasks, statuses: &Statuses) -> Vec<&'a Task> {
    let waits = Waits::new(tasks, statuses);
    let key = |at: &usize| {
        let task = waits.edges.tasks[*at];
        (task.priority, task.created_at, &task.id)
    };
    let mut length: Vec<usize> = vec![0; waits.status.len()];
    let mut after: Vec<Option<usize>> = vec![None; waits.status.len()];
    let longest = |length: &[usize], among: &mut dyn Iterator<Item = usize>| {
        among.filter(|at| length[*at] > 0).max_by(|a, b| {
            length[*a]
                .cmp(&length[*b])
                .then_with(|| key(b).cmp(&key(a)))
        })
    };
    for Knot { tasks, is_cycle } in waits.edges.settled_first() {
        for at in tasks {
            if is_cycle || !waits.status[at].is_open() {
                continue;
            }
            after[at] = longest(&length, &mut waits.edges.before(at));
            let before = after[at].map_or(0, |before| length[before]);
            length[at] = before + usize::from(!waits.left_to_parts[at]);
        }
    }
    let mut done_by_somebody = (0..length.len()).filter(|at| !waits.left_to_parts[*at]);
    let last = longest(&length, &mut done_by_somebody);
    let mut path: Vec<&Task> = std::iter::successors(last, |at| after[*at])
        .filter(|at| !waits.left_to_parts[*at])
        .map(|at| waits.edges.tasks[at])
        .collect();
    path.reverse();
    path
}
