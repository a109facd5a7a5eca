//! A commit's raw text, as git stores it: read where a walk over ten thousands of them needs two lines of each.

use git2::Oid;

/// The committer's time, seconds since the epoch, as a commit's raw text has it.
pub(super) fn committed_at(raw: &[u8]) -> Option<i64> {
    let line = raw
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
        .find(|line| line.starts_with(b"committer "))?;
    let seconds = line.rsplit(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(seconds).ok()?.parse().ok()
}

/// The parents, as a commit's raw text has them.
pub(super) fn parents(raw: &[u8]) -> impl Iterator<Item = Oid> {
    raw.split(|byte| *byte == b'\n')
        .skip(1)
        .map_while(|line| line.strip_prefix(b"parent "))
        .filter_map(|id| Oid::from_str(std::str::from_utf8(id).ok()?).ok())
}
