//! Fakes of the ports, for unit tests: a store in memory, a clock that stands still, a repository and an engine that
//! say what they were told to. Ordinary adapters, not switches in the product.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use orch_core::contexts::Branches;
use orch_core::judge::{Reachable, Stand};
use orch_core::reverts::Reverted;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::fact::Fact;
use orch_protocol::git::{CommitSummary, GitSnapshot, HeadRelation};
use orch_protocol::ids::{CommitId, LogId, ThreadId};
use orch_protocol::project::OpenRun;

use crate::git::GitError;
use crate::ports::{
    Asked, Clock, Engine, EngineTrouble, Git, Holding, Judged, Launch, Ran, StateStore, Wanted,
};
use crate::store::StoreError;

/// Keeps the state in memory.
#[derive(Debug)]
pub struct MemStore {
    id: LogId,
    /// Every fact appended, in order.
    pub facts: Vec<Fact>,
    /// The state a new process would find.
    pub state: State,
}

impl MemStore {
    /// An empty store, written by the log `id`.
    pub fn new(id: LogId) -> Self {
        Self {
            id,
            facts: Vec::new(),
            state: State::default(),
        }
    }
}

#[async_trait]
impl StateStore for MemStore {
    fn log_id(&self) -> &LogId {
        &self.id
    }

    async fn load(&mut self, _wanted: &Wanted) -> Result<State, StoreError> {
        Ok(self.state.clone())
    }

    fn newest(&self) -> Option<Timestamp> {
        self.facts.iter().map(|fact| fact.at).max()
    }

    async fn append(&mut self, facts: &[Fact]) -> Result<(), StoreError> {
        for fact in facts {
            self.state.apply(fact);
            self.facts.push(fact.clone());
        }
        Ok(())
    }

    async fn fold(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn is_dead(&self, log: &LogId) -> bool {
        *log != self.id
    }
}

/// A clock that moves one second with each look.
#[derive(Debug)]
pub struct FakeClock(Mutex<Timestamp>);

impl FakeClock {
    /// Starts at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let mut at = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = *at;
        *at = now
            .checked_add(jiff::SignedDuration::from_secs(1))
            .unwrap_or(now);
        now
    }
}

/// A repository that shows one snapshot after the other; the last one stays.
#[derive(Debug, Default)]
pub struct FakeGit {
    /// What is seen, one look after the other.
    pub looks: Mutex<VecDeque<GitSnapshot>>,
    /// What HEAD reaches.
    pub reached: BTreeSet<CommitId>,
    /// What was rewritten: as named, and as HEAD reaches it.
    pub rewrites: Vec<(CommitId, CommitId)>,
    /// What was reverted.
    pub reverts: Vec<Reverted>,
    /// What became of branches.
    pub branches: Branches,
    /// What every comparison finds.
    pub relation: HeadRelation,
    /// What every turn made.
    pub made: Vec<CommitSummary>,
}

#[async_trait]
impl Git for FakeGit {
    async fn look(&self) -> Result<Option<GitSnapshot>, GitError> {
        let mut looks = self
            .looks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(if looks.len() > 1 {
            looks.pop_front()
        } else {
            looks.front().cloned()
        })
    }

    async fn stand(&self) -> Result<Option<Stand>, GitError> {
        let looks = self
            .looks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(looks.front().map(Stand::from))
    }

    async fn judge(&self, asked: Asked) -> Result<Judged, GitError> {
        let all = asked.claimed.union(&asked.heads);
        let reached = all.filter(|commit| self.reached.contains(*commit));
        let found = |(named, _): &&(CommitId, CommitId)| asked.claimed.contains(named);
        let rewrites: Vec<_> = self.rewrites.iter().filter(found).cloned().collect();
        let is_recorded = |(named, found): &(CommitId, CommitId)| {
            let known = asked.rewrites.get(named);
            known.is_some_and(|known| known.contains(found))
        };
        Ok(Judged {
            reachable: Reachable::new(reached.cloned()).with_rewritten(rewrites.clone()),
            rewrites: rewrites
                .into_iter()
                .filter(|pair| !is_recorded(pair))
                .collect(),
            reverts: self.reverts.clone(),
        })
    }

    async fn holding(&self, _: CommitId) -> Result<Holding, GitError> {
        Ok(Holding::default())
    }

    async fn branches(&self, _: BTreeSet<String>) -> Result<Branches, GitError> {
        Ok(self.branches.clone())
    }

    async fn existing(&self, commits: BTreeSet<CommitId>) -> Result<BTreeSet<CommitId>, GitError> {
        Ok(commits)
    }

    async fn relation(
        &self,
        _: GitSnapshot,
        _: GitSnapshot,
        _: Option<CommitId>,
    ) -> Result<HeadRelation, GitError> {
        Ok(self.relation.clone())
    }

    async fn made_between(
        &self,
        _: GitSnapshot,
        _: GitSnapshot,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<CommitSummary>, GitError> {
        Ok(self.made.clone())
    }
}

/// An engine that leaves behind what it was told to.
#[derive(Debug, Default)]
pub struct ScriptedEngine {
    /// What the runs leave, one after the other.
    pub runs: VecDeque<Ran>,
    /// What a recovery finds.
    pub found: Ran,
    /// What was launched.
    pub launched: Vec<Launch>,
    /// Threads that were parked.
    pub parked: Vec<ThreadId>,
}

#[async_trait(?Send)]
impl Engine for ScriptedEngine {
    async fn run(&mut self, launch: &Launch) -> Result<Ran, EngineTrouble> {
        self.launched.push(launch.clone());
        self.runs.pop_front().ok_or_else(|| EngineTrouble {
            what: "no run is scripted".into(),
            hint: "script one".into(),
        })
    }

    async fn park(&mut self, thread: &ThreadId) -> Result<ThreadId, EngineTrouble> {
        self.parked.push(thread.clone());
        Ok(ThreadId::new(format!("{thread}-parked")))
    }

    async fn recover(&mut self, _: &OpenRun) -> Ran {
        self.found.clone()
    }
}
