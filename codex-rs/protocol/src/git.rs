//! What git says of a work tree at one moment, as plain data.

use serde::{Deserialize, Serialize};

use crate::ids::CommitId;

/// What HEAD is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Head {
    /// A branch with at least one commit.
    Branch {
        /// Short name, `refs/heads/` taken off.
        name: String,
        /// Its tip.
        commit: CommitId,
    },
    /// A branch without a commit yet.
    Unborn {
        /// Short name.
        name: String,
    },
    /// A commit without a branch.
    Detached {
        /// The commit checked out.
        commit: CommitId,
    },
}

impl Head {
    /// The commit HEAD stands at; none on an unborn branch.
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            Head::Branch { commit, .. } | Head::Detached { commit } => Some(commit),
            Head::Unborn { .. } => None,
        }
    }

    /// The branch's short name; none when detached.
    pub fn branch(&self) -> Option<&str> {
        match self {
            Head::Branch { name, .. } | Head::Unborn { name } => Some(name),
            Head::Detached { .. } => None,
        }
    }
}

/// An operation that git has begun and not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Operation {
    Merge,
    Rebase,
    CherryPick,
    Revert,
    Bisect,
    ApplyMailbox,
}

/// A file that differs from HEAD, with what tells one state of it from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DirtyFile {
    /// Path from the top of the work tree, `/` between parts.
    pub path: String,
    /// Hash of the content (git's blob id); empty when the file is gone or too large to hash.
    pub blob: String,
}

/// One look at a work tree. Two equal snapshots mean that nothing a conversation rests on has moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSnapshot {
    /// Absolute path of the git directory that all work trees share.
    pub common_dir: String,
    /// Absolute path of this work tree's top.
    pub worktree: String,
    /// What HEAD is.
    pub head: Head,
    /// An unfinished operation, if any.
    pub operation: Option<Operation>,
    /// Files that differ from HEAD, sorted, at most [`GitSnapshot::MAX_DIRTY`].
    pub dirty: Vec<DirtyFile>,
    /// There were more of them than are listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty_truncated: bool,
}

impl GitSnapshot {
    /// The most differing files that one snapshot lists.
    pub const MAX_DIRTY: usize = 200;
}

/// A commit as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSummary {
    /// Its id.
    pub id: CommitId,
    /// First line of its message, control characters taken out, at most 120 characters.
    pub subject: String,
    /// Committer time, seconds since the epoch.
    pub time: i64,
    /// Paths it changed against its first parent, at most 100.
    pub files: Vec<String>,
}

/// How the head that a conversation expects stands to the head that is seen, as the commit graph says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadRelation {
    /// Expected is seen or an ancestor of it.
    pub expected_in_seen: bool,
    /// The branch that was expected still exists, and where: `None` when it is gone.
    pub expected_branch_at: Option<CommitId>,
    /// The tip of the expected branch is reachable from the seen head (it was merged in here).
    pub expected_branch_merged: bool,
    /// When the branch seen was last worked on, it held expected already: then nothing was merged in since.
    #[serde(default)]
    pub expected_known_there: bool,
    /// Commits of the seen head that expected doesn't have, newest first, at most 50.
    pub incoming: Vec<CommitSummary>,
    /// How many there are in all.
    pub incoming_total: usize,
    /// Commits of expected that the seen head doesn't have.
    pub outgoing_total: usize,
}
