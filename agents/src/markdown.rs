//! Hostile text made safe for a markdown page: cleaned, one line, bounded, and without meaning to a renderer.

use orch_protocol::text::one_line;

/// Text as it may stand anywhere in a line.
pub(crate) fn plain(text: &str, max: usize) -> String {
    let line = one_line(text, max);
    let mut out = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        let digits = line[..at].chars().all(|c| c.is_ascii_digit());
        // At the beginning these would make a list or a heading of it.
        let begins = (at == 0 && "+-=".contains(c)) || (at > 0 && digits && ".)".contains(c));
        if begins || "\\`*_[]<>#|~&{}!$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text as code: fenced by more backticks than it holds in a row.
pub(crate) fn code(text: &str, max: usize) -> String {
    let line = one_line(text, max);
    if line.is_empty() {
        return "(nothing)".to_owned();
    }
    let longest = line
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    if line.starts_with('`') || line.ends_with('`') {
        format!("{fence} {line} {fence}")
    } else {
        format!("{fence}{line}{fence}")
    }
}

/// A section that is filled line by line and says what didn't fit.
pub(crate) struct Section {
    text: String,
    room: usize,
    left_out: usize,
    is_empty: bool,
}

impl Section {
    /// Begins a section that takes at most `room` bytes of lines.
    pub(crate) fn new(title: &str, room: usize) -> Self {
        Self {
            text: format!("\n## {title}\n\n"),
            room,
            left_out: 0,
            is_empty: true,
        }
    }

    /// Adds an entry; `text` is markdown already.
    pub(crate) fn entry(&mut self, text: &str) {
        if text.len() + 3 > self.room {
            self.left_out += 1;
            return;
        }
        self.room -= text.len() + 3;
        self.text.push_str("- ");
        self.text.push_str(text);
        self.text.push('\n');
        self.is_empty = false;
    }

    /// Adds a part of the entry before it.
    pub(crate) fn part(&mut self, text: &str) {
        if text.len() + 5 > self.room {
            self.left_out += 1;
            return;
        }
        self.room -= text.len() + 5;
        self.text.push_str("  - ");
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Ends it; none when nothing was there to be said.
    pub(crate) fn end(mut self) -> Option<String> {
        if self.left_out > 0 {
            self.text.push_str(&format!(
                "- … and {} more, left out for length\n",
                self.left_out
            ));
            self.is_empty = false;
        }
        (!self.is_empty).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_nothing_to_a_renderer() {
        assert_eq!(
            plain("<b>[x](y)\n# a*b_c", 80),
            "\\<b\\>\\[x\\](y) \\# a\\*b\\_c"
        );
        assert_eq!(plain("- 1. x", 80), "\\- 1. x");
        assert_eq!(plain("12. x", 80), "12\\. x");
        assert_eq!(code("a ``b` c", 80), "```a ``b` c```");
        assert_eq!(code("`", 80), "`` ` ``");
    }
}
