//! The store: a bare git repository of our own for the state, and a write-ahead log for each process that changes it.
//!
//! It never adds an object or a ref to the user's repository. What the files in it mean is in docs/data-formats.md.

pub mod files;
pub mod log;
pub(crate) mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orch_core::state::State;
use orch_protocol::fact::Fact;
use orch_protocol::ids::{CommitId, LogId, SessionId, ThreadId};
use thiserror::Error;

use crate::ports::StateStore;
use files::{Blobs, FilesError};
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

    /// Names of all sessions, oldest first.
    pub fn sessions(&self) -> Result<Vec<SessionId>, StoreError> {
        let Some((objects, head)) = self.opened()? else {
            return Ok(Vec::new());
        };
        let names = objects.list(&head, "sessions")?;
        Ok(names
            .iter()
            .filter_map(|name| name.strip_suffix(".json"))
            .map(SessionId::new)
            .collect())
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

    /// The state as it stood in a state commit, without sessions and journal; none where there is no such commit.
    pub fn state_at(&self, at: &CommitId) -> Result<Option<State>, StoreError> {
        let Some(objects) = Objects::open(&self.git_dir())? else {
            return Ok(None);
        };
        if !objects.holds(at) {
            return Ok(None);
        }
        let blobs = Blobs {
            fixed: objects.read_flat(at)?,
            tasks: objects.read_dir(at, "tasks", |_| true)?,
            ..Blobs::default()
        };
        Ok(Some(self.parsed(&blobs)?.state))
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

    /// Reads the state as it stands, all logs laid over it. Pure reading: nothing is created or changed.
    fn read(&mut self, threads: &[ThreadId]) -> Result<Overlaid, StoreError> {
        for _ in 0..TRIES {
            let objects = Objects::open(&self.git_dir())?;
            let head = objects.as_ref().map_or(Ok(None), Objects::head)?;
            let logs = log::read_all(&self.logs_dir()).map_err(|error| self.log_error(error))?;
            // A log may have been folded and removed between the two looks: then the ref has moved, and we look again.
            if objects.as_ref().map_or(Ok(None), Objects::head)? != head {
                continue;
            }
            let mut base = match (&objects, &head) {
                (Some(objects), Some(head)) => self.base(objects, head, &logs, threads)?,
                _ => State::default(),
            };
            let stored = base.clone();
            let mut new = Vec::new();
            for fact in logs.iter().flat_map(|log| &log.facts) {
                if base.apply(fact) {
                    new.push(fact.clone());
                }
            }
            return Ok(Overlaid {
                objects,
                head,
                stored,
                state: base,
                new,
                logs,
            });
        }
        Err(StoreError::Busy {
            path: self.dir.clone(),
            tries: TRIES,
        })
    }

    fn base(
        &mut self,
        objects: &Objects,
        head: &CommitId,
        logs: &[log::Read],
        threads: &[ThreadId],
    ) -> Result<State, StoreError> {
        let pieces: BTreeSet<String> = threads.iter().map(orch_core::name::thread_part).collect();
        let touched: BTreeSet<&SessionId> = logs
            .iter()
            .flat_map(|log| &log.facts)
            .filter_map(|fact| State::session_of(&fact.event))
            .collect();
        let wanted = |name: &str| {
            let stem = name.strip_suffix(".json").unwrap_or(name);
            touched.contains(&SessionId::new(stem))
                || pieces.iter().any(|piece| stem.ends_with(piece.as_str()))
        };
        let blobs = Blobs {
            fixed: objects.read_flat(head)?,
            tasks: objects.read_dir(head, "tasks", |_| true)?,
            sessions: objects.read_dir(head, "sessions", wanted)?,
            journal: objects.list(head, "journal")?,
        };
        let loaded = self.parsed(&blobs)?;
        for file in loaded.unreadable {
            tracing::warn!(
                file,
                "a session file can't be read; it is set aside at the next fold"
            );
            self.unreadable.insert(file.clone());
            self.set_aside.insert(file);
        }
        Ok(loaded.state)
    }

    fn parsed(&self, blobs: &Blobs) -> Result<files::Loaded, StoreError> {
        files::parse(blobs).map_err(|error| match error {
            FilesError::Newer { found, known } => StoreError::Newer {
                path: self.git_dir(),
                found,
                known,
            },
            FilesError::Corrupt { file, source } => StoreError::Corrupt {
                path: self.git_dir(),
                file,
                source,
            },
        })
    }

    fn fold_now(&mut self) -> Result<(), StoreError> {
        let guard = self.fold_lock()?;
        for attempt in 0..TRIES {
            let read = self.read(&[])?;
            if read.new.is_empty() && self.set_aside.is_empty() {
                self.clean_up(&read.logs)?;
                return Ok(());
            }
            let objects = match read.objects {
                Some(objects) => objects,
                None => Objects::create(&self.git_dir())?,
            };
            objects.remove_stale_lock();
            let mut state = read.state;
            let alive: BTreeSet<&LogId> = read.logs.iter().map(|log| &log.id).collect();
            state.folded.retain(|log, _| alive.contains(log));
            let mut changes =
                files::changes(&read.stored, &state, read.head.is_none()).map_err(|source| {
                    StoreError::Corrupt {
                        path: self.git_dir(),
                        file: "(being written)".into(),
                        source,
                    }
                })?;
            if let Some(head) = &read.head {
                self.move_aside(&objects, head, &mut changes)?;
            }
            let message = files::message(&read.new);
            if objects
                .commit(read.head.as_ref(), &changes, &message)?
                .is_some()
            {
                self.set_aside.clear();
                self.clean_up(&read.logs)?;
                drop(guard);
                return Ok(());
            }
            tracing::debug!(attempt, "another process changed the state; folding again");
        }
        Err(StoreError::Busy {
            path: self.dir.clone(),
            tries: TRIES,
        })
    }

    /// Moves files that can't be read to `aside/`, where they stay.
    fn move_aside(
        &self,
        objects: &Objects,
        head: &CommitId,
        changes: &mut BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        for file in &self.set_aside {
            if let Some(bytes) = objects.read(head, file)? {
                changes.insert(format!("aside/{file}"), Some(bytes));
                changes.entry(file.clone()).or_insert(None);
            }
        }
        Ok(())
    }

    /// Removes logs of dead processes once every fact of theirs is in a state commit; a damaged one is kept aside.
    fn clean_up(&self, logs: &[log::Read]) -> Result<(), StoreError> {
        log::remove_unborn(&self.logs_dir());
        for log in logs.iter().filter(|log| log.id != self.id) {
            log::remove_if_dead(&self.logs_dir(), log).map_err(|error| self.log_error(error))?;
        }
        Ok(())
    }

    /// One process folds at a time; the ref's compare-and-swap stays the guard against everybody else.
    fn fold_lock(&self) -> Result<File, StoreError> {
        private_dir(&self.dir)?;
        let path = self.dir.join("fold.lock");
        let opened = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let io = |doing| {
            move |source| StoreError::Io {
                doing,
                path: path.clone(),
                source,
            }
        };
        let file = opened.map_err(io("open"))?;
        file.lock().map_err(|source| StoreError::Io {
            doing: "lock",
            path: self.dir.join("fold.lock"),
            source,
        })?;
        Ok(file)
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
        match &mut self.log {
            Some(log) => log.append(facts).map_err(|error| self.log_error(error)),
            None => Ok(()),
        }
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

#[derive(Debug)]
struct Overlaid {
    objects: Option<Objects>,
    head: Option<CommitId>,
    stored: State,
    state: State,
    new: Vec<Fact>,
    logs: Vec<log::Read>,
}

#[async_trait]
impl StateStore for BareStore {
    fn log_id(&self) -> &LogId {
        &self.id
    }

    async fn load(&mut self, threads: &[ThreadId]) -> Result<State, StoreError> {
        self.read(threads).map(|read| read.state)
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
