//! What a merge of acyclic backlogs can close: cycles of needs, loops of parents. The newest edge is left out and told.
//!
//! Edges are taken in from the oldest to the newest, those of the base first; one that would close a cycle is left out.
//! So of every cycle the newest edge is missing, and no more edges than have to be. Merged with a side again, the same
//! edges are left out again. It doesn't search the whole graph for that, only what leads into a cycle.

use std::collections::BTreeMap;

use orch_protocol::ids::TaskId;
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;

use super::Lost;

/// Leaves out needs until no task needs itself, directly or over others, and parents until none is a part of itself.
pub(super) fn break_all(base: &Tasks, tasks: &mut Tasks, lost: &mut Vec<Lost>) {
    break_cycles(None, base, tasks, lost);
    break_loops(None, base, tasks, lost);
}

/// The same, where every cycle there may be leads through a task of `linked`.
pub(super) fn break_from(
    linked: &[&TaskId],
    base: &Tasks,
    tasks: &mut Tasks,
    lost: &mut Vec<Lost>,
) {
    break_cycles(Some(linked), base, tasks, lost);
    break_loops(Some(linked), base, tasks, lost);
}

fn break_cycles(linked: Option<&[&TaskId]>, base: &Tasks, tasks: &mut Tasks, lost: &mut Vec<Lost>) {
    let tangled = Nodes::reached(tasks, linked, |task| &task.needs).tangled(|task| &task.needs);
    if tangled.list.is_empty() {
        return;
    }
    let mut edges = Vec::new();
    for (from, (id, task)) in tangled.list.iter().enumerate() {
        for need in &task.needs {
            if let Some(to) = tangled.place_of(need) {
                let known = base.get(id).is_some_and(|task| task.needs.contains(need));
                edges.push(((!known, task.created_at, *id, need), from, to));
            }
        }
    }
    edges.sort();
    edges.dedup();
    let ends: Vec<(usize, usize)> = edges.iter().map(|(_, from, to)| (*from, *to)).collect();
    let mut order = Order::of(tangled.list.len(), &ends);
    let left_out: Vec<(TaskId, TaskId)> = edges
        .into_iter()
        .filter(|(_, from, to)| !order.add(*from, *to))
        .map(|((_, _, task, need), _, _)| (task.clone(), need.clone()))
        .collect();
    for (id, need) in left_out {
        if let Some(task) = tasks.get_mut(&id) {
            task.needs.retain(|known| *known != need);
        }
        let why = format!(
            "left out, for with what the other side added it closes a cycle: {id} → {need}"
        );
        lost.push(Lost {
            change: Change::AddNeed { task: id, need },
            why,
        });
    }
}

/// A task whose parent is left out gets the one that had lost to it, if there is one and it closes no loop.
fn break_loops(linked: Option<&[&TaskId]>, base: &Tasks, tasks: &mut Tasks, lost: &mut Vec<Lost>) {
    let second: BTreeMap<TaskId, TaskId> = lost.iter().filter_map(other_parent).collect();
    let linked: Option<Vec<&TaskId>> =
        linked.map(|linked| linked.iter().copied().chain(second.values()).collect());
    let parent: LeadsTo = |task| task.parent.as_slice();
    let tangled = Nodes::reached(tasks, linked.as_deref(), parent).tangled(parent);
    if tangled.list.is_empty() {
        return;
    }
    let mut parts: Vec<_> = tangled
        .list
        .iter()
        .enumerate()
        .map(|(from, (id, task))| {
            let known = base.get(id).is_some_and(|base| base.parent == task.parent);
            ((!known, task.created_at, *id), from, *task)
        })
        .collect();
    parts.sort_by_key(|(age, _, _)| *age);
    let ends = parts.iter().filter_map(|(_, from, task)| {
        let to = tangled.place_of(task.parent.as_ref()?)?;
        Some((*from, to))
    });
    let mut order = Order::of(tangled.list.len(), &ends.collect::<Vec<_>>());
    let mut free = |from: usize, parent: &TaskId| {
        tangled
            .place_of(parent)
            .is_none_or(|to| order.add(from, to))
    };
    let mut changed = Vec::new();
    for ((_, _, id), from, task) in parts {
        let Some(parent) = &task.parent else { continue };
        if !free(from, parent) {
            let second = second.get(id).filter(|second| free(from, second));
            changed.push((id.clone(), parent.clone(), second.cloned()));
        }
    }
    for (id, left_out, second) in changed {
        if let Some(second) = &second {
            lost.retain(|lost| {
                other_parent(lost).is_none_or(|told| told != (id.clone(), second.clone()))
            });
        }
        if let Some(task) = tasks.get_mut(&id) {
            task.parent = second;
        }
        let why = format!(
            "left out, for with what the other side changed {id} would be a part of itself: {id} → {left_out}"
        );
        let edit = TaskEdit {
            parent: Some(left_out.to_string()),
            ..TaskEdit::default()
        };
        lost.push(Lost {
            change: Change::EditTask { task: id, edit },
            why,
        });
    }
}

/// The parent that lost to another one.
fn other_parent(lost: &Lost) -> Option<(TaskId, TaskId)> {
    match &lost.change {
        Change::EditTask { task, edit } => {
            let parent = edit.parent.as_ref().filter(|parent| !parent.is_empty())?;
            Some((task.clone(), TaskId::new(parent.clone())))
        }
        _ => None,
    }
}

/// Tasks by id, found by binary search over the beginnings of their ids: a comparison that leaves the table costs more
/// than all the others.
struct Nodes<'a> {
    list: Vec<(&'a TaskId, &'a Task)>,
    heads: Vec<u128>,
}

type LeadsTo = fn(&Task) -> &[TaskId];

impl<'a> Nodes<'a> {
    fn new(list: Vec<(&'a TaskId, &'a Task)>) -> Self {
        let heads = list.iter().map(|(id, _)| Self::head(id)).collect();
        Self { list, heads }
    }

    /// All tasks that lead anywhere; of those, the ones that can be reached from `starts`, where there are any given.
    fn reached(tasks: &'a Tasks, starts: Option<&[&TaskId]>, leads_to: LeadsTo) -> Self {
        let Some(starts) = starts else {
            let any = tasks.iter().filter(|(_, task)| !leads_to(task).is_empty());
            return Self::new(any.collect());
        };
        let mut found = BTreeMap::new();
        let mut next: Vec<&TaskId> = starts.to_vec();
        while let Some(id) = next.pop() {
            if !found.contains_key(id)
                && let Some((id, task)) = tasks.get_key_value(id)
                && !leads_to(task).is_empty()
            {
                found.insert(id, task);
                next.extend(leads_to(task));
            }
        }
        Self::new(found.into_iter().collect())
    }

    fn head(id: &TaskId) -> u128 {
        let mut head = [0; 16];
        for (to, byte) in head.iter_mut().zip(id.as_str().bytes()) {
            *to = byte;
        }
        u128::from_be_bytes(head)
    }

    fn place_of(&self, id: &TaskId) -> Option<usize> {
        let head = Self::head(id);
        let first = self.heads.partition_point(|known| *known < head);
        let alike = self.heads[first..].partition_point(|known| *known == head);
        let found = self.list[first..first + alike].binary_search_by(|(known, _)| (*known).cmp(id));
        found.ok().map(|at| first + at)
    }

    /// Those from which a cycle can be reached; none where there is no cycle. Linear in the edges.
    fn tangled(self, leads_to: LeadsTo) -> Self {
        // Ends are taken away until none is left: what stays leads into a cycle.
        let mut open = vec![0_usize; self.list.len()];
        let mut back = vec![Vec::new(); self.list.len()];
        for (from, (_, task)) in self.list.iter().enumerate() {
            for to in leads_to(task) {
                if let Some(to) = self.place_of(to) {
                    open[from] += 1;
                    back[to].push(from);
                }
            }
        }
        let mut ends: Vec<usize> = (0..open.len()).filter(|node| open[*node] == 0).collect();
        while let Some(end) = ends.pop() {
            for from in &back[end] {
                open[*from] -= 1;
                if open[*from] == 0 {
                    ends.push(*from);
                }
            }
        }
        let left = self.list.into_iter().zip(open);
        Self::new(
            left.filter(|(_, open)| *open > 0)
                .map(|(node, _)| node)
                .collect(),
        )
    }
}

/// Nodes in an order in which every edge leads forward, kept while edges are added (Pearce and Kelly, 2006): only what
/// lies between the ends of a new edge is looked at.
struct Order {
    place: Vec<usize>,
    to: Vec<Vec<usize>>,
    from: Vec<Vec<usize>>,
}

impl Order {
    /// No edges yet, in an order that suits as many of `edges`, from the first on, as have no cycle: to add those costs
    /// no search.
    fn of(nodes: usize, edges: &[(usize, usize)]) -> Self {
        let (mut fits, mut fails) = (0, edges.len() + 1);
        let mut place = (0..nodes).collect();
        while fits + 1 < fails {
            let middle = fits.midpoint(fails);
            match ordered(nodes, &edges[..middle]) {
                Some(found) => (fits, place) = (middle, found),
                None => fails = middle,
            }
        }
        Self {
            place,
            to: vec![Vec::new(); nodes],
            from: vec![Vec::new(); nodes],
        }
    }

    /// Adds an edge, unless it would close a cycle.
    fn add(&mut self, from: usize, to: usize) -> bool {
        let (first, last) = (self.place[to], self.place[from]);
        if first <= last {
            let Some(ahead) = self.reach(to, &self.to, |place| place <= last, Some(from)) else {
                return false;
            };
            let behind = self.reach(from, &self.from, |place| place >= first, None);
            // What leads to the edge now stands before what it leads to, on the places that both held.
            let mut moved = behind.unwrap_or_default();
            moved.extend(ahead);
            let mut places: Vec<usize> = moved.iter().map(|node| self.place[*node]).collect();
            places.sort_unstable();
            for (node, place) in moved.into_iter().zip(places) {
                self.place[node] = place;
            }
        }
        self.to[from].push(to);
        self.from[to].push(from);
        true
    }

    /// What is reached from `start` over places that are `near`, in order; none if `goal` is among it.
    fn reach(
        &self,
        start: usize,
        edges: &[Vec<usize>],
        near: impl Fn(usize) -> bool,
        goal: Option<usize>,
    ) -> Option<Vec<usize>> {
        let mut seen = BTreeMap::from([(self.place[start], start)]);
        let mut next = vec![start];
        while let Some(node) = next.pop() {
            if Some(node) == goal {
                return None;
            }
            for on in &edges[node] {
                let place = self.place[*on];
                if near(place) && seen.insert(place, *on).is_none() {
                    next.push(*on);
                }
            }
        }
        Some(seen.into_values().collect())
    }
}

/// The place of each node in an order in which every edge leads forward; none where there is a cycle.
fn ordered(nodes: usize, edges: &[(usize, usize)]) -> Option<Vec<usize>> {
    let mut to = vec![Vec::new(); nodes];
    let mut open = vec![0_usize; nodes];
    for (from, on) in edges {
        to[*from].push(*on);
        open[*on] += 1;
    }
    let mut place = vec![0; nodes];
    let mut ready: Vec<usize> = (0..nodes).filter(|node| open[*node] == 0).collect();
    let mut placed = 0;
    while let Some(node) = ready.pop() {
        place[node] = placed;
        placed += 1;
        for on in &to[node] {
            open[*on] -= 1;
            if open[*on] == 0 {
                ready.push(*on);
            }
        }
    }
    (placed == nodes).then_some(place)
}
