//! Stores written by earlier versions: read as they are, and brought forward by the first fold. What they were is kept
//! under a ref of its own.
//!
//! Schema 1 had 32 files of tasks, by the first character of their ids.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::state::State;
use orch_protocol::ids::CommitId;
use orch_protocol::tasks::Tasks;

use super::files::{self, Shard, TASKS, Touched};
use super::objects::Objects;
use super::{BareStore, StoreError};

impl BareStore {
    /// The tasks of a store of schema 1.
    pub(super) fn first_schema(
        &self,
        objects: &Objects,
        at: &CommitId,
    ) -> Result<Tasks, StoreError> {
        let mut tasks = Tasks::new();
        for (name, bytes) in objects.read_dir(at, TASKS, |_| true)? {
            let read = files::tasks(&format!("{TASKS}/{name}"), &bytes);
            let read = read.map_err(|error| self.files_error(error))?;
            tasks.extend(read.into_iter().map(|task| (task.id.clone(), task)));
        }
        Ok(tasks)
    }

    /// Brings the state commit `at` forward to today's schema, if it is older; returns the commit that did.
    pub(super) fn migrate(
        &self,
        objects: &Objects,
        at: &CommitId,
    ) -> Result<Option<CommitId>, StoreError> {
        let bytes = objects.read(at, files::SCHEMA_FILE)?;
        let schema = files::schema(bytes.as_deref()).map_err(|error| self.files_error(error))?;
        if schema == files::SCHEMA {
            return Ok(None);
        }
        objects.keep(&format!("schema-{schema}"), at)?;
        let state = State {
            tasks: self.first_schema(objects, at)?,
            ..State::default()
        };
        let touched = Touched {
            shards: state.tasks.keys().map(Shard::of).collect(),
            sessions: BTreeSet::new(),
            journal: BTreeSet::new(),
        };
        let written = files::written(&state, &touched).map_err(|error| self.unwritable(error))?;
        let mut changes: BTreeMap<String, Option<Vec<u8>>> = written
            .into_iter()
            .filter(|(path, bytes)| path.contains('/') && bytes.is_some())
            .collect();
        for name in objects.list(at, TASKS)? {
            changes.insert(format!("{TASKS}/{name}"), None);
        }
        let schema_file = files::schema_file().map_err(|error| self.unwritable(error))?;
        changes.insert(files::SCHEMA_FILE.to_owned(), Some(schema_file));
        let message = format!(
            "supervisor: bring the store forward from schema {schema} to {}\n\nBookkeeping: yes\n",
            files::SCHEMA
        );
        let made = objects.commit(Some(at), &changes, &message, objects.time_of(Some(at))?)?;
        tracing::info!(schema, "the store was brought forward");
        Ok(Some(made))
    }
}
