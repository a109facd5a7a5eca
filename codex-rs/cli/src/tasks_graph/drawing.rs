//! What is drawn, as plain data: tasks in the order of the forest, and arrows between them. Texts are cleaned here, once;
//! each format escapes them for itself.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::graph::Statuses;
use orch_core::graph::parents::progress;
use orch_core::graph::reduce::reduced;
use orch_core::graph::tree::tree;
use orch_core::graph::waits::around;
use orch_core::graph::waves::{critical_path, waves};
use orch_core::judge::{Here, is_unknown};
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Task, TaskStatus};
use orch_protocol::tasks::Tasks;
use orch_protocol::text::one_line;

use super::look::Look;

/// Tasks and arrows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Drawing {
    /// Each after its parent, siblings in the order in which they concern one.
    pub(crate) nodes: Vec<Node>,
    /// Ends are places in `nodes`.
    pub(crate) arrows: Vec<Arrow>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) look: Look,
    pub(crate) owner: Option<String>,
    pub(crate) milestone: Option<String>,
    pub(crate) acceptance: Option<String>,
    /// From 0, the most urgent.
    pub(crate) priority: u8,
    /// How many stand above it in the forest.
    pub(crate) depth: usize,
    /// Done ones of all below it that count; none when it has no parts.
    pub(crate) progress: Option<(usize, usize)>,
    /// From 1; none for what is closed, and for what never becomes ready as things are.
    pub(crate) wave: Option<usize>,
    /// It is left to its parts.
    pub(crate) is_parent: bool,
    /// On the longest chain of open tasks.
    pub(crate) is_critical: bool,
}

/// What comes first, and what comes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    /// The need, or the part.
    pub(crate) first: usize,
    /// What waits for it.
    pub(crate) then: usize,
    pub(crate) kind: Kind,
    /// A link of the longest chain.
    pub(crate) is_critical: bool,
}

/// Why there is an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Need,
    /// A need that follows from others; listed among details, not drawn.
    Implied,
    Part,
}

/// What of the backlog is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    /// Also what is done or dropped. Without it only those dropped ones that hold somebody up.
    pub(crate) all: bool,
    /// Needs that follow from others aren't drawn.
    pub(crate) reduce: bool,
    /// Only this task, what it waits for and what waits for it.
    pub(crate) focus: Option<TaskId>,
}

impl Drawing {
    /// Draws up what is chosen of the backlog, whose `statuses` are those seen from `here`.
    pub(crate) fn new(tasks: &Tasks, statuses: &Statuses, here: &Here, choice: &Choice) -> Self {
        let focus = choice.focus.as_ref().map(|id| around(tasks, id));
        let holding: BTreeSet<&TaskId> = tasks
            .values()
            .filter(|task| statuses.of(&task.id).is_open())
            .flat_map(|task| &task.needs)
            .filter(|need| statuses.of(need) == TaskStatus::Dropped)
            .collect();
        let kept = |task: &Task| {
            let wanted = choice.all
                || statuses.of(&task.id).is_open()
                || holding.contains(&task.id)
                || choice.focus.as_ref() == Some(&task.id);
            wanted && focus.as_ref().is_none_or(|near| near.contains(&task.id))
        };
        let rows = tree(tasks, statuses, usize::MAX, kept);
        let at: BTreeMap<&TaskId, usize> = rows
            .iter()
            .enumerate()
            .map(|(n, row)| (&row.task.id, n))
            .collect();
        let waves = waves(tasks, statuses);
        let mut wave_of = waves.parents.clone();
        for (n, wave) in waves.waves.iter().enumerate() {
            wave_of.extend(wave.iter().map(|task| (&task.id, n)));
        }
        let critical = critical_path(tasks, statuses);
        let (critical, links) = chain(tasks, statuses, &critical);
        let progress = progress(tasks, statuses);
        let node = |row: &orch_core::graph::tree::Row<'_>| {
            let (task, id) = (row.task, &row.task.id);
            let line = |text: &Option<String>, max| {
                let text = text.as_deref().map(|text| one_line(text, max));
                text.filter(|text| !text.is_empty())
            };
            Node {
                id: one_line(id.as_str(), 40),
                title: one_line(&task.title, Task::MAX_TITLE),
                look: Look::new(
                    statuses.of(id),
                    statuses.is_ready(task),
                    is_unknown(task, here),
                ),
                owner: line(&task.owner, Task::MAX_NAME),
                milestone: line(&task.milestone, Task::MAX_NAME),
                acceptance: line(&task.acceptance, Task::MAX_TEXT),
                priority: task.priority,
                depth: row.depth,
                progress: progress
                    .get(id)
                    .map(|progress| (progress.done, progress.total())),
                wave: wave_of.get(id).map(|wave| wave + 1),
                is_parent: statuses.has_open_parts(id),
                is_critical: critical.contains(id),
            }
        };
        let shown = |task: &Task| at.contains_key(&task.id);
        let drawn = choice.reduce.then(|| reduced(tasks, shown));
        let mut arrows = Vec::new();
        for (then, row) in rows.iter().enumerate() {
            let drawn = drawn.as_ref().and_then(|drawn| drawn.get(&row.task.id));
            let needs = row.task.needs.iter();
            arrows.extend(needs.filter_map(|need| {
                let kind = match drawn.is_none_or(|drawn| drawn.contains(&need)) {
                    true => Kind::Need,
                    false => Kind::Implied,
                };
                let first = *at.get(need)?;
                Some(Arrow {
                    first,
                    then,
                    kind,
                    is_critical: links.contains(&(need, &row.task.id)),
                })
            }));
            arrows.extend(row.task.parent.as_ref().and_then(|parent| {
                Some(Arrow {
                    first: then,
                    then: *at.get(parent)?,
                    kind: Kind::Part,
                    is_critical: links.contains(&(&row.task.id, parent)),
                })
            }));
        }
        arrows.sort_unstable();
        arrows.dedup_by_key(|arrow| (arrow.first, arrow.then));
        Self {
            nodes: rows.iter().map(node).collect(),
            arrows,
        }
    }

    /// The arrows that are drawn.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &Arrow> {
        self.arrows.iter().filter(|arrow| match arrow.kind {
            Kind::Need | Kind::Part => true,
            Kind::Implied => false,
        })
    }
}

/// Who is on the longest chain, and its links: where it goes from a part to what waits for the parent, the parent is on
/// it, too.
fn chain<'a>(
    tasks: &'a Tasks,
    statuses: &Statuses,
    path: &[&'a Task],
) -> (BTreeSet<&'a TaskId>, BTreeSet<(&'a TaskId, &'a TaskId)>) {
    let mut on: BTreeSet<&TaskId> = path.iter().map(|task| &task.id).collect();
    let mut links = BTreeSet::new();
    for pair in path.windows(2) {
        let [first, then] = pair else { continue };
        let mut way = vec![&first.id];
        let mut at = *first;
        while !then.needs.contains(&at.id) && then.id != at.id {
            let above = at.parent.as_ref().and_then(|id| tasks.get(id));
            match above.filter(|above| statuses.has_open_parts(&above.id)) {
                Some(above) if !way.contains(&&above.id) => at = above,
                Some(_) | None => break,
            }
            way.push(&at.id);
        }
        if then.needs.contains(&at.id) {
            way.push(&then.id);
        } else if then.id != at.id {
            continue;
        }
        links.extend(way.windows(2).filter_map(|link| match link {
            [first, then] => Some((*first, *then)),
            _ => None,
        }));
        on.extend(way);
    }
    (on, links)
}

impl Node {
    /// What stands below the title: id, status, progress, owner, and the priority where it isn't the usual one.
    pub(super) fn subtitle(&self) -> String {
        let mut words = vec![self.id.clone(), self.look.word().to_owned()];
        words.extend(self.progress.map(|(done, total)| format!("{done}/{total}")));
        words.extend(
            (self.priority != Task::DEFAULT_PRIORITY).then(|| format!("p{}", self.priority)),
        );
        words.extend(self.owner.as_ref().map(|owner| format!("@{owner}")));
        words.join(" · ")
    }
}
