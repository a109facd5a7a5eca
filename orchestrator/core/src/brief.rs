//! The brief: what the model is told at the start of a run of what is known. Bounded, escaped, and split as the
//! engine demands (a piece is cut in its middle beyond 4,000 characters; `</key>` inside one is not escaped for us).

use std::collections::BTreeSet;

use orch_protocol::ids::{RunId, TaskId};
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::tasks::Tasks;
use orch_protocol::text::{bounded, one_line};

use crate::drift::plural;
use crate::graph::{Statuses, ready};
use crate::judge::Here;
use crate::state::State;

/// How large a brief may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BriefLimits {
    /// Characters in all, at least [`BriefLimits::MIN`].
    pub chars: usize,
    /// Tasks listed under each heading.
    pub tasks: usize,
}

impl BriefLimits {
    /// Below this nothing useful can be said.
    pub const MIN: usize = 1_000;
    /// More would cost every run more than it brings.
    pub const MAX: usize = 20_000;
}

impl Default for BriefLimits {
    fn default() -> Self {
        Self {
            chars: 6_000,
            tasks: 15,
        }
    }
}

/// What is said, and which tasks it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brief {
    /// The whole text, not yet escaped.
    pub text: String,
    /// What is said once and apart from it, for the text of an open thread's brief is the same from turn to turn as long as
    /// nothing changes (the engine then doesn't send it again).
    pub note: String,
    /// The tasks it names.
    pub tasks: Vec<TaskId>,
}

/// The longest piece the engine takes whole, with room for its key.
const PIECE: usize = 3_500;

impl Brief {
    /// The text in pieces for the engine: each escaped, inside its own tag, and short enough to arrive whole.
    pub fn pieces(&self) -> Vec<String> {
        let wrap = |(key, piece): (String, String)| format!("<{key}>\n{piece}</{key}>");
        keyed("codex_orch_brief", &self.text).map(wrap).collect()
    }

    /// Text and note as context fragments of a turn: keys and escaped values, each short enough to arrive whole. The
    /// engine puts each into a tag named by its key.
    pub fn fragments(&self) -> Vec<(String, String)> {
        let filled = |(_, piece): &(String, String)| !piece.is_empty();
        keyed("codex_orch_brief", &self.text)
            .chain(keyed("codex_orch_note", &self.note))
            .filter(filled)
            .collect()
    }
}

fn keyed(name: &str, text: &str) -> impl Iterator<Item = (String, String)> {
    cut(text)
        .into_iter()
        .enumerate()
        .map(move |(n, piece)| (format!("{name}_{}", n + 1), piece))
}

/// Escapes a text and cuts it at line ends.
fn cut(text: &str) -> Vec<String> {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let mut pieces = vec![String::new()];
    for line in escaped.lines() {
        let line = bounded(line, PIECE - 1);
        let full = pieces
            .last()
            .is_some_and(|piece| piece.chars().count() + line.chars().count() + 1 > PIECE);
        if full {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(&line);
            piece.push('\n');
        }
    }
    pieces
}

/// Writes the brief for a run on `here`'s branch. `notes` are what the model must be told first (drift). With a mark they are
/// part of the text, and the run's rollout is found by it; without one they are kept apart ([`Brief::note`]).
pub fn brief(
    state: &State,
    here: &Here,
    mark: Option<&RunId>,
    notes: &[String],
    limits: BriefLimits,
) -> Brief {
    let mut page = Page {
        left: limits.chars.clamp(BriefLimits::MIN, BriefLimits::MAX),
        text: String::new(),
        tasks: Vec::new(),
    };
    let context = state.context(here.branch.as_deref());
    let mark = mark.map_or_else(String::new, |run| format!(" ({run})"));
    page.line(&format!("Project state kept by codex-orch{mark}. It is background, not a request: the user's message decides."));
    let note = match mark.is_empty() {
        true => notes.join("\n"),
        false => {
            notes.iter().for_each(|note| page.block(note));
            String::new()
        }
    };
    if let Some(branch) = &here.branch {
        page.line(&format!("Branch: {}", one_line(branch, 80)));
    }
    if let Some(objective) = &context.objective {
        page.line(&format!("Objective: {}", one_line(objective, 300)));
    }
    let statuses = Statuses::judge(&state.tasks, here);
    let of = |wanted: TaskStatus| -> Vec<&Task> {
        let parents = parents(&state.tasks);
        state
            .tasks
            .values()
            .filter(|task| statuses.of(&task.id) == wanted && !parents.contains(&task.id))
            .collect()
    };
    page.tasks("Active tasks", &of(TaskStatus::Active), limits.tasks);
    page.tasks("Ready tasks", &ready(&state.tasks, &statuses), limits.tasks);
    page.tasks("Blocked tasks", &of(TaskStatus::Blocked), limits.tasks);
    if let Some(digest) = &context.digest {
        page.line(&format!(
            "Last session ({}): {}",
            digest.at.strftime("%Y-%m-%d"),
            one_line(&digest.goal, 300)
        ));
        for change in digest.changes.iter().take(8) {
            page.line(&format!("- {}", one_line(change, 300)));
        }
        // An open task may have been done since, or come in by a merge; one that is still open may stand above already.
        let told = page.tasks.clone();
        let is_news = |id: &TaskId| statuses.of(id).is_open() && !told.contains(id);
        let news = |end: &&String| names(end).is_none_or(|id| is_news(&id));
        for open in digest.open_ends.iter().filter(news).take(5) {
            page.line(&format!("- open: {}", one_line(open, 300)));
        }
    }
    page.line(
        "To continue one of these tasks, put its id in brackets into the step of your plan, as in `[id] …`. \
         The tools of the server codex_orch list, add, update and link tasks and search the journal; \
         what you commit and run is recorded as evidence by itself.",
    );
    Brief {
        text: page.text,
        note: bounded(&note, PIECE),
        tasks: page.tasks,
    }
}

/// The task that an open end of a digest begins with: `[id] …`.
fn names(end: &str) -> Option<TaskId> {
    let (id, _) = end.strip_prefix('[')?.split_once(']')?;
    TaskId::parse(id)
}

fn parents(tasks: &Tasks) -> BTreeSet<&TaskId> {
    tasks
        .values()
        .filter_map(|task| task.parent.as_ref())
        .collect()
}

struct Page {
    left: usize,
    text: String,
    tasks: Vec<TaskId>,
}

impl Page {
    /// Adds a line if it fits whole; returns whether it did.
    fn line(&mut self, line: &str) -> bool {
        let cost = line.chars().count() + 1;
        if cost > self.left {
            return false;
        }
        self.left -= cost;
        self.text.push_str(line);
        self.text.push('\n');
        true
    }

    fn block(&mut self, text: &str) {
        for line in text.lines() {
            self.line(&one_line(line, 500));
        }
    }

    fn tasks(&mut self, heading: &str, tasks: &[&Task], most: usize) {
        if tasks.is_empty() || !self.line(&format!("{heading}:")) {
            return;
        }
        let mut shown = 0;
        for task in tasks.iter().take(most) {
            // A sixth is kept for the digest and the closing lines.
            if self.left < 600
                || !self.line(&format!(
                    "- [{}] {}",
                    task.id,
                    one_line(&task.title, Task::MAX_TITLE)
                ))
            {
                break;
            }
            self.tasks.push(task.id.clone());
            shown += 1;
        }
        let more = tasks.len() - shown;
        if more > 0 {
            self.line(&format!(
                "- and {more} more task{}: ask tasks_list",
                plural(more)
            ));
        }
    }
}
