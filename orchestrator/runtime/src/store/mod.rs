//! The store: a bare git repository of our own for the state, and a write-ahead log for each process that changes it.
//!
//! It never adds an object or a ref to the user's repository. What the files in it mean is in docs/data-formats.md.

mod commits;
pub mod files;
mod fold;
pub mod history;
pub mod keep;
pub mod log;
mod migrate;
pub(crate) mod objects;
mod outline;
mod read;
pub mod sessions;
pub mod verify;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::fact::Fact;
use orch_protocol::ids::{CommitId, LogId, SessionId};
use orch_protocol::session::Session;
use thiserror::Error;

use crate::ports::{StateStore, Wanted};
use files::FilesError;
use log::{Log, LogError};
use objects::Objects;

/// Why the state could not be read or written.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error("Failed to {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("Failed to {doing} the store {}", path.display())]
    Objects {
        doing: &'static str,
        path: PathBuf,
        source: git2::Error,
    },
    #[error("the store {} was written by a newer codex-orch (schema {found}, this one knows {known})", path.display())]
    Newer {
        path: PathBuf,
        found: u64,
        known: u64,
    },
    #[error("the store {} holds a file that can't be read: {file}", path.display())]
    Corrupt {
        path: PathBuf,
        file: String,
        source: serde_json::Error,
    },
    #[error("the store {} is busy: its state changed {tries} times while this was written", path.display())]
    Busy { path: PathBuf, tries: u32 },
}

impl StoreError {
    fn of_files(path: &Path, error: FilesError) -> Self {
        let path = path.to_owned();
        match error {
            FilesError::Newer { found, known } => Self::Newer { path, found, known },
            FilesError::Corrupt { file, source } => Self::Corrupt { path, file, source },
        }
    }

    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        match self {
            StoreError::Io { source, .. } if is_full(source) => {
                "free some space; what was acknowledged is safe, and --no-orch runs without recording".to_owned()
            }
            StoreError::Io { path, .. } | StoreError::Objects { path, .. } => {
                format!("check who owns {} and whether it can be written; --no-orch runs without recording", path.display())
            }
            StoreError::Newer { .. } => "update codex-orch; nothing was changed".to_owned(),
            StoreError::Corrupt { path, .. } => {
                format!("earlier versions are kept: git --git-dir={} log {}", path.display(), objects::STATE_REF)
            }
            StoreError::Busy { .. } => "try again; nothing acknowledged was lost".to_owned(),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// How often a fold tries again when others changed the state meanwhile.
const TRIES: u32 = 20;

/// The store on disk.
#[derive(Debug)]
pub struct BareStore {
    dir: PathBuf,
    log: Option<Log>,
    id: LogId,
    /// When the newest unfolded fact was recorded that was seen.
    newest: Option<Timestamp>,
    /// The state commit that held all that was read last; none within when facts were pending. None before a first reading.
    read_at: Option<Option<CommitId>>,
    /// Files that could not be read and were passed over; they are set aside at the next fold.
    set_aside: BTreeSet<String>,
    /// Files that this process has found unreadable, set aside by now or not.
    pub unreadable: BTreeSet<String>,
}

impl BareStore {
    /// Opens the store in `dir`; nothing is created before the first fact. `id` names this process's log.
    pub fn new(dir: PathBuf, id: LogId) -> Self {
        Self {
            dir,
            log: None,
            id,
            newest: None,
            read_at: None,
            set_aside: BTreeSet::new(),
            unreadable: BTreeSet::new(),
        }
    }

    /// The folder it lives in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether there is something to fold: this process has recorded something, or a dead one has left its log.
    pub fn is_unfolded(&self) -> bool {
        self.log.is_some() || log::any_dead(&self.logs_dir())
    }

    /// The newest state commit; none before the first fold.
    pub fn head(&self) -> Result<Option<CommitId>, StoreError> {
        Objects::open(&self.git_dir())?.map_or(Ok(None), |objects| objects.head())
    }

    /// Whether what was read last isn't what stands in this state commit: somebody has folded since, or had not yet.
    pub fn has_read_other_than(&self, commit: &CommitId) -> bool {
        let read = self.read_at.as_ref();
        read.is_some_and(|read| read.as_ref() != Some(commit))
    }

    /// Names of all sessions, oldest first.
    pub fn sessions(&self) -> Result<Vec<SessionId>, StoreError> {
        let Some((objects, head)) = self.opened()? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for dir in sessions::FOLDERS {
            names.extend(objects.list(&head, dir)?);
        }
        names.sort();
        Ok(names
            .iter()
            .filter_map(|name| name.strip_suffix(".json"))
            .map(SessionId::new)
            .collect())
    }

    /// Every session, the oldest first; those that can't be read are left out.
    pub fn all_sessions(&self) -> Result<Vec<Session>, StoreError> {
        let Some((objects, head)) = self.opened()? else {
            return Ok(Vec::new());
        };
        let mut files = BTreeMap::new();
        for dir in sessions::FOLDERS {
            files.extend(objects.read_dir(&head, dir, |_| true)?);
        }
        let read = |(name, bytes): (&String, &Vec<u8>)| files::session(name, bytes).ok();
        Ok(files.iter().filter_map(read).collect())
    }

    /// The text of a journal entry that `state` knows, also of one that no state commit holds yet.
    pub fn journal(&self, state: &State, name: &str) -> Result<Option<String>, StoreError> {
        match state.journal.get(name) {
            Some(Some(text)) => return Ok(Some(text.clone())),
            Some(None) => {}
            None => return Ok(None),
        }
        let Some((objects, head)) = self.opened()? else {
            return Ok(None);
        };
        let bytes = objects.read(&head, &files::journal_path(name))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The files that the checkout shows (project, sessions, journal) as they stand in a state commit, each with git's id
    /// of its content.
    pub fn documents(&self, at: &CommitId) -> Result<BTreeMap<String, String>, StoreError> {
        let Some(objects) = Objects::open(&self.git_dir())? else {
            return Ok(BTreeMap::new());
        };
        let mut documents = objects.ids(at, None)?;
        documents.retain(|name, _| name == "project_state.json");
        for dir in ["sessions", "journal"] {
            documents.extend(objects.ids(at, Some(dir))?);
        }
        Ok(documents)
    }

    /// The content of one of them.
    pub fn document(&self, at: &CommitId, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Objects::open(&self.git_dir())?.map_or(Ok(None), |objects| objects.read(at, path))
    }

    /// Whether some version of some file had the content with this id of git's.
    pub fn has_content(&self, id: &str) -> bool {
        let opened = Objects::open(&self.git_dir());
        opened.is_ok_and(|objects| objects.is_some_and(|objects| objects.has_content(id)))
    }

    fn opened(&self) -> Result<Option<(Objects, CommitId)>, StoreError> {
        let Some(objects) = Objects::open(&self.git_dir())? else {
            return Ok(None);
        };
        Ok(objects.head()?.map(|head| (objects, head)))
    }

    fn git_dir(&self) -> PathBuf {
        self.dir.join("store.git")
    }

    fn logs_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Where what can be made anew at any time is kept.
    pub fn cache_dir(&self) -> PathBuf {
        self.dir.join("cache")
    }

    fn busy(&self) -> StoreError {
        StoreError::Busy {
            path: self.dir.clone(),
            tries: TRIES,
        }
    }

    fn files_error(&self, error: FilesError) -> StoreError {
        StoreError::of_files(&self.git_dir(), error)
    }

    fn log_error(&self, error: LogError) -> StoreError {
        StoreError::Io {
            doing: error.doing,
            path: error.path,
            source: error.source,
        }
    }

    fn append_now(&mut self, facts: &[Fact]) -> Result<(), StoreError> {
        if facts.is_empty() {
            return Ok(());
        }
        if self.log.is_none() {
            private_dir(&self.dir)?;
            private_dir(&self.logs_dir())?;
            let log =
                Log::create(&self.logs_dir(), &self.id).map_err(|error| self.log_error(error))?;
            self.log = Some(log);
        }
        if let Some(log) = &mut self.log {
            log.append(facts).map_err(|error| self.log_error(error))?;
        }
        self.newest = self.newest.max(facts.iter().map(|fact| fact.at).max());
        Ok(())
    }

    /// Folds what is left and gives the log up. Without this (a crash) the next process does both.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.fold_now()?;
        if let Some(log) = self.log.take() {
            log.remove().map_err(|error| self.log_error(error))?;
        }
        Ok(())
    }
}

#[async_trait]
impl StateStore for BareStore {
    fn log_id(&self) -> &LogId {
        &self.id
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<State, StoreError> {
        self.read(wanted)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    async fn append(&mut self, facts: &[Fact]) -> Result<(), StoreError> {
        self.append_now(facts)
    }

    async fn fold(&mut self) -> Result<(), StoreError> {
        self.fold_now()
    }

    fn is_dead(&self, log: &LogId) -> bool {
        *log != self.id && log::is_dead(&self.logs_dir(), log)
    }
}

/// Creates a folder that only its owner may enter.
pub fn private_dir(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StoreError::Io {
            doing: "create",
            path: path.to_owned(),
            source,
        })
}
