//! A step's text as words that can be compared: normalised, stemmed, weighted, with its numbers, files and names apart.
//! How alike two steps are is decided in `matching.rs`, not here.

use std::collections::BTreeSet;

use crate::lexicon;

/// One word that carries something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    /// As written, in lower case.
    pub(crate) plain: String,
    /// What it is compared by.
    pub(crate) stem: String,
    /// How much it says about which step it is.
    pub(crate) weight: f64,
    /// The kinds of work it names, when it is a verb.
    pub(crate) acts: u8,
}

impl Word {
    /// It tells one step from another: neither a verb nor filler.
    pub(crate) fn is_strong(&self) -> bool {
        self.weight > STRONG - f64::EPSILON
    }
}

const STRONG: f64 = 1.0;
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const VERB: f64 = 0.5;
const WEAK: f64 = 0.3;
/// Longest text that is looked at, in words: steps are short, and pairs of words are compared.
const MAX_WORDS: usize = 40;

/// A text in comparable form.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// Lower case, punctuation folded: equal for texts that differ in nothing else.
    pub(crate) normal: String,
    /// What it says, each word once.
    pub(crate) words: Vec<Word>,
    /// The kinds of work its leading verb names; 0 when none was found.
    pub(crate) lead: u8,
    /// Its numbers, sorted; one that occurs twice is there twice.
    pub(crate) numbers: Vec<String>,
    /// Names of its files, without folders.
    pub(crate) files: BTreeSet<String>,
    /// Identifiers of code, requirements, options.
    pub(crate) names: BTreeSet<String>,
}

impl Words {
    /// Takes a text apart.
    pub fn of(text: &str) -> Self {
        let mut this = Self {
            normal: normalised(text),
            words: Vec::new(),
            lead: 0,
            numbers: Vec::new(),
            files: BTreeSet::new(),
            names: BTreeSet::new(),
        };
        for token in unlisted(text).split_whitespace() {
            if this.words.len() >= MAX_WORDS {
                break;
            }
            this.take(token);
        }
        this.numbers.sort();
        this
    }

    /// The weight of all its words.
    pub(crate) fn weight(&self) -> f64 {
        self.words.iter().map(|word| word.weight).sum()
    }

    /// It says enough to be told from the steps of unrelated work.
    pub(crate) fn is_specific(&self) -> bool {
        let strong = self.words.iter().filter(|word| word.is_strong()).count();
        strong >= 2 || (strong >= 1 && !(self.files.is_empty() && self.names.is_empty()))
    }

    fn take(&mut self, token: &str) {
        let quoted = token.contains('`');
        let call = token
            .trim_end_matches(|c: char| "`,;:.!?".contains(c))
            .ends_with("()");
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
        if bare.is_empty() {
            return;
        }
        if bare.contains("://") {
            self.names.insert(bare.to_lowercase());
            return;
        }
        if is_number(bare) {
            self.numbers
                .push(bare.trim_start_matches(['v', 'V']).to_lowercase());
            return;
        }
        // "module B", "GET endpoint": what is told apart by case alone.
        if METHODS.contains(&bare)
            || (is_letter(bare) && !self.normal.starts_with(&bare.to_lowercase()))
        {
            self.names.insert(bare.to_lowercase());
        }
        let last = bare.rsplit('/').next().unwrap_or(bare);
        if is_file(last) {
            self.files.insert(last.to_lowercase());
            let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
            self.parts(stem);
            return;
        }
        // `source/tests` is two words far more often than a path.
        for piece in bare.split('/').filter(|piece| !piece.is_empty()) {
            let option = token.starts_with("--") || token.starts_with("`--");
            if quoted || call || option || is_name(piece) {
                self.names.insert(squeezed(piece));
            }
            self.parts(piece);
        }
    }

    /// Adds the words that an identifier or a plain word is made of.
    fn parts(&mut self, piece: &str) {
        if piece.chars().any(|c| c.is_ascii_digit()) {
            self.push(&squeezed(piece));
            return;
        }
        let joined = ["re-", "pre-", "un-", "type-"]
            .iter()
            .any(|prefix| piece.to_lowercase().starts_with(prefix));
        if joined {
            self.push(&squeezed(piece));
            return;
        }
        let mut part = String::new();
        let mut low = false;
        for c in piece.chars() {
            if !c.is_alphanumeric() || (low && c.is_uppercase()) {
                self.push(&part.to_lowercase());
                part.clear();
            }
            low = c.is_lowercase();
            if c.is_alphanumeric() {
                part.push(c);
            }
        }
        self.push(&part.to_lowercase());
    }

    fn push(&mut self, plain: &str) {
        if plain.is_empty() || lexicon::is_stop(plain) {
            return;
        }
        if plain.chars().any(is_unspaced) {
            return self.push_unspaced(plain);
        }
        if let Some(number) = lexicon::number(plain) {
            self.numbers.push(number.to_string());
            return;
        }
        let stem = stem(plain);
        let acts = lexicon::acts(plain);
        // The verb that leads says what is done; further back the same words are mostly nouns.
        let leads = acts != 0 && self.lead == 0 && self.words.len() < 3;
        if leads {
            self.lead = acts;
        }
        let weight = if leads {
            VERB
        } else if lexicon::is_weak(plain) || lexicon::is_weak(&stem) {
            WEAK
        } else if acts != 0 {
            VERB
        } else {
            STRONG
        };
        self.add(plain.to_owned(), stem, weight, acts);
    }

    /// Scripts that write no spaces are compared by pairs of characters.
    fn push_unspaced(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        for pair in chars.windows(2.min(chars.len())) {
            let pair: String = pair.iter().collect();
            self.add(pair.clone(), pair, VERB, 0);
        }
    }

    fn add(&mut self, plain: String, stem: String, weight: f64, acts: u8) {
        if self.words.len() < MAX_WORDS && !self.words.iter().any(|word| word.stem == stem) {
            self.words.push(Word {
                plain,
                stem,
                weight,
                acts,
            });
        }
    }
}

/// Lower case, list marks taken off, everything but letters and digits folded to single spaces.
pub fn normalised(text: &str) -> String {
    let mut out = String::new();
    for c in unlisted(text).chars().flat_map(char::to_lowercase) {
        // What tells `c++` from `c` and `a.rs` from `a rs` stays.
        if c.is_alphanumeric() || "+#./_%=<>".contains(c) {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.split(' ')
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The text without what a list puts before it: `- `, `[x] `, `3. `, `2) `.
fn unlisted(text: &str) -> &str {
    let mut rest = text.trim();
    loop {
        let Some((first, tail)) = rest.split_once(char::is_whitespace) else {
            return rest;
        };
        let digits = first.trim_end_matches(['.', ')']);
        let numeral = digits.len() < first.len()
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_digit());
        let box_mark = matches!(first, "-" | "*" | "•" | "[x]" | "[X]" | "[]");
        let open_box = tail.strip_prefix("] ").filter(|_| first == "[");
        match open_box {
            Some(tail) => rest = tail.trim_start(),
            None if numeral || box_mark => rest = tail.trim_start(),
            None => return rest,
        }
    }
}

fn is_letter(token: &str) -> bool {
    token.len() == 1 && token.starts_with(|c: char| c.is_ascii_uppercase())
}

fn is_number(token: &str) -> bool {
    let digits = token.trim_start_matches(['v', 'V']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || ".,%".contains(c))
}

fn is_file(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, ext)| {
        !stem.is_empty()
            && (1..=5).contains(&ext.len())
            && ext.starts_with(|c: char| c.is_ascii_alphabetic())
            && ext.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

fn is_name(piece: &str) -> bool {
    let mixed = piece
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    mixed
        || piece.contains('_')
        || piece.contains("::")
        || piece.chars().any(|c| c.is_ascii_digit())
}

fn squeezed(piece: &str) -> String {
    piece
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{e00}'..='\u{e7f}')
}

/// A light stem: words of one family get one, and it needs to be no word itself.
fn stem(word: &str) -> String {
    const ENDINGS: &[&str] = &[
        "ations", "ation", "ments", "ment", "ings", "ing", "ions", "ion", "ers", "er", "ors", "or",
        "ized", "ize", "ies", "ied", "es", "ed", "ly", "s", "e", "y",
    ];
    if let Some(same) = lexicon::same_as(word) {
        return same.to_owned();
    }
    let mut rest = word;
    for _ in 0..2 {
        let cut = ENDINGS
            .iter()
            .filter_map(|ending| rest.strip_suffix(ending))
            .find(|left| {
                left.chars().count() >= 4 || (left.chars().count() == 3 && rest.ends_with('s'))
            });
        match cut {
            Some(left) => rest = left,
            None => break,
        }
        if let Some(same) = lexicon::same_as(rest) {
            return same.to_owned();
        }
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, stems: &[&str], marks: &[&str]) {
        let words = Words::of(text);
        let seen: Vec<&str> = words.words.iter().map(|word| word.stem.as_str()).collect();
        assert_eq!(seen, stems, "{text}");
        let seen: Vec<&str> = words
            .numbers
            .iter()
            .chain(&words.files)
            .chain(&words.names)
            .map(String::as_str)
            .collect();
        assert_eq!(seen, marks, "{text}");
    }

    #[test]
    fn a_text_is_taken_apart() {
        check("2. Rendering of the headers", &["rend", "head"], &[]);
        check(
            "- [ ] Fix src/parse_rows.rs",
            &["fix", "par", "row"],
            &["parse_rows.rs"],
        );
        check("Phase 2: REQ-018", &["pha", "req018"], &["2", "req018"]);
        check(
            "Wire `retryLater()`",
            &["wire", "retr", "later"],
            &["retrylater"],
        );
        check("second batch", &["batch"], &["2"]);
        check("", &[], &[]);
    }

    #[test]
    fn normalised_folds_what_says_nothing() {
        assert_eq!(
            normalised(" 3) Add  C++ support, to a.rs."),
            "add c++ support to a.rs"
        );
        assert_eq!(
            normalised("ADD c++ support to a.rs"),
            "add c++ support to a.rs"
        );
    }
}
