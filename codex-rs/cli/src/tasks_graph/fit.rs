//! Text in terminal columns: cut, padded, coloured. A wide character takes two, a combining one none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Pen;

/// The columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most `max` columns, with a mark where something was cut.
pub(super) fn cut(text: &str, max: usize, ascii: bool) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let mark = if ascii { "~" } else { "…" };
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used + 1 > max
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    match max {
        0 => String::new(),
        _ => format!("{}{mark}", text[..end].trim_end()),
    }
}

/// Fills a text up with spaces.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Colours a text, where that is wanted.
pub(super) fn paint(pen: &Pen, sgr: &str, text: &str) -> String {
    match pen.colour && !text.trim().is_empty() {
        true => format!("\u{1b}[{sgr}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}
