//! What tells one patch from another, in two steps: the paths it changes, told by trees alone, and its patch id, which
//! needs the files. Both are equal exactly where `git patch-id --stable` finds two patches equal, and never looks at
//! attributes or configuration: a commit's patch is the same wherever it is asked for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use git2::{DiffOptions, ObjectType, Oid, Patch as BlobPatch, Repository, Tree, TreeEntry};
use sha2::{Digest, Sha256};

use super::history::id;
use super::kept::{Cache, Patch};

/// A patch of more files isn't looked for.
const MAX_PATHS: usize = 2_000;
/// Folders within folders.
const MAX_DEPTH: usize = 64;
/// Larger files are told apart by their whole content.
const MAX_DIFFED: usize = 4 * 1024 * 1024;
/// The most patches kept.
const MAX_KEPT: usize = 20_000;

/// Patches by commit, kept between two searches: they never change.
pub(super) struct Patches<'r> {
    repo: &'r Repository,
    kept: BTreeMap<orch_protocol::ids::CommitId, Patch>,
    is_new: bool,
}

/// What git calls a commit inside a tree.
const SUBMODULE: i32 = 0o160000;

/// One file of a patch: its old and its new side, as mode and content.
struct Changed {
    path: Vec<u8>,
    old: Option<(i32, Oid)>,
    new: Option<(i32, Oid)>,
}

impl<'r> Patches<'r> {
    pub(super) fn new(repo: &'r Repository, cache: &Cache) -> Self {
        Self {
            repo,
            kept: cache.patches(),
            is_new: false,
        }
    }

    /// Keeps what was found, unless it was known before.
    pub(super) fn keep(self, cache: &Cache) {
        if !self.is_new {
            return;
        }
        let mut kept = self.kept;
        while kept.len() > MAX_KEPT {
            kept.pop_first();
        }
        cache.keep_patches(&kept);
    }

    /// A fingerprint of the paths that a commit changes against its parent, and how many; none for a merge commit, an
    /// empty one, one that changes too much, or one whose objects aren't here.
    pub(super) fn paths(&mut self, commit: Oid) -> Option<(u64, usize)> {
        if let Some(known) = self.kept.get(&id(commit)) {
            return known.paths;
        }
        let paths = self
            .sides(commit)
            .and_then(|(old, new)| self.paths_between(old, new, MAX_PATHS));
        let patch = Patch { paths, id: None };
        self.kept.insert(id(commit), patch);
        self.is_new = true;
        paths
    }

    /// The patch id of a commit.
    pub(super) fn patch_id(&mut self, commit: Oid) -> Option<String> {
        self.paths(commit)?;
        let known = self
            .kept
            .get(&id(commit))
            .and_then(|known| known.id.clone());
        if let Some(known) = known {
            return known;
        }
        let made = self
            .sides(commit)
            .and_then(|(old, new)| self.patch_id_between(old, new));
        if let Some(patch) = self.kept.get_mut(&id(commit)) {
            patch.id = Some(made.clone());
        }
        self.is_new = true;
        made
    }

    /// The fingerprint of the paths that differ between two trees; none where none does, or more than `most` do.
    pub(super) fn paths_between(
        &self,
        old: Option<Oid>,
        new: Oid,
        most: usize,
    ) -> Option<(u64, usize)> {
        let changed = self.changed(old, new, most.min(MAX_PATHS))?;
        let mut hash = Sha256::new();
        for file in &changed {
            hash.update([u8::from(file.old.is_some()) | (u8::from(file.new.is_some()) << 1)]);
            hash.update(&file.path);
            hash.update([0]);
        }
        let first = hash.finalize().first_chunk().copied()?;
        Some((u64::from_le_bytes(first), changed.len()))
    }

    /// The patch id of what differs between two trees.
    pub(super) fn patch_id_between(&self, old: Option<Oid>, new: Oid) -> Option<String> {
        let mut hash = Sha256::new();
        for file in self.changed(old, new, MAX_PATHS)? {
            hash.update((file.path.len() as u64).to_le_bytes());
            hash.update(&file.path);
            let modes = (file.old.map(|old| old.0), file.new.map(|new| new.0));
            // Of a file that keeps its mode, the mode is no part of the patch.
            if modes.0 != modes.1 {
                hash.update(format!("{modes:?}"));
            }
            self.hash_lines(&file, &mut hash)?;
        }
        Some(HEXLOWER.encode(&hash.finalize()[..20]))
    }

    /// A file's lines as a patch shows them, without white space; of a binary one the contents' ids.
    fn hash_lines(&self, file: &Changed, hash: &mut Sha256) -> Option<()> {
        let content = |side: Option<(i32, Oid)>| match side {
            None => Some(Vec::new()),
            Some((SUBMODULE, _)) => Some(Vec::new()),
            Some((_, blob)) => Some(self.repo.find_blob(blob).ok()?.content().to_vec()),
        };
        let (before, after) = (content(file.old)?, content(file.new)?);
        let is_text = |side: Option<(i32, Oid)>, content: &[u8]| {
            side.is_none_or(|(mode, _)| mode != SUBMODULE)
                && content.len() <= MAX_DIFFED
                && !content.iter().take(8_000).any(|byte| *byte == 0)
        };
        if !is_text(file.old, &before) || !is_text(file.new, &after) {
            let ids = (file.old.map(|old| old.1), file.new.map(|new| new.1));
            hash.update(format!("{ids:?}"));
            return Some(());
        }
        let mut options = DiffOptions::new();
        options
            .context_lines(3)
            .interhunk_lines(0)
            .indent_heuristic(true)
            .force_text(true);
        let patch =
            BlobPatch::from_buffers(&before, None, &after, None, Some(&mut options)).ok()?;
        for hunk in 0..patch.num_hunks() {
            for line in 0..patch.num_lines_in_hunk(hunk).ok()? {
                let line = patch.line_in_hunk(hunk, line).ok()?;
                let origin = line.origin();
                if !matches!(origin, ' ' | '+' | '-') {
                    continue;
                }
                // The origin of a context line is white space itself.
                if origin != ' ' {
                    hash.update([origin as u8]);
                }
                let dense: Vec<u8> = line
                    .content()
                    .iter()
                    .copied()
                    .filter(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b)
                    .collect();
                hash.update(dense);
            }
        }
        Some(())
    }

    /// The trees of a commit's parent and of itself; none for a merge commit.
    fn sides(&self, commit: Oid) -> Option<(Option<Oid>, Oid)> {
        let commit = self.repo.find_commit(commit).ok()?;
        let old = match commit.parent_count() {
            0 => None,
            1 => Some(commit.parent(0).ok()?.tree_id()),
            _ => return None,
        };
        Some((old, commit.tree_id()))
    }

    /// The files that differ, by path; none where none does, more than `most` do, or a tree isn't here.
    fn changed(&self, old: Option<Oid>, new: Oid, most: usize) -> Option<Vec<Changed>> {
        let mut changed = Vec::new();
        let mut path = Vec::new();
        self.compare((old, Some(new)), &mut path, most, 0, &mut changed)?;
        changed.sort_by(|a, b| a.path.cmp(&b.path));
        (!changed.is_empty()).then_some(changed)
    }

    fn compare(
        &self,
        sides: (Option<Oid>, Option<Oid>),
        path: &mut Vec<u8>,
        most: usize,
        depth: usize,
        changed: &mut Vec<Changed>,
    ) -> Option<()> {
        let tree = |oid: Option<Oid>| match oid {
            None => Some(None),
            Some(oid) => self.repo.find_tree(oid).ok().map(Some),
        };
        if depth > MAX_DEPTH {
            return None;
        }
        let (old, new) = (tree(sides.0)?, tree(sides.1)?);
        let (old, new) = (entries(old.as_ref()), entries(new.as_ref()));
        let (mut left, mut right) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let (a, b) = match (left.peek(), right.peek()) {
                (None, None) => return Some(()),
                (Some(a), Some(b)) => match by_name(a, b) {
                    Ordering::Less => (left.next(), None),
                    Ordering::Greater => (None, right.next()),
                    Ordering::Equal => (left.next(), right.next()),
                },
                (Some(_), None) | (None, Some(_)) => (left.next(), right.next()),
            };
            let Some(named) = a.or(b) else {
                return Some(());
            };
            let side = |entry: Option<&TreeEntry<'_>>| entry.map(|e| (e.filemode(), e.id()));
            if side(a) == side(b) {
                continue;
            }
            let length = path.len();
            path.extend_from_slice(named.name_bytes());
            if is_folder(named) {
                path.push(b'/');
                let sides = (a.map(TreeEntry::id), b.map(TreeEntry::id));
                self.compare(sides, path, most, depth + 1, changed)?;
            } else if changed.len() < most {
                changed.push(Changed {
                    path: path.clone(),
                    old: side(a),
                    new: side(b),
                });
            } else {
                return None;
            }
            path.truncate(length);
        }
    }
}

fn entries<'t>(tree: Option<&'t Tree<'_>>) -> Vec<TreeEntry<'t>> {
    tree.map(|tree| tree.iter().collect()).unwrap_or_default()
}

fn is_folder(entry: &TreeEntry<'_>) -> bool {
    entry.kind() == Some(ObjectType::Tree)
}

/// The order of a tree's entries: a folder's name counts as if it ended with a slash, so a file is never compared with
/// the folder that took its name.
fn by_name(a: &TreeEntry<'_>, b: &TreeEntry<'_>) -> Ordering {
    if a.id() == b.id() && a.name_bytes() == b.name_bytes() {
        return Ordering::Equal;
    }
    let slash = |entry: &TreeEntry<'_>| is_folder(entry).then_some(b'/');
    let (left, right) = (a.name_bytes().iter(), b.name_bytes().iter());
    left.copied()
        .chain(slash(a))
        .cmp(right.copied().chain(slash(b)))
}
