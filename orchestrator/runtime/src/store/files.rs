//! The state as files: which file holds what, how it is written, and read back. No git here, no disk.
//!
//! Tasks are sharded by the first two characters of their id, one task a line: a change writes 1/1024 of the backlog,
//! and a line-wise diff of two versions of a shard is a diff of its tasks.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::state::State;
use orch_protocol::ids::{LogId, TaskId};
use orch_protocol::project::Project;
use orch_protocol::session::Session;
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;
use serde::{Deserialize, Serialize};

/// The version of everything written here.
pub const SCHEMA: u64 = 2;

/// The folder of the backlog.
pub const TASKS: &str = "tasks";
/// The folder of closed tasks that were moved out of it.
pub const ARCHIVE: &str = "archive";
/// Where the schema's version stands.
pub const SCHEMA_FILE: &str = "schema.json";
/// Where all that is no task stands.
pub const PROJECT_FILE: &str = "project_state.json";
/// Where it stands how far each log is contained.
pub const FOLDED_FILE: &str = "folded.json";

/// Why files are no state.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum FilesError {
    Newer {
        found: u64,
        known: u64,
    },
    Corrupt {
        file: String,
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct SchemaFile {
    schema: u64,
}

#[derive(Serialize, Deserialize)]
struct TaskFile<T> {
    tasks: Vec<T>,
}

/// Where the tasks stand whose ids begin alike: the first two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub [u8; 2]);

impl Shard {
    /// The shard of a task. An id that no id of ours looks like has a shard as well, and none that leads anywhere else.
    pub fn of(id: &TaskId) -> Self {
        let plain = |at: usize| {
            let byte = id.as_str().as_bytes().get(at).copied().unwrap_or(b'_');
            if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
                byte
            } else {
                b'_'
            }
        };
        Self([plain(0), plain(1)])
    }

    /// The shard that a file of the store is, by its path below [`TASKS`] or [`ARCHIVE`]: `a/b.json`.
    pub fn of_path(path: &str) -> Option<Self> {
        match path.as_bytes() {
            [a, b'/', b, b'.', b'j', b's', b'o', b'n'] => Some(Self([*a, *b])),
            _ => None,
        }
    }

    /// Its path in the store, below `dir`.
    pub fn path(self, dir: &str) -> String {
        let [a, b] = self.0.map(char::from);
        format!("{dir}/{a}/{b}.json")
    }

    /// Whether tasks whose ids begin with `prefix` may stand in it.
    pub fn may_hold(self, prefix: &str) -> bool {
        let prefix = prefix.as_bytes();
        let known = prefix.len().min(2);
        prefix[..known] == self.0[..known]
    }
}

/// Refuses what a newer codex-orch has written; tells the version otherwise.
pub fn schema(bytes: Option<&[u8]>) -> Result<u64, FilesError> {
    let Some(bytes) = bytes else {
        return Ok(SCHEMA);
    };
    let file: SchemaFile = json(SCHEMA_FILE, bytes)?;
    match file.schema > SCHEMA {
        true => Err(FilesError::Newer {
            found: file.schema,
            known: SCHEMA,
        }),
        false => Ok(file.schema),
    }
}

/// What every store begins with.
pub fn schema_file() -> Result<Vec<u8>, serde_json::Error> {
    pretty(&SchemaFile { schema: SCHEMA })
}

/// Reads all that is no task.
pub fn project(bytes: Option<&[u8]>) -> Result<Project, FilesError> {
    bytes.map_or(Ok(Project::default()), |bytes| json(PROJECT_FILE, bytes))
}

/// Reads how far each log is contained.
pub fn folded(bytes: Option<&[u8]>) -> Result<BTreeMap<LogId, u64>, FilesError> {
    bytes.map_or(Ok(BTreeMap::new()), |bytes| json(FOLDED_FILE, bytes))
}

/// Reads the tasks of one file.
pub fn tasks(path: &str, bytes: &[u8]) -> Result<Vec<Task>, FilesError> {
    let mut tasks = json::<TaskFile<Task>>(path, bytes)?.tasks;
    tasks.iter_mut().for_each(fit);
    Ok(tasks)
}

/// Gives back what lists of one item, as most are, were given room for while they were read: a kilobyte a task.
fn fit(task: &mut Task) {
    task.needs.shrink_to_fit();
    task.claims.shrink_to_fit();
    task.evidence.shrink_to_fit();
    for claim in &mut task.claims {
        claim.commits.shrink_to_fit();
    }
}

/// Reads one session.
pub fn session(path: &str, bytes: &[u8]) -> Result<Session, FilesError> {
    json(path, bytes)
}

fn json<T: for<'de> Deserialize<'de>>(file: &str, bytes: &[u8]) -> Result<T, FilesError> {
    serde_json::from_slice(bytes).map_err(|source| FilesError::Corrupt {
        file: file.to_owned(),
        source,
    })
}

/// What a state commit may change: the files that facts can have touched. Everything else is as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Shards of the backlog and of the archive.
    pub shards: BTreeSet<Shard>,
    /// Sessions, by name.
    pub sessions: BTreeSet<String>,
    /// Journal entries, by name.
    pub journal: BTreeSet<String>,
}

/// The touched files as a state has them; none for one that isn't there (any more).
pub fn written(
    state: &State,
    touched: &Touched,
) -> Result<BTreeMap<String, Option<Vec<u8>>>, serde_json::Error> {
    let mut files = BTreeMap::from([
        (PROJECT_FILE.to_owned(), Some(pretty(&state.project)?)),
        (FOLDED_FILE.to_owned(), Some(pretty(&state.folded)?)),
    ]);
    for shard in &touched.shards {
        files.insert(shard.path(TASKS), task_file(&state.tasks, *shard)?);
        files.insert(shard.path(ARCHIVE), task_file(&state.archive, *shard)?);
    }
    for name in &touched.sessions {
        let session = state
            .sessions
            .iter()
            .find(|(id, _)| id.as_str() == name)
            .map(|(_, session)| pretty(session));
        if let Some(session) = session.transpose()? {
            files.insert(session_path(name), Some(session));
        }
    }
    for name in &touched.journal {
        if let Some(Some(text)) = state.journal.get(name) {
            files.insert(journal_path(name), Some(text.clone().into_bytes()));
        }
    }
    Ok(files)
}

fn task_file(tasks: &Tasks, shard: Shard) -> Result<Option<Vec<u8>>, serde_json::Error> {
    // Irregular ids are few, and may stand anywhere in the order.
    let begins = TaskId::new(String::from_utf8_lossy(&shard.0));
    let regular = tasks
        .range(begins..)
        .take_while(|(id, _)| Shard::of(id) == shard);
    let held: Vec<&Task> = match shard.0.contains(&b'_') {
        false => regular.map(|(_, task)| task).collect(),
        true => tasks
            .values()
            .filter(|task| Shard::of(&task.id) == shard)
            .collect(),
    };
    if held.is_empty() {
        return Ok(None);
    }
    let mut bytes = b"{\"tasks\":[\n".to_vec();
    for (at, task) in held.iter().enumerate() {
        if at > 0 {
            bytes.extend_from_slice(b",\n");
        }
        serde_json::to_writer(&mut bytes, task)?;
    }
    bytes.extend_from_slice(b"\n]}\n");
    Ok(Some(bytes))
}

/// Where a session stands.
pub fn session_path(name: &str) -> String {
    format!("sessions/{name}.json")
}

/// Where a journal entry stands.
pub fn journal_path(name: &str) -> String {
    format!("journal/{name}.md")
}

fn pretty<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
