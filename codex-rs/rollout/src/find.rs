//! Finds the rollout of a run below `$CODEX_HOME/sessions`. It opens no more than it must, follows no link that stands in
//! the folder, and is not surprised by any name.

use std::cmp::Reverse;
use std::fs::{self, DirEntry, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use memchr::memmem;

use crate::meta::uuid_millis;

/// How far into a file a marker is looked for, in bytes.
pub const MARKER_WITHIN: u64 = 1 << 20;

/// Clocks of file systems are coarser than the process's own.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// The rollouts written at or after `since`, the newest first, that hold `marker` in its first [`MARKER_WITHIN`] bytes.
///
/// The marker is looked for as bytes: it should be of characters that JSON doesn't escape. Only folders of dates from
/// the day before `since` are looked into, whatever the time zone they were named in.
pub fn find_by_marker(sessions: &Path, since: SystemTime, marker: &str) -> Vec<PathBuf> {
    if marker.is_empty() {
        return Vec::new();
    }
    let since = since
        .checked_sub(CLOCK_SLACK)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let earliest = Timestamp::try_from(since)
        .map(|since| since.to_zoned(TimeZone::UTC).date())
        .and_then(|date| date.checked_sub(1.day()))
        .unwrap_or(Date::MIN);
    let mut written: Vec<(SystemTime, PathBuf)> = rollouts(sessions, earliest)
        .into_iter()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(modified, _)| *modified >= since)
        .collect();
    written.sort_by_key(|found| Reverse(found.clone()));
    let finder = memmem::Finder::new(marker);
    let mut head = Vec::new();
    let mut paths: Vec<PathBuf> = written.into_iter().map(|(_, path)| path).collect();
    paths.retain(|path| {
        head.clear();
        let read =
            File::open(path).and_then(|file| file.take(MARKER_WITHIN).read_to_end(&mut head));
        read.is_ok() && finder.find(&head).is_some()
    });
    paths
}

/// All files of a thread, in the order of their windows. A thread whose id tells when it was begun has none in earlier folders.
pub fn find_by_thread(sessions: &Path, thread: &str) -> Vec<PathBuf> {
    let earliest = uuid_millis(thread)
        .and_then(|millis| Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok())
        .and_then(|begun| {
            begun
                .to_zoned(TimeZone::UTC)
                .date()
                .checked_sub(1.day())
                .ok()
        })
        .unwrap_or(Date::MIN);
    let mut found: Vec<(Option<Window>, PathBuf)> = rollouts(sessions, earliest)
        .into_iter()
        .filter_map(|entry| {
            let name = entry.file_name();
            let window = window_of(name.to_str()?, thread)?;
            Some((window, entry.path()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// What tells the windows of a thread apart: a number, or a text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Window {
    Number(u64),
    Name(String),
}

/// Reads `rollout-<time>-<thread>.jsonl` or `rollout-<time>-<thread>_<window>.jsonl`; none for another thread's file.
fn window_of(name: &str, thread: &str) -> Option<Option<Window>> {
    let stem = name.strip_prefix("rollout-")?.strip_suffix(".jsonl")?;
    let (_, window) = stem
        .rsplit_once(&format!("-{thread}"))
        .filter(|_| !thread.is_empty())?;
    if window.is_empty() {
        return Some(None);
    }
    let window = window.strip_prefix('_')?;
    Some(Some(match window.parse() {
        Ok(number) => Window::Number(number),
        Err(_) => Window::Name(window.to_owned()),
    }))
}

/// The rollout files of `YYYY/MM/DD` folders from `earliest` on.
fn rollouts(sessions: &Path, earliest: Date) -> Vec<DirEntry> {
    let earliest = (
        earliest.year(),
        i16::from(earliest.month()),
        i16::from(earliest.day()),
    );
    let mut found = Vec::new();
    for (year, in_year) in numbered(sessions) {
        for (month, in_month) in numbered(&in_year) {
            for (day, in_day) in numbered(&in_month) {
                if (year, month, day) >= earliest {
                    found.extend(entries(&in_day).filter(is_rollout));
                }
            }
        }
    }
    found
}

fn is_rollout(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.as_encoded_bytes();
    name.starts_with(b"rollout-")
        && name.ends_with(b".jsonl")
        && entry.file_type().is_ok_and(|kind| kind.is_file())
}

/// The folders in `path` whose names are numbers. A link is no folder.
fn numbered(path: &Path) -> impl Iterator<Item = (i16, PathBuf)> + use<> {
    entries(path).filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder.then(|| (number, entry.path()))
    })
}

fn entries(path: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    fs::read_dir(path).into_iter().flatten().flatten()
}
