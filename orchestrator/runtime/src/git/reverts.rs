//! What commits say they revert, read from their messages, and which of these reverts still stand. Nothing here asks git.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;
use orch_core::judge::Reachable;
use orch_core::reverts::Reverted;
use orch_protocol::ids::CommitId;

/// What git writes, before a whole commit id.
const SAYS: &[u8] = b"This reverts commit ";
/// The most commits that one message is believed to revert.
const MAX_NAMED: usize = 16;

/// The commits that a commit's message says it reverts.
pub(super) fn named(message: &[u8]) -> Vec<CommitId> {
    memmem::find_iter(message, SAYS)
        .filter_map(|at| {
            let rest = &message[at + SAYS.len()..];
            let digits = rest
                .iter()
                .take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                .count();
            let id = std::str::from_utf8(&rest[..digits]).ok()?;
            matches!(digits, 40 | 64).then(|| CommitId::new(id))
        })
        .take(MAX_NAMED)
        .collect()
}

/// Of the reverts that HEAD reaches, those of claimed commits, as themselves or as what they were rewritten to.
/// A revert stands unless a revert of it stands.
pub(super) fn of_claimed(
    claimed: &BTreeSet<CommitId>,
    reachable: &Reachable,
    said: &[(CommitId, CommitId)],
) -> Vec<Reverted> {
    if said.is_empty() {
        return Vec::new();
    }
    let mut by: BTreeMap<&CommitId, Vec<&CommitId>> = BTreeMap::new();
    for (revert, of) in said {
        by.entry(of).or_default().push(revert);
    }
    let mut found = BTreeSet::new();
    for commit in claimed.iter().filter(|commit| reachable.contains(commit)) {
        let names = [Some(commit), reachable.rewritten_to(commit)];
        for name in names.into_iter().flatten() {
            for revert in by.get(name).into_iter().flatten() {
                found.insert(Reverted {
                    commit: commit.clone(),
                    by: (*revert).clone(),
                    taken_back: standing(revert, &by, 0).cloned(),
                });
            }
        }
    }
    found.into_iter().collect()
}

/// The revert of `commit` that stands, if there is one. A message can't name a later commit, so this ends; a chain
/// longer than anybody makes is given up.
fn standing<'a>(
    commit: &CommitId,
    by: &BTreeMap<&'a CommitId, Vec<&'a CommitId>>,
    depth: usize,
) -> Option<&'a CommitId> {
    const MAX_DEPTH: usize = 64;
    by.get(commit)
        .into_iter()
        .flatten()
        .find(|revert| depth >= MAX_DEPTH || standing(revert, by, depth + 1).is_none())
        .copied()
}
