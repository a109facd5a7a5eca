//! How an operation is undone: by facts that merge what it changed back into the state as it is now.
//!
//! What came later and has nothing to do with it stays. It restores the backlog, the archive and what is no task; not
//! runs that are under way, nor sessions and the journal, which tell what happened. Undoing an undo is the same again.

use std::collections::BTreeSet;

use orch_protocol::fact::Event;
use orch_protocol::ids::TaskId;
use orch_protocol::project::Project;
use orch_protocol::proposal::Change;
use orch_protocol::task::Task;

use crate::merge::{differing, merge_projects, merge_task};
use crate::state::State;

/// The facts that undo an operation, in the order in which they are to be applied to `now`; none when nothing of it is
/// left. `before` and `after` are the states around it, and hold at least the tasks and archived tasks that differ; `now`
/// holds at least those too.
pub fn facts(before: &State, after: &State, now: &State) -> Vec<Event> {
    let mut plan = Plan::default();
    let ids: BTreeSet<&TaskId> = differing(&before.tasks, &after.tasks)
        .into_iter()
        .chain(differing(&before.archive, &after.archive))
        .collect();
    for id in ids {
        let [before, after, now] = [before, after, now].map(|state| Held::find(state, id));
        plan.task(id, before, after, now);
    }
    plan.project(&before.project, &after.project, &now.project);
    plan.into_events()
}

/// A task, and where it stands.
#[derive(Debug, Clone, Copy, Default)]
struct Held<'a> {
    task: Option<&'a Task>,
    archived: bool,
}

impl<'a> Held<'a> {
    fn find(state: &'a State, id: &TaskId) -> Self {
        match state.archive.get(id) {
            Some(task) => Self {
                task: Some(task),
                archived: true,
            },
            None => Self {
                task: state.tasks.get(id),
                archived: false,
            },
        }
    }
}

/// Facts by when they have their turn: an edge that comes back must not meet one that is about to go.
#[derive(Debug, Default)]
struct Plan {
    /// What goes: tasks, edges, tasks into the archive.
    go: Vec<Change>,
    /// What is otherwise.
    differ: Vec<Change>,
    /// What comes back out of the archive.
    come: Vec<Change>,
    project: Option<Event>,
}

impl Plan {
    fn task(&mut self, id: &TaskId, before: Held<'_>, after: Held<'_>, now: Held<'_>) {
        let merge = |base: Option<&Task>, theirs: Option<&Task>| Change::MergeTask {
            task: id.clone(),
            base: base.cloned().map(Box::new),
            theirs: theirs.cloned().map(Box::new),
        };
        let move_to = |archived| Change::Archive {
            task: id.clone(),
            archived,
        };
        // What can't be had without losing later work has to be told.
        let merged = merge_task(after.task, now.task, before.task);
        let differs = merged.value.as_ref() != now.task || !merged.lost.is_empty();
        let (Some(held), Some(_)) = (before.task, now.task) else {
            match before.task {
                // It stood in the archive, where no edge is asked for: first without its needs, which it gets there.
                Some(held) if differs && before.archived => {
                    let bare = Task {
                        needs: Vec::new(),
                        ..held.clone()
                    };
                    self.go.push(merge(None, Some(&bare)));
                    self.go.push(move_to(true));
                    self.differ.push(merge(Some(&bare), Some(held)));
                }
                Some(_) if differs => self.differ.push(merge(after.task, before.task)),
                None if differs => self.go.push(merge(after.task, None)),
                _ => {}
            }
            return;
        };
        let moves = before.archived != after.archived && before.archived != now.archived;
        let archived = match moves {
            true => before.archived,
            false => now.archived,
        };
        if moves && before.archived {
            self.go.push(move_to(true));
        }
        let mut base = after.task.cloned();
        if !archived && !now.archived {
            self.remove_needs(id, held, after.task, now.task);
            if let Some(base) = &mut base {
                base.needs.retain(|need| held.needs.contains(need));
            }
        }
        if differs && base.as_ref() != Some(held) {
            self.differ.push(merge(after.task, Some(held)));
        }
        if moves && !before.archived {
            self.come.push(move_to(false));
        }
    }

    fn remove_needs(&mut self, id: &TaskId, held: &Task, after: Option<&Task>, now: Option<&Task>) {
        let [added, there] = [after, now].map(|task| task.map_or(&[][..], |task| &task.needs));
        let goes = |need: &&TaskId| !held.needs.contains(need) && there.contains(need);
        for need in added.iter().filter(goes) {
            self.go.push(Change::RemoveNeed {
                task: id.clone(),
                need: need.clone(),
            });
        }
    }

    fn project(&mut self, before: &Project, after: &Project, now: &Project) {
        let [mut base, mut theirs] = [after, before].map(|project| Project {
            open_runs: Default::default(),
            ..project.clone()
        });
        if base == theirs {
            return;
        }
        alike_goes(&mut base.branches, &mut theirs.branches);
        alike_goes(&mut base.archived, &mut theirs.archived);
        alike_goes(&mut base.milestones, &mut theirs.milestones);
        alike_goes(&mut base.rewrites, &mut theirs.rewrites);
        alike_goes(&mut base.proposals, &mut theirs.proposals);
        alike_goes(&mut base.drift_choices, &mut theirs.drift_choices);
        if base.checkpoints == theirs.checkpoints {
            base.checkpoints.clear();
            theirs.checkpoints.clear();
        }
        if base.drift == theirs.drift {
            base.drift.clear();
            theirs.drift.clear();
        }
        // What the changes of tasks do to proposals is not known yet: with any, the fact is needed.
        let tasks = self.go.len() + self.differ.len() + self.come.len();
        if tasks > 0 || merge_projects(&base, now, &theirs).value != *now {
            self.project = Some(Event::ProjectMerged {
                base: Box::new(base),
                theirs: Box::new(theirs),
            });
        }
    }

    fn into_events(self) -> Vec<Event> {
        let Self {
            go,
            differ,
            come,
            project,
        } = self;
        go.into_iter()
            .chain(differ)
            .chain(come)
            .map(|change| Event::Changed {
                change,
                reason: "undone".to_owned(),
            })
            .chain(project)
            .collect()
    }
}

/// Takes out of both maps what is alike in both: a merge leaves it as it is.
fn alike_goes<K: Ord + Clone, V: PartialEq>(
    base: &mut std::collections::BTreeMap<K, V>,
    theirs: &mut std::collections::BTreeMap<K, V>,
) {
    let differ: BTreeSet<K> = differing(&*base, &*theirs).into_iter().cloned().collect();
    base.retain(|key, _| differ.contains(key));
    theirs.retain(|key, _| differ.contains(key));
}
