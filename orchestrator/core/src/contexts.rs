//! Branch contexts follow their branches: taken over by a new branch, renamed with one, put away when it is gone, brought
//! back when it is. What became of a branch is git's to say; nothing is guessed.

use std::collections::{BTreeMap, BTreeSet};

use orch_protocol::Timestamp;
use orch_protocol::fact::Event;
use orch_protocol::git::{GitSnapshot, Head};
use orch_protocol::ids::{CommitId, SessionId};
use orch_protocol::project::{BranchContext, Project};
use orch_protocol::task::Actor;
use orch_protocol::text::one_line;

use crate::judge::Here;
use crate::run::Start;
use crate::state::State;
use crate::supervisor::{Effect, Supervisor};

/// What became of the branches that were asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branches {
    /// Those that don't exist any more.
    pub gone: BTreeSet<String>,
    /// What of those was renamed, and to what it is called now: to a branch that exists.
    pub renamed: BTreeMap<String, String>,
    /// The branch that work goes to in the end, where git says which.
    pub trunk: Option<String>,
}

impl Branches {
    /// What a branch is called now.
    pub fn now<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.get(name).map_or(name, String::as_str)
    }
}

/// The branches that git is to be asked about: those with a context, and those that the loaded sessions and open runs
/// stand on. At most 1,000.
pub fn asked(state: &State) -> BTreeSet<String> {
    const MAX: usize = 1_000;
    let project = &state.project;
    let runs = project.open_runs.values();
    let sessions = state.sessions.values();
    let seen = runs
        .filter_map(|run| run.snapshot.as_ref())
        .chain(sessions.filter_map(|session| session.snapshot.as_ref()));
    let stood_on = seen.filter_map(|seen| seen.head.branch().map(str::to_owned));
    let with_context = project.branches.keys().cloned();
    with_context.chain(stood_on).take(MAX).collect()
}

/// Where the context that was put away for a branch left it: it comes back where HEAD reaches that.
fn left_at<'a>(state: &'a State, branch: Option<&str>) -> Option<&'a CommitId> {
    let archived = state.project.archived.get(branch?)?;
    archived.context.snapshot.as_ref()?.head.commit()
}

impl Supervisor {
    /// Contexts of renamed branches go along.
    pub(crate) fn rename_contexts(&mut self, now: Timestamp, branches: &Branches) {
        for (from, to) in &branches.renamed {
            if branches.gone.contains(from) && self.state.project.branches.contains_key(from) {
                let moved = Event::ContextMoved {
                    from: from.clone(),
                    to: to.clone(),
                };
                self.fact(now, Actor::Supervisor, moved);
            }
        }
    }

    /// Contexts of branches that are gone are put away; the one of the branch HEAD is on comes back, if HEAD reaches where
    /// it was left.
    pub(crate) fn put_contexts_away(&mut self, now: Timestamp, branches: &Branches, here: &Here) {
        let is_gone = |(name, context): &(&String, &BranchContext)| {
            // One that never had a commit may still be unborn.
            let had_commit = context
                .snapshot
                .as_ref()
                .is_none_or(|seen| seen.head.commit().is_some());
            branches.gone.contains(*name) && had_commit && here.branch.as_ref() != Some(name)
        };
        let project = &self.state.project;
        let gone = project.branches.iter().filter(is_gone);
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        for branch in gone {
            self.fact(now, Actor::Supervisor, Event::ContextArchived { branch });
        }
        let Some(branch) = here.branch.clone() else {
            return;
        };
        let left = left_at(&self.state, Some(&branch));
        let is_back = left.is_some_and(|left| here.reachable.is_ancestor(left));
        if is_back && !self.state.project.branches.contains_key(&branch) {
            let line = format!(
                "{} is back, with what was known on it",
                one_line(&branch, 80)
            );
            self.fact(now, Actor::Supervisor, Event::ContextRestored { branch });
            self.effect(Effect::Tell { line });
        }
    }

    /// Above [`Project::MAX_CONTEXTS`], those that were worked on longest ago are put away, but not the one `here`.
    pub(crate) fn bound_contexts(&mut self, now: Timestamp, here: &Here) {
        let branches = &self.state.project.branches;
        let surplus = branches.len().saturating_sub(Project::MAX_CONTEXTS);
        // A session's id begins with the time.
        let mut by_age: Vec<(Option<&SessionId>, &String)> = branches
            .iter()
            .filter(|(name, _)| here.branch.as_ref() != Some(name))
            .map(|(name, context)| (context.last_session.as_ref(), name))
            .collect();
        by_age.sort();
        let oldest = by_age.into_iter().take(surplus);
        let oldest: Vec<String> = oldest.map(|(_, name)| name.clone()).collect();
        for branch in oldest {
            self.fact(now, Actor::Supervisor, Event::ContextArchived { branch });
        }
    }

    /// What the thread's last session expects is said by the name its branch has now: a renamed branch is no drift.
    pub(crate) fn anchor_renamed(
        &mut self,
        now: Timestamp,
        session: SessionId,
        expected: GitSnapshot,
        branches: &Branches,
    ) -> GitSnapshot {
        let head = match &expected.head {
            Head::Branch { name, commit } if branches.renamed.contains_key(name) => Head::Branch {
                name: branches.now(name).to_owned(),
                commit: commit.clone(),
            },
            Head::Branch { .. } | Head::Unborn { .. } | Head::Detached { .. } => return expected,
        };
        let snapshot = GitSnapshot { head, ..expected };
        let anchored = Event::Anchored {
            session,
            snapshot: Box::new(snapshot.clone()),
        };
        self.fact(now, Actor::Supervisor, anchored);
        snapshot
    }

    /// A branch met for the first time takes over the context of the branch it grew from.
    pub(crate) fn inherit_context(&mut self, start: &Start) {
        let Some(Head::Branch { name, .. }) = start.seen.as_ref().map(|seen| &seen.head) else {
            return;
        };
        if self.state.project.branches.contains_key(name) {
            return;
        }
        let reached = |context: &BranchContext| {
            let head = context
                .snapshot
                .as_ref()
                .and_then(|snapshot| snapshot.head.commit());
            head.is_some_and(|head| start.here.reachable.is_ancestor(head))
        };
        let from = self
            .state
            .project
            .branches
            .iter()
            .filter(|(_, context)| reached(context));
        let Some((from, context)) = from.max_by_key(|(_, context)| context.last_session.clone())
        else {
            return;
        };
        let note = format!(
            "{} takes over what was known on {}",
            one_line(name, 80),
            one_line(from, 80)
        );
        let context = BranchContext {
            forked_from: Some(from.clone()),
            parked_thread: None,
            ..context.clone()
        };
        let event = Event::ContextSet {
            branch: name.clone(),
            context: Box::new(context),
        };
        self.fact(start.now, Actor::Supervisor, event);
        self.effect(Effect::Tell { line: note });
    }
}
