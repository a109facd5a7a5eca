//! The outline: what every command needs of the backlog (who waits for whom, which claims there are, what it is called),
//! in a form that is read in a few milliseconds. A cache beside the store: it checks itself against git's ids of the
//! tasks' files and may be deleted at any time.
//!
//! It holds no evidence, no acceptance, no notes and no layout: what is read from it is never written back.

mod cache;
mod rows;

use std::path::Path;

use orch_protocol::ids::CommitId;
use orch_protocol::tasks::Tasks;

use super::StoreError;
use super::files::{self, Shard, TASKS};
use super::objects::{ObjectId, Objects};
use cache::{Held, Key};
use rows::Keyed;

/// So many files may have changed since the cache was written before it is written anew: until then they are read.
const STALE: usize = 16;

/// Reads the outline of the backlog at `at`, from the cache in `dir` as far as that still holds.
pub(super) fn read(objects: &Objects, at: &CommitId, dir: &Path) -> Result<Tasks, StoreError> {
    let path = dir.join("outline");
    let held = Held::open(&path);
    if let Some(held) = &held
        && objects.tree_id(at, TASKS)? == Some(held.tree)
        && let Some(tasks) = held.tasks()
    {
        return Ok(tasks.into_iter().collect());
    }
    let shards = objects.shards(at, TASKS)?;
    let mut tasks = Keyed::new();
    // Of each file its rows, where they have to be written.
    let mut files: Vec<(Key, ObjectId, Option<Vec<u8>>)> = Vec::new();
    for (shard, id) in &shards.files {
        let known = held.as_ref().and_then(|held| known(held, shard, id));
        if known
            .and_then(|body| rows::add(&body, &mut tasks))
            .is_some()
        {
            files.push((shard.0, *id, None));
            continue;
        }
        let path = shard.path(TASKS);
        let whole = files::tasks(&path, &objects.blob(id)?)
            .map_err(|error| StoreError::of_files(&objects.path, error))?;
        let body = rows::written(&whole);
        // What is read is the same whether it was kept or not.
        let _ = rows::add(&body, &mut tasks);
        files.push((shard.0, *id, Some(body)));
    }
    let fresh = files.iter().filter(|(_, _, body)| body.is_some()).count();
    let before = held.iter().flat_map(|held| held.bodies.keys());
    let gone = before.filter(|key| !shards.files.contains_key(&Shard(**key)));
    if fresh + gone.count() > STALE || (held.is_none() && fresh > 0) {
        let files = files.into_iter().map(|(key, id, body)| {
            let kept = || known(held.as_ref()?, &Shard(key), &id);
            Some((key, id, body.or_else(kept)?))
        });
        let written = files
            .collect::<Option<Vec<_>>>()
            .map(|files| cache::write(&path, shards.tree, &files));
        // It is only a cache: where it can't be written, the next command reads the files again.
        if let Some(Err(error)) = written {
            tracing::debug!(%error, "the outline was not written");
        }
    }
    Ok(tasks.into_iter().collect())
}

/// The rows of a file, if they are those of this content.
fn known(held: &Held, shard: &Shard, id: &ObjectId) -> Option<Vec<u8>> {
    let (of, range) = held.bodies.get(&shard.0)?;
    (of == id).then(|| held.body(range))?
}
