//! Finding the rollout of a run among others, and among what is no rollout.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use orch_rollout::find::{MARKER_WITHIN, find_by_marker, find_by_thread};

fn rollout(sessions: &Path, day: &str, name: &str, text: &str) -> PathBuf {
    let folder = sessions.join(day);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn day(time: SystemTime) -> String {
    let day = jiff::Timestamp::try_from(time)
        .unwrap()
        .to_zoned(jiff::tz::TimeZone::UTC);
    day.strftime("%Y/%m/%d").to_string()
}

#[test]
fn the_newest_rollout_with_the_marker_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path();
    let now = SystemTime::now();
    let today = day(now);
    let touch = |path: &Path, seconds: u64| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(now + Duration::from_secs(seconds))
            .unwrap();
    };
    touch(
        &rollout(sessions, &today, "rollout-1.jsonl", "has the mark-1"),
        10,
    );
    let newest = rollout(sessions, &today, "rollout-2.jsonl", "has the mark-1 too");
    touch(&newest, 20);
    touch(&rollout(sessions, &today, "rollout-3.jsonl", "another"), 30);
    let late = " ".repeat(usize::try_from(MARKER_WITHIN).unwrap()) + "mark-1";
    touch(&rollout(sessions, &today, "rollout-4.jsonl", &late), 40);
    rollout(sessions, &today, "notes.txt", "mark-1 and mark-2");
    rollout(sessions, "2001/02/03", "rollout-5.jsonl", "mark-2");
    let yesterday = rollout(
        sessions,
        &day(now - Duration::from_secs(86_400)),
        "rollout-6.jsonl",
        "mark-3",
    );

    assert_eq!(
        find_by_marker(sessions, now, "mark-1").first().cloned(),
        Some(newest)
    );
    assert_eq!(
        find_by_marker(sessions, now, "mark-2").first().cloned(),
        None
    );
    assert_eq!(
        find_by_marker(sessions, now, "mark-3").first().cloned(),
        Some(yesterday)
    );
    assert_eq!(
        find_by_marker(sessions, now + Duration::from_secs(60), "mark-1")
            .first()
            .cloned(),
        None
    );
    assert_eq!(find_by_marker(sessions, now, "").first().cloned(), None);
    assert_eq!(
        find_by_marker(&sessions.join("none"), now, "mark-1")
            .first()
            .cloned(),
        None
    );
}

#[test]
fn all_windows_of_a_thread_are_found_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = folder.path();
    let first = rollout(
        sessions,
        "2026/01/02",
        "rollout-2026-01-02T00-00-00-t1.jsonl",
        "",
    );
    let tenth = rollout(
        sessions,
        "2026/01/02",
        "rollout-2026-01-02T00-00-00-t1_10.jsonl",
        "",
    );
    let second = rollout(
        sessions,
        "2026/01/03",
        "rollout-2026-01-03T00-00-00-t1_2.jsonl",
        "",
    );
    rollout(
        sessions,
        "2026/01/03",
        "rollout-2026-01-03T00-00-00-t11.jsonl",
        "",
    );
    rollout(
        sessions,
        "2026/01/03",
        "rollout-2026-01-03T00-00-00-t2.jsonl",
        "",
    );
    assert_eq!(find_by_thread(sessions, "t1"), [first, second, tenth]);
    assert!(find_by_thread(sessions, "").is_empty());
    assert!(find_by_thread(sessions, "../t1").is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_odd_names_not_stumbled_over() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let (sessions, outside) = (
        folder.path().join("sessions"),
        folder.path().join("outside"),
    );
    let now = SystemTime::now();
    let secret = rollout(&outside, "01", "rollout-x-t1.jsonl", "mark");
    let today = day(now);
    rollout(&sessions, &today, "rollout-other.jsonl", "");
    symlink(&secret, sessions.join(&today).join("rollout-a-t1.jsonl")).unwrap();
    symlink(&outside, sessions.join("9999")).unwrap();
    fs::create_dir(sessions.join(OsStr::from_bytes(b"20\xff"))).unwrap();
    fs::create_dir(sessions.join(&today).join("rollout-b-t1.jsonl")).unwrap();
    let odd = sessions
        .join(&today)
        .join(OsStr::from_bytes(b"rollout-\xff\n-t1.jsonl"));
    fs::write(&odd, "mark").unwrap();
    assert_eq!(find_by_marker(&sessions, now, "mark"), [odd]);
    assert!(find_by_thread(&sessions, "t1").is_empty());
    // The folder itself may be a link, as in a private home.
    let link = folder.path().join("link");
    symlink(&sessions, &link).unwrap();
    assert_eq!(find_by_marker(&link, now, "mark").len(), 1);
}
