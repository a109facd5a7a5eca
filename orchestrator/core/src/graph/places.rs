//! Ids by place: where an id stands among many, found by comparing numbers that lie side by side instead of following a
//! pointer for each comparison. Which tasks they name is the business of whoever asks.

use std::borrow::Borrow;

use orch_protocol::ids::TaskId;

/// Sorted ids.
#[derive(Debug, Clone)]
pub(super) struct Places<I> {
    ids: Vec<I>,
    /// The first eight bytes of each id, as a number that sorts as they do.
    heads: Vec<u64>,
}

impl<I> Default for Places<I> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            heads: Vec::new(),
        }
    }
}

impl<I: Borrow<TaskId>> Places<I> {
    /// Takes ids that are sorted, as the keys of a map are.
    pub(super) fn new(ids: impl Iterator<Item = I>) -> Self {
        let ids: Vec<I> = ids.collect();
        let heads = ids.iter().map(|id| id.borrow().head()).collect();
        Self { ids, heads }
    }

    /// Where an id stands.
    pub(super) fn at(&self, id: &TaskId) -> Option<usize> {
        let head = id.head();
        let first = self.heads.partition_point(|known| *known < head);
        (first..self.heads.len())
            .take_while(|at| self.heads[*at] == head)
            .find(|at| self.ids[*at].borrow() == id)
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &I> {
        self.ids.iter()
    }
}

impl<I> std::ops::Index<usize> for Places<I> {
    type Output = I;

    fn index(&self, at: usize) -> &I {
        &self.ids[at]
    }
}
