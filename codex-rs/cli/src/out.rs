//! The only place that prints. A reader that has gone away (`| head`) ends the printing, not with a panic.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Notes that wait while somebody else has the screen.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// While this lives, notes are kept; they are printed when it is dropped.
#[must_use]
pub(crate) struct Held;

/// Keeps notes from a screen that isn't ours.
pub(crate) fn hold() -> Held {
    held().get_or_insert_default();
    Held
}

impl Drop for Held {
    fn drop(&mut self) {
        let notes = held().take();
        for text in notes.into_iter().flatten() {
            note(&text);
        }
    }
}

fn held() -> MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A note of ours beside upstream's output.
pub(crate) fn note(text: &str) {
    let text = one_line(text, 2_000);
    if let Some(notes) = held().as_mut() {
        if !notes.contains(&text) && notes.len() < 20 {
            notes.push(text);
        }
        return;
    }
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

/// A question on the terminal; the answer stands on the same line.
pub(crate) fn question(text: &str) {
    let _ = write!(io::stderr().lock(), "{}", one_line(text, 300));
    let _ = write!(io::stderr().lock(), " ");
}
