//! `.codex-orch/` in the work tree: the state as seen from HEAD, for people and agents to read.
//!
//! It is written from the store and never read back for the state. A file that somebody changed meanwhile is moved
//! aside under another name before ours takes its place: nothing of a person's is written over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use orch_core::graph::{Statuses, ready};
use orch_core::judge::{Here, done_elsewhere};
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::task::{Claim, Evidence, Origin, Task, TaskStatus};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::objects::id_of;
use super::{BareStore, StoreError, files};

/// Why the checkout could not be refreshed. The state itself is safe.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CheckoutError {
    #[error("Failed to write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a folder of ours, so nothing was written there", path.display())]
    NotAFolder { path: PathBuf },
    #[error("Failed to write the tasks as YAML: {0}")]
    Yaml(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which files stand there, and git's id of what we wrote into them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, String>,
}

const MANIFEST: &str = ".checkout.json";
const LOCK: &str = ".lock";
/// Some 100 bytes a session: far more than there will be.
const MAX_MANIFEST: u64 = 64 * 1024 * 1024;
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Brings `root` up to date. Returns the names under which changed files were kept.
pub fn refresh(
    root: &Path,
    store: &BareStore,
    state: &State,
    here: &Here,
) -> Result<Vec<String>, CheckoutError> {
    if store.head()?.is_none() {
        return Ok(Vec::new());
    }
    for dir in [root.to_owned(), root.join("sessions"), root.join("journal")] {
        own_dir(&dir)?;
    }
    // Two processes that refresh at once would each take the other's files for somebody's edit.
    let lock_path = root.join(LOCK);
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        // A link that somebody put there leads out of the work tree.
        .custom_flags(NO_FOLLOW)
        .open(&lock_path)
        .map_err(failed(&lock_path))?;
    lock.lock().map_err(failed(&lock_path))?;
    // Looked up once and while the lock is held: others may go on folding meanwhile.
    let Some(commit) = store.head()? else {
        return Ok(Vec::new());
    };
    let made = BTreeMap::from([
        (".gitignore", b"*\n".to_vec()),
        (
            "project_tasks.yaml",
            tasks_yaml(state, here, &commit)?.into_bytes(),
        ),
    ]);
    let mut wanted: BTreeMap<String, String> = store.documents(&commit)?;
    wanted.extend(
        made.iter()
            .map(|(name, bytes)| ((*name).to_owned(), id_of(bytes))),
    );
    let manifest_path = root.join(MANIFEST);
    let before: Manifest = own_file(&manifest_path)
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut kept = Vec::new();
    for (name, id) in &wanted {
        // A session or an entry of long ago is told by its id: it isn't even read.
        if before.files.get(name) == Some(id) && root.join(name).exists() {
            continue;
        }
        let bytes = match made.get(name.as_str()) {
            Some(bytes) => Some(bytes.clone()),
            None => store.document(&commit, name)?,
        };
        if let Some(bytes) = bytes {
            kept.extend(put(root, name, &bytes, before.files.get(name))?);
        }
    }
    let after = Manifest { files: wanted };
    let bytes = serde_json::to_vec(&after).map_err(|error| failed(&manifest_path)(error.into()))?;
    write(root, &manifest_path, &bytes)?;
    Ok(kept)
}

/// Reads a file of ours; none where it is missing, or is a link or a device that somebody put there.
fn own_file(path: &Path) -> Option<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(NO_FOLLOW)
        .open(path)
        .ok()?;
    let mut bytes = Vec::new();
    file.metadata().ok().filter(|meta| meta.is_file())?;
    file.take(MAX_MANIFEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Puts a file in place; what stands there and isn't what we last wrote is renamed first.
fn put(
    root: &Path,
    name: &str,
    bytes: &[u8],
    written: Option<&String>,
) -> Result<Option<String>, CheckoutError> {
    let path = root.join(name);
    let mut kept = None;
    match path.symlink_metadata() {
        Ok(meta) => {
            let held = if meta.is_file() {
                std::fs::read(&path).map_err(failed(&path))?
            } else {
                Vec::new()
            };
            let ours = meta.is_file() && (Some(&id_of(&held)) == written || held == bytes);
            if !ours {
                let aside = free_name(&path);
                std::fs::rename(&path, &aside).map_err(failed(&path))?;
                kept = Some(
                    aside
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&path)(error)),
    }
    write(root, &path, bytes)?;
    Ok(kept)
}

fn free_name(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let tried = (1..).map(|n| path.with_file_name(format!("{name}.edited-{n}")));
    tried
        .into_iter()
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| path.to_owned())
}

/// Written beside, then renamed: a reader sees the old file or the new one.
fn write(root: &Path, path: &Path, bytes: &[u8]) -> Result<(), CheckoutError> {
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(root)
        .map_err(failed(path))?;
    file.write_all(bytes).map_err(failed(path))?;
    file.persist(path)
        .map_err(|error| failed(path)(error.error))?;
    Ok(())
}

/// Makes sure that `dir` is a folder, and not a way out of the work tree.
fn own_dir(dir: &Path) -> Result<(), CheckoutError> {
    match dir.symlink_metadata() {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(CheckoutError::NotAFolder {
            path: dir.to_owned(),
        }),
        Err(_) => Ok(super::private_dir(dir)?),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CheckoutError {
    let path = path.to_owned();
    move |source| CheckoutError::Io { path, source }
}

/// A task as people read it: judged, in the order in which one asks about it.
#[derive(Debug, Serialize)]
pub struct TaskView<'a> {
    id: &'a TaskId,
    title: &'a str,
    status: TaskStatus,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_on: Option<&'a str>,
    owner: Option<&'a str>,
    priority: u8,
    parent: Option<&'a TaskId>,
    needs: &'a [TaskId],
    acceptance: Option<&'a str>,
    target_commit: Option<&'a CommitId>,
    evidence: &'a [Evidence],
    claims: &'a [Claim],
    origin: &'a Origin,
    created_at: Timestamp,
    notes: &'a [String],
}

impl TaskView<'_> {
    /// Whose view it is.
    pub fn id(&self) -> &TaskId {
        self.id
    }
}

/// Every task as seen from `here`, oldest first.
pub fn views<'a>(state: &'a State, here: &Here) -> Vec<TaskView<'a>> {
    let statuses = Statuses::judge(&state.tasks, here);
    let ready: Vec<&TaskId> = ready(&state.tasks, &statuses)
        .into_iter()
        .map(|task| &task.id)
        .collect();
    let mut tasks: Vec<&Task> = state.tasks.values().collect();
    tasks.sort_by_key(|task| (task.created_at, &task.id));
    let view = |task: &'a Task| {
        let status = statuses.of(&task.id);
        TaskView {
            id: &task.id,
            title: &task.title,
            status,
            ready: ready.contains(&&task.id),
            done_on: if status == TaskStatus::Done {
                None
            } else {
                done_elsewhere(task, here)
            },
            owner: task.owner.as_deref(),
            priority: task.priority,
            parent: task.parent.as_ref(),
            needs: &task.needs,
            acceptance: task.acceptance.as_deref(),
            target_commit: task.target_commit.as_ref(),
            evidence: &task.evidence,
            claims: &task.claims,
            origin: &task.origin,
            created_at: task.created_at,
            notes: &task.notes,
        }
    };
    tasks.into_iter().map(view).collect()
}

#[derive(Serialize)]
struct TasksFile<'a> {
    schema: u64,
    tasks: Vec<TaskView<'a>>,
}

fn tasks_yaml(state: &State, here: &Here, commit: &CommitId) -> Result<String, CheckoutError> {
    let from = here.branch.as_deref().unwrap_or("no branch");
    let from = orch_protocol::text::one_line(from, 80);
    let head = here.head.as_ref().map_or("no commit", CommitId::as_str);
    let yaml = serde_saphyr::to_string(&TasksFile {
        schema: files::SCHEMA,
        tasks: views(state, here),
    })
    .map_err(|error| CheckoutError::Yaml(error.to_string()))?;
    Ok(format!(
        "# state {commit}, as seen from {from} at {head}\n{yaml}"
    ))
}
