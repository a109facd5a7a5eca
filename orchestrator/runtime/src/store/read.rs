//! Reading: the newest state commit with every log laid over it, and of the backlog no more than was asked for.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::state::State;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::tasks::Tasks;

use super::files::{self, ARCHIVE, Shard, TASKS};
use super::fold::{self, Operation};
use super::objects::Objects;
use super::sessions::FOLDERS;
use super::{BareStore, StoreError, TRIES, log, outline};
use crate::ports::{Backlog, Wanted};

/// So many files of tasks are read by their paths.
const FEW: usize = 32;

/// One consistent look at the ref and the logs.
pub(super) struct Snapshot {
    pub(super) objects: Option<Objects>,
    pub(super) head: Option<CommitId>,
    pub(super) logs: Vec<log::Read>,
    /// What the logs hold that the ref doesn't yet.
    pub(super) operations: Vec<Operation>,
}

/// Which files of a state commit are read.
pub(super) struct Part<'a> {
    /// Every task without what only its own page shows.
    pub(super) outline: bool,
    /// These files of tasks, whole; none: all of them.
    pub(super) shards: Option<&'a BTreeSet<Shard>>,
    /// These sessions.
    pub(super) sessions: &'a dyn Fn(&str) -> bool,
}

/// A part of the state, and what of it could not be read.
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) unreadable: Vec<String>,
}

impl BareStore {
    /// Looks at ref and logs until the two belong together; none when they never do.
    pub(super) fn snapshot(&self) -> Result<Option<Snapshot>, StoreError> {
        for _ in 0..TRIES {
            let objects = Objects::open(&self.git_dir())?;
            let head = objects.as_ref().map_or(Ok(None), Objects::head)?;
            let logs = log::read_all(&self.logs_dir()).map_err(|error| self.log_error(error))?;
            // A log may have been folded and removed between the two looks: then the ref has moved, and we look again.
            if objects.as_ref().map_or(Ok(None), Objects::head)? != head {
                continue;
            }
            let folded = match (&objects, &head) {
                (Some(objects), Some(head)) => {
                    let bytes = objects.read(head, files::FOLDED_FILE)?;
                    files::folded(bytes.as_deref()).map_err(|error| self.files_error(error))?
                }
                _ => BTreeMap::new(),
            };
            return Ok(Some(Snapshot {
                operations: fold::operations(&logs, &folded),
                objects,
                head,
                logs,
            }));
        }
        Ok(None)
    }

    /// Reads the state as it stands. Pure reading: nothing is created or changed but caches.
    pub(super) fn read(&mut self, wanted: &Wanted) -> Result<State, StoreError> {
        let Some(snapshot) = self.snapshot()? else {
            return Err(self.busy());
        };
        let mut state = match (&snapshot.objects, &snapshot.head) {
            (Some(objects), Some(head)) => self.base(objects, head, &snapshot, wanted)?,
            _ => State::default(),
        };
        let is_pending = !snapshot.operations.is_empty();
        self.read_at = Some(snapshot.head.filter(|_| !is_pending));
        for fact in fold::facts(&snapshot.operations) {
            self.newest = self.newest.max(Some(fact.at));
            state.apply(fact);
        }
        Ok(state)
    }

    fn base(
        &mut self,
        objects: &Objects,
        head: &CommitId,
        snapshot: &Snapshot,
        wanted: &Wanted,
    ) -> Result<State, StoreError> {
        let pieces: BTreeSet<String> = wanted
            .threads
            .iter()
            .map(orch_core::name::thread_part)
            .collect();
        let touched: BTreeSet<String> = fold::facts(&snapshot.operations)
            .filter_map(|fact| State::session_of(&fact.event))
            .map(|id| id.as_str().to_owned())
            .collect();
        let sessions = |name: &str| {
            touched.contains(name) || pieces.iter().any(|piece| name.ends_with(piece.as_str()))
        };
        let none = BTreeSet::new();
        let named: BTreeSet<Shard>;
        let (outline, shards) = match &wanted.backlog {
            Backlog::Whole => (false, None),
            Backlog::Outline => (true, Some(&none)),
            Backlog::Untouched => (false, Some(&none)),
            Backlog::Of(prefixes) if prefixes.iter().all(|prefix| prefix.len() >= 2) => {
                named = prefixes
                    .iter()
                    .map(|prefix| Shard::of(&TaskId::new(prefix.as_str())))
                    .collect();
                (false, Some(&named))
            }
            Backlog::Of(prefixes) => {
                let all = [objects.shards(head, TASKS)?, objects.shards(head, ARCHIVE)?];
                named = all
                    .iter()
                    .flat_map(|shards| shards.files.keys())
                    .filter(|shard| prefixes.iter().any(|prefix| shard.may_hold(prefix)))
                    .copied()
                    .collect();
                (false, Some(&named))
            }
        };
        let part = Part {
            outline,
            shards,
            sessions: &sessions,
        };
        let loaded = self.load_part(objects, head, &part)?;
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

    /// Reads a part of a state commit. A session that doesn't parse is passed over; anything else that doesn't is an
    /// error.
    pub(super) fn load_part(
        &self,
        objects: &Objects,
        at: &CommitId,
        part: &Part<'_>,
    ) -> Result<Loaded, StoreError> {
        let failed = |error| self.files_error(error);
        let fixed = objects.read_flat(at)?;
        let bytes = |name: &str| fixed.get(name).map(Vec::as_slice);
        let schema = files::schema(bytes(files::SCHEMA_FILE)).map_err(failed)?;
        let mut state = State {
            project: files::project(bytes(files::PROJECT_FILE)).map_err(failed)?,
            folded: files::folded(bytes(files::FOLDED_FILE)).map_err(failed)?,
            ..State::default()
        };
        if schema < files::SCHEMA {
            state.tasks = self.first_schema(objects, at)?;
        } else {
            if part.outline {
                state.tasks = outline::read(objects, at, &self.cache_dir())?;
            }
            state
                .tasks
                .append(&mut self.tasks(objects, at, TASKS, part)?);
            if part.shards.is_none_or(|shards| !shards.is_empty()) {
                state.archive = self.tasks(objects, at, ARCHIVE, part)?;
            }
        }
        let mut unreadable = Vec::new();
        for dir in FOLDERS {
            let wanted = |name: &str| (part.sessions)(name.strip_suffix(".json").unwrap_or(name));
            for (name, bytes) in objects.read_dir(at, dir, wanted)? {
                let path = format!("{dir}/{name}");
                match files::session(&path, &bytes) {
                    Ok(session) => {
                        state.sessions.insert(session.id.clone(), session);
                    }
                    Err(_) => unreadable.push(path),
                }
            }
        }
        let names = objects.list(at, "journal")?;
        let entries = names.iter().filter_map(|name| name.strip_suffix(".md"));
        state.journal = entries.map(|name| (name.to_owned(), None)).collect();
        Ok(Loaded { state, unreadable })
    }

    fn tasks(
        &self,
        objects: &Objects,
        at: &CommitId,
        dir: &str,
        part: &Part<'_>,
    ) -> Result<Tasks, StoreError> {
        let mut tasks = Vec::new();
        let mut add = |path: &str, bytes: &[u8]| {
            let read = files::tasks(path, bytes).map_err(|error| self.files_error(error))?;
            tasks.extend(
                read.into_iter()
                    .map(|task| (task.id.clone(), Box::new(task))),
            );
            Ok::<(), StoreError>(())
        };
        match part.shards {
            // A few are found by their paths; to list them all would cost more.
            Some(few) if few.len() <= FEW => {
                for shard in few {
                    let path = shard.path(dir);
                    if let Some(bytes) = objects.read(at, &path)? {
                        add(&path, &bytes)?;
                    }
                }
            }
            some => {
                for (shard, id) in objects.shards(at, dir)?.files {
                    if some.is_none_or(|shards| shards.contains(&shard)) {
                        add(&shard.path(dir), &objects.blob(&id)?)?;
                    }
                }
            }
        }
        Ok(tasks.into_iter().collect())
    }
}
