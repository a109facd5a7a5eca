//! `.codex-orch/` in the work tree: the state as seen from HEAD, for people and agents to read, and for people to edit.
//!
//! It is written from the store. What somebody edited in `project_tasks.yaml` is read back ([`parse`]), compared with what
//! had been shown ([`edits`]) and becomes facts; until it has, the file is left alone. Any other file that somebody
//! changed is moved aside before ours takes its place: nothing of a person's is written over.

mod blocks;
mod compose;
pub mod edits;
mod fields;
mod names;
pub mod parse;
pub mod place;
mod record;
mod tasks_file;
mod text;
mod view;

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use orch_core::judge::Here;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::ids::{CommitId, TaskId};
use orch_protocol::tasks::Tasks;
use thiserror::Error;

use crate::store::objects::id_of;
use crate::store::{BareStore, StoreError};
pub use compose::Shown;
pub use edits::{Refused, Taken};
use place::{Held, Stat};
use record::{Cache, Manifest};
pub use text::{Unwritable, render_task};
pub use view::{Judged, TaskView, views};

/// The version of the tasks' file.
pub const SCHEMA: u64 = 1;
/// The tasks' file.
pub const TASKS: &str = "project_tasks.yaml";
/// The most sessions that are shown, the newest ones.
pub const MAX_SESSIONS: usize = 100;

/// Why the checkout could not be read or brought up to date. The state itself is safe.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CheckoutError {
    #[error("Failed to read or write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a folder of ours, so nothing was written there", path.display())]
    NotAFolder { path: PathBuf },
    #[error("{} is {size} bytes long, and {} are read at most; it is left alone", path.display(), parse::MAX_BYTES)]
    TooLong { path: PathBuf, size: u64 },
    #[error("{} is no text (byte {at} is not UTF-8); it is left alone", path.display())]
    NotText { path: PathBuf, at: usize },
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The checkout of one work tree.
#[derive(Debug)]
pub struct Checkout {
    root: PathBuf,
    cache: Cache,
}

/// The tasks' file as somebody left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// Its text.
    pub text: String,
    /// Its content in one word: equal for equal texts.
    pub content: String,
    /// When it was saved.
    pub saved: Timestamp,
    /// The state commits it may have been made from: the one its first line names, then the one that was last shown.
    pub bases: Vec<CommitId>,
    /// How tasks were shown; empty where that isn't known any more.
    shown: BTreeMap<TaskId, Judged>,
}

impl Edited {
    /// How the tasks of its base were shown: as was remembered, or as they are judged here where they were shown from here.
    pub fn shown(&self, base: &Tasks, here: &Here) -> BTreeMap<TaskId, Judged> {
        let from = text::seen_from(here.branch.as_deref(), here.head.as_ref());
        let line = self.text.lines().next().unwrap_or_default();
        if !self.shown.is_empty() || !line.ends_with(&format!(", as seen from {from}")) {
            return self.shown.clone();
        }
        let state = State {
            tasks: base.clone(),
            ..State::default()
        };
        views(&state, here)
            .map(|view| (view.id().clone(), view.judged()))
            .collect()
    }
}

impl Checkout {
    /// The checkout in `root` of the state that is kept in `store`; nothing is created yet.
    pub fn new(root: &Path, store: &Path) -> Self {
        Self {
            root: root.to_owned(),
            cache: Cache::new(&store.join("cache"), root),
        }
    }

    /// What somebody edited and nobody has taken in. One look at the file's numbers where nobody has.
    pub fn edited(&self) -> Result<Option<Edited>, CheckoutError> {
        if self.differs()?.is_none() {
            return Ok(None);
        }
        // Another process may just be writing: what it has placed and not yet noted down is no edit.
        let _lock = place::lock(&self.root)?;
        self.differs()
    }

    fn differs(&self) -> Result<Option<Edited>, CheckoutError> {
        let path = self.root.join(TASKS);
        match self.root.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                return Err(CheckoutError::NotAFolder {
                    path: self.root.clone(),
                });
            }
            Err(_) => return Ok(None),
        }
        // What is no plain file is moved aside at the next refresh.
        let Held::File(file, meta) = place::look(&path)? else {
            return Ok(None);
        };
        if self.cache.content_of(&meta).is_some() {
            return Ok(None);
        }
        let manifest = Manifest::read(&self.root);
        let content = self.content(&file, &meta)?;
        // The manifest stands where anybody may remove it.
        if manifest.is_ours(&content) || self.cache.knows(&content) {
            let kept = self.cache.keep_stat(Stat::of(&meta), &content);
            if let Err(error) = kept {
                tracing::debug!(%error, "the cache of the checkout can't be written");
            }
            return Ok(None);
        }
        let bytes = self.bytes(file, &meta)?;
        let content = record::content(&bytes);
        let text = String::from_utf8(bytes).map_err(|error| CheckoutError::NotText {
            path,
            at: error.utf8_error().valid_up_to(),
        })?;
        let from = manifest.edited_from(&text);
        let shown = from.and_then(|written| self.cache.index(&written.content));
        let shown = shown
            .map(|index| index.blocks)
            .unwrap_or_default()
            .into_iter();
        Ok(Some(Edited {
            bases: parse::base(&text)
                .into_iter()
                .chain(manifest.written().map(|written| written.state.clone()))
                .collect(),
            text,
            content,
            saved: saved(&meta),
            shown: shown.map(|(id, block)| (id, block.judged)).collect(),
        }))
    }

    fn bytes(&self, mut file: File, meta: &Metadata) -> Result<Vec<u8>, CheckoutError> {
        let path = self.root.join(TASKS);
        file.rewind().map_err(place::failed(&path))?;
        match place::read(file, meta, parse::MAX_BYTES) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(CheckoutError::TooLong {
                path,
                size: meta.len(),
            }),
            Err(source) => Err(CheckoutError::Io { path, source }),
        }
    }

    /// Brings the checkout up to date with a state that is `shown` from `here`: whole tasks are read where one changed.
    /// `taken` is the content of an edited file whose edits are in the state now. Returns
    /// what is to be told, a line each.
    pub fn refresh(
        &self,
        store: &BareStore,
        shown: Shown,
        here: &Here,
        taken: Option<&str>,
    ) -> Result<Vec<String>, CheckoutError> {
        if store.head()?.is_none() {
            return Ok(Vec::new());
        }
        let root = &self.root;
        for dir in [root.clone(), root.join("sessions"), root.join("journal")] {
            place::own_dir(&dir)?;
        }
        // Two processes that refresh at once would each take the other's files for somebody's edit.
        let _lock = place::lock(root)?;
        // Looked up once and while the lock is held: others may go on folding meanwhile.
        let Some(commit) = store.head()? else {
            return Ok(Vec::new());
        };
        // The first line names what an edit is compared with: a file that shows less than that would take the rest back.
        let shown = match store.has_read_other_than(&commit) {
            true => Shown::of(&store.outline_at(&commit)?, here),
            false => shown,
        };
        let before = Manifest::read(root);
        let mut told = self.leftovers(&before, store)?;
        let mut wanted: BTreeMap<String, String> = store.documents(&commit)?;
        let sessions = wanted.keys().filter(|name| name.starts_with("sessions/"));
        let old = sessions.clone().count().saturating_sub(MAX_SESSIONS);
        for name in sessions.take(old).cloned().collect::<Vec<_>>() {
            wanted.remove(&name);
        }
        wanted.insert(".gitignore".to_owned(), id_of(b"*\n"));
        for (name, id) in &wanted {
            // A session or an entry of long ago is told by its id: it isn't even read.
            let path = root.join(name);
            let is_there = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
            if before.files.get(name) == Some(id) && is_there {
                continue;
            }
            let bytes = match name.as_str() {
                ".gitignore" => Some(b"*\n".to_vec()),
                name => store.document(&commit, name)?,
            };
            let written = before.files.get(name);
            if let Some(bytes) = bytes {
                // What a killed process has put there and not noted down stands in the store as well.
                let is_ours = |held: &[u8]| {
                    let id = id_of(held);
                    Some(&id) == written || store.has_content(&id)
                };
                let kept = place::put(root, &path, &bytes, &is_ours)?;
                told.extend(kept.map(|kept| {
                    format!("your change of {name} is kept as {kept}; nothing of it is taken in")
                }));
            }
        }
        for (name, id) in before
            .files
            .iter()
            .filter(|(name, _)| !wanted.contains_key(*name))
        {
            let path = root.join(name);
            let held = place::own_file(&path, parse::MAX_BYTES);
            if held.is_some_and(|bytes| id_of(&bytes) == *id) {
                std::fs::remove_file(&path).map_err(place::failed(&path))?;
            }
        }
        let mut after = Manifest {
            files: wanted,
            tasks: before.tasks.clone(),
            next: before.next.clone(),
        };
        let (remark, placed) =
            self.write_tasks(&mut after, (store, &commit), shown, here, taken)?;
        told.extend(remark);
        if after != before {
            after.write(root)?;
        }
        // Last, for numbers are worth nothing that are as new as their record.
        if let Some((stat, content)) = placed
            && let Err(error) = self.cache.keep_stat(stat, &content)
        {
            tracing::debug!(%error, "the cache of the checkout can't be written");
        }
        Ok(told)
    }

    /// Clears away what a killed process has left. Returns what is to be told.
    fn leftovers(
        &self,
        manifest: &Manifest,
        store: &BareStore,
    ) -> Result<Vec<String>, CheckoutError> {
        let is_ours = |file: File, meta: &Metadata| {
            let bytes = place::read(file, meta, parse::MAX_BYTES).ok().flatten();
            bytes.is_some_and(|bytes| {
                let (content, id) = (record::content(&bytes), id_of(&bytes));
                manifest.is_ours(&content)
                    || self.cache.knows(&content)
                    || manifest.files.values().any(|known| *known == id)
                    || store.has_content(&id)
            })
        };
        let kept = place::leftovers(&self.root, &is_ours)?.into_iter();
        let told = kept.map(|(of, kept)| {
            format!("a process was killed while it put {of} in its place; your change of it is kept as {kept}, and not taken in")
        });
        Ok(told.collect())
    }
}

fn saved(meta: &Metadata) -> Timestamp {
    let modified = meta.modified().ok();
    let stamp = modified.and_then(|at| Timestamp::try_from(at).ok());
    stamp.unwrap_or_default()
}
