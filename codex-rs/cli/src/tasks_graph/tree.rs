//! The forest on a terminal: one line a task, the columns aligned, the branches drawn before the titles.

use orch_protocol::task::Task;

use super::Pen;
use super::drawing::{Drawing, Node};
use super::fit::{columns, cut, padded, paint};

/// Deeper ones are counted, not shown.
const MAX_DEPTH: usize = 12;

/// Draws the forest; nothing for no tasks.
pub(super) fn tree(drawing: &Drawing, pen: &Pen) -> String {
    let width = pen.width.max(40);
    let max_depth = (width.saturating_sub(44) / 3).clamp(2, MAX_DEPTH);
    let ids = drawing.nodes.iter().map(|node| columns(&node.id)).max();
    let ids = ids.unwrap_or(0);
    let lasts = lasts(drawing);
    let hidden = hidden(drawing, max_depth);
    let mut guides: Vec<bool> = Vec::new();
    let mut out = String::new();
    for (at, node) in drawing.nodes.iter().enumerate() {
        guides.truncate(node.depth);
        guides.push(lasts[at]);
        if node.depth > max_depth {
            continue;
        }
        let symbol = format!(
            "{} {}",
            node.look.symbol(pen.ascii),
            padded(node.look.word(), 7)
        );
        let branch = branch(&guides, pen.ascii);
        let tail = tail(node, hidden[at], pen);
        let tail_width: usize = tail.iter().map(|(text, _)| columns(text) + 2).sum();
        let used = ids + 2 + columns(&symbol) + 2 + columns(&branch) + tail_width;
        let title = cut(&node.title, width.saturating_sub(used).max(8), pen.ascii);
        let title = match node.look {
            super::look::Look::Done | super::look::Look::Dropped => paint(pen, "2", &title),
            _ if node.progress.is_some() => paint(pen, "1", &title),
            _ => title,
        };
        let line = [
            paint(pen, "2", &padded(&node.id, ids)),
            "  ".to_owned(),
            paint(pen, node.look.sgr(), &symbol),
            "  ".to_owned(),
            paint(pen, "2", &branch),
            title,
        ]
        .concat();
        out.push_str(line.trim_end());
        for (text, sgr) in tail {
            out.push_str("  ");
            out.push_str(&paint(pen, sgr, &text));
        }
        out.push('\n');
    }
    out
}

/// What follows the title, with its colour.
fn tail(node: &Node, hidden: usize, pen: &Pen) -> Vec<(String, &'static str)> {
    let mut tail = Vec::new();
    if let Some((done, total)) = node.progress {
        tail.push((format!("{done}/{total}"), "1"));
    }
    if node.priority != Task::DEFAULT_PRIORITY {
        tail.push((format!("p{}", node.priority), "2"));
    }
    if let Some(owner) = &node.owner {
        tail.push((format!("@{}", cut(owner, 16, pen.ascii)), "2"));
    }
    if hidden > 0 {
        tail.push((format!("+{hidden} below"), "2"));
    }
    tail
}

/// `│  ├─ `, from the ancestors' being the last of their siblings and one's own.
fn branch(guides: &[bool], ascii: bool) -> String {
    let (pass, none) = if ascii {
        ("|  ", "   ")
    } else {
        ("│  ", "   ")
    };
    let (tee, corner) = if ascii {
        ("|- ", "`- ")
    } else {
        ("├─ ", "└─ ")
    };
    let Some((own, above)) = guides.get(1..).and_then(<[bool]>::split_last) else {
        return String::new();
    };
    let above: String = above
        .iter()
        .map(|last| if *last { none } else { pass })
        .collect();
    format!("{above}{}", if *own { corner } else { tee })
}

/// Whether each is the last below its parent.
fn lasts(drawing: &Drawing) -> Vec<bool> {
    let mut seen: Vec<bool> = Vec::new();
    let mut lasts: Vec<bool> = drawing
        .nodes
        .iter()
        .rev()
        .map(|node| {
            seen.resize(node.depth + 1, false);
            !std::mem::replace(&mut seen[node.depth], true)
        })
        .collect();
    lasts.reverse();
    lasts
}

/// How many below each stand too deep to be shown.
fn hidden(drawing: &Drawing, max_depth: usize) -> Vec<usize> {
    let mut hidden = vec![0; drawing.nodes.len()];
    let mut above = None;
    for (at, node) in drawing.nodes.iter().enumerate() {
        if node.depth <= max_depth {
            above = Some(at);
        } else if let Some(above) = above {
            hidden[above] += 1;
        }
    }
    hidden
}
