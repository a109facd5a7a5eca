//! The user's repository, read only: one look at the work tree, and walks of its history.
//!
//! Every call opens the repository anew inside `spawn_blocking`: git2's handles don't cross threads, and a repository
//! may be replaced under a long run.

mod branches;
mod history;
mod kept;
mod look;
mod name;
mod patches;
mod raw;
mod reach;
mod reflog;
mod reverts;
mod rewrites;
mod walk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orch_core::contexts::Branches;
use orch_core::judge::Stand;
use orch_protocol::Timestamp;
use orch_protocol::git::{CommitSummary, GitSnapshot, HeadRelation};
use orch_protocol::ids::CommitId;
use thiserror::Error;

pub use look::{Repo, find};
pub use name::Called;

use crate::ports::{Asked, Git, Holding, Judged};
use kept::Cache;

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
    cache: Cache,
}

impl FolderGit {
    /// Looks from `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            cache: Cache::default(),
        }
    }

    /// Keeps what was found of commits in `dir`, which is made when the folder above it is there; it may be deleted at
    /// any time.
    pub fn with_cache(self, dir: PathBuf) -> Self {
        Self {
            cache: Cache::new(dir),
            ..self
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

    async fn stand(&self) -> Result<Option<Stand>, GitError> {
        self.blocking(look::stand).await
    }

    async fn judge(&self, asked: Asked) -> Result<Judged, GitError> {
        if asked.claimed.is_empty() && asked.heads.is_empty() {
            return Ok(Judged::default());
        }
        let cache = self.cache.clone();
        self.blocking(move |folder| reach::judge(folder, &asked, &cache))
            .await
    }

    async fn holding(&self, commit: CommitId) -> Result<Holding, GitError> {
        self.blocking(move |folder| branches::holding(folder, &commit))
            .await
    }

    async fn branches(&self, asked: BTreeSet<String>) -> Result<Branches, GitError> {
        self.blocking(move |folder| branches::became(folder, &asked))
            .await
    }

    async fn existing(&self, commits: BTreeSet<CommitId>) -> Result<BTreeSet<CommitId>, GitError> {
        self.blocking(move |folder| walk::existing(folder, commits))
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
