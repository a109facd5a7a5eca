//! Names of files: sessions and journal entries. A branch name is hostile input and ends up in a path.

use orch_protocol::Timestamp;
use orch_protocol::ids::{SessionId, ThreadId};

/// The most characters of a branch in a file name.
const MAX_BRANCH: usize = 80;

/// `<UTC time with milliseconds>_<branch>_<piece of the thread>`: sorts by time, and no two are alike.
pub fn session_id(at: Timestamp, branch: Option<&str>, thread: &ThreadId) -> SessionId {
    let time = at.strftime("%Y%m%dT%H%M%S");
    let millis = at.subsec_millisecond();
    SessionId::new(format!(
        "{time}{millis:03}Z_{}_{}",
        branch_part(branch),
        thread_part(thread)
    ))
}

/// The last twelve letters and digits of a thread's id: the first ones of a UUIDv7 are only its time.
pub fn thread_part(thread: &ThreadId) -> String {
    let kept: Vec<char> = thread
        .as_str()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    kept[kept.len().saturating_sub(12)..].iter().collect()
}

/// `<date>_<branch>_<n>`: the first `n` from 1 that isn't taken.
pub fn journal_name<'a>(
    at: Timestamp,
    branch: Option<&str>,
    taken: impl Iterator<Item = &'a str>,
) -> String {
    let stem = format!("{}_{}", at.strftime("%Y-%m-%d"), branch_part(branch));
    numbered(&stem, taken)
}

/// The first name that isn't taken among those that differ from `name` in their number.
pub(crate) fn next_name<'a>(name: &str, taken: impl Iterator<Item = &'a str>) -> String {
    let stem = name.rsplit_once('_').map_or(name, |(stem, _)| stem);
    numbered(stem, taken)
}

fn numbered<'a>(stem: &str, taken: impl Iterator<Item = &'a str>) -> String {
    // A case-insensitive file system must not see two branches as one.
    let numbers = taken.filter_map(|name| {
        let (head, n) = name.rsplit_once('_')?;
        if head.eq_ignore_ascii_case(stem) {
            n.parse::<u64>().ok()
        } else {
            None
        }
    });
    format!("{stem}_{}", numbers.max().unwrap_or(0) + 1)
}

/// Percent-encodes everything but letters, digits, `-` and inner dots, and cuts at 80 characters.
fn branch_part(branch: Option<&str>) -> String {
    let Some(branch) = branch else {
        return "no-branch".to_owned();
    };
    let mut out = String::new();
    for (at, byte) in branch.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-' || (byte == b'.' && at > 0);
        let piece = if plain {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        };
        if out.len() + piece.len() > MAX_BRANCH {
            break;
        }
        out.push_str(&piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_branches_make_tame_names() {
        for (branch, expect) in [
            ("main", "main"),
            ("feat/../../etc", "feat%2F..%2F..%2Fetc"),
            ("-rf", "-rf"),
            ("..", "%2E."),
            ("ü", "%C3%BC"),
            ("a_b", "a%5Fb"),
        ] {
            assert_eq!(branch_part(Some(branch)), expect);
        }
        assert!(branch_part(Some(&"ü".repeat(250))).len() <= MAX_BRANCH);
    }

    #[test]
    fn entries_are_numbered_by_day_and_branch() {
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let taken = [
            "2026-11-22_main_1",
            "2026-11-22_MAIN_4",
            "2026-11-21_main_9",
            "2026-11-22_main-2_7",
        ];
        assert_eq!(
            journal_name(at, Some("main"), taken.into_iter()),
            "2026-11-22_main_5"
        );
    }
}
