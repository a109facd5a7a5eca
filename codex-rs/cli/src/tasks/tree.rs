//! Tasks below the tasks they are parts of, as rows with guides. Loops of parents, which only hands and merges can make,
//! are shown and end nothing.

use std::collections::{BTreeMap, BTreeSet};

use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;

/// A row of the tree.
#[derive(Debug)]
pub(crate) struct Branch<'a> {
    /// What stands before the title.
    pub(crate) guide: String,
    /// The task.
    pub(crate) task: &'a Task,
    /// It was asked for; else it is there for what stands below it.
    pub(crate) is_wanted: bool,
}

/// Deeper rows stand as deep as these.
const MAX_DEPTH: usize = 10;

/// The parts of every task that has some.
pub(crate) fn parts(tasks: &Tasks) -> BTreeMap<&TaskId, Vec<&Task>> {
    let mut parts: BTreeMap<&TaskId, Vec<&Task>> = BTreeMap::new();
    for task in tasks.values() {
        if let Some(parent) = &task.parent {
            parts.entry(parent).or_default().push(task);
        }
    }
    parts
}

/// `wanted`, in their order, below what they are parts of.
pub(crate) fn branches<'a>(tasks: &'a Tasks, wanted: &[&'a Task]) -> Vec<Branch<'a>> {
    let of = |id: &TaskId| tasks.get(id);
    let above = |task: &'a Task| task.parent.as_ref().and_then(of);
    let is_wanted: BTreeSet<&TaskId> = wanted.iter().map(|task| &task.id).collect();
    // In the order in which the first of them is met; a task whose parents go round in a loop is a root.
    let mut below: BTreeMap<&TaskId, Vec<&'a Task>> = BTreeMap::new();
    let mut roots: Vec<&'a Task> = Vec::new();
    let mut placed: BTreeSet<&TaskId> = BTreeSet::new();
    for task in wanted {
        let mut way = BTreeSet::new();
        let mut at = *task;
        while placed.insert(&at.id) {
            way.insert(&at.id);
            match above(at) {
                Some(parent) if !way.contains(&parent.id) => {
                    below.entry(&parent.id).or_default().push(at);
                    at = parent;
                }
                Some(_) | None => {
                    roots.push(at);
                    break;
                }
            }
        }
    }
    let mut rows = Vec::new();
    // The guide of what stands below, the row's own, and whether it is the last of its siblings.
    let mut open: Vec<(String, &'a Task, Option<bool>)> = Vec::new();
    open.extend(
        roots
            .into_iter()
            .rev()
            .map(|root| (String::new(), root, None)),
    );
    while let Some((lead, task, last)) = open.pop() {
        let (own, under) = match last {
            None => ("", ""),
            Some(true) => ("└─ ", "   "),
            Some(false) => ("├─ ", "│  "),
        };
        let is_deep = lead.chars().count() >= 3 * MAX_DEPTH;
        let under = if is_deep {
            lead.clone()
        } else {
            format!("{lead}{under}")
        };
        rows.push(Branch {
            guide: format!("{lead}{own}"),
            task,
            is_wanted: is_wanted.contains(&task.id),
        });
        let parts = below.remove(&task.id).unwrap_or_default();
        let count = parts.len();
        let parts = parts.into_iter().enumerate().rev();
        open.extend(parts.map(|(n, part)| (under.clone(), part, Some(n + 1 == count))));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_protocol::Timestamp;
    use orch_protocol::task::Origin;

    fn drawn(edges: &[(&str, &str)], wanted: &[&str]) -> String {
        let id = |name: &str| TaskId::from_seed(&[name]);
        let origin = Origin::Person { branch: None };
        let task = |(name, parent): &(&str, &str)| Task {
            parent: Some(id(parent)).filter(|_| !parent.is_empty()),
            ..Task::new(id(name), *name, origin.clone(), Timestamp::UNIX_EPOCH)
        };
        let tasks: Tasks = edges.iter().map(|edge| (id(edge.0), task(edge))).collect();
        let wanted: Vec<&Task> = wanted
            .iter()
            .filter_map(|name| tasks.get(&id(name)))
            .collect();
        let row = |row: Branch<'_>| {
            let dot = if row.is_wanted { "" } else { "." };
            format!("{}{}{dot}\n", row.guide, row.task.title)
        };
        branches(&tasks, &wanted).into_iter().map(row).collect()
    }

    #[test]
    fn parts_stand_below_their_parents_in_the_order_asked_for() {
        let edges = [("a", ""), ("b", "a"), ("c", "a"), ("d", "b"), ("e", "")];
        assert_eq!(
            drawn(&edges, &["e", "c", "d", "a", "b"]),
            "e\na\n├─ c\n└─ b\n   └─ d\n"
        );
        // What wasn't asked for is there for what stands below it.
        assert_eq!(drawn(&edges, &["d", "c"]), "a.\n├─ b.\n│  └─ d\n└─ c\n");
    }

    #[test]
    fn loops_and_parents_that_are_gone_end_nothing() {
        let edges = [
            ("a", "c"),
            ("b", "a"),
            ("c", "b"),
            ("s", "s"),
            ("g", "gone"),
        ];
        let rows = drawn(&edges, &["a", "b", "c", "s", "g"]);
        assert_eq!(rows.lines().count(), 5, "{rows}");
        assert!(rows.contains("\ng\n"), "{rows}");
    }

    #[test]
    fn a_chain_of_any_length_is_drawn() {
        let names: Vec<String> = (0..30_000).map(|n| n.to_string()).collect();
        let parent = |n: usize| if n == 0 { "" } else { names[n - 1].as_str() };
        let edges: Vec<(&str, &str)> = names
            .iter()
            .enumerate()
            .map(|(n, name)| (name.as_str(), parent(n)))
            .collect();
        let rows = drawn(&edges, &["29999"]);
        assert_eq!(rows.lines().count(), 30_000);
        assert!(rows.lines().all(|row| row.chars().count() < 60));
    }
}
