//! What the driver needs of the world, as few methods on plain data.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use orch_core::brief::Brief;
use orch_core::contexts::Branches;
use orch_core::judge::{Reachable, Stand};
use orch_core::reverts::Reverted;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::fact::Fact;
use orch_protocol::git::{CommitSummary, GitSnapshot, HeadRelation};
use orch_protocol::ids::{CommitId, LogId, RunId, ThreadId};
use orch_protocol::project::{OpenRun, RunKind};
use orch_protocol::turn::TurnRecord;
use thiserror::Error;

use crate::git::GitError;
use crate::store::StoreError;

/// Tells the time. The only clock there is.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// What of the state is read: the whole of it grows with the project, and few commands need all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The sessions of these threads.
    pub threads: Vec<ThreadId>,
    /// The backlog, as far as this says.
    pub backlog: Backlog,
}

/// How much of the backlog is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Backlog {
    /// Every task, whole, and the archive.
    #[default]
    Whole,
    /// Every task without evidence, acceptance, notes and layout; no archive. For whoever asks what is ready.
    Outline,
    /// The tasks whose ids begin so, whole, archived or not. Others of their files may come along.
    Of(Vec<String>),
    /// None: for whoever adds to it.
    Untouched,
}

impl Wanted {
    /// The whole backlog, and the sessions of `threads`.
    pub fn of(threads: &[ThreadId]) -> Self {
        Self {
            threads: threads.to_vec(),
            backlog: Backlog::Whole,
        }
    }

    /// A part of the backlog, and no session.
    pub fn backlog(backlog: Backlog) -> Self {
        Self {
            threads: Vec::new(),
            backlog,
        }
    }
}

/// Where the state lives.
#[async_trait]
pub trait StateStore: Send {
    /// The log this process writes.
    fn log_id(&self) -> &LogId;

    /// The state with every durable fact of every process, as far as it is wanted.
    async fn load(&mut self, wanted: &Wanted) -> Result<State, StoreError>;

    /// When the newest fact was recorded that this process has seen or recorded itself and that wasn't folded then. What
    /// is recorded next has to be later, whatever the clock says: the times of facts decide in which order those of
    /// several processes are applied.
    fn newest(&self) -> Option<Timestamp>;

    /// Makes facts durable. Once this returns they survive `kill -9` and a power cut.
    async fn append(&mut self, facts: &[Fact]) -> Result<(), StoreError>;

    /// Folds every log into one state commit; logs of dead processes go. Folding twice changes nothing.
    async fn fold(&mut self) -> Result<(), StoreError>;

    /// Whether the process that writes `log` is gone.
    fn is_dead(&self, log: &LogId) -> bool;
}

/// Commits that git is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// What claims name: followed to what it was rewritten to.
    pub claimed: BTreeSet<CommitId>,
    /// Of these only is asked whether HEAD reaches them. They count as ends of branches that may have been squashed.
    pub heads: BTreeSet<CommitId>,
    /// Rewrites that are recorded: as named, and as found.
    pub rewrites: BTreeMap<CommitId, BTreeSet<CommitId>>,
}

/// What git says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// What HEAD reaches.
    pub reachable: Reachable,
    /// Rewrites that weren't recorded yet: as named, and as found.
    pub rewrites: Vec<(CommitId, CommitId)>,
    /// Claimed commits that HEAD reaches and that were reverted.
    pub reverts: Vec<Reverted>,
}

/// The local branches that reach a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// Their names by the alphabet, the first [`Holding::MAX_NAMES`].
    pub names: Vec<String>,
    /// How many there are in all.
    pub total: usize,
}

impl Holding {
    /// The most names told.
    pub const MAX_NAMES: usize = 20;
}

/// What git says of the user's repository. Read only.
#[async_trait]
pub trait Git: Send + Sync {
    /// One look at the work tree; none outside a repository.
    async fn look(&self) -> Result<Option<GitSnapshot>, GitError>;

    /// Where one stands: what [`Git::look`] tells, but for the files that differ. Costs next to nothing.
    async fn stand(&self) -> Result<Option<Stand>, GitError>;

    /// What HEAD reaches of the commits that are asked about, as themselves or rewritten.
    async fn judge(&self, asked: Asked) -> Result<Judged, GitError>;

    /// The local branches that reach a commit.
    async fn holding(&self, commit: CommitId) -> Result<Holding, GitError>;

    /// What became of the local branches that are asked about. Next to nothing, unless one is gone.
    async fn branches(&self, asked: BTreeSet<String>) -> Result<Branches, GitError>;

    /// Those of `commits` that the repository has, reached by HEAD or not.
    async fn existing(&self, commits: BTreeSet<CommitId>) -> Result<BTreeSet<CommitId>, GitError>;

    /// How two snapshots' heads stand to one another; `known` is where the branch seen stood when last worked on.
    async fn relation(
        &self,
        expected: GitSnapshot,
        seen: GitSnapshot,
        known: Option<CommitId>,
    ) -> Result<HeadRelation, GitError>;

    /// Commits that came to be reachable between two looks and were made in `since..=until`, oldest first.
    async fn made_between(
        &self,
        before: GitSnapshot,
        after: GitSnapshot,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<CommitSummary>, GitError>;
}

/// What a run of upstream left.
#[derive(Debug, Clone, Default)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The thread, if a rollout was found.
    pub thread: Option<ThreadId>,
    /// The rollout's turns.
    pub turns: Vec<TurnRecord>,
    /// When the rollout was last written to.
    pub last_seen: Option<Timestamp>,
    /// Something a person should know.
    pub remark: Option<String>,
}

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The run; written into the brief, so that its rollout is found again.
    pub run: RunId,
    /// How.
    pub kind: RunKind,
    /// What the model is told.
    pub brief: Brief,
    /// When it begins.
    pub at: Timestamp,
}

/// The upstream engine.
#[async_trait(?Send)]
pub trait Engine {
    /// Starts upstream, waits for its end, and reads what it left.
    async fn run(&mut self, launch: &Launch) -> Result<Ran, EngineTrouble>;

    /// Copies a conversation.
    async fn park(&mut self, thread: &ThreadId) -> Result<ThreadId, EngineTrouble>;

    /// Reads what a run that was cut off has left.
    async fn recover(&mut self, run: &OpenRun) -> Ran;
}

/// Why upstream could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct EngineTrouble {
    /// What happened, in one line.
    pub what: String,
    /// What to do, in one line.
    pub hint: String,
}
