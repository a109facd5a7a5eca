//! Cuts a text in YAML into its tasks and a task into its keys, by lines: the comments and blank lines stay with what
//! stands below them.
//!
//! It knows indentation and nothing else of YAML. Whoever uses a piece reads it by a parser first, and does without it
//! where that doesn't say what it should.

/// A file, cut.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Blocks {
    /// Lines above the tasks, without our own.
    pub(super) top: String,
    /// A task each, moved to the left margin.
    pub(super) blocks: Vec<String>,
    /// Lines below the last task.
    pub(super) end: String,
}

/// Cuts a file whose tasks begin on the lines `starts` (from 1); none where they aren't written one below the other.
pub(super) fn cut(text: &str, starts: &[u64]) -> Option<Blocks> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let head = lines.iter().position(|line| line.starts_with("tasks:"))?;
    let top = lines.get(..head)?.iter().filter(|line| !is_ours(line));
    let mut cut = Blocks {
        top: top.copied().collect(),
        ..Blocks::default()
    };
    let mut dashes = Vec::with_capacity(starts.len());
    for start in starts {
        let at = usize::try_from(*start).ok()?.checked_sub(1)?;
        // `-` may stand on a line of its own above the first key.
        let dash = (head + 1..=at)
            .rev()
            .take(64)
            .find(|at| is_item(lines[*at]))?;
        dashes.push(dash);
    }
    if dashes.windows(2).any(|pair| pair[0] >= pair[1]) {
        return None;
    }
    let Some(first) = dashes.first() else {
        let rest = lines.get(head + 1..)?;
        cut.end = rest.concat();
        return rest.iter().all(|line| is_loose(line, 0)).then_some(cut);
    };
    let margin = indent(lines[*first]);
    if dashes.iter().any(|dash| indent(lines[*dash]) != margin) {
        return None;
    }
    let mut from = head + 1;
    for next in dashes.iter().skip(1).copied().chain([lines.len()]) {
        // What is loose above the next task is the next one's; below the last one it is the file's.
        let to = above(&lines[..next], margin).max(from);
        cut.blocks.push(moved(&lines[from..to], margin)?);
        from = to;
    }
    cut.end = lines.get(from..)?.concat();
    Some(cut)
}

/// A task's block, cut into its keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Keys<'a> {
    /// How far the keys are indented.
    pub(super) margin: usize,
    /// The keys in their order.
    pub(super) pieces: Vec<Piece<'a>>,
    /// Loose lines below the last one.
    pub(super) end: String,
}

/// One key with what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece<'a> {
    /// The key.
    pub(super) key: &'a str,
    /// Comments and blank lines above it.
    pub(super) above: String,
    /// Its own lines, indented like all keys.
    pub(super) text: String,
}

/// Cuts a block at the left margin; none where it isn't one key below the other.
pub(super) fn keys(block: &str) -> Option<Keys<'_>> {
    let lines: Vec<&str> = block.split_inclusive('\n').collect();
    let dash = lines.iter().position(|line| is_item(line))?;
    if !lines[..dash].iter().all(|line| is_loose(line, 0)) {
        return None;
    }
    let rest = &lines[dash][1..];
    let margin = if rest.trim().is_empty() {
        let first = lines[dash + 1..]
            .iter()
            .find(|line| !is_loose(line, usize::MAX))?;
        indent(first)
    } else {
        1 + indent(rest)
    };
    let mut keys = Keys {
        margin,
        pieces: Vec::new(),
        end: String::new(),
    };
    let mut above: String = lines[..dash].concat();
    let mut at = dash;
    while at < lines.len() {
        let line = lines[at];
        if is_loose(line, margin) || (at == dash && rest.trim().is_empty()) {
            if at != dash {
                above.push_str(line);
            }
            at += 1;
            continue;
        }
        let bare = if at == dash {
            rest.trim_start()
        } else {
            line.get(margin..)?
        };
        if (at != dash && indent(line) != margin) || margin == 0 {
            return None;
        }
        let key = key(bare)?;
        let mut to = at + 1;
        while to < lines.len() && (is_below(lines[to], margin) || lines[to].trim().is_empty()) {
            to += 1;
        }
        while to > at + 1 && is_loose(lines[to - 1], margin) {
            to -= 1;
        }
        let mut text = format!("{}{bare}", " ".repeat(margin));
        text.extend(lines[at + 1..to].iter().copied());
        keys.pieces.push(Piece {
            key,
            above: std::mem::take(&mut above),
            text,
        });
        at = to;
    }
    keys.end = above;
    Some(keys)
}

/// Deeper than a key at `margin`, or an item of a list that is its value.
fn is_below(line: &str, margin: usize) -> bool {
    let at = indent(line);
    at > margin || (at == margin && is_item(line))
}

fn key(text: &str) -> Option<&str> {
    let end = text.find(':')?;
    let key = &text[..end];
    let is_plain = key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let is_ended = text[end + 1..]
        .chars()
        .next()
        .is_none_or(char::is_whitespace);
    (is_plain && is_ended && !key.is_empty()).then_some(key)
}

/// The number of the first of those lines at the end that are loose.
fn above(lines: &[&str], margin: usize) -> usize {
    let kept = lines.iter().rposition(|line| !is_loose(line, margin));
    kept.map_or(0, |at| at + 1)
}

fn is_loose(line: &str, margin: usize) -> bool {
    let text = line.trim();
    text.is_empty() || (text.starts_with('#') && indent(line) <= margin)
}

fn is_item(line: &str) -> bool {
    let text = line.trim_start();
    text.trim_end() == "-" || text.starts_with("- ")
}

fn is_ours(line: &str) -> bool {
    line.starts_with("# state ") || line.starts_with("schema:") || line.trim().is_empty()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Lines moved to the left; none where one of them doesn't reach that far.
fn moved(lines: &[&str], by: usize) -> Option<String> {
    let mut out = String::new();
    for line in lines {
        let loose = is_loose(line, by);
        match line.get(by.min(indent(line))..) {
            Some(rest) if indent(line) >= by || loose => out.push_str(rest),
            Some(_) | None => return None,
        }
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    Some(out)
}
