//! Bounds and cleans text that came from a model, a file or a branch name, before it is stored or shown.

/// Cuts `text` to at most `max` characters, at a character's end, with `…` as the last one where something was cut.
pub fn bounded(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => {
            let cut = text
                .char_indices()
                .nth(max.saturating_sub(1))
                .map_or(0, |(at, _)| at);
            format!("{}…", &text[..cut])
        }
    }
}

/// Takes out what can deceive a terminal or a reader: control characters (line feed and tab stay) and Unicode's
/// bidirectional and invisible formatting characters (<https://trojansource.codes>).
pub fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| *c == '\n' || *c == '\t' || !is_deceptive(*c))
        .collect()
}

/// One line: cleaned, white space folded to single spaces, at most `max` characters.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        let before = line.len();
        if before > 0 {
            line.push(' ');
        }
        let start = line.len();
        line.extend(word.chars().filter(|c| !is_deceptive(*c)));
        if line.len() == start {
            line.truncate(before);
        }
    }
    match line.len() <= max {
        // Every character takes at least a byte.
        true => line,
        false => bounded(&line, max),
    }
}

fn is_deceptive(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_and_overrides_are_taken_out() {
        assert_eq!(one_line("a\u{1b}[31mb\u{202e}c\n d\u{0}", 80), "a[31mbc d");
        assert_eq!(clean("a\r\n\tb\u{7}"), "a\n\tb");
        assert_eq!(bounded("äöü", 2), "ä…");
        assert_eq!(bounded("äöü", 3), "äöü");
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_and_bounded(text in ".{0,300}", max in 1usize..50) {
            let line = one_line(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
