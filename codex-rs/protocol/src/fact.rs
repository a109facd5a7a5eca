//! Facts: the only things that change the state. Durable before any effect runs.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::git::GitSnapshot;
use crate::ids::{CommitId, FactId, ProposalId, RunId, SessionId, ThreadId, TurnId};
use crate::project::{
    BranchContext, Checkpoint, DriftChoice, DriftEntry, Milestone, OpenRun, Project,
};
use crate::proposal::{Change, Proposal};
use crate::session::{Digest, TurnSummary};
use crate::task::Actor;
use crate::turn::TurnRecord;

/// A fact with where and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its place in the log.
    pub id: FactId,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who is behind it.
    pub by: Actor,
    /// The operation it is a part of: `seq` of that operation's first fact in the same log. 0, from before there were
    /// operations: one of its own.
    #[serde(default)]
    pub op: u64,
    /// The commit that HEAD of the user's repository stood at, where it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<CommitId>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Event {
    /// An upstream process is about to be started.
    RunStarted {
        /// Everything recovery needs.
        run: OpenRun,
    },
    /// It ended, and what it left has been recorded.
    RunEnded {
        /// Which.
        run: RunId,
        /// Upstream's exit code; none when a signal ended it, or when it was found dead afterwards.
        exit_code: Option<i32>,
    },
    /// A session began, or another run joined it.
    SessionOpened {
        /// The session.
        session: SessionId,
        /// Its thread.
        thread: ThreadId,
        /// Its branch.
        branch: Option<String>,
        /// The run.
        run: RunId,
    },
    /// A turn was observed.
    TurnRecorded {
        /// The session it belongs to.
        session: SessionId,
        /// The turn; a later record of the same turn replaces an earlier one.
        record: Box<TurnRecord>,
        /// Git at its end.
        snapshot: Option<GitSnapshot>,
    },
    /// A turn was summed up.
    TurnSummarised {
        /// The session.
        session: SessionId,
        /// The turn.
        turn: TurnId,
        /// The summary.
        summary: TurnSummary,
    },
    /// A session was summed up, and its journal entry written.
    SessionDigested {
        /// The session.
        session: SessionId,
        /// The summary.
        digest: Digest,
        /// Name of the journal entry in `journal/`.
        journal: String,
        /// Text of the journal entry.
        text: String,
    },
    /// The backlog was changed.
    Changed {
        /// How.
        change: Change,
        /// Why, for the log.
        reason: String,
    },
    /// A proposal waits for review.
    Proposed {
        /// The proposal.
        proposal: Box<Proposal>,
    },
    /// A waiting proposal was settled.
    ProposalSettled {
        /// Which.
        proposal: ProposalId,
        /// It was accepted (its change is a fact of its own).
        accepted: bool,
    },
    /// A branch's context was replaced.
    ContextSet {
        /// The branch.
        branch: String,
        /// The whole context.
        context: Box<BranchContext>,
    },
    /// A branch was renamed, and its context goes along. One that stood under the new name is put away.
    ContextMoved {
        /// What the branch was called.
        from: String,
        /// What it is called.
        to: String,
    },
    /// A branch's context was put away: the branch is gone, or there were too many.
    ContextArchived {
        /// The branch.
        branch: String,
    },
    /// A context that was put away stands again: its branch is back.
    ContextRestored {
        /// The branch.
        branch: String,
    },
    /// The short cache was rolled up.
    CheckpointReached {
        /// The point.
        checkpoint: Checkpoint,
    },
    /// Git had moved under a thread.
    DriftMet {
        /// What was seen and done.
        drift: DriftEntry,
    },
    /// A person chose what to do about a thread's drift, or the choice was taken up.
    DriftChosen {
        /// The thread.
        thread: ThreadId,
        /// The choice; none when it is used up.
        choice: Option<DriftChoice>,
    },
    /// Git moved under a thread by its own user command (`!cmd`): what it expects moves along.
    Anchored {
        /// The thread's session.
        session: SessionId,
        /// Git after that command.
        snapshot: Box<GitSnapshot>,
    },
    /// The user took turns of a thread back.
    TurnReverted {
        /// The session.
        session: SessionId,
        /// The turn.
        turn: TurnId,
    },
    /// A milestone was set, or removed.
    MilestoneSet {
        /// Its name.
        name: String,
        /// What it is; none removes it.
        milestone: Option<Milestone>,
    },
    /// Commits that claims name were found again under other ids.
    RewritesFound {
        /// As named, and as found.
        pairs: Vec<(CommitId, CommitId)>,
    },
    /// A file of the checkout was edited by hand; the facts of the same operation are what was taken in.
    HandEdited {
        /// Its name; `tasks` for a document that `codex-orch tasks edit` opened.
        file: String,
        /// The state commit that the file was made from.
        base: CommitId,
    },
    /// An operation was undone; the facts of the same operation are how.
    Undone {
        /// The state commit that holds it.
        operation: CommitId,
        /// What it was, in one line.
        what: String,
    },
    /// Brings in what differs between two versions of what is no task, by structural 3-way merge.
    ProjectMerged {
        /// What both sides began with.
        base: Box<Project>,
        /// What one side made of it.
        theirs: Box<Project>,
    },
}
