//! Structural 3-way merge of tasks, backlogs and project state: pure, deterministic, symmetric.
//!
//! What only one side changed is as that side made it, bit for bit. What two sides changed differently is decided by the
//! rule of its field (docs/merging.md); what lost is kept for review. Merging the outcome with a side again changes
//! nothing. Not here: sessions and the journal, which are one file each and belong to one thread.

mod cycles;
mod list;
mod project;
mod task;

use orch_protocol::ids::TaskId;
use orch_protocol::project::Project;
use orch_protocol::proposal::Change;
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;

/// What both sides became, and what of them could not be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged<T> {
    /// The outcome.
    pub value: T,
    /// What lost.
    pub lost: Vec<Lost>,
}

/// Something that one side wanted and the merge did not keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    /// The change that brings it in after all.
    pub change: Change,
    /// Why it lost, in one sentence for a person.
    pub why: String,
}

/// Merges one task; none is a task that isn't there. A task that one side removed and the other changed is kept.
pub fn merge_task(
    base: Option<&Task>,
    ours: Option<&Task>,
    theirs: Option<&Task>,
) -> Merged<Option<Task>> {
    let (value, lost) = match (ours, theirs) {
        _ if ours == theirs || theirs == base => (ours.cloned(), Vec::new()),
        _ if ours == base => (theirs.cloned(), Vec::new()),
        (Some(ours), Some(theirs)) => {
            let merged = task::merge(base, ours, theirs);
            (Some(merged.value), merged.lost)
        }
        (ours, theirs) => {
            let kept = ours.or(theirs);
            let lost = kept.map(|kept| Lost {
                change: Change::MergeTask {
                    task: kept.id.clone(),
                    base: Some(Box::new(kept.clone())),
                    theirs: None,
                },
                why: "one side removed the task and the other changed it: it was kept".to_owned(),
            });
            (kept.cloned(), lost.into_iter().collect())
        }
    };
    Merged { value, lost }
}

/// Merges whole backlogs. The outcome has no cycle of needs and no loop of parents, whatever the sides had.
pub fn merge_backlogs(base: &Tasks, ours: &Tasks, theirs: &Tasks) -> Merged<Tasks> {
    let mut value = ours.clone();
    let mut lost = Vec::new();
    let _ = take_in(base, &mut value, theirs, &mut lost);
    settle(base, &mut value, &mut lost, cycles::break_all);
    Merged { value, lost }
}

/// Merges `theirs` into `ours`, which has no cycle, as [`merge_backlogs`] does. It looks at no task twice that doesn't
/// change and isn't needed by one that does. What lost.
pub fn merge_into(base: &Tasks, ours: &mut Tasks, theirs: &Tasks) -> Vec<Lost> {
    let mut lost = Vec::new();
    let linked = take_in(base, ours, theirs, &mut lost);
    settle(base, ours, &mut lost, |base, tasks, lost| {
        cycles::break_from(&linked, base, tasks, lost);
    });
    lost
}

/// Breaks cycles. A task that was kept only for an edge that is left out goes after all, as one that was left alone; so
/// the edges are weighed again without it.
fn settle(
    base: &Tasks,
    tasks: &mut Tasks,
    lost: &mut Vec<Lost>,
    break_cycles: impl Fn(&Tasks, &mut Tasks, &mut Vec<Lost>),
) {
    loop {
        let kept: Vec<TaskId> = lost.iter().filter_map(kept_for_change).collect();
        if kept.is_empty() {
            return break_cycles(base, tasks, lost);
        }
        let (mut settled, mut told) = (tasks.clone(), lost.clone());
        break_cycles(base, &mut settled, &mut told);
        let goes: Vec<TaskId> = kept
            .into_iter()
            .filter(|id| settled.get(id) == base.get(id))
            .collect();
        if goes.is_empty() {
            (*tasks, *lost) = (settled, told);
            return;
        }
        for entry in lost.iter_mut() {
            let task = kept_for_change(entry).filter(|id| goes.contains(id));
            if let Some(task) = task.and_then(|id| tasks.remove(&id)) {
                *entry = Lost {
                    change: Change::MergeTask {
                        task: task.id.clone(),
                        base: None,
                        theirs: Some(Box::new(task)),
                    },
                    why: "one side removed the task, and what the other made it need or be a part of closes a cycle"
                        .to_owned(),
                };
            }
        }
    }
}

/// The task that one side removed and that was kept because the other changed it.
fn kept_for_change(lost: &Lost) -> Option<TaskId> {
    match &lost.change {
        Change::MergeTask {
            task, theirs: None, ..
        } => Some(task.clone()),
        _ => None,
    }
}

/// Merges task by task. The tasks that have a need or a parent now that they didn't have in `ours`.
fn take_in<'a>(
    base: &'a Tasks,
    ours: &mut Tasks,
    theirs: &'a Tasks,
    lost: &mut Vec<Lost>,
) -> Vec<&'a TaskId> {
    let mut linked = Vec::new();
    for id in differing(base, theirs) {
        let before = ours.remove(id);
        let merged = merge_task(base.get(id), before.as_ref(), theirs.get(id));
        if let Some(task) = merged.value {
            let known = |need: &TaskId| {
                let before = before.as_ref();
                before.is_some_and(|before| before.needs.contains(need))
            };
            let parent = before.as_ref().and_then(|before| before.parent.as_ref());
            if !task.needs.iter().all(known) || task.parent.as_ref() != parent {
                linked.push(id);
            }
            ours.insert(id.clone(), task);
        }
        lost.extend(merged.lost);
    }
    linked
}

/// Merges what is no task. Nothing of it can be said as a [`Change`], so `lost` is empty: what is dropped by the rule of
/// a field is said in docs/merging.md.
pub fn merge_projects(base: &Project, ours: &Project, theirs: &Project) -> Merged<Project> {
    Merged {
        value: project::merge(list::Sides { base, ours, theirs }),
        lost: Vec::new(),
    }
}

/// The keys under which two maps differ, in order; one walk through both.
pub(crate) fn differing<'a, K: Ord + 'a, V: PartialEq + 'a>(
    before: impl IntoIterator<Item = (&'a K, &'a V)>,
    after: impl IntoIterator<Item = (&'a K, &'a V)>,
) -> Vec<&'a K> {
    let mut out = Vec::new();
    let mut left = before.into_iter().peekable();
    let mut right = after.into_iter().peekable();
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => return out,
            (Some((a, old)), Some((b, new))) if a == b => {
                if old != new {
                    out.push(*a);
                }
                left.next();
                right.next();
            }
            (Some((a, _)), other) if other.is_none_or(|(b, _)| a < b) => {
                out.push(*a);
                left.next();
            }
            (_, Some((b, _))) => {
                out.push(*b);
                right.next();
            }
            (Some(_), None) => return out,
        }
    }
}
