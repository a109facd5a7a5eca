//! Sessions of long ago: those that were rolled up leave `sessions/`, which every bootstrap lists, for the archive. There
//! they are still found by their thread.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::state::State;
use orch_protocol::ids::CommitId;

use super::files;
use super::objects::Objects;
use super::{BareStore, StoreError};

/// Where sessions stand, and where those of long ago do.
pub(super) const FOLDERS: [&str; 2] = ["archive/sessions", "sessions"];
/// So many newest ones stay.
pub const KEPT: usize = 200;
/// So many leave at once.
const AT_ONCE: usize = 20;

impl BareStore {
    /// Adds to `changes` that old sessions leave: beyond the newest [`KEPT`], summed up, and no branch's last one.
    pub(super) fn put_away(
        &self,
        objects: &Objects,
        at: Option<&CommitId>,
        state: &State,
        changes: &mut BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        let Some(at) = at else { return Ok(()) };
        let names = objects.list(at, "sessions")?;
        // Names begin with the time.
        let old = names.len().saturating_sub(KEPT);
        let contexts = state.project.branches.values();
        let last: BTreeSet<&str> = contexts
            .filter_map(|context| context.last_session.as_ref())
            .map(|id| id.as_str())
            .collect();
        let leaving = names.iter().take(old).filter(|name| {
            let stem = name.strip_suffix(".json").unwrap_or(name);
            !last.contains(stem) && !changes.contains_key(&files::session_path(stem))
        });
        let leaving: Vec<&String> = leaving.take(AT_ONCE).collect();
        for name in leaving {
            let path = format!("sessions/{name}");
            let Some(bytes) = objects.read(at, &path)? else {
                continue;
            };
            let is_summed_up =
                files::session(&path, &bytes).is_ok_and(|session| session.digest.is_some());
            if is_summed_up {
                changes.insert(path, None);
                changes.insert(format!("archive/sessions/{name}"), Some(bytes));
            }
        }
        Ok(())
    }
}

/// A session that is written again stands in its old place alone.
pub(super) fn bring_back(changes: &mut BTreeMap<String, Option<Vec<u8>>>) {
    let back: Vec<String> = changes
        .iter()
        .filter(|(path, bytes)| bytes.is_some() && path.starts_with("sessions/"))
        .map(|(path, _)| format!("archive/{path}"))
        .collect();
    changes.extend(back.into_iter().map(|path| (path, None)));
}
