//! Which tasks a listing is about, and in which order. Nothing is drawn here.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use orch_core::command::find;
use orch_core::graph::Statuses;
use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::text::one_line;

use super::line::{Key, List, Sort, Standing};
use super::order;
use crate::session::Seen;
use crate::trouble::Trouble;

/// The tasks that `wanted` asks for, sorted as it says; by default what concerns one now comes first.
pub(crate) fn select<'a>(
    seen: &'a Seen,
    statuses: &Statuses,
    wanted: &List,
) -> Result<Vec<&'a Task>, Trouble> {
    let below = match &wanted.parent {
        Some(parent) => Some(parts_of(seen, &find(&seen.state, parent)?.id)),
        None => None,
    };
    let words = wanted.text.as_deref().map(words);
    let is_wanted = |task: &&Task| {
        stands(task, statuses, wanted)
            && has_owner(task, &wanted.owner)
            && wanted
                .priority
                .is_none_or(|range| (range.0..=range.1).contains(&task.priority))
            && below.as_ref().is_none_or(|below| below.contains(&task.id))
            && wanted
                .milestone
                .as_ref()
                .is_none_or(|name| is_same(task.milestone.as_deref(), name))
            && words.as_ref().is_none_or(|words| holds(task, words))
            && wanted
                .branch
                .as_ref()
                .is_none_or(|branch| is_said_on(task, branch))
            && wanted.since.is_none_or(|since| task.created_at >= since)
            && wanted.until.is_none_or(|until| task.created_at <= until)
    };
    let tasks = seen.state.tasks.values().filter(is_wanted);
    Ok(sorted(tasks, statuses, &wanted.sort))
}

/// Whether anything but the status narrows the listing down.
pub(crate) fn is_narrowed(wanted: &List) -> bool {
    let List {
        status,
        owner,
        priority,
        parent,
        milestone,
        text,
        branch,
        since,
        until,
        all: _,
        archived: _,
        with_archive: _,
        sort: _,
        tree: _,
        listing: _,
    } = wanted;
    !status.is_empty()
        || !owner.is_empty()
        || priority.is_some()
        || [parent, milestone, text, branch]
            .iter()
            .any(|given| given.is_some())
        || since.is_some()
        || until.is_some()
}

fn stands(task: &Task, statuses: &Statuses, wanted: &List) -> bool {
    if wanted.status.is_empty() {
        return wanted.all || statuses.of(&task.id).is_open();
    }
    let status = statuses.of(&task.id).name();
    wanted.status.iter().any(|standing| match standing {
        Standing::Open => statuses.of(&task.id).is_open(),
        Standing::Ready => statuses.is_ready(task),
        Standing::Pending => status == "pending",
        Standing::Active => status == "active",
        Standing::Blocked => status == "blocked",
        Standing::Done => status == "done",
        Standing::Dropped => status == "dropped",
    })
}

fn has_owner(task: &Task, owners: &[String]) -> bool {
    owners.is_empty()
        || owners.iter().any(|owner| match owner.trim() {
            "" => task.owner.is_none(),
            owner => is_same(task.owner.as_deref(), owner.trim_start_matches('@')),
        })
}

fn is_same(held: Option<&str>, wanted: &str) -> bool {
    held.is_some_and(|held| held.to_lowercase() == wanted.trim().to_lowercase())
}

fn is_said_on(task: &Task, branch: &str) -> bool {
    task.claims
        .iter()
        .any(|claim| claim.branch.as_deref() == Some(branch))
}

/// Words as they are looked for.
pub(crate) fn words(text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    words
        .map(|word| one_line(word, 80).to_lowercase())
        .collect()
}

/// The texts of a task that are searched, its title first.
pub(crate) fn texts(task: &Task) -> impl Iterator<Item = &str> {
    let reasons = task.claims.iter().filter_map(|claim| claim.reason.as_ref());
    [&task.title]
        .into_iter()
        .chain(
            [&task.owner, &task.milestone, &task.acceptance]
                .into_iter()
                .flatten(),
        )
        .chain(&task.notes)
        .chain(&task.aliases)
        .chain(reasons)
        .map(String::as_str)
}

/// The texts of a task hold all the words, together.
fn holds(task: &Task, words: &[String]) -> bool {
    let texts: Vec<String> = texts(task).map(str::to_lowercase).collect();
    words
        .iter()
        .all(|word| texts.iter().any(|text| text.contains(word)))
}

/// Everything below a task, at any depth, without the task.
pub(crate) fn parts_of(seen: &Seen, parent: &TaskId) -> BTreeSet<TaskId> {
    let mut below = BTreeSet::new();
    let parts = super::tree::parts(&seen.state.tasks);
    let mut open = vec![parent];
    while let Some(id) = open.pop() {
        for part in parts.get(id).into_iter().flatten() {
            if part.id != *parent && below.insert(part.id.clone()) {
                open.push(&part.id);
            }
        }
    }
    below
}

/// What stands for a task's status where tasks are sorted: what concerns one now comes first.
type Rank = (u8, bool);

/// By the keys in their order, then as a listing without keys.
pub(crate) fn sorted<'a>(
    tasks: impl IntoIterator<Item = &'a Task>,
    statuses: &Statuses,
    keys: &[Sort],
) -> Vec<&'a Task> {
    let placed = |task: &'a Task| {
        let is_waiting = !statuses.is_ready(task);
        ((order(statuses.of(&task.id)), is_waiting), task)
    };
    let mut tasks: Vec<(Rank, &Task)> = tasks.into_iter().map(placed).collect();
    tasks.sort_by(|a, b| compare(a, b, keys));
    tasks.into_iter().map(|(_, task)| task).collect()
}

fn compare(a: &(Rank, &Task), b: &(Rank, &Task), keys: &[Sort]) -> Ordering {
    let ((status, a), (other, b)) = (a, b);
    let by = |key: Key| match key {
        Key::Status => status.cmp(other),
        Key::Priority => a.priority.cmp(&b.priority),
        Key::Created => a.created_at.cmp(&b.created_at),
        Key::Title => a.title.to_lowercase().cmp(&b.title.to_lowercase()),
        // Nobody's come last.
        Key::Owner => (a.owner.is_none(), &a.owner).cmp(&(b.owner.is_none(), &b.owner)),
    };
    let wanted = keys.iter().map(|sort| match sort.reversed {
        true => by(sort.key).reverse(),
        false => by(sort.key),
    });
    let usual = [Key::Status, Key::Priority, Key::Created]
        .into_iter()
        .map(by);
    wanted
        .chain(usual)
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| a.id.cmp(&b.id))
}
