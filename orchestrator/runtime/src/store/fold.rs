//! Folding: what the logs hold becomes state commits, one an operation, and the one ref moves when all are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{CommitId, LogId};

use super::files::{self, Shard, Touched};
use super::objects::Objects;
use super::read::Part;
use super::{BareStore, StoreError, TRIES, log, private_dir, sessions, words};

/// More operations than this are written as one pack instead of a file an object.
const MANY: usize = 8;

/// The facts of one operation.
#[derive(Debug)]
pub(super) struct Operation {
    facts: Vec<Fact>,
}

impl Operation {
    fn at(&self) -> Timestamp {
        self.facts
            .first()
            .map_or(Timestamp::UNIX_EPOCH, |fact| fact.at)
    }
}

/// Facts that aren't contained yet, by operation, in the order in which they were recorded: each log's own order is kept,
/// and among logs the time decides.
pub(super) fn operations(logs: &[log::Read], folded: &BTreeMap<LogId, u64>) -> Vec<Operation> {
    let mut waiting: Vec<(&LogId, std::collections::VecDeque<Operation>)> = Vec::new();
    for log in logs {
        let mark = folded.get(&log.id).copied().unwrap_or(0);
        let mut operations: std::collections::VecDeque<Operation> = Default::default();
        let mut last = None;
        for fact in log.facts.iter().filter(|fact| fact.id.seq > mark) {
            let op = if fact.op == 0 { fact.id.seq } else { fact.op };
            match operations.back_mut().filter(|_| last == Some(op)) {
                Some(operation) => operation.facts.push(fact.clone()),
                None => operations.push_back(Operation {
                    facts: vec![fact.clone()],
                }),
            }
            last = Some(op);
        }
        waiting.push((&log.id, operations));
    }
    let mut ordered = Vec::new();
    loop {
        let next = waiting
            .iter_mut()
            .filter(|(_, operations)| !operations.is_empty())
            .min_by_key(|(log, operations)| {
                (operations.front().map(Operation::at), (*log).clone())
            });
        match next.and_then(|(_, operations)| operations.pop_front()) {
            Some(operation) => ordered.push(operation),
            None => return ordered,
        }
    }
}

/// Facts in the order in which they are applied.
pub(super) fn facts(operations: &[Operation]) -> impl Iterator<Item = &Fact> {
    operations.iter().flat_map(|operation| &operation.facts)
}

/// Which tasks' files facts change.
pub(super) fn shards<'a>(facts: impl Iterator<Item = &'a Fact>) -> BTreeSet<Shard> {
    facts
        .filter_map(|fact| State::task_of(&fact.event))
        .map(Shard::of)
        .collect()
}

/// Whether applying a fact looks at other tasks than its own: an edge may close a cycle.
pub(super) fn looks_around(fact: &Fact) -> bool {
    use orch_protocol::proposal::Change;
    match &fact.event {
        Event::Changed { change, .. } => match change {
            Change::AddTask { task } => !task.needs.is_empty(),
            Change::AddNeed { .. } | Change::MergeTask { .. } => true,
            Change::Claim { .. }
            | Change::AnchorClaim { .. }
            | Change::AddEvidence { .. }
            | Change::AddAlias { .. }
            | Change::EditTask { .. }
            | Change::RemoveNeed { .. }
            | Change::Archive { .. } => false,
        },
        _ => false,
    }
}

impl BareStore {
    pub(super) fn fold_now(&mut self) -> Result<(), StoreError> {
        let _guard = self.fold_lock()?;
        for attempt in 0..TRIES {
            let Some(read) = self.snapshot()? else {
                return Err(self.busy());
            };
            let operations = read.operations;
            if operations.is_empty() && self.set_aside.is_empty() {
                return self.clean_up(&read.logs);
            }
            let objects = match read.objects {
                Some(objects) => objects,
                None => Objects::create(&self.git_dir())?,
            };
            objects.remove_stale_lock();
            let alive: BTreeSet<LogId> = read.logs.iter().map(|log| log.id.clone()).collect();
            let work = || self.commits(&objects, read.head.as_ref(), &operations, &alive);
            let made = match operations.len() > MANY {
                true => objects.as_one_pack(work)?,
                false => work()?,
            };
            if objects.publish(read.head.as_ref(), &made)? {
                self.set_aside.clear();
                self.clean_up(&read.logs)?;
                return self.empty_own_log();
            }
            tracing::debug!(attempt, "another process changed the state; folding again");
        }
        Err(self.busy())
    }

    /// Writes a commit for each operation on top of `head`; returns the last.
    fn commits(
        &self,
        objects: &Objects,
        head: Option<&CommitId>,
        operations: &[Operation],
        alive: &BTreeSet<LogId>,
    ) -> Result<CommitId, StoreError> {
        let mut parent = head.cloned();
        if let Some(migrated) = parent
            .as_ref()
            .map(|at| self.migrate(objects, at))
            .transpose()?
        {
            parent = migrated.or(parent);
        }
        let shards = shards(facts(operations));
        let sessions: BTreeSet<String> = facts(operations)
            .filter_map(|fact| State::session_of(&fact.event))
            .map(|id| id.as_str().to_owned())
            .collect();
        let part = Part {
            outline: facts(operations).any(looks_around),
            shards: Some(&shards),
            sessions: &|name| sessions.contains(name),
        };
        let mut state = match &parent {
            Some(at) => self.load_part(objects, at, &part)?.state,
            None => State::default(),
        };
        let all = Touched {
            shards,
            sessions: sessions.clone(),
            journal: BTreeSet::new(),
        };
        let mut standing = match parent {
            Some(_) => self.encoded(&state, &all)?,
            None => BTreeMap::new(),
        };
        for (at, operation) in operations.iter().enumerate() {
            let is_last = at + 1 == operations.len();
            let touched = apply(&mut state, operation);
            if is_last && state.folded.keys().any(|log| !alive.contains(log)) {
                // What is forgotten of a log that is gone must not be missed when a power cut has brought it back.
                log::sync_dir(&self.logs_dir()).map_err(|error| self.log_error(error))?;
                state.folded.retain(|log, _| alive.contains(log));
            }
            let mut changes = self.encoded(&state, &touched)?;
            changes.retain(|path, bytes| standing.get(path).unwrap_or(&None) != bytes);
            standing.extend(changes.clone());
            if parent.is_none() {
                let schema = files::schema_file().map_err(|error| self.unwritable(error))?;
                changes.insert(files::SCHEMA_FILE.to_owned(), Some(schema));
            }
            sessions::bring_back(&mut changes);
            if is_last {
                self.put_away(objects, parent.as_ref(), &state, &mut changes)?;
                self.move_aside(objects, parent.as_ref(), &mut changes)?;
            }
            let message = words::message(&operation.facts);
            parent = Some(objects.commit(parent.as_ref(), &changes, &message, operation.at())?);
        }
        match parent {
            Some(made) if !operations.is_empty() => Ok(made),
            // Nothing was recorded, but a file is to be set aside.
            parent => {
                let mut changes = BTreeMap::new();
                self.move_aside(objects, parent.as_ref(), &mut changes)?;
                let message = "supervisor: set aside what can't be read\n";
                let at = objects.time_of(parent.as_ref())?;
                objects.commit(parent.as_ref(), &changes, message, at)
            }
        }
    }

    fn encoded(
        &self,
        state: &State,
        touched: &Touched,
    ) -> Result<BTreeMap<String, Option<Vec<u8>>>, StoreError> {
        files::written(state, touched).map_err(|error| self.unwritable(error))
    }

    pub(super) fn unwritable(&self, source: serde_json::Error) -> StoreError {
        StoreError::Corrupt {
            path: self.git_dir(),
            file: "(being written)".into(),
            source,
        }
    }

    /// Moves files that can't be read to `aside/`, where they stay.
    fn move_aside(
        &self,
        objects: &Objects,
        at: Option<&CommitId>,
        changes: &mut BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        let Some(at) = at else { return Ok(()) };
        for file in &self.set_aside {
            if let Some(bytes) = objects.read(at, file)? {
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

    /// Empties our own log once its facts are in a state commit, so that nobody reads them again as long as we live.
    fn empty_own_log(&mut self) -> Result<(), StoreError> {
        match &mut self.log {
            Some(log) => log.empty().map_err(|error| self.log_error(error)),
            None => Ok(()),
        }
    }

    /// One process folds at a time; the ref's compare-and-swap stays the guard against everybody else.
    pub(super) fn fold_lock(&self) -> Result<File, StoreError> {
        private_dir(&self.dir)?;
        let path = self.dir.join("fold.lock");
        let io = |doing| {
            let path = path.clone();
            move |source| StoreError::Io {
                doing,
                path,
                source,
            }
        };
        let opened = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = opened.map_err(io("open"))?;
        file.lock().map_err(io("lock"))?;
        Ok(file)
    }
}

/// Applies an operation; tells which files it can have changed.
fn apply(state: &mut State, operation: &Operation) -> Touched {
    let mut touched = Touched {
        shards: shards(operation.facts.iter()),
        ..Touched::default()
    };
    for fact in &operation.facts {
        state.apply(fact);
        let Some(session) = State::session_of(&fact.event) else {
            continue;
        };
        touched.sessions.insert(session.as_str().to_owned());
        if let Event::SessionDigested { .. } = &fact.event {
            let known = state.sessions.get(session);
            touched
                .journal
                .extend(known.and_then(|session| session.journal.clone()));
        }
    }
    touched
}
