//! Writes the tasks' file: only where it says something else than it did, and never over what somebody else wrote.

use std::fs::{File, Metadata};
use std::io;

use orch_core::judge::Here;
use orch_protocol::ids::CommitId;

use super::compose::{Old, Plan, Shown};
use super::place::{self, Held, Put, Stat};
use super::record::{self, Index, Manifest, Written};
use super::{Checkout, CheckoutError, TASKS, text};
use crate::store::BareStore;

/// A file that was put in its place: its numbers, and its content.
pub(super) type Placed = (Stat, String);

impl Checkout {
    /// Writes the tasks' file, where it says something else than it did. Returns what is to be told, and the numbers and
    /// the content of a file that was put there.
    pub(super) fn write_tasks(
        &self,
        manifest: &mut Manifest,
        at: (&BareStore, &CommitId),
        shown: Shown,
        here: &Here,
        taken: Option<&str>,
    ) -> Result<(Option<String>, Option<Placed>), CheckoutError> {
        let path = self.root.join(TASKS);
        let (store, commit) = at;
        let (mut told, mut stands) = (None, None);
        match place::look(&path)? {
            Held::Nothing => {}
            Held::Other => {
                let kept = place::aside(&path)?;
                told = Some(format!("{TASKS} was no plain file; it is kept as {kept}"));
            }
            Held::File(file, meta) => {
                let content = self.content(&file, &meta)?;
                let is_ours = manifest.is_ours(&content) || self.cache.knows(&content);
                if !is_ours && taken != Some(&content) {
                    return Ok((Some(left_alone()), None));
                }
                // A process was killed after it had put that one there.
                if let Some(placed) = manifest.next.take_if(|next| next.content == content) {
                    manifest.tasks = Some(placed);
                }
                let is_unseen = self.cache.content_of(&meta).is_none();
                if is_unseen && let Err(error) = self.cache.keep_stat(Stat::of(&meta), &content) {
                    tracing::debug!(%error, "the cache of the checkout can't be written");
                }
                stands = Some((file, content));
            }
        }
        let (file, stood) = stands.unzip();
        let index = stood
            .as_deref()
            .and_then(|content| self.cache.index(content));
        let mut old = match (file, index) {
            (Some(file), Some(index)) => Old::new(file, index, store, commit)?,
            (_, _) => None,
        };
        let plan = Plan::new(shown, here, old.as_ref(), at)?;
        if let Some(old) = &mut old
            && taken.is_none()
            && plan.is_there(old).map_err(place::failed(&path))?
        {
            return Ok((told, None));
        }
        let head = plan.first_line().to_owned();
        let mut new = place::new_file(&self.root)?;
        let (content, blocks) = match plan.write(&mut new, old) {
            Ok(written) => written,
            // Somebody writes into what stands there at this moment.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok((Some(left_alone()), None));
            }
            Err(error) => return Err(place::failed(&path)(error)),
        };
        // A file that lost its end in a power cut would be taken for an edit that takes tasks out.
        new.as_file().sync_data().map_err(place::failed(&path))?;
        let index = Index {
            version: text::VERSION,
            state: commit.clone(),
            content: content.clone(),
            blocks,
        };
        if let Err(error) = self.cache.keep_index(&index) {
            tracing::debug!(%error, "the cache of the checkout can't be written");
        }
        let next = Written {
            state: commit.clone(),
            head,
            content: content.clone(),
        };
        if manifest.tasks.as_ref() != Some(&next) {
            manifest.next = Some(next.clone());
            manifest.write(&self.root)?;
        }
        let is_content = |file, meta: &Metadata, is: Option<&str>| {
            meta.len() <= place::MAX_HELD
                && record::content_of(file).is_ok_and(|content| Some(content.as_str()) == is)
        };
        let put = place::settle(
            new,
            &path,
            &|file, meta| is_content(file, meta, stood.as_deref()),
            &|file, meta| is_content(file, meta, Some(&content)),
        )?;
        Ok(match put {
            Put::Changed => (Some(left_alone()), None),
            Put::Aside(name) => {
                let told = format!("{} (another one is kept as {name})", left_alone());
                (Some(told), None)
            }
            Put::Placed(stat) => {
                self.cache.promote_index();
                (manifest.tasks, manifest.next) = (Some(next), None);
                (told, Some((stat, content)))
            }
        })
    }

    /// The content of the tasks' file in one word: as it was noted, where it is the file that was noted.
    pub(super) fn content(&self, file: &File, meta: &Metadata) -> Result<String, CheckoutError> {
        if let Some(content) = self.cache.content_of(meta) {
            return Ok(content);
        }
        let path = self.root.join(TASKS);
        let size = meta.len();
        match size > place::MAX_HELD {
            true => Err(CheckoutError::TooLong { path, size }),
            false => record::content_of(file).map_err(place::failed(&path)),
        }
    }
}

fn left_alone() -> String {
    format!("{TASKS} has changes that are not taken in yet; it is left as it is")
}
