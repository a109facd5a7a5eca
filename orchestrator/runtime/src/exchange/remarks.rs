//! What is told of an import: bounded, and each kind counted where there is much of it.

use std::collections::BTreeMap;

use orch_protocol::text::one_line;

/// The most remarks of one kind told in full; the others are counted.
const OF_A_KIND: usize = 12;
/// The most names of unknown fields that are told apart.
const FIELDS: usize = 100;

/// Collects what is to be told.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    kinds: Vec<(&'static str, Vec<String>, usize)>,
    tallies: BTreeMap<&'static str, usize>,
    unknown: BTreeMap<String, usize>,
    other_fields: usize,
}

impl Remarks {
    /// Tells one thing; what is of one kind stands together.
    pub(super) fn say(&mut self, kind: &'static str, text: String) {
        let at = match self.kinds.iter().position(|(known, _, _)| *known == kind) {
            Some(at) => at,
            None => {
                self.kinds.push((kind, Vec::new(), 0));
                self.kinds.len() - 1
            }
        };
        if let Some((_, told, more)) = self.kinds.get_mut(at) {
            match told.len() < OF_A_KIND {
                true => told.push(one_line(&text, 400)),
                false => *more += 1,
            }
        }
    }

    /// Counts a thing that needs no more words than how often it was met.
    pub(super) fn tally(&mut self, text: &'static str) {
        *self.tallies.entry(text).or_default() += 1;
    }

    /// Counts a field that the format isn't known to have.
    pub(super) fn unknown_field(&mut self, name: &str) {
        let name = one_line(name, 40);
        if let Some(count) = self.unknown.get_mut(&name) {
            *count += 1;
        } else if self.unknown.len() < FIELDS {
            self.unknown.insert(name, 1);
        } else {
            self.other_fields += 1;
        }
    }

    /// The lines.
    pub(super) fn into_lines(self) -> Vec<String> {
        let mut lines = Vec::new();
        for (_, told, more) in self.kinds {
            lines.extend(told);
            if more > 0 {
                lines.push(format!("… and {more} more of that kind"));
            }
        }
        for (text, count) in self.tallies {
            lines.push(format!("{text} ({count} times)"));
        }
        for (name, count) in self.unknown {
            let tasks = if count == 1 { "task" } else { "tasks" };
            lines.push(format!(
                "the field {name:?} isn't known here: kept as a note on {count} {tasks}"
            ));
        }
        if self.other_fields > 0 {
            lines.push(format!(
                "{} values of still other fields were kept as notes",
                self.other_fields
            ));
        }
        lines
    }
}
