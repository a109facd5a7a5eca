//! Coordinates for a layered piece, and where the pieces stand beside each other. The order in each layer is given.

use std::collections::BTreeMap;

use super::layout::{HIGH, Layout, Piece, Slot, WIDE};

/// Between layers, room for the arrows.
const BETWEEN: f64 = 64.0;
/// Between boxes of a layer.
const GAP: f64 = 14.0;
/// A bend is this high.
const BEND: f64 = 6.0;
/// Around the whole, and between pieces.
const MARGIN: f64 = 28.0;

/// A piece with coordinates, its upper left corner at 0, 0.
pub(super) struct Placed {
    width: f64,
    height: f64,
    /// Tasks with their corners.
    boxes: Vec<(usize, f64, f64)>,
    /// Arrows with their bends, from left to right.
    bends: BTreeMap<usize, Vec<(f64, f64)>>,
}

/// Gives every slot its coordinates: near the middle of its neighbours, in order, none upon another.
pub(super) fn place(piece: &Piece) -> Placed {
    let tall = |slot: usize| match piece.slots[slot] {
        Slot::Task(_) => HIGH,
        Slot::Bend(_) => BEND,
    };
    let mut middle = vec![0.0f64; piece.slots.len()];
    for layer in &piece.layers {
        let mut y = 0.0;
        for slot in layer {
            middle[*slot] = y + tall(*slot) / 2.0;
            y += tall(*slot) + GAP;
        }
    }
    let last = piece.layers.len().saturating_sub(1);
    for round in 0..12 {
        let to_the_right = round % 2 == 0;
        for step in 0..=last {
            let at = if to_the_right { step } else { last - step };
            let layer = &piece.layers[at];
            let wanted: Vec<(f64, f64)> = layer
                .iter()
                .map(|slot| {
                    let near = match round {
                        // At the end both sides count.
                        10.. => [&piece.left[*slot][..], &piece.right[*slot][..]].concat(),
                        _ if to_the_right => piece.left[*slot].clone(),
                        _ => piece.right[*slot].clone(),
                    };
                    let sum: f64 = near.iter().map(|slot| middle[*slot]).sum();
                    let weight = match piece.slots[*slot] {
                        Slot::Bend(_) => 4.0,
                        Slot::Task(_) => 1.0,
                    };
                    match near.len() {
                        0 => (middle[*slot], 0.2),
                        count => (sum / count as f64, weight),
                    }
                })
                .collect();
            let heights: Vec<f64> = layer.iter().map(|slot| tall(*slot)).collect();
            for (slot, y) in layer.iter().zip(spread(&wanted, &heights)) {
                middle[*slot] = y;
            }
        }
    }
    let top = (0..piece.slots.len())
        .map(|slot| middle[slot] - tall(slot) / 2.0)
        .fold(f64::INFINITY, f64::min);
    let bottom = (0..piece.slots.len())
        .map(|slot| middle[slot] + tall(slot) / 2.0)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut placed = Placed {
        width: piece.layers.len() as f64 * (WIDE + BETWEEN) - BETWEEN,
        height: bottom - top,
        boxes: Vec::new(),
        bends: BTreeMap::new(),
    };
    for (n, layer) in piece.layers.iter().enumerate() {
        let x = n as f64 * (WIDE + BETWEEN);
        for slot in layer {
            let y = middle[*slot] - top;
            match piece.slots[*slot] {
                Slot::Task(task) => placed.boxes.push((task, x, y - HIGH / 2.0)),
                Slot::Bend(arrow) => {
                    let bends = placed.bends.entry(arrow).or_default();
                    bends.extend([(x, y), (x + WIDE, y)]);
                }
            }
        }
    }
    placed
}

/// The places nearest to those wanted (with how much) that keep the order and the gaps: neighbours that would overlap are
/// pooled at their weighted middle.
fn spread(wanted: &[(f64, f64)], heights: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut offset = 0.0;
    for (n, height) in heights.iter().enumerate() {
        let before = n.checked_sub(1).and_then(|n| heights.get(n));
        offset += before.map_or(0.0, |before| (before + height) / 2.0 + GAP);
        offsets.push(offset);
    }
    // Pools: the sum of what is wanted by weight, the weight, how many.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((y, weight), offset) in wanted.iter().zip(&offsets) {
        let mut pool = ((y - offset) * weight, *weight, 1);
        while let Some(above) = pools.last() {
            if above.0 / above.1 <= pool.0 / pool.1 {
                break;
            }
            pool = (above.0 + pool.0, above.1 + pool.1, above.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let places = pools
        .iter()
        .flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, *count));
    places.zip(&offsets).map(|(y, offset)| y + offset).collect()
}

/// Pieces beside and below each other.
pub(super) struct Shelf {
    pieces: Vec<(Placed, f64, f64)>,
    waiting: Vec<Placed>,
    boxes: Vec<(f64, f64)>,
    arrows: usize,
}

impl Shelf {
    pub(super) fn new(tasks: usize, arrows: usize) -> Self {
        Self {
            pieces: Vec::new(),
            waiting: Vec::new(),
            boxes: vec![(0.0, 0.0); tasks],
            arrows,
        }
    }

    pub(super) fn put(&mut self, placed: Placed) {
        self.waiting.push(placed);
    }

    /// Tasks without any arrow: a grid, about as wide as the rest.
    pub(super) fn put_alone(&mut self, tasks: &[usize]) {
        if tasks.is_empty() {
            return;
        }
        let widest = self
            .waiting
            .iter()
            .map(|piece| piece.width)
            .fold(0.0, f64::max);
        let own = tasks.len() as f64 * (WIDE + GAP) * (HIGH + GAP);
        let room = widest.max(((self.area() + own) * 1.6).sqrt());
        let columns = (room / (WIDE + GAP)).floor().max(1.0) as usize;
        let columns = columns.min(tasks.len());
        let corner = |n: usize| {
            let (column, row) = (n % columns, n / columns);
            (column as f64 * (WIDE + GAP), row as f64 * (HIGH + GAP))
        };
        self.waiting.push(Placed {
            width: columns as f64 * (WIDE + GAP) - GAP,
            height: tasks.len().div_ceil(columns) as f64 * (HIGH + GAP) - GAP,
            boxes: tasks
                .iter()
                .enumerate()
                .map(|(n, task)| (*task, corner(n).0, corner(n).1))
                .collect(),
            bends: BTreeMap::new(),
        });
    }

    fn area(&self) -> f64 {
        let areas = self
            .waiting
            .iter()
            .map(|piece| (piece.width + MARGIN) * (piece.height + MARGIN));
        areas.sum()
    }

    /// Puts all on shelves and draws the ways.
    pub(super) fn finish(
        mut self,
        arrows: &[(usize, usize)],
        forward: &[(usize, usize)],
    ) -> Layout {
        let widest = self
            .waiting
            .iter()
            .map(|piece| piece.width)
            .fold(0.0, f64::max);
        let room = widest.max((self.area() * 1.6).sqrt());
        let (mut x, mut y, mut shelf, mut width) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
        for piece in self.waiting.drain(..) {
            if x > 0.0 && x + piece.width > room {
                y += shelf + MARGIN;
                (x, shelf) = (0.0, 0.0);
            }
            shelf = shelf.max(piece.height);
            width = width.max(x + piece.width);
            let next = x + piece.width + MARGIN;
            self.pieces.push((piece, x + MARGIN, y + MARGIN));
            x = next;
        }
        let mut bends: Vec<Vec<(f64, f64)>> = vec![Vec::new(); self.arrows];
        for (piece, x, y) in &self.pieces {
            for (task, left, top) in &piece.boxes {
                self.boxes[*task] = (x + left, y + top);
            }
            for (arrow, points) in &piece.bends {
                bends[*arrow] = points.iter().map(|(px, py)| (x + px, y + py)).collect();
            }
        }
        let ways = arrows.iter().zip(forward).zip(bends);
        let ways = ways.map(|((arrow, forward), mut bends)| {
            if arrow != forward {
                bends.reverse();
            }
            let (from, to) = (self.boxes[arrow.0], self.boxes[arrow.1]);
            // An arrow that was turned round goes back: from the left of the one to the right of the other.
            let (out, into) = if arrow == forward {
                (WIDE, 0.0)
            } else {
                (0.0, WIDE)
            };
            let mut way = vec![(from.0 + out, from.1 + HIGH / 2.0)];
            way.extend(bends);
            way.push((to.0 + into, to.1 + HIGH / 2.0));
            way
        });
        Layout {
            width: width + 2.0 * MARGIN,
            height: y + shelf + 2.0 * MARGIN,
            ways: ways.collect(),
            boxes: self.boxes,
        }
    }
}
