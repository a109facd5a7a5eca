//! How alike two wordings are, and what speaks against their being one step. Two texts and nothing around them: plans and
//! tasks are `matching.rs`'s business.

use std::collections::BTreeSet;

use crate::lexicon;
use crate::words::{Word, Words};

/// What two texts have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// 0 for nothing, 1 for everything.
    pub score: f64,
    /// They share a word that tells steps apart.
    pub shared: bool,
    /// Each has something that the other lacks.
    pub swapped: bool,
    /// Their verbs are of one kind only, not of one meaning.
    pub loose: bool,
    /// They can't be one: numbers, files, identifiers or verbs speak against it.
    pub conflict: bool,
}

/// Compares two texts.
pub fn likeness(a: &Words, b: &Words) -> Likeness {
    if a.normal == b.normal {
        return Likeness {
            score: 1.0,
            shared: true,
            swapped: false,
            loose: false,
            conflict: false,
        };
    }
    // One order for both, so that what is alike doesn't hang on who asks.
    let (a, b) = if a.normal <= b.normal { (a, b) } else { (b, a) };
    let mut matched = 0.0;
    let (mut shared, mut loose) = (false, false);
    let mut only_a: Vec<&Word> = a.words.iter().collect();
    let mut only_b: Vec<&Word> = b.words.iter().collect();
    for least in [1.0, 0.9, 0.7] {
        only_a.retain(|word| {
            let Some(at) = only_b
                .iter()
                .position(|other| kinship(word, other) >= least)
            else {
                return true;
            };
            let other = only_b.remove(at);
            matched += kinship(word, other) * (word.weight + other.weight) / 2.0;
            loose |= kinship(word, other) < 0.9;
            shared |= word.is_strong() && other.is_strong();
            false
        });
    }
    let conflict = differ(&a.numbers, &b.numbers)
        || apart(&a.files, &b.files)
        || apart(&a.names, &b.names)
        || (a.lead != 0 && b.lead != 0 && a.lead & b.lead == 0)
        || only_a
            .iter()
            .any(|x| only_b.iter().any(|y| lexicon::opposed(&x.plain, &y.plain)));
    let least = a.weight().min(b.weight()).max(f64::EPSILON);
    let strong = |words: &[&Word]| -> f64 {
        words
            .iter()
            .filter(|word| word.is_strong())
            .map(|word| word.weight)
            .sum()
    };
    let swap = strong(&only_a).min(strong(&only_b));
    let dice = 2.0 * matched / (a.weight() + b.weight()).max(f64::EPSILON);
    let score = 0.6 * dice + 0.4 * (matched / least).min(1.0) - 0.4 * (swap / least.max(1.0));
    Likeness {
        score: if conflict { 0.0 } else { score.clamp(0.0, 1.0) },
        shared,
        swapped: swap > 0.0,
        loose,
        conflict,
    }
}

fn kinship(a: &Word, b: &Word) -> f64 {
    if a.stem == b.stem {
        1.0
    } else if a.acts & b.acts != 0 {
        0.7
    } else if a.plain.len().min(b.plain.len()) >= 7
        && !lexicon::opposed(&a.plain, &b.plain)
        && strsim::damerau_levenshtein(&a.plain, &b.plain) == 1
    {
        0.9
    } else {
        0.0
    }
}

/// Each holds a number that the other doesn't.
fn differ(a: &[String], b: &[String]) -> bool {
    let lacks = |a: &[String], b: &[String]| {
        let mut rest = b.to_vec();
        a.iter().any(
            |number| match rest.iter().position(|other| other == number) {
                Some(at) => {
                    rest.swap_remove(at);
                    false
                }
                None => true,
            },
        )
    };
    lacks(a, b) && lacks(b, a)
}

fn apart(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    !a.is_subset(b) && !b.is_subset(a)
}
