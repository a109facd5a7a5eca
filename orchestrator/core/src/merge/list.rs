//! 3-way merge of what tasks and projects are made of: single values, sets kept as lists, maps. It knows no field.
//!
//! Each of these, merged with one of its sides again, gives itself again. That is why the choice among two values never
//! takes a third one, why a bound drops by a fixed rank, and why of two orders of one set the canonical one leads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What both sides began with, and what each made of it.
#[derive(Debug)]
pub(super) struct Sides<'a, T: ?Sized> {
    pub(super) base: &'a T,
    pub(super) ours: &'a T,
    pub(super) theirs: &'a T,
}

impl<T: ?Sized> Clone for Sides<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Sides<'_, T> {}

impl<'a, T: ?Sized> Sides<'a, T> {
    /// The same field of each.
    pub(super) fn map<U: ?Sized>(self, field: impl Fn(&'a T) -> &'a U) -> Sides<'a, U> {
        Sides {
            base: field(self.base),
            ours: field(self.ours),
            theirs: field(self.theirs),
        }
    }
}

impl<'a, T: ?Sized + PartialEq> Sides<'a, T> {
    /// The outcome where at most one side changed anything, or both the same.
    pub(super) fn settled(self) -> Option<&'a T> {
        if self.ours == self.theirs || self.theirs == self.base {
            Some(self.ours)
        } else if self.ours == self.base {
            Some(self.theirs)
        } else {
            None
        }
    }

    /// One of the values, and the one that lost: of two different changes the one of the greater rank. Values that
    /// differ must differ in rank.
    pub(super) fn choose<R: Ord>(self, rank: impl Fn(&'a T) -> R) -> (&'a T, Option<&'a T>) {
        match self.settled() {
            Some(value) => (value, None),
            None if rank(self.ours) > rank(self.theirs) => (self.ours, Some(self.theirs)),
            None => (self.theirs, Some(self.ours)),
        }
    }
}

/// The rank of a text: one over none, the longer over the shorter, then the later in byte order.
pub(super) fn weight(text: Option<&str>) -> Option<(usize, &str)> {
    text.map(|text| (text.chars().count(), text))
}

/// A value as it is stored: the last resort where two values have to be ranked.
pub(super) fn stored<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What is in the merged set: everything that a side added, and what neither removed.
fn kept<'a, T: Ord>(sides: Sides<'a, [T]>) -> BTreeSet<&'a T> {
    let [base, ours, theirs]: [BTreeSet<&'a T>; 3] =
        [sides.base, sides.ours, sides.theirs].map(|side| side.iter().collect());
    ours.union(&theirs)
        .filter(|item| !base.contains(*item) || (ours.contains(*item) && theirs.contains(*item)))
        .copied()
        .collect()
}

/// Of two lists of one set: the one in canonical order (`rank` ascends), else one without repetition, else the greater.
fn leading<'a, T, R: Ord>(ours: &'a [T], theirs: &'a [T], rank: impl Fn(&'a T) -> R) -> &'a [T] {
    let fitness = |side: &'a [T]| {
        let ranks: Vec<R> = side.iter().map(&rank).collect();
        let ascends = ranks.windows(2).all(|pair| pair[0] < pair[1]);
        let distinct = ranks.iter().collect::<BTreeSet<_>>().len() == ranks.len();
        (ascends, distinct, ranks)
    };
    if fitness(ours) > fitness(theirs) {
        ours
    } else {
        theirs
    }
}

/// A set whose members are told apart by `key`, merged member by member; its canonical order is by `rank`, in which
/// members that differ must differ. `both` merges a member that both sides have and not alike.
pub(super) fn keyed<'a, T, K, R>(
    sides: Sides<'a, [T]>,
    key: impl Fn(&'a T) -> K,
    rank: impl Fn(&T) -> R,
    both: impl Fn(Option<&T>, &T, &T) -> T,
) -> Vec<T>
where
    T: Clone + PartialEq,
    K: Ord + Clone,
    R: Ord,
{
    if let Some(list) = sides.settled() {
        return list.to_vec();
    }
    let [base, ours, theirs]: [BTreeMap<K, &'a T>; 3] = [sides.base, sides.ours, sides.theirs]
        .map(|side| side.iter().map(|item| (key(item), item)).collect());
    if ours == theirs {
        return leading(sides.ours, sides.theirs, rank).to_vec();
    }
    let keys: BTreeSet<&K> = ours.keys().chain(theirs.keys()).collect();
    let mut out: Vec<T> = keys
        .into_iter()
        .filter_map(|key| {
            let side = |of: &BTreeMap<K, &'a T>| of.get(key).copied();
            one(side(&base), side(&ours), side(&theirs), Gone::Yields, &both)
        })
        .collect();
    out.sort_by_cached_key(&rank);
    out
}

/// A set of plain members in their own order, sorted. At most `max` stay: those of the greatest `worth`.
pub(super) fn sorted<'a, T, R, W>(
    sides: Sides<'a, [T]>,
    rank: impl Fn(&'a T) -> R,
    max: usize,
    worth: impl Fn(&'a T) -> W,
) -> Vec<T>
where
    T: Clone + Ord,
    R: Ord,
    W: Ord,
{
    if let Some(list) = sides.settled() {
        return list.to_vec();
    }
    if same_members(sides) {
        return leading(sides.ours, sides.theirs, rank).to_vec();
    }
    let mut out: Vec<&T> = worthiest(kept(sides), max, worth).into_iter().collect();
    out.sort_by_cached_key(|item| rank(item));
    out.into_iter().cloned().collect()
}

/// A set that keeps the order its sides give it; what they leave open, or disagree on, is sorted. At most `max` stay:
/// what is new before what `base` has, and of that the last.
pub(super) fn woven<T: Clone + Ord>(sides: Sides<'_, [T]>, max: usize) -> Vec<T> {
    if let Some(list) = sides.settled() {
        return list.to_vec();
    }
    if same_members(sides) {
        return leading(sides.ours, sides.theirs, |item| item).to_vec();
    }
    let place: BTreeMap<&T, usize> = sides.base.iter().zip(0..).collect();
    let members = worthiest(kept(sides), max, |item| {
        place.get(item).map_or((true, 0), |place| (false, *place))
    });
    weave(
        &only(sides.ours, &members),
        &only(sides.theirs, &members),
        &members,
    )
}

/// A map, merged value by value.
pub(super) fn map<K, V>(
    sides: Sides<'_, BTreeMap<K, V>>,
    gone: Gone,
    both: impl Fn(Option<&V>, &V, &V) -> V,
) -> BTreeMap<K, V>
where
    K: Ord + Clone,
    V: Clone + PartialEq,
{
    let Sides { base, ours, theirs } = sides;
    let mut out = ours.clone();
    for key in super::differing(base, theirs) {
        match one(base.get(key), ours.get(key), theirs.get(key), gone, &both) {
            Some(value) => out.insert(key.clone(), value),
            None => out.remove(key),
        };
    }
    out
}

/// What becomes of something that one side removed and the other changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// It is gone.
    Stays,
    /// It is kept, as changed.
    Yields,
}

fn one<V: Clone + PartialEq>(
    base: Option<&V>,
    ours: Option<&V>,
    theirs: Option<&V>,
    gone: Gone,
    both: impl Fn(Option<&V>, &V, &V) -> V,
) -> Option<V> {
    match (ours, theirs) {
        _ if ours == theirs || theirs == base => ours.cloned(),
        _ if ours == base => theirs.cloned(),
        (Some(ours), Some(theirs)) => Some(both(base, ours, theirs)),
        _ if gone == Gone::Stays => None,
        (ours, theirs) => ours.or(theirs).cloned(),
    }
}

fn same_members<T: Ord>(sides: Sides<'_, [T]>) -> bool {
    sides.ours.iter().collect::<BTreeSet<_>>() == sides.theirs.iter().collect::<BTreeSet<_>>()
}

fn worthiest<'a, T: Ord, W: Ord>(
    members: BTreeSet<&'a T>,
    max: usize,
    worth: impl Fn(&'a T) -> W,
) -> BTreeSet<&'a T> {
    if members.len() <= max {
        return members;
    }
    let mut ranked: Vec<&T> = members.into_iter().collect();
    ranked.sort_by_cached_key(|item| (worth(item), *item));
    ranked.split_off(ranked.len() - max).into_iter().collect()
}

fn only<'a, T: Ord>(list: &'a [T], members: &BTreeSet<&'a T>) -> Vec<&'a T> {
    let mut seen = BTreeSet::new();
    list.iter()
        .filter(|item| members.contains(*item) && seen.insert(*item))
        .collect()
}

/// Brings two orders into one: the smaller first where both are free; all sorted when the orders contradict each other.
fn weave<T: Clone + Ord>(ours: &[&T], theirs: &[&T], members: &BTreeSet<&T>) -> Vec<T> {
    let (mut left, mut right) = (ours.iter().peekable(), theirs.iter().peekable());
    let (in_ours, in_theirs): (BTreeSet<&&T>, BTreeSet<&&T>) =
        (ours.iter().collect(), theirs.iter().collect());
    let mut out: Vec<T> = Vec::with_capacity(members.len());
    loop {
        // An item may be next if the other side doesn't have it, or has it next too.
        let next = match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return out,
            (Some(a), Some(b)) if a == b => *a,
            (a, b) => {
                let a = a.filter(|a| !in_theirs.contains(a));
                let b = b.filter(|b| !in_ours.contains(b));
                match a.into_iter().chain(b).min() {
                    Some(next) => *next,
                    None => return members.iter().map(|item| (*item).clone()).collect(),
                }
            }
        };
        left.next_if(|item| **item == next);
        right.next_if(|item| **item == next);
        out.push(next.clone());
    }
}
