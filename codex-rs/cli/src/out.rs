//! The only place that prints. A reader that has gone away (`| head`) ends the printing, not with a panic.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, ErrorKind, Write};

use orch_protocol::text::one_line;

use crate::trouble::Trouble;

/// A line on stdout.
pub(crate) fn line(text: &str) -> Result<(), Trouble> {
    let written = writeln!(io::stdout().lock(), "{text}");
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Trouble::new(
            format!("Failed to write: {error}"),
            "free some space, or write elsewhere",
        )),
        Ok(()) => Ok(()),
    }
}

/// A value on stdout, as JSON for programs.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<(), Trouble> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(&text),
        Err(error) => Err(Trouble::new(
            format!("Failed to write JSON: {error}"),
            "this is a fault of codex-orch; report it",
        )),
    }
}

/// A note of ours beside upstream's output.
pub(crate) fn note(text: &str) {
    let text = one_line(text, 2_000);
    let _ = writeln!(io::stderr().lock(), "codex-orch: {text}");
}

/// What went wrong.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "codex-orch: {text}");
}

/// What to do about it.
pub(crate) fn hint(text: &str) {
    let _ = writeln!(io::stderr().lock(), "  hint: {text}");
}

/// Whether [`progress`] shows anything.
pub(crate) fn overwrites() -> bool {
    io::IsTerminal::is_terminal(&io::stderr())
}

/// A line that is written over by the next one, on a terminal only.
pub(crate) fn progress(text: &str) {
    if overwrites() {
        let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
    }
}

/// Ends a line of [`progress`].
pub(crate) fn progress_done() {
    if overwrites() {
        let _ = writeln!(io::stderr().lock());
    }
}
