//! The task graph: what is ready, what closes a cycle. Its rooms tell more: [`waits`] what holds a task up and what it
//! frees, [`waves`] in which order the open tasks can be done, [`parents`] how far their parts are, [`reduce`] and
//! [`tree`] what a picture shows. Pure and iterative: a hostile backlog (cycles, parent loops, needs of nothing, chains
//! of any depth) costs neither the stack nor the end of a loop. Nothing here draws or changes anything.

mod cycle;
mod edges;
pub mod parents;
mod places;
pub mod reduce;
mod status;
pub mod tree;
pub mod waits;
pub mod waves;

use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;

use edges::Edges;

pub use cycle::{cycle_closed_by, cycle_closed_by_new, cycle_closed_by_parent, wait_closed_by};
pub use status::Statuses;

/// No task needs itself, directly or over others.
pub fn is_acyclic(tasks: &Tasks) -> bool {
    Edges::of_needs(tasks, |_| true)
        .settled_first()
        .iter()
        .all(|knot| !knot.is_cycle)
}

/// Tasks that can be begun, the most urgent first, then the oldest. Parents of open parts are left out.
pub fn ready<'a>(tasks: &'a Tasks, statuses: &Statuses) -> Vec<&'a Task> {
    let ready = tasks
        .values()
        .filter(|task| statuses.is_ready(task))
        .collect();
    most_urgent_first(ready)
}

/// The order in which tasks are offered: the most urgent first, then the oldest, then by id.
fn most_urgent_first(mut tasks: Vec<&Task>) -> Vec<&Task> {
    tasks.sort_by_key(|task| (task.priority, task.created_at, &task.id));
    tasks
}
