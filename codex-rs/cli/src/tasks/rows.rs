//! A task in a line: id, status, priority, title, and what else is worth knowing, in as many cells as there are.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use anstyle::Style;
use orch_core::graph::Statuses;
use orch_core::graph::parents::{Progress, progress};
use orch_core::judge::{Here, done_elsewhere, is_unknown};
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::text::one_line;
use unicode_width::UnicodeWidthStr as _;

use super::tree::parts;
use crate::screen::{Screen, cut, paint, styled};
use crate::session::Seen;

/// Id, status and priority with what stands between.
const LEAD: usize = TaskId::LEN + 2 + STATUS + 2 + 2 + 2;
const STATUS: usize = 7;
/// Titles keep so many cells before anything beside them goes.
const MIN_TITLE: usize = 24;

/// Draws rows of one backlog.
pub(crate) struct Rows<'a> {
    seen: &'a Seen,
    statuses: &'a Statuses,
    width: Option<usize>,
    // Made when they are first asked for: most rows have no parts.
    parts: OnceCell<BTreeMap<&'a TaskId, Vec<&'a Task>>>,
    progress: OnceCell<BTreeMap<&'a TaskId, Progress>>,
    is_archive: bool,
}

/// Something beside the title; what has the highest rank goes first where there is no room.
struct Tag {
    rank: u8,
    style: Style,
    text: String,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(seen: &'a Seen, statuses: &'a Statuses, screen: &Screen) -> Self {
        Self {
            seen,
            statuses,
            width: screen.width,
            parts: OnceCell::new(),
            progress: OnceCell::new(),
            is_archive: false,
        }
    }

    /// Rows that say that their tasks were archived.
    pub(crate) fn of_archive(self) -> Self {
        Self {
            is_archive: true,
            ..self
        }
    }

    /// The row of a task; `guide` stands before its title, and a `faint` row is there for others.
    pub(crate) fn row(&self, task: &Task, guide: &str, faint: bool) -> String {
        self.drawn(task, guide, faint, self.width)
    }

    /// The row of a task in at most `width` cells.
    pub(crate) fn row_in(&self, task: &Task, width: Option<usize>) -> String {
        self.drawn(task, "", false, width)
    }

    fn drawn(&self, task: &Task, guide: &str, faint: bool, width: Option<usize>) -> String {
        let status = self.statuses.of(&task.id);
        let mut tags = self.tags(task);
        let room = |tags: &[Tag]| {
            let beside: usize = tags.iter().map(|tag| tag.text.width() + 2).sum();
            width.map(|width| width.saturating_sub(LEAD + guide.width() + beside))
        };
        while room(&tags).is_some_and(|room| room < MIN_TITLE) {
            let last = tags.iter().enumerate().max_by_key(|(_, tag)| tag.rank);
            match last.map(|(at, _)| at) {
                Some(at) => drop(tags.remove(at)),
                None => break,
            }
        }
        let title = one_line(&task.title, Task::MAX_TITLE);
        let title = room(&tags).map_or_else(|| title.clone(), |room| cut(&title, room));
        let title = match (faint || !status.is_open(), status) {
            (true, _) => styled(paint::FAINT, &title),
            (false, TaskStatus::Active) => styled(paint::STRONG, &title),
            (false, _) => title,
        };
        let beside: String = tags
            .iter()
            .map(|tag| format!("  {}", styled(tag.style, &tag.text)))
            .collect();
        let priority = format!("p{}", task.priority);
        format!(
            "{}  {}  {}  {}{title}{beside}",
            self.id(&task.id),
            self.status(task),
            styled(urgency(task.priority), &priority),
            styled(paint::FAINT, guide),
        )
    }

    /// The id, with the beginning that suffices to name it made strong.
    pub(crate) fn id(&self, id: &TaskId) -> String {
        let tasks = &self.seen.state.tasks;
        let before = tasks.range(..id.clone()).next_back();
        let mut after = tasks.range(id.clone()..).map(|(other, _)| other);
        let after = after.find(|other| *other != id);
        let neighbours = before.map(|(other, _)| other).into_iter().chain(after);
        let shared = neighbours.map(|other| shared(id.as_str(), other.as_str()));
        let enough = shared.max().unwrap_or_default() + 1;
        let (name, rest) = id
            .as_str()
            .split_at_checked(enough)
            .unwrap_or((id.as_str(), ""));
        format!(
            "{}{}",
            styled(paint::STRONG, name),
            styled(paint::FAINT, rest)
        )
    }

    /// The status's word in its colour, padded.
    pub(crate) fn status(&self, task: &Task) -> String {
        let (word, style) = word(task, self.statuses, &self.seen.here);
        let pad = " ".repeat(STATUS.saturating_sub(word.width()));
        format!("{}{pad}", styled(style, word))
    }

    /// How far what is below a task is: done and not dropped tasks that have no parts; none where it has none itself.
    pub(crate) fn progress(&self, task: &Task) -> Option<(usize, usize)> {
        if !self.statuses.has_parts(&task.id) {
            return None;
        }
        let all = || progress(&self.seen.state.tasks, self.statuses);
        let progress = self.progress.get_or_init(all).get(&task.id)?;
        Some((progress.done, progress.total()))
    }

    /// The tasks that are parts of this one.
    pub(crate) fn parts(&self, task: &Task) -> &[&'a Task] {
        let all = || parts(&self.seen.state.tasks);
        let parts = self.parts.get_or_init(all).get(&task.id);
        parts.map_or(&[], Vec::as_slice)
    }

    fn tags(&self, task: &Task) -> Vec<Tag> {
        let mut tags = Vec::new();
        let mut tag = |rank, style, text: String| tags.push(Tag { rank, style, text });
        if self.is_archive {
            tag(0, paint::FAINT, "(archived)".to_owned());
        }
        if let Some((done, of)) = self.progress(task) {
            tag(1, paint::FAINT, format!("{done}/{of}"));
        }
        if let Some(owner) = &task.owner {
            tag(2, paint::ACTIVE, format!("@{}", one_line(owner, 20)));
        }
        if let Some(milestone) = &task.milestone {
            tag(4, paint::FAINT, format!("#{}", one_line(milestone, 20)));
        }
        let status = self.statuses.of(&task.id);
        let unmet = |need: &&TaskId| self.statuses.is_unmet(need);
        let waits = task.needs.iter().filter(unmet).count();
        if status.is_open() && waits > 0 {
            tag(3, paint::FAINT, format!("(needs {waits})"));
        }
        if let Some(branch) = done_elsewhere(task, &self.seen.here)
            && status != TaskStatus::Done
        {
            tag(
                0,
                paint::WARN,
                format!("(done on {})", one_line(branch, 60)),
            );
        }
        tags
    }
}

/// The word that says how a task stands, and its colour: the same word everywhere.
pub(crate) fn word(task: &Task, statuses: &Statuses, here: &Here) -> (&'static str, Style) {
    if is_unknown(task, here) {
        return ("unknown", paint::WARN);
    }
    let status = statuses.of(&task.id);
    match status {
        TaskStatus::Pending if statuses.is_ready(task) => ("ready", paint::GOOD),
        TaskStatus::Pending => (status.name(), Style::new()),
        TaskStatus::Active => (status.name(), paint::ACTIVE),
        TaskStatus::Blocked => (status.name(), paint::BAD),
        TaskStatus::Done | TaskStatus::Dropped => (status.name(), paint::FAINT),
    }
}

fn urgency(priority: u8) -> Style {
    match priority {
        0 => paint::BAD,
        1 => paint::WARN,
        2 => Style::new(),
        _ => paint::FAINT,
    }
}

/// Characters that both begin with. Ids are ASCII; whatever else a store holds is cut at a character's end.
fn shared(a: &str, b: &str) -> usize {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    same.map(|(c, _)| c.len_utf8()).sum()
}
