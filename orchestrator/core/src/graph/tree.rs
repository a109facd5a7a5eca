//! The forest of parents and parts, as rows in the order in which they are shown. How a row looks is the drawer's.

use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::tasks::Tasks;

use super::places::Places;
use super::status::{Family, Statuses};

/// One task of the forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The task.
    pub task: &'a Task,
    /// How many stand above it, up to its root.
    pub depth: usize,
    /// It is the last one below its parent, or the last root.
    pub is_last: bool,
    /// Its parts that aren't shown because they would stand too deep.
    pub hidden: usize,
}

/// What concerns one now comes first: active, pending, blocked, done, dropped.
pub fn rank(status: TaskStatus) -> u8 {
    match status {
        TaskStatus::Active => 0,
        TaskStatus::Pending => 1,
        TaskStatus::Blocked => 2,
        TaskStatus::Done => 3,
        TaskStatus::Dropped => 4,
    }
}

/// The tasks that `kept` wants, and all that stand above them, each below its parent; nothing at a depth of `max_depth`
/// or more. Siblings are in the order of [`rank`], then the most urgent, then the oldest, then by id. A task whose parent
/// isn't there is a root, and so is the first of those in a parent loop.
pub fn tree<'a>(
    tasks: &'a Tasks,
    statuses: &Statuses,
    max_depth: usize,
    kept: impl Fn(&Task) -> bool,
) -> Vec<Row<'a>> {
    let ids = Places::new(tasks.keys());
    let held: Vec<&Task> = tasks.values().collect();
    let family = Family::new(&ids, tasks);
    let shown = shown(&family, &held, kept);
    let key = |at: &usize| {
        let task = held[*at];
        let status = statuses.of(ids[*at]);
        (rank(status), task.priority, task.created_at, ids[*at])
    };
    let sorted = |all: &mut dyn Iterator<Item = usize>| {
        let mut all: Vec<usize> = all.filter(|at| shown[*at]).collect();
        all.sort_by_key(key);
        all
    };
    let mut roots: Vec<usize> = (0..ids.len())
        .filter(|at| family.parent[*at].is_none())
        .collect();
    roots.extend(loop_heads(&family, key));
    let roots = sorted(&mut roots.into_iter());
    let mut rows = Vec::new();
    let mut seen = vec![false; ids.len()];
    let mut open: Vec<(usize, usize, bool)> = Vec::new();
    let push = |open: &mut Vec<_>, below: Vec<usize>, depth: usize| {
        let last = below.last().copied();
        let below = below.into_iter().rev();
        open.extend(below.map(|at| (at, depth, Some(at) == last)));
    };
    push(&mut open, roots, 0);
    while let Some((at, depth, is_last)) = open.pop() {
        if std::mem::replace(&mut seen[at], true) || depth >= max_depth {
            continue;
        }
        let parts = family.parts[at].iter().copied();
        let below = sorted(&mut parts.filter(|part| !seen[*part]));
        let hidden = if depth + 1 >= max_depth {
            below.len()
        } else {
            0
        };
        rows.push(Row {
            task: held[at],
            depth,
            is_last,
            hidden,
        });
        if hidden == 0 {
            push(&mut open, below, depth + 1);
        }
    }
    rows
}

/// Who is shown: those wanted, and everybody above them.
fn shown(family: &Family, held: &[&Task], kept: impl Fn(&Task) -> bool) -> Vec<bool> {
    let mut shown = vec![false; held.len()];
    for (at, task) in held.iter().enumerate() {
        if !kept(task) {
            continue;
        }
        let mut up = Some(at);
        while let Some(at) = up.filter(|at| !shown[*at]) {
            shown[at] = true;
            up = family.parent[at];
        }
    }
    shown
}

/// The first of each parent loop, by the order in which they would be shown.
fn loop_heads<K: Ord>(family: &Family, key: impl Fn(&usize) -> K) -> Vec<usize> {
    let mut looped = family.in_loops();
    looped.sort_by_key(&key);
    let mut seen = vec![false; family.parts.len()];
    let mut heads = Vec::new();
    for at in looped {
        if !seen[at] {
            heads.push(at);
        }
        let mut round = Some(at);
        while let Some(at) = round.filter(|at| !seen[*at]) {
            seen[at] = true;
            round = family.parent[at];
        }
    }
    heads
}
