//! The fence of petgraph: tasks and edges between them by number, and the one question that needs an algorithm of its
//! own: in which order they settle, and where they never do.

use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::places::Places;

/// Tasks, in the order of their ids, and edges from one that waits to one that comes before it.
pub(super) struct Edges<'a> {
    /// The tasks, sorted by id: an edge's ends are places in here.
    pub(super) tasks: Vec<&'a Task>,
    ids: Places<&'a TaskId>,
    graph: DiGraph<(), ()>,
}

/// Tasks that wait for each other, or one that doesn't.
pub(super) struct Knot {
    /// Who they are.
    pub(super) tasks: Vec<usize>,
    /// They wait for each other, or the one for itself.
    pub(super) is_cycle: bool,
}

impl<'a> Edges<'a> {
    /// The tasks that `kept` wants, without edges.
    pub(super) fn new(tasks: &'a Tasks, kept: impl Fn(&Task) -> bool) -> Self {
        let kept = tasks.iter().filter(|(_, task)| kept(task));
        let (ids, tasks): (Vec<&TaskId>, Vec<&Task>) = kept.unzip();
        let ids = Places::new(ids.into_iter());
        let mut graph = DiGraph::with_capacity(tasks.len(), tasks.len());
        for _ in &tasks {
            graph.add_node(());
        }
        Self { tasks, ids, graph }
    }

    /// The tasks that `kept` wants, and the needs between them.
    pub(super) fn of_needs(tasks: &'a Tasks, kept: impl Fn(&Task) -> bool) -> Self {
        let mut edges = Self::new(tasks, kept);
        for from in 0..edges.tasks.len() {
            let needs = &edges.tasks[from].needs;
            let before = needs.iter().filter_map(|need| edges.at(need)).collect();
            edges.add(from, before);
        }
        edges
    }

    /// Where a task stands; none when it isn't among them.
    pub(super) fn at(&self, id: &TaskId) -> Option<usize> {
        self.ids.at(id)
    }

    /// Adds edges from a task that has none yet; one that is named twice is one.
    pub(super) fn add(&mut self, from: usize, mut before: Vec<usize>) {
        before.sort_unstable();
        before.dedup();
        for to in before {
            self.graph
                .add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
    }

    /// What comes directly before a task.
    pub(super) fn before(&self, task: usize) -> impl Iterator<Item = usize> {
        self.graph
            .neighbors_directed(NodeIndex::new(task), Direction::Outgoing)
            .map(NodeIndex::index)
    }

    /// What waits directly for a task.
    pub(super) fn behind(&self, task: usize) -> impl Iterator<Item = usize> {
        self.graph
            .neighbors_directed(NodeIndex::new(task), Direction::Incoming)
            .map(NodeIndex::index)
    }

    /// All tasks, each after everything that it waits for; those that wait for each other together.
    pub(super) fn settled_first(&self) -> Vec<Knot> {
        kosaraju_scc(&self.graph)
            .into_iter()
            .map(|tasks| {
                let tasks: Vec<usize> = tasks.into_iter().map(NodeIndex::index).collect();
                let is_cycle = tasks.len() > 1
                    || tasks
                        .iter()
                        .any(|task| self.before(*task).any(|to| to == *task));
                Knot { tasks, is_cycle }
            })
            .collect()
    }
}
