//! The history of the state: which operations there were, and what one of them changed.

use std::collections::BTreeSet;

use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::ids::CommitId;
use orch_protocol::tasks::Tasks;

use super::commits::Logged;
use super::files::{ARCHIVE, Shard, TASKS};
use super::read::Part;
use super::words::{Operation, operation};
use super::{BareStore, StoreError};
use crate::ports::Backlog;

/// What an operation changed: the state before and after it, as far as the two differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Versions {
    /// Before; empty for the first operation.
    pub before: State,
    /// After.
    pub after: State,
    /// What of the backlog they hold, to be asked of the state as it is now.
    pub backlog: Backlog,
}

impl BareStore {
    /// The newest `most` operations, the newest first. What isn't folded yet isn't among them.
    pub fn operations(&self, most: usize) -> Result<Vec<Operation>, StoreError> {
        let Some((objects, head)) = self.opened()? else {
            return Ok(Vec::new());
        };
        let logged = objects.history(&head, most)?;
        Ok(logged.into_iter().map(told).collect())
    }

    /// The operation whose id begins so, if there is exactly one in the history.
    pub fn operation(&self, prefix: &str) -> Result<Option<Operation>, StoreError> {
        let Some((objects, head)) = self.opened()? else {
            return Ok(None);
        };
        let is_hex = prefix.len() >= 4 && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(found) = is_hex.then(|| objects.find(prefix)).flatten() else {
            return Ok(None);
        };
        if !objects.holds(&head, &found)? {
            return Ok(None);
        }
        Ok(objects.history(&found, 1)?.into_iter().next().map(told))
    }

    /// What an operation changed of backlog and project.
    pub fn versions(&self, operation: &CommitId) -> Result<Versions, StoreError> {
        let Some((objects, _)) = self.opened()? else {
            return Ok(Versions {
                before: State::default(),
                after: State::default(),
                backlog: Backlog::Untouched,
            });
        };
        let logged = objects.history(operation, 1)?;
        let parent = logged.first().and_then(|logged| logged.parent.clone());
        let paths = objects.differing(parent.as_ref(), operation)?;
        let shards: BTreeSet<Shard> = paths.iter().filter_map(|path| shard_of(path)).collect();
        let part = Part {
            outline: false,
            shards: Some(&shards),
            sessions: &|_| false,
        };
        let before = match &parent {
            Some(parent) => self.load_part(&objects, parent, &part)?.state,
            None => State::default(),
        };
        let after = self.load_part(&objects, operation, &part)?.state;
        let prefixes = shards
            .iter()
            .map(|shard| String::from_utf8_lossy(&shard.0).into_owned());
        Ok(Versions {
            before,
            after,
            backlog: Backlog::Of(prefixes.collect()),
        })
    }

    /// Which files of tasks differ between two state commits; none where the first one isn't there.
    pub fn changed_between(
        &self,
        from: &CommitId,
        to: &CommitId,
    ) -> Result<Option<BTreeSet<Shard>>, StoreError> {
        let Some((objects, _)) = self.opened()? else {
            return Ok(None);
        };
        if from == to {
            return Ok(Some(BTreeSet::new()));
        }
        if !objects.exists(from) {
            return Ok(None);
        }
        let paths = objects.differing(Some(from), to)?;
        Ok(Some(
            paths.iter().filter_map(|path| shard_of(path)).collect(),
        ))
    }

    /// The tasks of some files, whole, as they stand in a state commit.
    pub fn whole_at(
        &self,
        commit: &CommitId,
        shards: &BTreeSet<Shard>,
    ) -> Result<Tasks, StoreError> {
        let Some((objects, _)) = self.opened()? else {
            return Ok(Tasks::new());
        };
        let part = Part {
            outline: false,
            shards: Some(shards),
            sessions: &|_| false,
        };
        Ok(self.load_part(&objects, commit, &part)?.state.tasks)
    }

    /// The outline of the backlog as it stands in a state commit, and what is no task; no sessions.
    pub fn outline_at(&self, commit: &CommitId) -> Result<State, StoreError> {
        let Some((objects, _)) = self.opened()? else {
            return Ok(State::default());
        };
        let part = Part {
            outline: true,
            shards: Some(&BTreeSet::new()),
            sessions: &|_| false,
        };
        Ok(self.load_part(&objects, commit, &part)?.state)
    }

    /// The state as it was after an operation, without sessions; none where there is no such commit.
    pub fn state_at(&self, operation: &CommitId) -> Result<Option<State>, StoreError> {
        let Some((objects, _)) = self.opened()? else {
            return Ok(None);
        };
        if !objects.exists(operation) {
            return Ok(None);
        }
        let part = Part {
            outline: false,
            shards: None,
            sessions: &|_| false,
        };
        Ok(Some(self.load_part(&objects, operation, &part)?.state))
    }
}

/// The file of tasks that a path in the store is.
fn shard_of(path: &str) -> Option<Shard> {
    let (dir, rest) = path.split_once('/')?;
    (dir == TASKS || dir == ARCHIVE).then_some(())?;
    Shard::of_path(rest)
}

fn told(logged: Logged) -> Operation {
    let at = Timestamp::from_second(logged.second).unwrap_or(Timestamp::UNIX_EPOCH);
    operation(logged.id, at, &logged.message)
}
