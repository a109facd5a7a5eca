//! Whether what a state says of itself and of the world still holds: ids that name something, bounds, the graph. It looks
//! at a state and mends nothing.

use std::collections::{BTreeMap, BTreeSet};

use orch_protocol::ids::{CommitId, TaskId, ThreadId};
use orch_protocol::proposal::Change;
use orch_protocol::task::{EvidenceKind, Task};

use crate::state::State;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Something is wrong with the state.
    Broken,
    /// Something it names isn't here (any more): a commit that was pruned, a thread that was deleted. The state is sound.
    Loose,
}

/// Something that doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// Where: a file of the store, or a task.
    pub place: String,
    /// What, in one line.
    pub what: String,
    /// What to do about it, in one line.
    pub mend: String,
}

/// What the world has of what a state names. None: it can't be told here, and isn't asked.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Names of the sessions in the store.
    pub sessions: BTreeSet<String>,
    /// Commits of the user's repository.
    pub commits: Option<BTreeSet<CommitId>>,
    /// Threads with a rollout.
    pub threads: Option<BTreeSet<ThreadId>>,
}

/// Every commit that a state names.
pub fn named_commits(state: &State) -> BTreeSet<CommitId> {
    commits(state).map(|(_, commit)| commit).collect()
}

/// Every thread that branch contexts and drift choices name: what a person can be sent back to.
pub fn named_threads(state: &State) -> BTreeSet<ThreadId> {
    threads(state).map(|(_, thread)| thread).collect()
}

/// Everything that doesn't hold, what is broken first.
pub fn findings(state: &State, known: &Known) -> Vec<Finding> {
    let mut found: Vec<Finding> = tasks(state)
        .chain(graph(state))
        .chain(project(state, known))
        .collect();
    if let Some(there) = &known.commits {
        let missing = commits(state).filter(|(_, commit)| !there.contains(commit));
        found.extend(missing.map(|(place, commit)| {
            let what = format!("names commit {}, which isn't in this clone", commit.short());
            let mend =
                "git fetch brings it if it is elsewhere; until then its claim doesn't hold here";
            loose(place, what, mend)
        }));
    }
    if let Some(there) = &known.threads {
        let missing = threads(state).filter(|(_, thread)| !there.contains(thread));
        found.extend(missing.map(|(place, thread)| {
            let what = format!("names thread {thread}, which has no rollout here");
            loose(
                place,
                what,
                "nothing has to be done: it can't be resumed, and that is all",
            )
        }));
    }
    found.sort();
    found.dedup();
    found
}

fn broken(place: String, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding {
        weight: Weight::Broken,
        place,
        what: what.into(),
        mend: mend.into(),
    }
}

fn loose(place: String, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding {
        weight: Weight::Loose,
        ..broken(place, what, mend)
    }
}

fn of_task(id: &TaskId) -> String {
    format!("task {id}")
}

fn tasks(state: &State) -> impl Iterator<Item = Finding> {
    state
        .tasks
        .values()
        .chain(state.archive.values())
        .flat_map(move |task| {
            let mut found = Vec::new();
            let place = || of_task(&task.id);
            let edit = |what: &str| format!("codex-orch tasks edit {} {what}", task.id);
            if TaskId::parse(task.id.as_str()).as_ref() != Some(&task.id) {
                found.push(broken(
                    place(),
                    "its id is none of ours",
                    "codex-orch state undo takes back the operation that added it (codex-orch state log)",
                ));
            }
            let title = task.title.chars().count();
            if title == 0 || title > Task::MAX_TITLE {
                found.push(broken(
                    place(),
                    format!("its title has {title} characters; 1 to {} are allowed", Task::MAX_TITLE),
                    edit("--title \"…\""),
                ));
            }
            if task.priority > Task::MAX_PRIORITY {
                found.push(broken(
                    place(),
                    format!("its priority is {}; 0 to {} are allowed", task.priority, Task::MAX_PRIORITY),
                    edit("--priority 2"),
                ));
            }
            for need in &task.needs {
                if !state.tasks.contains_key(need) && !state.archive.contains_key(need) {
                    let mend = format!("codex-orch tasks unneed {} {need}", task.id);
                    found.push(broken(place(), format!("it needs {need}, which doesn't exist"), mend));
                }
            }
            if let Some(parent) = &task.parent
                && !state.tasks.contains_key(parent)
                && !state.archive.contains_key(parent)
            {
                let what = format!("it is a part of {parent}, which doesn't exist");
                found.push(broken(place(), what, edit("--parent \"\"")));
            }
            let mut ids = BTreeSet::new();
            for claim in task.claims.iter().filter(|claim| !ids.insert(&claim.id)) {
                found.push(broken(
                    place(),
                    format!("two of its claims have the id {}", claim.id),
                    "codex-orch state undo takes back the operation that added the second (codex-orch state log)",
                ));
            }
            if state.tasks.contains_key(&task.id) && state.archive.contains_key(&task.id) {
                let mend = format!("codex-orch tasks show {} tells which is newer; the one in the archive isn't read", task.id);
                found.push(broken(place(), "it stands in the backlog and in the archive", mend));
            }
            found
        })
}

fn graph(state: &State) -> Option<Finding> {
    (!crate::graph::is_acyclic(&state.tasks)).then(|| {
        broken(
            "backlog".to_owned(),
            "tasks need one another in a circle",
            "codex-orch tasks unneed takes an edge out; codex-orch state log tells which came last",
        )
    })
}

fn project<'a>(state: &'a State, known: &'a Known) -> impl Iterator<Item = Finding> + 'a {
    let proposals = state.project.proposals.values().filter_map(|proposal| {
        let task = proposal.change.task();
        let is_new = matches!(
            proposal.change,
            Change::AddTask { .. } | Change::MergeTask { .. }
        );
        let is_there = state.tasks.contains_key(task) || state.archive.contains_key(task);
        (!is_new && !is_there).then(|| {
            loose(
                format!("proposal {}", proposal.id),
                format!("it is about task {task}, which doesn't exist"),
                "nothing has to be done: it can't be accepted, and that is all",
            )
        })
    });
    let contexts = state.project.branches.iter().filter_map(|(name, context)| {
        let session = context.last_session.as_ref()?;
        let is_there = known.sessions.contains(session.as_str());
        (!is_there).then(|| {
            broken(
                format!("context of {name}"),
                format!("its last session {session} isn't in the store"),
                "the next session on that branch replaces it",
            )
        })
    });
    proposals.chain(contexts)
}

fn commits(state: &State) -> impl Iterator<Item = (String, CommitId)> + '_ {
    let all: BTreeMap<&TaskId, &Task> = state.archive.iter().chain(&state.tasks).collect();
    all.into_values().flat_map(|task| {
        let claimed = task.claims.iter().flat_map(|claim| claim.commits.clone());
        let seen = task
            .evidence
            .iter()
            .filter(|seen| seen.kind == EvidenceKind::Commit)
            .map(|seen| CommitId::new(seen.reference.clone()));
        claimed
            .chain(seen)
            .chain(task.target_commit.clone())
            .map(|commit| (of_task(&task.id), commit))
            .collect::<Vec<_>>()
    })
}

fn threads(state: &State) -> impl Iterator<Item = (String, ThreadId)> + '_ {
    state.project.branches.iter().flat_map(|(name, context)| {
        let named = [&context.last_thread, &context.parked_thread];
        let place = format!("context of {name}");
        named
            .into_iter()
            .flatten()
            .map(move |thread| (place.clone(), thread.clone()))
    })
}
