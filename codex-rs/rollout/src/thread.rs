//! What reading a thread gives: plain data, nothing that reads.

use std::ops::Add;

use orch_protocol::ids::{CommitId, ThreadId, TurnId};
use orch_protocol::turn::TurnRecord;

/// What a rollout says of the thread it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadMeta {
    /// The thread.
    pub thread: ThreadId,
    /// The folder it was started in.
    pub cwd: Option<String>,
    /// The CLI version that wrote the first line.
    pub cli_version: Option<String>,
    /// HEAD when the thread was made; none outside of a repository.
    pub commit: Option<CommitId>,
    /// The branch when the thread was made.
    pub branch: Option<String>,
    /// The thread that it was forked from, or that it is a sub-agent of.
    pub parent: Option<ThreadId>,
    /// Who started it: `cli`, `exec`, `vscode`, `subagent`, ...
    pub source: Option<String>,
    /// The client that started it, as it named itself.
    pub originator: Option<String>,
    /// It is the work of a sub-agent, not a session of the user.
    pub is_subagent: bool,
    /// It is a run in which a model reviewed an approval: nobody's work session. Known once its first turn was read.
    pub is_approval_review: bool,
}

/// How much happened, in calls: a shell call whose command tests and commits counts once in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages of the user, those that joined a running turn included.
    pub user_messages: u64,
    /// Calls that wrote the plan.
    pub plans: u64,
    /// Shell calls, whatever the tool was named; in a script each call counts.
    pub shell_calls: u64,
    /// Shell calls that make a git commit.
    pub commit_commands: u64,
    /// Shell calls that run tests.
    pub test_commands: u64,
    /// Patches, those applied by a shell call included.
    pub patches: u64,
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            user_messages: self.user_messages + other.user_messages,
            plans: self.plans + other.plans,
            shell_calls: self.shell_calls + other.shell_calls,
            commit_commands: self.commit_commands + other.commit_commands,
            test_commands: self.test_commands + other.test_commands,
            patches: self.patches + other.patches,
        }
    }
}

/// What was read, and what couldn't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// What the thread itself did.
    pub own: Counts,
    /// What was copied from the thread that it was forked from.
    pub inherited: Counts,
    /// Lines that were read, bad ones included, empty ones not.
    pub lines: u64,
    /// Lines that are no rollout's: torn, not JSON, longer than [`MAX_LINE`](crate::reader::MAX_LINE).
    pub bad_lines: u64,
    /// The last line was torn, as a crash leaves it. Not counted among the bad ones.
    pub torn_tail: bool,
}

/// A thread as its rollout tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The thread; none when no line said which one it is.
    pub meta: Option<ThreadMeta>,
    /// Its own turns, oldest first. Those copied from a parent are left out.
    pub turns: Vec<TurnRecord>,
    /// Those of them that were taken back (`thread/revert`), in the order they were.
    pub reverted: Vec<TurnId>,
    /// The threads that work for this one: its sub-agents.
    pub below: Vec<ThreadId>,
    /// If it is a sub-agent's: its turns, each with the turn of the root thread that it works for.
    pub above: Vec<(TurnId, TurnId)>,
    /// How much was read.
    pub tally: Tally,
}
