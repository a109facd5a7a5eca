//! Why a backlog could not be read: where it stands, and what to do about it.

use orch_protocol::text::one_line;
use thiserror::Error;

use super::MAX_TASKS;

/// Why nothing was imported. One line each; [`ExchangeError::hint`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum ExchangeError {
    #[error("{file} has {bytes} bytes, and at most {max} are read")]
    TooLarge { file: String, bytes: u64, max: u64 },
    #[error("{file}:{line}: this is not UTF-8 text")]
    NotText { file: String, line: usize },
    #[error("{file}:{line}:{column}: {what}")]
    Syntax {
        file: String,
        line: usize,
        column: usize,
        what: String,
    },
    #[error("{file}:{line}: these are the marks of a merge that wasn't finished")]
    Unmerged { file: String, line: usize },
    #[error("{at}: {what}")]
    Shape { at: String, what: String },
    #[error("{file} has more than {MAX_TASKS} tasks")]
    TooMany { file: String },
}

impl ExchangeError {
    /// What to do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            ExchangeError::TooLarge { .. } => {
                "import it in parts, or name the file that holds the tasks"
            }
            ExchangeError::NotText { .. } => {
                "save the file as UTF-8, or check that it is the one you meant"
            }
            ExchangeError::Syntax { .. } => {
                "mend that line, or name the format with --format if another was guessed"
            }
            ExchangeError::Unmerged { .. } => "resolve the merge first; nothing was imported",
            ExchangeError::Shape { .. } => {
                "check that this is the file you meant, or name its format with --format"
            }
            ExchangeError::TooMany { .. } => "import it in parts",
        }
    }
}

/// A file name, a place or an id as messages show it.
pub(super) fn shown(text: &str) -> String {
    one_line(text, 120)
}

/// The text of a file, without a byte-order mark.
pub(super) fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, ExchangeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Err(ExchangeError::NotText {
                file: shown(file),
                line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            })
        }
    }
}

/// What serde_json found wrong; `first` is the line at which the piece it was given begins.
pub(super) fn json(file: &str, first: usize, error: &serde_json::Error) -> ExchangeError {
    // Its message ends with its own line and column, which are counted within the piece.
    let what = error.to_string();
    let what = what
        .rsplit_once(" at line ")
        .map_or(what.as_str(), |(what, _)| what);
    ExchangeError::Syntax {
        file: shown(file),
        line: first + error.line().max(1) - 1,
        column: error.column(),
        what: format!("this is not JSON: {}", one_line(what, 160)),
    }
}
