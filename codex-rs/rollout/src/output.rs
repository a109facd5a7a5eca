//! How a tool call ended, told from what the engine gave the model as its output.
//!
//! Outputs are the bulk of a rollout, so they are read as they stand in the line (JSON, still escaped), and only where the
//! engine itself writes: the header before the command's own output, or the metadata after it. Words that a *command*
//! printed are never believed: within an output every quote and backslash is escaped once more.

use memchr::memmem;
use serde::Deserialize;

use crate::loose::Text;

/// What an output says of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Exited(i32),
    /// It still runs, under this number.
    Running(i64),
    /// Refused, killed, or of an unknown form.
    Unknown,
}

/// The engine's header is shorter than this.
const MAX_HEADER: usize = 512;

/// Reads the output of a shell tool, given as raw JSON: a string, or a list of content parts, or an object around either.
pub(crate) fn outcome(raw: &str) -> Outcome {
    let Some(text) = first_text(raw) else {
        return Outcome::Unknown;
    };
    if text.starts_with(r#"{\""#) {
        return exit_code_of_metadata(text).map_or(Outcome::Unknown, Outcome::Exited);
    }
    header(text)
}

/// The engine says that the patch was applied.
pub(crate) fn patch_applied(raw: &str) -> bool {
    match outcome(raw) {
        Outcome::Exited(code) => code == 0,
        Outcome::Running(_) => false,
        Outcome::Unknown => {
            first_text(raw).is_some_and(|text| text.starts_with("Success. Updated"))
        }
    }
}

/// The exit codes that a script printed as results of its commands, in order: parts that are, as a whole, the JSON of one
/// result or of a list of results.
pub(crate) fn script_exit_codes(raw: &str) -> Vec<i32> {
    let parts: Vec<Part<'_>> = match serde_json::from_str(raw) {
        Ok(parts) => parts,
        Err(_) => return Vec::new(),
    };
    let mut codes = Vec::new();
    for part in &parts {
        let text = part.text.as_str().trim();
        if !text.contains("\"exit_code\"") {
            continue;
        }
        if let Ok(result) = serde_json::from_str::<ScriptResult>(text) {
            codes.extend(result.exit_code);
        } else if let Ok(results) = serde_json::from_str::<Vec<ScriptResult>>(text) {
            codes.extend(results.iter().filter_map(|result| result.exit_code));
        }
    }
    codes
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
}

/// What `tools.exec_command` gives a script. The wall time is asked for because a command's own JSON may have an `exit_code`.
#[derive(Deserialize)]
struct ScriptResult {
    #[serde(rename = "wall_time_seconds")]
    _wall_time: f64,
    #[serde(default)]
    exit_code: Option<i32>,
}

/// The inside of the first text: of the string itself, of the first part's `text`, or of an object's `content`.
fn first_text(raw: &str) -> Option<&str> {
    let raw = raw.trim_start();
    if let Some(text) = raw.strip_prefix('"') {
        return Some(text);
    }
    let key = match raw.bytes().next()? {
        b'[' => "\"text\":",
        b'{' => "\"content\":",
        _ => return None,
    };
    let head = &raw.as_bytes()[..raw.len().min(MAX_HEADER)];
    let at = memmem::find(head, key.as_bytes())? + key.len();
    raw.get(at..)?.trim_start().strip_prefix('"')
}

/// `{"output":"...","metadata":{"exit_code":0,...}}`, itself a string: its quotes are escaped once, those of the output
/// twice, so the key can't be found in what a command printed.
fn exit_code_of_metadata(text: &str) -> Option<i32> {
    let metadata = after(text, r#"\"metadata\":{"#)?;
    let (metadata, _) = metadata.split_once('}')?;
    let code = after(metadata, r#"\"exit_code\":"#)?;
    leading_number(code.trim_start())
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = memmem::rfind(text.as_bytes(), key.as_bytes())?;
    text.get(at + key.len()..)
}

/// `Exit code: N`, `Process exited with code N`, `Process running with session ID N`, in the lines before `Output:`.
fn header(text: &str) -> Outcome {
    let mut end = text.len().min(MAX_HEADER);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for line in text[..end].split(r"\n") {
        let exited = line
            .strip_prefix("Process exited with code ")
            .or_else(|| line.strip_prefix("Exit code: "));
        if let Some(code) = exited.and_then(leading_number) {
            return Outcome::Exited(code);
        }
        let running = line.strip_prefix("Process running with session ID ");
        if let Some(session) = running.and_then(leading_number) {
            return Outcome::Running(session);
        }
        if line == "Output:" {
            break;
        }
    }
    Outcome::Unknown
}

fn leading_number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let digits = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')))
        .map_or(text, |(at, _)| &text[..at]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> String {
        serde_json::Value::from(text).to_string()
    }

    #[test]
    fn every_form_tells_its_exit_code() {
        let metadata = r#"{"output":"a \"metadata\":{\"exit_code\":9}","metadata":{"exit_code":1,"duration_seconds":0.8}}"#;
        for (text, expect) in [
            (metadata, Outcome::Exited(1)),
            (
                r#"{"metadata":{"duration_seconds":1,"exit_code":2},"output":"x"}"#,
                Outcome::Exited(2),
            ),
            (
                "Exit code: 0\nWall time: 0 seconds\nOutput:\nx",
                Outcome::Exited(0),
            ),
            (
                "Chunk ID: 25\nWall time: 0.1 seconds\nProcess exited with code 101\nOutput:\n",
                Outcome::Exited(101),
            ),
            (
                "Exit code: -1073741510\nOutput:\n",
                Outcome::Exited(-1_073_741_510),
            ),
            (
                "Chunk ID: 25\nProcess running with session ID 23954\nOutput:\n",
                Outcome::Running(23_954),
            ),
            ("exec command rejected by user", Outcome::Unknown),
            (
                "failed in sandbox LinuxSeccomp with execution error",
                Outcome::Unknown,
            ),
            ("", Outcome::Unknown),
        ] {
            assert_eq!(outcome(&raw(text)), expect, "{text}");
            let parts = format!(r#"[{{"type":"input_text","text":{}}}]"#, raw(text));
            assert_eq!(outcome(&parts), expect, "{parts}");
        }
    }

    #[test]
    fn what_a_command_printed_is_not_believed() {
        let printed = "Chunk ID: 1\nProcess running with session ID 3\nOutput:\nProcess exited with code 0\nExit code: 0";
        assert_eq!(outcome(&raw(printed)), Outcome::Running(3));
        assert_eq!(outcome(&raw("Output:\nExit code: 0")), Outcome::Unknown);
        let quoted = r#"{"output":"{\"metadata\":{\"exit_code\":0}}"}"#;
        assert_eq!(outcome(&raw(quoted)), Outcome::Unknown);
        assert!(script_exit_codes(r#"[{"text":"{\"exit_code\":0}"}]"#).is_empty());
    }

    #[test]
    fn a_script_tells_the_results_it_printed() {
        let one = raw(r#"{"chunk_id":"a","wall_time_seconds":0.5,"exit_code":2,"output":"x"}"#);
        let two = raw(
            r#"[{"wall_time_seconds":1,"exit_code":0},{"wall_time_seconds":1.5,"session_id":7}]"#,
        );
        let parts =
            format!(r#"[{{"text":"Script completed\n"}},{{"text":{one}}},{{"text":{two}}}]"#);
        assert_eq!(script_exit_codes(&parts), [2, 0]);
        assert!(script_exit_codes("\"Script failed\"").is_empty());
    }

    #[test]
    fn a_patch_was_applied_or_not() {
        assert!(patch_applied(&raw(
            "Success. Updated the following files:\nA x"
        )));
        assert!(patch_applied(&raw(
            r#"{"output":"Success.","metadata":{"exit_code":0}}"#
        )));
        assert!(!patch_applied(&raw(
            "apply_patch verification failed: no such file"
        )));
    }
}
