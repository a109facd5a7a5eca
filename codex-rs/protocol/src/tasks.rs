//! Tasks by id. A task is some 450 bytes: the tree holds pointers to them, so that it is cheap to build, to search and to
//! keep, and none of its nodes stands half empty.

use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};
use std::iter::Map;
use std::ops::{Index, RangeBounds};

use crate::ids::TaskId;
use crate::task::Task;

/// Tasks by their ids, in the order of ids. It is used like a [`BTreeMap`] of tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tasks(BTreeMap<TaskId, Box<Task>>);

impl Tasks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The task with this id.
    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.0.get(id).map(Box::as_ref)
    }

    /// The task with this id, and the id as it stands here.
    pub fn get_key_value(&self, id: &TaskId) -> Option<(&TaskId, &Task)> {
        self.0.get_key_value(id).map(by_ref)
    }

    /// The task with this id, to be changed.
    pub fn get_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        self.0.get_mut(id).map(Box::as_mut)
    }

    /// There is a task with this id.
    pub fn contains_key(&self, id: &TaskId) -> bool {
        self.0.contains_key(id)
    }

    /// Puts a task there; returns the one that was there under this id.
    pub fn insert(&mut self, id: TaskId, task: Task) -> Option<Task> {
        self.0.insert(id, Box::new(task)).map(|task| *task)
    }

    /// The task with this id, to be changed; where there is none, the one that `task` makes is put there.
    pub fn get_or_insert_with(&mut self, id: &TaskId, task: impl FnOnce() -> Task) -> &mut Task {
        let held = self.0.entry(id.clone());
        held.or_insert_with(|| Box::new(task()))
    }

    /// Takes a task out.
    pub fn remove(&mut self, id: &TaskId) -> Option<Task> {
        self.0.remove(id).map(|task| *task)
    }

    /// Moves all of `other` here; what has the same id takes the place of what was here.
    pub fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    /// Keeps those that `is_kept` wants.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&TaskId, &mut Task) -> bool) {
        self.0.retain(|id, task| is_kept(id, task));
    }

    /// The ids, in order.
    pub fn keys(&self) -> btree_map::Keys<'_, TaskId, Box<Task>> {
        self.0.keys()
    }

    /// The ids, in order.
    pub fn into_keys(self) -> btree_map::IntoKeys<TaskId, Box<Task>> {
        self.0.into_keys()
    }

    /// The tasks, in the order of ids.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Task> + ExactSizeIterator + Clone {
        self.0.values().map(Box::as_ref)
    }

    /// The tasks to be changed, in the order of ids.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.0.values_mut().map(Box::as_mut)
    }

    /// Ids and tasks.
    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(by_ref)
    }

    /// Ids and tasks between two ids.
    pub fn range<R: RangeBounds<TaskId>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = (&TaskId, &Task)> {
        self.0.range(range).map(by_ref)
    }
}

/// Ids and tasks, in the order of ids.
pub type Iter<'a> = Map<btree_map::Iter<'a, TaskId, Box<Task>>, ByRef<'a>>;
type ByRef<'a> = fn((&'a TaskId, &'a Box<Task>)) -> (&'a TaskId, &'a Task);
/// Ids and tasks, taken out.
pub type IntoIter = Map<btree_map::IntoIter<TaskId, Box<Task>>, Unboxed>;
type Unboxed = fn((TaskId, Box<Task>)) -> (TaskId, Task);

// The tree lends its boxes.
#[allow(clippy::borrowed_box)]
fn by_ref<'a>((id, task): (&'a TaskId, &'a Box<Task>)) -> (&'a TaskId, &'a Task) {
    (id, task)
}

impl<'a> IntoIterator for &'a Tasks {
    type Item = (&'a TaskId, &'a Task);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(by_ref as ByRef<'a>)
    }
}

impl IntoIterator for Tasks {
    type Item = (TaskId, Task);
    type IntoIter = IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0
            .into_iter()
            .map((|(id, task)| (id, *task)) as Unboxed)
    }
}

impl FromIterator<(TaskId, Task)> for Tasks {
    fn from_iter<I: IntoIterator<Item = (TaskId, Task)>>(tasks: I) -> Self {
        tasks.into_iter().map(boxed).collect()
    }
}

impl FromIterator<(TaskId, Box<Task>)> for Tasks {
    fn from_iter<I: IntoIterator<Item = (TaskId, Box<Task>)>>(tasks: I) -> Self {
        Self(tasks.into_iter().collect())
    }
}

impl Extend<(TaskId, Task)> for Tasks {
    fn extend<I: IntoIterator<Item = (TaskId, Task)>>(&mut self, tasks: I) {
        self.0.extend(tasks.into_iter().map(boxed));
    }
}

fn boxed((id, task): (TaskId, Task)) -> (TaskId, Box<Task>) {
    (id, Box::new(task))
}

impl<Q: Borrow<TaskId>> Index<Q> for Tasks {
    type Output = Task;

    /// # Panics
    ///
    /// There is no such task.
    fn index(&self, id: Q) -> &Task {
        &self.0[id.borrow()]
    }
}
