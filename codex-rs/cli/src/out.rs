//! The only place that prints. A reader that has gone away (`| head`) ends the printing, not with a panic.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::adapter::strip_str;

use orch_protocol::text::one_line;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::screen::Screen;
use crate::trouble::Trouble;

/// A line on stdout.
pub(crate) fn line(text: &str) -> Result<(), Trouble> {
    raw(format!("{text}\n").as_bytes())
}

/// Bytes on stdout, as they are.
pub(crate) fn raw(text: &[u8]) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    wrote(stdout.write_all(text).and_then(|()| stdout.flush()))
}

/// What becomes of a command whose output was `written`, or not.
fn wrote(written: io::Result<()>) -> Result<(), Trouble> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Trouble::new(
            format!("Failed to write: {error}"),
            "free some space, or write elsewhere",
        )),
        Ok(()) => Ok(()),
    }
}

/// Lines for people on stdout: without their styles where it takes none, and through a pager where they are more than the
/// screen holds. Each line ends with a line feed.
pub(crate) fn page(screen: &Screen, text: &str) -> Result<(), Trouble> {
    let text = match screen.color {
        true => text.to_owned(),
        false => strip_str(text).to_string(),
    };
    let is_long = screen
        .height
        .is_some_and(|height| text.lines().count() >= height);
    match &screen.pager {
        Some(pager) if is_long && paged(pager, &text) => Ok(()),
        Some(_) | None => raw(text.as_bytes()),
    }
}

/// Whether a pager has shown it. One that is left before the end has.
fn paged(pager: &OsStr, text: &str) -> bool {
    let words = pager.to_str().and_then(shlex::split).unwrap_or_default();
    let Some((program, args)) = words.split_first() else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped());
    // Colours as colours, and no pager left behind for a text that fits; as git does it.
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let _unbroken = unbroken();
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes());
    }
    let _ = child.wait();
    true
}

/// While this lives, Ctrl-C is for the child that has the terminal, and doesn't end us. To be called within the runtime.
pub(crate) fn unbroken() -> Option<Signal> {
    signal(SignalKind::interrupt()).ok()
}

/// Asks on the terminal; yes when it is answered so, or with Enter alone. No where nobody can be asked.
pub(crate) fn asks(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let _ = write!(io::stderr().lock(), "{question} [Y/n] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer).unwrap_or(0);
    read > 0 && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

/// A value on stdout, as JSON for programs.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Trouble> {
    let mut stdout = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    match serde_json::to_writer_pretty(&mut stdout, value) {
        Err(error) if !error.is_io() => return Err(no_json(error)),
        Err(error) => wrote(Err(error.into()))?,
        Ok(()) => {}
    }
    wrote(stdout.write_all(b"\n").and_then(|()| stdout.flush()))
}

/// A document with one list in it on stdout, as JSON for programs. The items are printed as they come: many of them need
/// not be there at once.
pub(crate) fn json_list<T: Serialize>(
    schema: &'static str,
    name: &'static str,
    items: impl Iterator<Item = T>,
) -> Result<(), Trouble> {
    json(&Listing {
        schema,
        name,
        items: Cell::new(Some(items)),
    })
}

struct Listing<I> {
    schema: &'static str,
    name: &'static str,
    items: Cell<Option<I>>,
}

struct Items<'a, I>(&'a Cell<Option<I>>);

impl<T: Serialize, I: Iterator<Item = T>> Serialize for Listing<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("schema", self.schema)?;
        map.serialize_entry(self.name, &Items(&self.items))?;
        map.end()
    }
}

impl<T: Serialize, I: Iterator<Item = T>> Serialize for Items<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

/// A value as a part of what [`json`] prints.
pub(crate) fn value<T: Serialize>(value: &T) -> Result<serde_json::Value, Trouble> {
    serde_json::to_value(value).map_err(no_json)
}

fn no_json(error: serde_json::Error) -> Trouble {
    Trouble::new(
        format!("Failed to write JSON: {error}"),
        "this is a fault of codex-orch; report it",
    )
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
    io::stderr().is_terminal()
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
