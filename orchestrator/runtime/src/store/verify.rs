//! Reads every file of the store against its schema. What a state says is judged by `orch_core::verify`; what is damaged
//! on the way there is told here.

use std::collections::BTreeSet;

use orch_core::state::State;
use orch_core::verify::{Finding, Weight};

use super::files::{self, ARCHIVE, FilesError, Shard, TASKS};
use super::objects::Objects;
use super::sessions::FOLDERS;
use super::{BareStore, StoreError, log};

/// The state as far as it can be read, and what of the store can't.
#[derive(Debug, Default)]
pub struct Checked {
    /// What could be read, whole.
    pub state: State,
    /// Names of the sessions.
    pub sessions: BTreeSet<String>,
    /// What could not.
    pub findings: Vec<Finding>,
    /// How many files were read.
    pub files: usize,
}

impl BareStore {
    /// Reads everything. A file that can't be read is a finding, not an error.
    pub fn check(&self) -> Result<Checked, StoreError> {
        let mut checked = Checked::default();
        for name in log::damaged(&self.logs_dir()) {
            checked.find(
                &format!("log/{name}"),
                "a log has lines that can't be read",
                "what could be read of it is in the state; the file is kept for a look, and may be moved away",
            );
        }
        let Some((objects, head)) = self.opened()? else {
            return Ok(checked);
        };
        let back = format!(
            "codex-orch state log shows earlier operations; git --git-dir={} log -p shows the file in each",
            self.git_dir().display()
        );
        let fixed = objects.read_flat(&head)?;
        let bytes = |name: &str| fixed.get(name).map(Vec::as_slice);
        checked.files += fixed.len();
        if let Err(error) = files::schema(bytes(files::SCHEMA_FILE)) {
            match error {
                FilesError::Newer { .. } => return Err(self.files_error(error)),
                FilesError::Corrupt { file, source } => {
                    checked.find(&file, &source.to_string(), &back);
                }
            }
        }
        match files::project(bytes(files::PROJECT_FILE)) {
            Ok(project) => checked.state.project = project,
            Err(error) => checked.unreadable(error, &back),
        }
        match files::folded(bytes(files::FOLDED_FILE)) {
            Ok(folded) => checked.state.folded = folded,
            Err(error) => checked.unreadable(error, &back),
        }
        self.check_tasks(&objects, &head, TASKS, &back, &mut checked)?;
        self.check_tasks(&objects, &head, ARCHIVE, &back, &mut checked)?;
        for dir in FOLDERS {
            for (name, bytes) in objects.read_dir(&head, dir, |_| true)? {
                checked.files += 1;
                let stem = name.strip_suffix(".json").unwrap_or(&name);
                checked.sessions.insert(stem.to_owned());
                let path = format!("{dir}/{name}");
                match files::session(&path, &bytes) {
                    Ok(session) if session.id.as_str() == stem => {}
                    Ok(session) => {
                        checked.find(&path, &format!("it holds session {}", session.id), &back);
                    }
                    Err(error) => checked.unreadable(error, &back),
                }
            }
        }
        Ok(checked)
    }

    fn check_tasks(
        &self,
        objects: &Objects,
        head: &orch_protocol::ids::CommitId,
        dir: &str,
        back: &str,
        checked: &mut Checked,
    ) -> Result<(), StoreError> {
        for (shard, id) in objects.shards(head, dir)?.files {
            checked.files += 1;
            let path = shard.path(dir);
            let read = match files::tasks(&path, &objects.blob(&id)?) {
                Ok(read) => read,
                Err(error) => {
                    checked.unreadable(error, back);
                    continue;
                }
            };
            for task in read {
                if Shard::of(&task.id) != shard {
                    checked.find(
                        &path,
                        &format!("task {} doesn't belong there", task.id),
                        back,
                    );
                }
                let tasks = match dir == TASKS {
                    true => &mut checked.state.tasks,
                    false => &mut checked.state.archive,
                };
                if let Some(twice) = tasks.insert(task.id.clone(), task) {
                    checked.find(
                        &path,
                        &format!("task {} stands there twice", twice.id),
                        back,
                    );
                }
            }
        }
        Ok(())
    }
}

impl Checked {
    fn find(&mut self, place: &str, what: &str, mend: &str) {
        self.findings.push(Finding {
            weight: Weight::Broken,
            place: place.to_owned(),
            what: what.to_owned(),
            mend: mend.to_owned(),
        });
    }

    fn unreadable(&mut self, error: FilesError, mend: &str) {
        match error {
            FilesError::Newer { found, known } => self.find(
                files::SCHEMA_FILE,
                &format!("schema {found}, and {known} is known"),
                "update codex-orch",
            ),
            FilesError::Corrupt { file, source } => self.find(&file, &source.to_string(), mend),
        }
    }
}
