//! A layered layout: needs to the left of what waits for them. The layers and the order inside each are found here, the
//! coordinates in [`place`](super::place). Our own, in a few hundred lines: the published crates are young or no longer kept,
//! and none promises a bound on its work for a hostile graph.
//!
//! Each connected piece is laid out by itself, and the pieces are put on shelves; what stands alone comes last, in a grid.

use std::collections::VecDeque;

use super::drawing::Drawing;
use super::place::{Shelf, place};

/// A box's width, in pixels.
pub(super) const WIDE: f64 = 216.0;
/// A box's height.
pub(super) const HIGH: f64 = 46.0;

/// Where everything stands.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The upper left corner of each task's box.
    pub(super) boxes: Vec<(f64, f64)>,
    /// The way of each drawn arrow, from the right of the first box to the left of the second, by points.
    pub(super) ways: Vec<Vec<(f64, f64)>>,
}

/// One connected piece, in layers. Slots are tasks, and bends of arrows that pass a layer.
pub(super) struct Piece {
    /// Slots by layer, from top to bottom.
    pub(super) layers: Vec<Vec<usize>>,
    /// What each slot is.
    pub(super) slots: Vec<Slot>,
    /// The slots to the left of each, and to its right.
    pub(super) left: Vec<Vec<usize>>,
    pub(super) right: Vec<Vec<usize>>,
}

/// What stands in a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A task, by its place in the drawing.
    Task(usize),
    /// A bend of an arrow, by its place among those drawn.
    Bend(usize),
}

/// Lays a drawing out.
pub(super) fn layout(drawing: &Drawing) -> Layout {
    let arrows: Vec<(usize, usize)> = drawing
        .drawn()
        .map(|arrow| (arrow.first, arrow.then))
        .collect();
    let count = drawing.nodes.len();
    let forward = forward(count, &arrows);
    let layer = layers(count, &forward);
    let mut shelf = Shelf::new(count, arrows.len());
    let mut alone = Vec::new();
    let mut pieces = pieces(count, &forward);
    pieces.sort_by_key(|tasks| std::cmp::Reverse(tasks.len()));
    let mut of_piece = vec![0; count];
    for (n, tasks) in pieces.iter().enumerate() {
        tasks.iter().for_each(|task| of_piece[*task] = n);
    }
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); pieces.len()];
    for (n, (first, _)) in forward.iter().enumerate() {
        if let Some(inside) = of_piece
            .get(*first)
            .and_then(|piece| inside.get_mut(*piece))
        {
            inside.push(n);
        }
    }
    for (tasks, inside) in pieces.iter().zip(&inside) {
        match tasks.as_slice() {
            [task] => alone.push(*task),
            tasks => {
                let mut piece = Piece::new(tasks, inside, &forward, &layer);
                piece.untangle();
                shelf.put(place(&piece));
            }
        }
    }
    shelf.put_alone(&alone);
    shelf.finish(&arrows, &forward)
}

/// The arrows, those turned round that close a cycle: each then leads from a lower to a higher place in one order.
fn forward(count: usize, arrows: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut waits = vec![0usize; count];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (first, then) in arrows.iter().filter(|(first, then)| first != then) {
        waits[*then] += 1;
        behind[*first].push(*then);
    }
    let mut free: VecDeque<usize> = (0..count).filter(|task| waits[*task] == 0).collect();
    let mut rest = 0..count;
    let mut place: Vec<Option<usize>> = vec![None; count];
    let mut next = 0;
    // Where nothing is free any more, a cycle is cut open at the first task left.
    while let Some(task) = free
        .pop_front()
        .or_else(|| rest.find(|task| place[*task].is_none()))
    {
        if place[task].is_some() {
            continue;
        }
        place[task] = Some(next);
        next += 1;
        for then in &behind[task] {
            waits[*then] = waits[*then].saturating_sub(1);
            if waits[*then] == 0 {
                free.push_back(*then);
            }
        }
    }
    let turned = |(first, then): &(usize, usize)| match place[*first] <= place[*then] {
        true => (*first, *then),
        false => (*then, *first),
    };
    arrows.iter().map(turned).collect()
}

/// The layer of each task: as far left as its needs let it; what needs nothing stands next to the first that needs it.
fn layers(count: usize, forward: &[(usize, usize)]) -> Vec<usize> {
    let mut waits = vec![0usize; count];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (first, then) in forward.iter().filter(|(first, then)| first != then) {
        waits[*then] += 1;
        behind[*first].push(*then);
    }
    let sources: Vec<usize> = (0..count).filter(|task| waits[*task] == 0).collect();
    let mut layer = vec![0usize; count];
    let mut free = sources.clone();
    while let Some(task) = free.pop() {
        for then in &behind[task] {
            layer[*then] = layer[*then].max(layer[task] + 1);
            waits[*then] -= 1;
            if waits[*then] == 0 {
                free.push(*then);
            }
        }
    }
    for task in sources {
        let nearest = behind[task].iter().map(|then| layer[*then]).min();
        layer[task] = nearest.map_or(0, |nearest| nearest.saturating_sub(1));
    }
    layer
}

/// The tasks of each connected piece.
fn pieces(count: usize, arrows: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (first, then) in arrows {
        beside[*first].push(*then);
        beside[*then].push(*first);
    }
    let mut seen = vec![false; count];
    let mut pieces = Vec::new();
    for start in 0..count {
        let mut open = vec![start];
        let mut piece = Vec::new();
        while let Some(task) = open.pop() {
            if !std::mem::replace(&mut seen[task], true) {
                piece.push(task);
                open.extend(&beside[task]);
            }
        }
        if !piece.is_empty() {
            piece.sort_unstable();
            pieces.push(piece);
        }
    }
    pieces
}

impl Piece {
    /// Puts tasks into their layers, and a bend into each layer that an arrow passes.
    fn new(tasks: &[usize], inside: &[usize], forward: &[(usize, usize)], layer: &[usize]) -> Self {
        let least = tasks.iter().map(|task| layer[*task]).min().unwrap_or(0);
        let most = tasks.iter().map(|task| layer[*task]).max().unwrap_or(0);
        let mut piece = Self {
            layers: vec![Vec::new(); most - least + 1],
            slots: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
        };
        let mut slot_of = std::collections::BTreeMap::new();
        for task in tasks {
            slot_of.insert(*task, piece.add(Slot::Task(*task), layer[*task] - least));
        }
        // Bends are worth their cost as long as there aren't many more of them than tasks.
        let passed: usize = inside
            .iter()
            .map(|n| layer[forward[*n].1].saturating_sub(layer[forward[*n].0] + 1))
            .sum();
        let bends = passed <= 8 * tasks.len() + 400;
        for n in inside {
            let (first, then) = forward[*n];
            let (Some(from), Some(to)) = (slot_of.get(&first), slot_of.get(&then)) else {
                continue;
            };
            let mut last = *from;
            let between = layer[first] + 1..layer[then];
            for passed in between.filter(|_| bends) {
                let bend = piece.add(Slot::Bend(*n), passed - least);
                piece.join(last, bend);
                last = bend;
            }
            if last != *to {
                piece.join(last, *to);
            }
        }
        piece
    }

    fn add(&mut self, slot: Slot, layer: usize) -> usize {
        self.slots.push(slot);
        self.left.push(Vec::new());
        self.right.push(Vec::new());
        self.layers[layer].push(self.slots.len() - 1);
        self.slots.len() - 1
    }

    fn join(&mut self, left: usize, right: usize) {
        self.right[left].push(right);
        self.left[right].push(left);
    }

    /// Orders each layer by the middle of its neighbours, to and fro, and keeps the order with the fewest crossings.
    fn untangle(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for round in 0..10 {
            let to_the_right = round % 2 == 0;
            let count = self.layers.len();
            for step in 1..count {
                let at = if to_the_right { step } else { count - 1 - step };
                let beside = if to_the_right { at - 1 } else { at + 1 };
                self.sort_layer(at, beside, to_the_right);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
            if best.0 == 0 {
                break;
            }
        }
        self.layers = best.1;
    }

    fn sort_layer(&mut self, at: usize, beside: usize, to_the_right: bool) {
        let mut place = std::collections::BTreeMap::new();
        for (n, slot) in self.layers[beside].iter().enumerate() {
            place.insert(*slot, n as f64);
        }
        let near = if to_the_right {
            &self.left
        } else {
            &self.right
        };
        let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(self.layers[at].len());
        let mut last = -1.0;
        for slot in &self.layers[at] {
            let near = near[*slot].iter().filter_map(|slot| place.get(slot));
            let (count, sum) = near.fold((0.0, 0.0), |(count, sum), at| (count + 1.0, sum + at));
            // What has no neighbour there stays with the one before it.
            last = if count > 0.0 { sum / count } else { last };
            keyed.push((last, *slot));
        }
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.layers[at] = keyed.into_iter().map(|(_, slot)| slot).collect();
    }

    /// How many pairs of arrows cross between neighbouring layers.
    fn crossings(&self) -> usize {
        let mut place = vec![0usize; self.slots.len()];
        for layer in &self.layers {
            for (n, slot) in layer.iter().enumerate() {
                place[*slot] = n;
            }
        }
        self.layers
            .iter()
            .map(|layer| {
                let ends = layer.iter().flat_map(|slot| {
                    let mut ends: Vec<usize> =
                        self.right[*slot].iter().map(|to| place[*to]).collect();
                    ends.sort_unstable();
                    ends
                });
                inversions(&ends.collect::<Vec<_>>())
            })
            .sum()
    }
}

/// Pairs that stand the wrong way round, counted by a tree of sums.
fn inversions(ends: &[usize]) -> usize {
    let most = ends.iter().copied().max().unwrap_or(0);
    let mut sums = vec![0usize; most + 2];
    let mut found = 0;
    for (seen, end) in ends.iter().enumerate() {
        let mut not_above = 0;
        let mut at = end + 1;
        while at > 0 {
            not_above += sums[at];
            at &= at - 1;
        }
        found += seen - not_above;
        let mut at = end + 1;
        while at < sums.len() {
            sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    found
}
