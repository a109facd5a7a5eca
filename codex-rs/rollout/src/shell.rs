//! Cuts a shell command line into its simple commands: enough of POSIX shell to tell what runs from what is only quoted,
//! written to a file or commented out. Not a shell: nothing is expanded, and what it can't follow it skips.

/// A program with its arguments, quotes removed, redirections and here-documents left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Simple {
    pub(crate) words: Vec<String>,
    /// What joins it to the next one.
    pub(crate) then: Then,
    /// It stands in a `$(...)`: the line's exit code says nothing of it.
    pub(crate) substituted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// `&&`, or the end of the line.
    Succeeded,
    /// `||`
    Failed,
    /// `|`
    Pipe,
    /// `;`, a line feed, the end of a subshell.
    Anyway,
    /// `&`
    Background,
}

/// No command line that is longer is looked into.
const MAX_LINE: usize = 1 << 20;
const MAX_DEPTH: usize = 16;

/// The simple commands of `line`, in order; those of a substitution stand before the command they are part of.
pub(crate) fn simple_commands(line: &str) -> Vec<Simple> {
    let mut lexer = Lexer {
        found: Vec::new(),
        depth: 0,
    };
    if line.len() <= MAX_LINE {
        lexer.line(line);
    }
    lexer.found
}

struct Lexer {
    found: Vec<Simple>,
    depth: usize,
}

/// The command that is being read.
#[derive(Default)]
struct Open {
    words: Vec<String>,
    word: Option<String>,
    /// The next word is the target of a redirection.
    redirected: bool,
}

impl Open {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.redirected)
        {
            self.words.push(word);
        }
    }

    /// A redirection begins: digits right before it are its descriptor, the next word its target.
    fn redirect(&mut self) {
        if self
            .word
            .as_ref()
            .is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()))
        {
            self.word = None;
        }
        self.end_word();
        self.redirected = true;
    }
}

impl Lexer {
    fn line(&mut self, line: &str) {
        let mut open = Open::default();
        let mut heredocs: Vec<String> = Vec::new();
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\'' => rest = self.single_quoted(&mut open, rest),
                '"' => rest = self.double_quoted(&mut open, rest),
                '\\' => rest = escaped(&mut open, rest),
                '$' if rest.starts_with('(') => {
                    rest = self.substitution(&mut open, &rest[1..], ')')
                }
                '`' => rest = self.substitution(&mut open, rest, '`'),
                '#' if open.word.is_none() => rest = &rest[rest.find('\n').unwrap_or(rest.len())..],
                '\n' => {
                    self.end(&mut open, Then::Anyway);
                    for delimiter in heredocs.drain(..) {
                        rest = after_heredoc(rest, &delimiter);
                    }
                }
                '<' if rest.starts_with('<') && !rest.starts_with("<<") => {
                    open.end_word();
                    let (delimiter, after) = heredoc_delimiter(&rest[1..]);
                    heredocs.push(delimiter);
                    rest = after;
                }
                '<' | '>' => {
                    open.redirect();
                    rest = rest.trim_start_matches(['<', '>', '&', '|']);
                }
                '&' if rest.starts_with('>') => {
                    open.redirect();
                    rest = rest.trim_start_matches('>');
                }
                '&' | '|' | ';' | '(' | ')' => {
                    let (then, after) = operator(c, rest);
                    self.end(&mut open, then);
                    rest = after;
                }
                c if c.is_whitespace() => open.end_word(),
                c => open.push(c),
            }
        }
        self.end(&mut open, Then::Succeeded);
    }

    fn end(&mut self, open: &mut Open, then: Then) {
        open.end_word();
        open.redirected = false;
        let words = std::mem::take(&mut open.words);
        if !words.is_empty() {
            self.found.push(Simple {
                words,
                then,
                substituted: self.depth > 0,
            });
        } else if let Some(last) = self.found.last_mut() {
            // `(a) && b`: the operator after the bracket is what joins.
            if last.then == Then::Anyway && last.substituted == (self.depth > 0) {
                last.then = then;
            }
        }
    }

    fn single_quoted<'a>(&mut self, open: &mut Open, rest: &'a str) -> &'a str {
        let end = rest.find('\'').unwrap_or(rest.len());
        open.word.get_or_insert_default().push_str(&rest[..end]);
        rest.get(end + 1..).unwrap_or("")
    }

    fn double_quoted<'a>(&mut self, open: &mut Open, mut rest: &'a str) -> &'a str {
        open.word.get_or_insert_default();
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return rest,
                '\\' => rest = escaped(open, rest),
                '$' if rest.starts_with('(') => rest = self.substitution(open, &rest[1..], ')'),
                '`' => rest = self.substitution(open, rest, '`'),
                c => open.push(c),
            }
        }
        rest
    }

    /// Reads the commands of a substitution that `rest` stands in; gives what follows it.
    fn substitution<'a>(&mut self, open: &mut Open, rest: &'a str, closing: char) -> &'a str {
        open.word.get_or_insert_default();
        let end = closing_at(rest, closing);
        if self.depth < MAX_DEPTH {
            self.depth += 1;
            self.line(&rest[..end]);
            self.depth -= 1;
        }
        rest.get(end + 1..).unwrap_or("")
    }
}

fn escaped<'a>(open: &mut Open, rest: &'a str) -> &'a str {
    let Some(c) = rest.chars().next() else {
        return rest;
    };
    if c != '\n' {
        open.push(c);
    }
    &rest[c.len_utf8()..]
}

fn operator(c: char, rest: &str) -> (Then, &str) {
    let doubled = rest.strip_prefix(c);
    match (c, doubled) {
        ('&', Some(after)) => (Then::Succeeded, after),
        ('&', None) => (Then::Background, rest),
        ('|', Some(after)) => (Then::Failed, after),
        ('|', None) => (Then::Pipe, rest.strip_prefix('&').unwrap_or(rest)),
        _ => (Then::Anyway, rest),
    }
}

/// Where the bracket or backtick that closes stands, or the end.
fn closing_at(text: &str, closing: char) -> usize {
    let mut depth = 0usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if std::mem::take(&mut escaped) => {}
            '\\' if quote != Some('\'') => escaped = true,
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            c if c == closing && depth == 0 => return at,
            '\'' | '"' => quote = Some(c),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

fn heredoc_delimiter(rest: &str) -> (String, &str) {
    let rest = rest.trim_start_matches(['-', ' ', '\t']);
    let end = rest
        .find([' ', '\t', '\n', ';', '&', '|', '>', '<', ')'])
        .unwrap_or(rest.len());
    let delimiter = rest[..end].replace(['\'', '"', '\\'], "");
    (delimiter, &rest[end..])
}

fn after_heredoc<'a>(rest: &'a str, delimiter: &str) -> &'a str {
    let mut rest = rest;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.trim() == delimiter {
            break;
        }
    }
    rest
}
