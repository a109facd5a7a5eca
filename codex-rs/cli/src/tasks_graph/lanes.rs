//! The graph on a terminal: tasks by wave, one line each, and a lane from each need down to the last one that waits for
//! it. What a line needs is told by number as well, so that nothing depends on the drawing: where there are more lanes
//! than fit, the rest is told only.

use std::collections::BTreeMap;

use super::Pen;
use super::drawing::{Drawing, Kind, Node};
use super::fit::{columns, cut, paint};
use super::look::Look;

/// The most lanes, two columns each: what leaves titles readable at 80 columns.
const MAX_LANES: usize = 8;

/// Draws the waves; nothing for no tasks.
pub(super) fn graph(drawing: &Drawing, pen: &Pen) -> String {
    let width = pen.width.max(40);
    let rows = rows(drawing);
    let needs = needs(drawing, &rows);
    let lanes = Lanes::new(&needs);
    let digits = rows.len().to_string().len();
    let mut out = String::new();
    let mut group = None;
    for (row, node) in rows.iter().enumerate() {
        let node = &drawing.nodes[*node];
        let own = Group::of(node);
        if group != Some(own) {
            if group.is_some() {
                out.push_str(lanes.between(row, pen).trim_end());
                out.push('\n');
            }
            group = Some(own);
            let passing = lanes.between(row, pen);
            let room = width.saturating_sub(lanes.count() + 2);
            let says = cut(&own.says(), room, pen.ascii);
            out.push_str(&format!("{passing}  {}\n", paint(pen, "1", &says)));
        }
        let told = told(&needs[row], pen.ascii);
        let tail = tail(node);
        let number = format!("{:>digits$}", row + 1);
        let head = lanes.count() + 5 + digits + columns(&node.id);
        let fixed = head + columns(&tail) + columns(&told);
        let title = cut(&node.title, width.saturating_sub(fixed).max(8), pen.ascii);
        let symbol = paint(pen, node.look.sgr(), node.look.symbol(pen.ascii));
        let line = [
            lanes.at(row, pen),
            symbol,
            " ".to_owned(),
            paint(pen, "1", &number),
            " ".to_owned(),
            paint(pen, "2", &node.id),
            " ".to_owned(),
            match node.look {
                Look::Done | Look::Dropped => paint(pen, "2", &title),
                Look::Active | Look::Ready | Look::Pending | Look::Blocked | Look::Unknown => title,
            },
            paint(pen, "2", &tail),
            told,
        ]
        .concat();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// What stands under one heading, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Done,
    Dropped,
    Wave(usize),
    Stuck,
}

impl Group {
    fn of(node: &Node) -> Self {
        match (node.look, node.wave) {
            (Look::Done, _) => Group::Done,
            (Look::Dropped, _) => Group::Dropped,
            (_, Some(wave)) => Group::Wave(wave),
            (_, None) => Group::Stuck,
        }
    }

    fn says(self) -> String {
        match self {
            Group::Done => "done".to_owned(),
            Group::Dropped => "dropped".to_owned(),
            Group::Wave(1) => "wave 1: can be done now".to_owned(),
            Group::Wave(n) => format!("wave {n}: once all above are done"),
            Group::Stuck => {
                "stuck: blocked, behind something blocked or dropped, or in a cycle".to_owned()
            }
        }
    }
}

/// The tasks line by line: by group; in a group what is needed there comes first, then as they stand in the drawing.
fn rows(drawing: &Drawing) -> Vec<usize> {
    let groups: Vec<Group> = drawing.nodes.iter().map(Group::of).collect();
    let mut waits = vec![0usize; groups.len()];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    for arrow in drawing.drawn() {
        if groups[arrow.first] == groups[arrow.then] {
            waits[arrow.then] += 1;
            behind[arrow.first].push(arrow.then);
        }
    }
    let mut free: std::collections::BTreeSet<(Group, usize)> = (0..groups.len())
        .filter(|at| waits[*at] == 0)
        .map(|at| (groups[at], at))
        .collect();
    let mut rows = Vec::with_capacity(groups.len());
    let mut placed = vec![false; groups.len()];
    while let Some((_, at)) = free.pop_first() {
        placed[at] = true;
        rows.push(at);
        for next in &behind[at] {
            waits[*next] -= 1;
            if waits[*next] == 0 {
                free.insert((groups[*next], *next));
            }
        }
    }
    rows.extend((0..groups.len()).filter(|at| !placed[*at]));
    rows.sort_by_key(|at| groups[*at]);
    rows
}

/// The lines that each line needs, by number from 0; those of a cycle may stand below it.
fn needs(drawing: &Drawing, rows: &[usize]) -> Vec<Vec<usize>> {
    let row_of: BTreeMap<usize, usize> = rows
        .iter()
        .enumerate()
        .map(|(row, at)| (*at, row))
        .collect();
    let mut needs = vec![Vec::new(); rows.len()];
    for arrow in drawing.drawn().filter(|arrow| arrow.kind == Kind::Need) {
        if let (Some(first), Some(then)) = (row_of.get(&arrow.first), row_of.get(&arrow.then)) {
            needs[*then].push(*first);
        }
    }
    needs.iter_mut().for_each(|needs| needs.sort_unstable());
    needs
}

fn tail(node: &Node) -> String {
    let progress = node
        .progress
        .map(|(done, total)| format!("  {done}/{total}"));
    progress.unwrap_or_default()
}

fn told(needs: &[usize], ascii: bool) -> String {
    if needs.is_empty() {
        return String::new();
    }
    let arrow = if ascii { "<-" } else { "←" };
    let mut told = format!("  {arrow}");
    for (n, need) in needs.iter().enumerate() {
        let more = needs.len() - n;
        if more > 1 && columns(&told) > 15 {
            told.push_str(&format!(" +{more}"));
            break;
        }
        told.push_str(&format!(" {}", need + 1));
    }
    told
}

/// Who uses which lane, from which line to which.
struct Lanes {
    /// By lane, from the right, which is next to the tasks: first line, and those that wait, in order.
    lanes: Vec<Vec<(usize, Vec<usize>)>>,
}

/// What a lane does at a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    None,
    Passes,
    Begins,
    Joins,
    Ends,
}

impl Lanes {
    fn new(needs: &[Vec<usize>]) -> Self {
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
        for (row, needs) in needs.iter().enumerate() {
            for need in needs.iter().filter(|need| **need < row) {
                waiting[*need].push(row);
            }
        }
        let mut lanes: Vec<Vec<(usize, Vec<usize>)>> = Vec::new();
        for (first, waiting) in waiting.into_iter().enumerate() {
            if waiting.is_empty() {
                continue;
            }
            let end = |lane: &Vec<(usize, Vec<usize>)>| {
                lane.last().and_then(|(_, waiting)| waiting.last().copied())
            };
            match lanes.iter().position(|lane| end(lane) < Some(first)) {
                Some(lane) => lanes[lane].push((first, waiting)),
                None if lanes.len() < MAX_LANES => lanes.push(vec![(first, waiting)]),
                None => {}
            }
        }
        Self { lanes }
    }

    /// Columns, the arrow included.
    fn count(&self) -> usize {
        2 * self.lanes.len() + 1
    }

    fn touch(&self, lane: usize, row: usize) -> Touch {
        let used = &self.lanes[lane];
        let at = used.partition_point(|(first, _)| *first <= row);
        let Some((first, waiting)) = at.checked_sub(1).and_then(|at| used.get(at)) else {
            return Touch::None;
        };
        let last = waiting.last().copied().unwrap_or(*first);
        if row > last {
            Touch::None
        } else if row == *first {
            Touch::Begins
        } else if row == last {
            Touch::Ends
        } else if waiting.binary_search(&row).is_ok() {
            Touch::Joins
        } else {
            Touch::Passes
        }
    }

    /// The lanes at a task's line. What passes under an arrow stays upright (`─│─`); what joins it is drawn with it.
    fn at(&self, row: usize, pen: &Pen) -> String {
        let mut out = String::new();
        let mut joined = false;
        let mut arrives = false;
        for lane in (0..self.lanes.len()).rev() {
            let touch = self.touch(lane, row);
            let mark = match (touch, joined) {
                (Touch::None, false) => ' ',
                (Touch::None, true) => '─',
                (Touch::Passes, _) => '│',
                (Touch::Begins, false) => '╭',
                (Touch::Begins, true) => '┬',
                (Touch::Joins, false) => '├',
                (Touch::Joins, true) => '┼',
                (Touch::Ends, false) => '╰',
                (Touch::Ends, true) => '┴',
            };
            joined |= !matches!(touch, Touch::None | Touch::Passes);
            arrives |= matches!(touch, Touch::Joins | Touch::Ends);
            out.push_str(&self.mark(mark, lane, pen));
            if lane > 0 {
                let beside = if joined { '─' } else { ' ' };
                out.push_str(&self.mark(beside, self.lanes.len(), pen));
            }
        }
        let last = match (joined, arrives) {
            (false, _) => [' ', ' '],
            (true, false) => ['─', '─'],
            (true, true) => ['─', '▶'],
        };
        let shown = if self.lanes.is_empty() {
            &last[1..]
        } else {
            &last
        };
        let ends = shown
            .iter()
            .map(|mark| self.mark(*mark, self.lanes.len(), pen));
        out.extend(ends);
        out
    }

    /// The lanes just above a line.
    fn between(&self, row: usize, pen: &Pen) -> String {
        let marks = (0..self.lanes.len()).rev().map(|lane| {
            let passes = match self.touch(lane, row) {
                Touch::Passes | Touch::Joins | Touch::Ends => '│',
                Touch::None | Touch::Begins => ' ',
            };
            self.mark(passes, lane, pen) + " "
        });
        marks.collect::<String>() + " "
    }

    fn mark(&self, mark: char, lane: usize, pen: &Pen) -> String {
        let plain = match mark {
            '─' => '-',
            '│' => '|',
            '╭' | '┬' => '.',
            '╰' | '┴' => '\'',
            '├' | '┼' => '+',
            '▶' => '>',
            other => other,
        };
        const COLOURS: [&str; 6] = ["36", "35", "33", "34", "32", "31"];
        let text = if pen.ascii { plain } else { mark }.to_string();
        match mark {
            ' ' => text,
            _ if lane == self.lanes.len() => paint(pen, "2", &text),
            _ => paint(pen, COLOURS[lane % COLOURS.len()], &text),
        }
    }
}
