//! The agents' side of the ring: what they may look at, and what they may answer. They propose and never act.

use orch_protocol::Timestamp;
use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::{SessionId, TurnId};
use orch_protocol::proposal::Proposal;
use orch_protocol::session::{Digest, TurnSummary};
use orch_protocol::task::Actor;
use orch_protocol::turn::TurnRecord;

use crate::judge::Here;
use crate::state::State;

/// What an agent sees.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The whole state, with the session that the question is about.
    pub state: &'a State,
    /// Where tasks are judged: git at the end of the turn.
    pub here: &'a Here,
    /// The time of the question.
    pub now: Timestamp,
}

/// What an agent is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// A turn has been recorded, in this session.
    Turn {
        /// The session it belongs to.
        session: &'a SessionId,
        /// What was observed.
        record: &'a TurnRecord,
        /// Git when it began.
        before: Option<&'a GitSnapshot>,
        /// Git when it ended.
        after: Option<&'a GitSnapshot>,
    },
    /// A session has come to an end (it may be taken up again later).
    SessionEnd {
        /// Which.
        session: &'a SessionId,
    },
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Opinion {
    /// The backlog should change.
    Change(Box<Proposal>),
    /// What a turn amounted to.
    Turn {
        /// Which.
        turn: TurnId,
        /// In words.
        summary: TurnSummary,
    },
    /// What a session amounted to.
    Session {
        /// For the state.
        digest: Digest,
        /// For the journal, in markdown.
        journal: String,
    },
}

/// An agent's deterministic part: pure, always run, free of cost.
pub trait Agent {
    /// Under whose name its opinions are recorded.
    fn actor(&self) -> Actor;

    /// Answers a question from what is seen; no answer is an answer.
    fn consider(&self, view: View<'_>, question: Question<'_>) -> Vec<Opinion>;
}
