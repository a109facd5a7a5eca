//! What the demo prints while it runs: numbered steps, the commands a user would type, and one labelled line for each
//! thing that came of them. Plain text, no colours. It checks nothing.

use unicode_width::UnicodeWidthStr;

use crate::out;
use crate::trouble::Trouble;

/// Columns of the story; a long line is broken at a space.
const WIDTH: usize = 100;
/// Columns before the text of a row.
const INDENT: usize = 11;

/// Where the story is printed, or nowhere.
pub(crate) struct Screen {
    quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) steps: usize,
    /// Claims of the story that were found to be so.
    pub(crate) checked: usize,
}

impl Screen {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Self {
            quiet,
            verbose: verbose && !quiet,
            steps: 0,
            checked: 0,
        }
    }

    /// What stands above the story.
    pub(crate) fn opening(&self, text: &str) -> Result<(), Trouble> {
        self.line(text)
    }

    /// A step begins.
    pub(crate) fn step(&mut self, title: &str) -> Result<(), Trouble> {
        self.steps += 1;
        self.line("")?;
        self.line(&format!("{}  {title}", self.steps))
    }

    /// A command, as a user would type it.
    pub(crate) fn command(&self, command: &str) -> Result<(), Trouble> {
        self.line(&format!("   $ {command}"))
    }

    /// What somebody did, or what is known now.
    pub(crate) fn row(&self, label: &str, text: &str) -> Result<(), Trouble> {
        if self.quiet {
            return Ok(());
        }
        rows(label, text)
    }

    /// Several lines under one label.
    pub(crate) fn list<'a>(
        &self,
        label: &str,
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<(), Trouble> {
        let mut label = label;
        for line in lines {
            self.row(label, line)?;
            label = "";
        }
        Ok(())
    }

    /// What a program printed, with `--verbose`.
    pub(crate) fn printed(&self, text: &str) -> Result<(), Trouble> {
        if self.verbose {
            for line in text.lines() {
                self.line(&format!("   | {}", orch_protocol::text::clean(line)))?;
            }
        }
        Ok(())
    }

    fn line(&self, text: &str) -> Result<(), Trouble> {
        if self.quiet { Ok(()) } else { out::line(text) }
    }
}

/// A label, and a text beside it that may go on below.
pub(crate) fn rows(label: &str, text: &str) -> Result<(), Trouble> {
    let mut start = format!("   {label}");
    for line in wrapped(text, WIDTH - INDENT) {
        let pad = " ".repeat(INDENT.saturating_sub(start.width()));
        out::line(format!("{start}{pad}{line}").trim_end())?;
        start.clear();
    }
    Ok(())
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(word.to_owned());
            } else {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_at_spaces_and_a_long_word_stands_alone() {
        assert_eq!(wrapped("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrapped("abcdefgh ij", 5), ["abcdefgh", "ij"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
