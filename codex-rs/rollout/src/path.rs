//! Paths of changed files, as texts: the folder they are seen from may be another machine's. It asks no file system.

use crate::call::kept;

/// The longest path kept, in characters.
const MAX_PATH: usize = 1_000;

/// A path as seen from a folder, where it lies in that.
pub(crate) fn relative<'a>(cwd: Option<&str>, path: &'a str) -> &'a str {
    let cwd = cwd.unwrap_or("").trim_end_matches('/');
    let below = path.strip_prefix(cwd).filter(|_| !cwd.is_empty());
    let below = below.and_then(|below| below.strip_prefix('/'));
    below.filter(|below| !below.is_empty()).unwrap_or(path)
}

pub(crate) fn kept_path(path: &str) -> String {
    kept(path, MAX_PATH)
}

/// `full` ends with the path `tail`.
pub(crate) fn is_below(full: &str, tail: &str) -> bool {
    let above = full.strip_suffix(tail);
    !tail.is_empty() && above.is_some_and(|above| above.ends_with('/'))
}
