//! `codex-orch tasks edit` without fields: tasks as a document in the person's editor, taken in as an edit by hand of the
//! checkout is.

use std::collections::BTreeMap;

use orch_core::command::{Asker, find};
use orch_core::state::State;
use orch_core::supervisor::HandEdit;
use orch_protocol::ids::TaskId;
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, Origin, Task};
use orch_runtime::checkout::edits::{Against, Refused, Scope, Taken, document, taken};
use orch_runtime::checkout::{Judged, parse, views};
use orch_runtime::ports::{Backlog, Clock as _, StateStore as _, SystemClock};
use orch_runtime::upstream::RolloutsOnly;

use super::change::touched;
use super::editor::{Wrong, edited};
use crate::out;
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

/// What was edited, as the log says it.
const NAME: &str = "tasks";
const HEAD: &str = "\
# Save this and close the editor to have it taken in; left as it is, it changes nothing.
# claims and evidence are a record of what was said and seen: to say something else, change `status`.
";

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        Self {
            what: refused.to_string(),
            hint: refused.hint,
        }
    }
}

/// Lets a person edit tasks whole. What can't be taken in changes nothing, and is kept.
pub(crate) async fn edit(
    mut project: Project,
    given: &[String],
    json: bool,
) -> Result<(), Trouble> {
    let mut seen = project.see_of(Backlog::Whole).await?;
    let mut ids: Vec<TaskId> = Vec::new();
    for given in given {
        let id = find(&seen.state, given)?.id.clone();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let archived = bring_back(&mut seen.state, &ids);
    let shown: BTreeMap<TaskId, Judged> = views(&seen.state, &seen.here)
        .map(|view| (view.id().clone(), view.judged()))
        .collect();
    let chosen: Vec<_> = views(&seen.state, &seen.here)
        .filter(|view| ids.contains(view.id()))
        .collect();
    let unwritable = |error: &dyn std::fmt::Display| {
        Trouble::new(
            error.to_string(),
            "change single fields: codex-orch tasks edit --help",
        )
    };
    let text = document(&chosen).map_err(|error| unwritable(&error))?;
    let asker = asker(&project, &seen);
    let read = |text: &str| -> Result<Taken, Wrong> {
        let against = Against {
            base: &seen.state.tasks,
            comments: None,
            shown: &|id| shown.get(id).cloned(),
            now: &seen.state,
            asker: &asker,
            saved: asker.now,
            scope: Scope::Part,
        };
        Ok(taken(&against, &parse::read(text)?)?)
    };
    let taken = edited(&(HEAD.to_owned() + &text), ".yaml", read)?;
    let Some(taken) = taken.filter(|taken| !taken.is_empty() || !taken.remarks.is_empty()) else {
        out::note("nothing was changed");
        return Ok(());
    };
    taken.remarks.iter().for_each(|remark| out::note(remark));
    let mut changes = archived;
    changes.retain(|change| {
        let is_same = |taken: &Change| taken.task() == change.task();
        taken.changes.iter().any(is_same)
    });
    changes.extend(taken.changes);
    if changes.is_empty() {
        out::note("nothing was changed");
        return Ok(());
    }
    // What both sides began with has to stand in the store to be named.
    project.store.fold().await?;
    let Some(base) = project.store.head()? else {
        return Err(Trouble::new(
            "there is no state that could be edited",
            "codex-orch tasks add \"...\" makes the first task",
        ));
    };
    let edit = HandEdit {
        file: NAME.to_owned(),
        base,
        changes,
        comments: None,
    };
    let (mut engine, mut tell) = (RolloutsOnly, out::note);
    let mut driver = project.driver(&mut engine, &mut tell);
    let tasks = driver.hand_edit(asker, edit).await?;
    touched(&tasks, "changed", json)?;
    project.settle().await;
    Ok(())
}

/// Archived tasks that are edited stand in the backlog again. Returns what does that.
fn bring_back(state: &mut State, ids: &[TaskId]) -> Vec<Change> {
    let mut changes = Vec::new();
    for id in ids {
        let task: Option<Task> = state.archive.remove(id);
        if let Some(task) = task {
            state.tasks.insert(id.clone(), task);
            changes.push(Change::Archive {
                task: id.clone(),
                archived: false,
            });
        }
    }
    changes
}

fn asker(project: &Project, seen: &Seen) -> Asker {
    let now = SystemClock.now();
    Asker {
        by: Actor::Person,
        origin: Origin::Person {
            branch: seen.here.branch.clone(),
        },
        branch: seen.here.branch.clone(),
        worktree: seen.here.worktree.clone(),
        head: seen.here.head.clone(),
        now,
        nonce: format!("in an editor {} {now}", project.store.log_id()),
    }
}
