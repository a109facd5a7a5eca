//! Whose an entry of an edited file is, and whom its needs and its parent name.

use std::collections::BTreeMap;

use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::text::one_line;

use super::edits::{Against, Refused};
use super::parse::{At, Parsed};

/// Whose an entry is.
pub(super) enum Whose<'a> {
    /// A task that is there, as the file was made from it.
    Known(&'a Task),
    /// A new one, under this id.
    New(TaskId),
}

/// What names mean in one file.
pub(super) struct Names<'a> {
    whose: Vec<Whose<'a>>,
    /// Ids as they are written in the file.
    written: BTreeMap<&'a str, TaskId>,
    /// Every id that may be named by its beginning.
    known: BTreeMap<TaskId, ()>,
}

impl<'a> Names<'a> {
    /// Finds out whose each entry is. An id that is none, or none at all, gets one of ours.
    pub(super) fn of(against: &Against<'a>, parsed: &'a Parsed) -> Result<Self, Refused> {
        let now = against.now;
        let held = against.base.keys().chain(now.tasks.keys());
        let held = held.chain(now.archive.keys());
        let mut names = Self {
            whose: Vec::with_capacity(parsed.entries.len()),
            written: BTreeMap::new(),
            known: held.map(|id| (id.clone(), ())).collect(),
        };
        let mut lines: BTreeMap<TaskId, u64> = BTreeMap::new();
        for (at, entry) in parsed.entries.iter().enumerate() {
            let given = entry.id.as_ref().map(|id| id.value.as_str());
            let whose = whose(against, given).unwrap_or_else(|| {
                let valid = given.and_then(TaskId::parse);
                Whose::New(valid.unwrap_or_else(|| {
                    let title = entry.title.as_ref().map_or("", |title| &title.value);
                    TaskId::from_seed(&[title, &against.asker.nonce, &at.to_string()])
                }))
            });
            let id = match &whose {
                Whose::Known(task) => task.id.clone(),
                Whose::New(id) => id.clone(),
            };
            let twice = given.and_then(|given| names.written.get(given));
            let first = lines.insert(id.clone(), entry.line);
            if let Some(first) = first.or_else(|| twice.and_then(|id| lines.get(id).copied())) {
                let given = one_line(given.unwrap_or(id.as_str()), 40);
                return Err(Refused::at(
                    entry.line,
                    format!("task {given:?} is there twice, first on line {first}"),
                    "keep one of them, or take the id out of the other: it is then a new task",
                ));
            }
            if let Some(given) = given {
                names.written.insert(given, id.clone());
            }
            names.known.insert(id, ());
            names.whose.push(whose);
        }
        Ok(names)
    }

    /// Whose the entries are, in their order.
    pub(super) fn whose(&self) -> &[Whose<'a>] {
        &self.whose
    }

    /// The task that somebody names: as its id is written in this file, by its id, or by the beginning of one.
    pub(super) fn find(&self, given: &At<String>) -> Result<TaskId, Refused> {
        let At { line, value } = given;
        if let Some(id) = self.written.get(value.as_str()) {
            return Ok(id.clone());
        }
        let told = one_line(value, 40);
        let unknown = || {
            Refused::at(
                *line,
                format!("there is no task {told:?}"),
                "write an id of this file; codex-orch tasks list --all shows every id",
            )
        };
        let prefix = TaskId::prefix(value).ok_or_else(unknown)?;
        let mut found = self
            .known
            .range(TaskId::new(prefix.clone())..)
            .map(|(id, ())| id)
            .take_while(|id| id.as_str().starts_with(&prefix));
        let first = found.next().ok_or_else(unknown)?;
        match found.next() {
            None => Ok(first.clone()),
            Some(second) => Err(Refused::at(
                *line,
                format!("{told:?} begins more than one id: {first}, {second}"),
                "write more characters of the id",
            )),
        }
    }
}

fn whose<'a>(against: &Against<'a>, given: Option<&str>) -> Option<Whose<'a>> {
    let as_written = TaskId::new(given?);
    let normal = TaskId::parse(given?);
    let ids = [Some(as_written), normal];
    let ids = || ids.iter().flatten();
    let task = ids()
        .find_map(|id| against.base.get(id))
        // Added or brought back since: then it is edited as it is now.
        .or_else(|| ids().find_map(|id| against.now.tasks.get(id)))
        .or_else(|| ids().find_map(|id| against.now.archive.get(id)))?;
    Some(Whose::Known(task))
}
