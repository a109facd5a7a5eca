//! Search in journal entries: which hold all the words, and the lines around each hit. Plain text in, plain text out.

use orch_protocol::text::one_line;

/// The most lines shown of an entry.
const MAX_LINES: usize = 8;
/// The longest line shown, in characters.
const MAX_LINE: usize = 240;
/// Between lines that don't follow one another.
const GAP: &str = "…";

/// Words as they are looked for. A text without any matches nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn new(text: &str) -> Self {
        let words = text
            .split_whitespace()
            .map(|word| one_line(word, 80).to_lowercase());
        Self(words.filter(|word| !word.is_empty()).take(20).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them stand in `text`.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        !self.is_empty() && self.0.iter().all(|word| text.contains(word))
    }

    fn hit(&self, line: &str) -> bool {
        let line = line.to_lowercase();
        self.0.iter().any(|word| line.contains(word))
    }
}

/// The lines of an entry that hold one of the words, each with the lines before and after it; none when the entry doesn't
/// hold them all.
pub(super) fn excerpt(text: &str, words: &Words) -> Option<String> {
    if !words.are_in(text) {
        return None;
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let near = |at: usize| {
        (at.saturating_sub(1)..=at + 1).any(|at| lines.get(at).is_some_and(|line| words.hit(line)))
    };
    let shown: Vec<usize> = (0..lines.len())
        .filter(|at| near(*at))
        .take(MAX_LINES)
        .collect();
    let mut excerpt = Vec::with_capacity(shown.len());
    let mut last = None;
    for at in shown {
        if last.is_some_and(|last| last + 1 != at) {
            excerpt.push(GAP.to_owned());
        }
        excerpt.push(one_line(lines.get(at)?, MAX_LINE));
        last = Some(at);
    }
    Some(excerpt.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, words: &str, expect: Option<&str>) {
        assert_eq!(
            excerpt(text, &Words::new(words)).as_deref(),
            expect,
            "{words:?} in {text:?}"
        );
    }

    #[test]
    fn entries_hold_all_words_and_show_lines_with_any() {
        let entry = "# Day\n\n## Goal\nWrite the Parser\nwith tests\n## Changes\nlexer.rs\n## Open\nparser: errors";
        check(
            entry,
            "PARSER lexer",
            Some(
                "## Goal\nWrite the Parser\nwith tests\n## Changes\nlexer.rs\n## Open\nparser: errors",
            ),
        );
        check(
            entry,
            "goal errors",
            Some("# Day\n## Goal\nWrite the Parser\n…\n## Open\nparser: errors"),
        );
        check(entry, "parser compiler", None);
        check(entry, " ", None);
        check("", "x", None);
        check("a\u{1b}[31m hit", "hit", Some("a[31m hit"));
    }
}
