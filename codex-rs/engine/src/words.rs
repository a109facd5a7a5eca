//! The last words of a process: the end of its stderr, bounded, fit to be shown to people. It decides nothing by them.

use std::collections::VecDeque;

/// Lines remembered, and the length one is cut at.
const LINES: usize = 40;
const WIDTH: usize = 500;

/// Takes bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    lines: VecDeque<String>,
    partial: Vec<u8>,
}

impl LastWords {
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.partial);
                    let line = String::from_utf8_lossy(&line).into_owned();
                    tracing::debug!(target: "orch_engine::stderr", "{line}");
                    self.lines.push_back(line);
                    if self.lines.len() > LINES {
                        self.lines.pop_front();
                    }
                }
                _ if self.partial.len() < WIDTH => self.partial.push(*byte),
                _ => {}
            }
        }
    }

    /// Without colours, empty lines and backtraces.
    pub(crate) fn text(&self) -> String {
        let last = String::from_utf8_lossy(&self.partial);
        let mut text = String::new();
        let mut in_backtrace = false;
        for line in self.lines.iter().map(String::as_str).chain([&*last]) {
            let line = plain(line);
            in_backtrace = line.trim() == "Stack backtrace:"
                || (in_backtrace && line.starts_with(char::is_whitespace));
            if !in_backtrace && !line.trim().is_empty() {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Without escape sequences of the `ESC [ … letter` kind and other control characters.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            chars.by_ref().find(|char| ('@'..='~').contains(char));
        } else if !char.is_control() {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_as_people_read_it() {
        let mut words = LastWords::default();
        for line in 0..100 {
            words.hear(format!("line {line}\n\n").as_bytes());
        }
        words.hear(b"\x1b[2m2026\x1b[0m \x1b[31mERROR\x1b[0m no\x07\nStack backtrace:\n   0: <unknown>\n 1: x\nlast");
        let text = words.text();
        assert!(text.starts_with("line 82\n"), "{text}");
        assert!(text.ends_with("line 99\n2026 ERROR no\nlast"), "{text}");
    }
}
