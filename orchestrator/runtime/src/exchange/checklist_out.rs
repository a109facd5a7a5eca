//! Tasks as a checklist: grouped by milestone, parts below their parents, ids in brackets. What an import of it reads again
//! is titles, ids, statuses, priorities, owners, needs, milestones and parents; the rest is told.

use std::collections::{BTreeMap, HashMap, HashSet};

use orch_protocol::ids::TaskId;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::text::one_line;

use super::MAX_DEPTH;
use super::export::{ExportTask, Exported};

/// The first line of our own exports.
pub(super) const HEADER: &str = "<!-- codex-orch tasks -->";
/// Stands between what is said behind an id.
pub(super) const BETWEEN: &str = " · ";

/// Writes a checklist.
pub(super) fn write(tasks: &[ExportTask<'_>]) -> Exported {
    let here: HashSet<&TaskId> = tasks.iter().map(|given| &given.task.id).collect();
    let mut parts: HashMap<&TaskId, Vec<usize>> = HashMap::new();
    let mut tops: Vec<usize> = Vec::new();
    for (at, given) in tasks.iter().enumerate() {
        match given
            .task
            .parent
            .as_ref()
            .filter(|parent| here.contains(parent))
        {
            Some(parent) => parts.entry(parent).or_default().push(at),
            None => tops.push(at),
        }
    }
    let mut list = List {
        tasks,
        parts,
        written: vec![false; tasks.len()],
        text: format!("{HEADER}\n\n# Tasks\n"),
    };
    let mut sections: BTreeMap<usize, (Option<&str>, Vec<usize>)> = BTreeMap::new();
    let mut order: HashMap<Option<&str>, usize> = HashMap::from([(None, 0)]);
    for at in tops {
        let name = tasks
            .get(at)
            .and_then(|given| given.task.milestone.as_deref());
        let next = order.len();
        let section = *order.entry(name).or_insert(next);
        sections
            .entry(section)
            .or_insert((name, Vec::new()))
            .1
            .push(at);
    }
    for (name, tops) in sections.into_values() {
        list.section(name, tops);
    }
    // Parents in a loop are nobody's parts; they are written all the same.
    let left: Vec<usize> = (0..tasks.len())
        .filter(|at| list.written.get(*at) == Some(&false))
        .collect();
    if !left.is_empty() {
        list.section(None, left);
    }
    Exported {
        text: list.text,
        remarks: remarks(tasks, &here),
    }
}

struct List<'a> {
    tasks: &'a [ExportTask<'a>],
    parts: HashMap<&'a TaskId, Vec<usize>>,
    written: Vec<bool>,
    text: String,
}

impl List<'_> {
    fn section(&mut self, name: Option<&str>, tops: Vec<usize>) {
        if let Some(name) = name {
            self.text.push_str(&format!(
                "\n## {}\n",
                escaped(&one_line(name, Task::MAX_NAME))
            ));
        }
        self.text.push('\n');
        let mut stack: Vec<(usize, usize)> = tops.into_iter().rev().map(|at| (at, 0)).collect();
        while let Some((at, depth)) = stack.pop() {
            match self.written.get_mut(at) {
                Some(written @ false) => *written = true,
                Some(true) | None => continue,
            }
            let Some(given) = self.tasks.get(at) else {
                continue;
            };
            let line = line(given, name, depth.min(MAX_DEPTH));
            self.text.push_str(&line);
            if let Some(parts) = self.parts.get(&given.task.id) {
                stack.extend(parts.iter().rev().map(|part| (*part, depth + 1)));
            }
        }
    }
}

fn line(given: &ExportTask<'_>, section: Option<&str>, depth: usize) -> String {
    let task = given.task;
    let mut tail: Vec<String> = Vec::new();
    let done = match given.status {
        TaskStatus::Done => "x",
        TaskStatus::Pending => " ",
        TaskStatus::Active | TaskStatus::Blocked | TaskStatus::Dropped => {
            tail.push(given.status.name().to_owned());
            " "
        }
    };
    if task.priority != Task::DEFAULT_PRIORITY {
        tail.push(format!("P{}", task.priority));
    }
    if let Some(owner) = &task.owner {
        tail.push(format!("owner {}", said(owner)));
    }
    if let Some(name) = task
        .milestone
        .as_deref()
        .filter(|name| Some(*name) != section)
    {
        tail.push(format!("milestone {}", said(name)));
    }
    if !task.needs.is_empty() {
        let needs: Vec<&str> = task.needs.iter().map(TaskId::as_str).collect();
        tail.push(format!("needs {}", needs.join(", ")));
    }
    let title = escaped(&one_line(&task.title, Task::MAX_TITLE));
    let tail: String = tail.iter().map(|said| format!("{BETWEEN}{said}")).collect();
    format!(
        "{}- [{done}] {title} [{}]{tail}\n",
        "  ".repeat(depth),
        task.id
    )
}

/// A name in the tail: what would end it there is taken out.
fn said(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '·' => '-',
            '[' => '(',
            ']' => ')',
            c => c,
        })
        .collect();
    escaped(&one_line(&plain, Task::MAX_NAME))
}

/// Text that markdown shows as it is.
fn escaped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    // Digits before `.` or `)` at the start make a numbered list.
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let in_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
        let escape = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' => true,
            '_' => !(in_word(before) && in_word(after)),
            '&' => after.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '#'),
            '#' => true,
            '-' | '+' | '=' | ':' => before.is_none(),
            '.' | ')' => at == digits && digits > 0 && after.is_none_or(|c| *c == ' '),
            _ => false,
        };
        if escape {
            out.push('\\');
        }
        out.push(*c);
    }
    out
}

fn remarks(tasks: &[ExportTask<'_>], here: &HashSet<&TaskId>) -> Vec<String> {
    let count =
        |has: &dyn Fn(&ExportTask<'_>) -> bool| tasks.iter().filter(|given| has(given)).count();
    let lines = [
        (
            count(&|given| !given.task.claims.is_empty()),
            "a checklist has no claims: only the status as seen from here is told",
        ),
        (
            count(&|given| !given.task.evidence.is_empty()),
            "a checklist has no evidence",
        ),
        (
            count(&|given| given.task.acceptance.is_some() || !given.task.notes.is_empty()),
            "a checklist has no acceptance and no notes",
        ),
        (
            count(&|given| given.task.target_commit.is_some() || !given.task.aliases.is_empty()),
            "a checklist has no target commit and no other wordings",
        ),
        (
            count(&|given| given.done_on.is_some()),
            "done on another branch, which a checklist can't say: written as they stand here",
        ),
        (
            count(&|given| {
                given
                    .task
                    .parent
                    .as_ref()
                    .is_some_and(|parent| !here.contains(parent))
            }),
            "parents outside of what is exported were left out",
        ),
    ];
    lines
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| {
            format!(
                "{text} ({count} {})",
                if count == 1 { "task" } else { "tasks" }
            )
        })
        .collect()
}
