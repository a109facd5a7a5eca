//! What the live wire tells the supervisor, as plain data. Deltas, prices, and whatever only a screen needs are not here.

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::turn::{PlanStep, TurnRecord};

/// What a thread is to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A conversation of the user's.
    Root,
    /// It works for a turn of another thread, or belongs to one: sub-agents, detached reviews, attached threads.
    Below,
    /// It is kept nowhere: the titles and recaps of a client, a helper's scratch thread.
    Ephemeral,
}

/// A thread as the engine announced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveThread {
    /// The thread.
    pub thread: ThreadId,
    /// What it is to the user.
    pub role: Role,
    /// The folder it works in now.
    pub cwd: Option<String>,
    /// Its rollout file; none for ephemeral threads. After a revert or a compaction there may be further files beside it.
    pub path: Option<String>,
    /// Its model now.
    pub model: Option<String>,
    /// The thread it was forked from, or works for.
    pub parent: Option<ThreadId>,
}

/// The turn of a root thread that a turn of another thread works for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Above {
    /// The root thread; none when it isn't known here.
    pub thread: Option<ThreadId>,
    /// Its turn.
    pub turn: TurnId,
}

/// Who had a command run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunBy {
    /// The model.
    Agent,
    /// The user, with `!cmd`.
    User,
}

/// A command that has ended, in whatever turn it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The thread it ran in.
    pub thread: ThreadId,
    /// The turn that began it; it may have ended before.
    pub turn: TurnId,
    /// Who had it run.
    pub by: RunBy,
    /// The command, as in [`TurnEvent::Command`](orch_protocol::turn::TurnEvent::Command).
    pub command: String,
    /// When it began, to the millisecond.
    pub began: Timestamp,
    /// When it ended, to the millisecond.
    pub ended: Timestamp,
    /// Its exit code; -1 when it was killed.
    pub exit_code: Option<i32>,
}

/// The end of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The thread.
    pub thread: ThreadId,
    /// The turn.
    pub turn: TurnId,
    /// What its thread is to the user.
    pub role: Role,
    /// Whose work it was, if its thread is [`Role::Below`] and said so.
    pub above: Option<Above>,
    /// The record, which the thread's rollout gives too; none when nothing was asked and nothing happened (a compaction, `!cmd`).
    pub record: Option<Box<TurnRecord>>,
}

/// Something the supervisor must know.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A thread was announced, or is now known better.
    Thread(Box<LiveThread>),
    /// A turn began. What kind it is shows later: the engine doesn't say it here.
    TurnStarted {
        /// The thread.
        thread: ThreadId,
        /// The turn.
        turn: TurnId,
        /// What its thread is to the user.
        role: Role,
        /// Whose work it is, if its thread is [`Role::Below`] and says so.
        above: Option<Above>,
    },
    /// A turn ended.
    TurnEnded(Ended),
    /// A turn ended whose beginning wasn't seen: its rollout has the record.
    TurnMissed {
        /// The thread.
        thread: ThreadId,
        /// The turn.
        turn: TurnId,
    },
    /// A root thread's model wrote its plan.
    PlanChanged {
        /// The thread.
        thread: ThreadId,
        /// The turn.
        turn: TurnId,
        /// The model's reason, if given.
        explanation: Option<String>,
        /// The whole plan.
        steps: Vec<PlanStep>,
    },
    /// A command ended.
    Ran(Ran),
    /// Turns were taken back.
    Reverted {
        /// The thread.
        thread: ThreadId,
        /// Which ones, oldest first; none when the request wasn't told to [`LiveThreads::revert_asked`](super::LiveThreads::revert_asked).
        turns: Option<Vec<TurnId>>,
    },
    /// A thread's history was replaced by a summary.
    Compacted {
        /// The thread.
        thread: ThreadId,
    },
    /// A thread is no longer loaded.
    ThreadClosed {
        /// The thread.
        thread: ThreadId,
    },
}
