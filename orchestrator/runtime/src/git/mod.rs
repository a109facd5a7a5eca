//! The user's repository, read only: one look at the work tree, and walks of its history.
//!
//! Every call opens the repository anew inside `spawn_blocking`: git2's handles don't cross threads, and a repository
//! may be replaced under a long run.

mod look;
mod name;
mod walk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orch_core::judge::Reachable;
use orch_protocol::Timestamp;
use orch_protocol::git::{CommitSummary, GitSnapshot, HeadRelation};
use orch_protocol::ids::CommitId;
use thiserror::Error;

pub use look::{Repo, find};
pub use name::Called;

use crate::ports::Git;

/// Why git could not be asked.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum GitError {
    #[error("Failed to read the repository at {}", path.display())]
    Read { path: PathBuf, source: git2::Error },
    #[error("Failed to finish reading the repository at {}", path.display())]
    Lost { path: PathBuf },
}

/// The repository that a folder belongs to, if any.
#[derive(Debug, Clone)]
pub struct FolderGit {
    folder: PathBuf,
}

impl FolderGit {
    /// Looks from `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The commit that `given` names: any revision that git understands.
    pub async fn called(&self, given: String) -> Result<Called, GitError> {
        self.blocking(move |folder| name::called(folder, &given))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Path) -> Result<T, git2::Error> + Send + 'static,
    ) -> Result<T, GitError> {
        let folder = self.folder.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&folder)).await;
        match asked {
            Ok(answer) => answer.map_err(|source| GitError::Read {
                path: self.folder.clone(),
                source,
            }),
            Err(_) => Err(GitError::Lost {
                path: self.folder.clone(),
            }),
        }
    }
}

#[async_trait]
impl Git for FolderGit {
    async fn look(&self) -> Result<Option<GitSnapshot>, GitError> {
        self.blocking(look::look).await
    }

    async fn reachable(&self, commits: BTreeSet<CommitId>) -> Result<Reachable, GitError> {
        if commits.is_empty() {
            return Ok(Reachable::default());
        }
        self.blocking(move |folder| walk::reachable(folder, commits))
            .await
    }

    async fn relation(
        &self,
        expected: GitSnapshot,
        seen: GitSnapshot,
        known: Option<CommitId>,
    ) -> Result<HeadRelation, GitError> {
        self.blocking(move |folder| walk::relation(folder, &expected, &seen, known.as_ref()))
            .await
    }

    async fn made_between(
        &self,
        before: GitSnapshot,
        after: GitSnapshot,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<CommitSummary>, GitError> {
        self.blocking(move |folder| {
            walk::made_between(
                folder,
                before.head.commit(),
                after.head.commit(),
                since.as_second(),
                until.as_second(),
            )
        })
        .await
    }
}
