//! What stdout can show: how wide it is, whether it takes colour, and whether long output goes through a pager. It
//! decides; printing is [`crate::out`]'s.

use std::ffi::OsString;
use std::io::{IsTerminal as _, stdout};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// When output is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Wherever it goes
    Always,
    /// Nowhere
    Never,
}

/// What a person may say of how a listing looks.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Look {
    /// When to colour: auto, always or never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true
    )]
    color: Color,
    /// Don't send long output through $PAGER
    #[arg(long)]
    no_pager: bool,
}

/// What stdout can show.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// Cells in a line; none where lines may be of any length (a file, a pipe).
    pub(crate) width: Option<usize>,
    /// Lines before it scrolls; none where it doesn't.
    pub(crate) height: Option<usize>,
    /// It takes colour.
    pub(crate) color: bool,
    /// What long output goes through; none for no pager.
    pub(crate) pager: Option<OsString>,
}

impl Screen {
    /// Stdout, as it is and as `look` wants it.
    pub(crate) fn of(look: &Look) -> Self {
        let is_terminal = stdout().is_terminal();
        let size = terminal_size::terminal_size().filter(|_| is_terminal);
        let columns = std::env::var("COLUMNS").ok();
        let columns = columns.and_then(|columns| columns.parse().ok());
        let color = match look.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => AutoStream::choice(&stdout()) != anstream::ColorChoice::Never,
        };
        Self {
            width: size
                .map(|(width, _)| usize::from(width.0))
                .or(columns)
                .map(|width| width.max(20)),
            height: size.map(|(_, height)| usize::from(height.0)),
            color,
            pager: pager(std::env::var_os("PAGER")).filter(|_| is_terminal && !look.no_pager),
        }
    }
}

fn pager(set: Option<OsString>) -> Option<OsString> {
    match set {
        None => Some("less -FRX".into()),
        Some(set) if set.is_empty() || set == "cat" => None,
        set => set,
    }
}

/// The six colours, and what they are for.
pub(crate) mod paint {
    use super::{AnsiColor, Style};

    /// What matters most in its line.
    pub(crate) const STRONG: Style = Style::new().bold();
    /// What can be passed over.
    pub(crate) const FAINT: Style = Style::new().dimmed();
    /// Under way.
    pub(crate) const ACTIVE: Style = AnsiColor::Cyan.on_default();
    /// Can be begun, or succeeded.
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    /// Wants attention.
    pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
    /// Is held up, or failed.
    pub(crate) const BAD: Style = AnsiColor::Red.on_default();
}

/// `text` in `style`. [`crate::out`] takes styles out again where stdout doesn't take them.
pub(crate) fn styled(style: Style, text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!("{style}{text}{style:#}"),
    }
}

/// `text` in at most `width` cells, cut between characters as people see them, with `…` where something was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        kept.push_str(grapheme);
    }
    match width {
        0 => String::new(),
        _ => kept.trim_end().to_owned() + "…",
    }
}

/// `text`, wrapped to what is left of `width` behind a margin of `margin` cells; lines after the first begin with the
/// margin. Line ends of the text's own are kept.
pub(crate) fn wrapped(text: &str, width: Option<usize>, margin: usize) -> String {
    let room = width.map(|width| width.saturating_sub(margin).max(20));
    let lines = text.lines().flat_map(|line| match room {
        Some(room) => textwrap::wrap(line, room),
        None => vec![line.into()],
    });
    let lines: Vec<_> = lines.collect();
    lines.join(&format!("\n{}", " ".repeat(margin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_cut_by_cells() {
        for (text, width, expect) in [
            ("plain", 5, "plain"),
            ("plain", 4, "pla…"),
            ("two words", 5, "two…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("👩‍👩‍👧 family", 4, "👩‍👩‍👧…"),
            ("x", 0, ""),
        ] {
            assert_eq!(cut(text, width), expect, "{text:?} in {width}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(text in ".{0,60}", width in 0usize..40) {
            prop_assert!(cut(&text, width).width() <= width);
        }
    }

    #[test]
    fn long_texts_hang_behind_their_margin() {
        assert_eq!(
            wrapped("one two three four five\n- six", Some(26), 4),
            "one two three four\n    five\n    - six"
        );
        assert_eq!(wrapped("a  b\nc", None, 2), "a  b\n  c");
    }
}
