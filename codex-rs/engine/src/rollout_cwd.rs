//! The working directories a rollout tells: where its thread began, and where its latest turn ran. Nothing else of a
//! rollout is read here (that is orch-rollout's), and files of any size cost only their beginning and their end.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Read at a time, going backwards.
const BLOCK: u64 = 128 * 1024;
/// A first line longer than this is not a rollout's.
const FIRST_LINE: u64 = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    cwd: Option<PathBuf>,
}

/// Where the thread began.
pub(crate) fn first(rollout: &Path) -> io::Result<Option<PathBuf>> {
    let mut line = Vec::new();
    BufReader::new(File::open(rollout)?.take(FIRST_LINE)).read_until(b'\n', &mut line)?;
    Ok(cwd_of(&line, "session_meta"))
}

/// Where the latest turn ran.
pub(crate) fn latest(rollout: &Path) -> io::Result<Option<PathBuf>> {
    let mut file = File::open(rollout)?;
    let mut start = file.metadata()?.len();
    // What precedes the first line end of a block belongs to a line that begins in an earlier block.
    let mut carried: Vec<u8> = Vec::new();
    while start > 0 {
        let length = start.min(BLOCK);
        start -= length;
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        file.by_ref().take(length).read_to_end(&mut block)?;
        block.append(&mut carried);
        let whole = match memchr::memchr(b'\n', &block) {
            Some(at) if start > 0 => {
                let whole = block.split_off(at);
                carried = block;
                whole
            }
            None if start > 0 => {
                carried = block;
                continue;
            }
            _ => block,
        };
        let mut lines = whole.rsplit(|byte| *byte == b'\n');
        if let Some(cwd) = lines.find_map(|line| cwd_of(line, "turn_context")) {
            return Ok(Some(cwd));
        }
    }
    Ok(None)
}

fn cwd_of(line: &[u8], kind: &str) -> Option<PathBuf> {
    // Most lines are long and of another kind: look before parsing.
    memchr::memmem::find(line, kind.as_bytes())?;
    let line: Line = serde_json::from_slice(line).ok()?;
    (line.kind == kind).then_some(line.payload.cwd)?
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn turn(cwd: &str) -> String {
        format!(
            "{{\"timestamp\":\"t\",\"type\":\"turn_context\",\"payload\":{{\"cwd\":{cwd:?}}}}}\n"
        )
    }

    fn other(length: usize) -> String {
        let filler = "x".repeat(length);
        format!(
            "{{\"type\":\"response_item\",\"payload\":{{\"text\":\"turn_context {filler}\"}}}}\n"
        )
    }

    fn check(text: &str, expect: Option<&str>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        assert_eq!(latest(file.path()).unwrap(), expect.map(PathBuf::from));
    }

    #[test]
    fn the_latest_turn_is_found_from_the_end() {
        let block = usize::try_from(BLOCK).unwrap();
        check("", None);
        check(&other(10), None);
        check(&turn("/a"), Some("/a"));
        check(&(turn("/a") + &turn("/b") + &other(10)), Some("/b"));
        check(&(turn("/a") + &other(3 * block)), Some("/a"));
        // A line cut anywhere by the block's border is put together again.
        for shift in 0..turn("/b").len() + 3 {
            check(
                &(turn("/a") + &turn("/b") + &other(block - shift - 60)),
                Some("/b"),
            );
        }
        check(
            &(turn("/a") + "{\"type\":\"turn_context\",\"payl"),
            Some("/a"),
        );
    }
}
