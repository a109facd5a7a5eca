//! A document in the person's own editor: validated before anything comes of it, and never lost.
//!
//! It knows nothing of what the document says: `read` makes something of it, or tells what is wrong.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use orch_protocol::text::one_line;
use tempfile::{Builder, TempPath};

use crate::out;
use crate::trouble::Trouble;

/// The longest document that is read back, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// What, with the line where that is known.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// Lets a person edit `document` in a file that ends with `suffix`; none when it was left as it was. What `read` doesn't
/// take can be edited again, or is kept in a file that the trouble names. To be called within the runtime.
pub(crate) fn edited<T>(
    document: &str,
    suffix: &str,
    read: impl Fn(&str) -> Result<T, Wrong>,
) -> Result<Option<T>, Trouble> {
    let mut file = Builder::new()
        .prefix("codex-orch-")
        .suffix(suffix)
        .tempfile()
        .map_err(failed)?;
    file.write_all(document.as_bytes()).map_err(failed)?;
    file.flush().map_err(failed)?;
    // Editors that write a new file and rename it leave us with the path alone.
    let path = file.into_temp_path();
    loop {
        if let Err(trouble) = open(&path) {
            return match changed(&path, document) {
                Ok(None) => Err(trouble),
                Ok(Some(_)) | Err(_) => Err(kept(path, trouble.lines()[0])),
            };
        }
        let wrong = match changed(&path, document) {
            Ok(None) => return Ok(None),
            Ok(Some(text)) => match read(&text) {
                Ok(read) => return Ok(Some(read)),
                Err(wrong) => wrong,
            },
            Err(wrong) => wrong,
        };
        out::error(&one_line(&wrong.what, 2_000));
        out::hint(&one_line(&wrong.hint, 2_000));
        if !out::asks("Edit again?") {
            return Err(kept(path, "nothing was changed"));
        }
    }
}

fn failed(error: io::Error) -> Trouble {
    Trouble::new(
        format!("Failed to write a file to edit: {error}"),
        "free some space in the temporary folder, or set TMPDIR",
    )
}

/// Starts the editor on a file, and waits for its end.
fn open(path: &Path) -> Result<(), Trouble> {
    let set = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|set| !set.trim().is_empty())
    };
    let editor = set("VISUAL")
        .or_else(|| set("EDITOR"))
        .unwrap_or_else(|| "vi".to_owned());
    let named = one_line(&editor, 200);
    let trouble = |why: String| {
        Trouble::new(
            format!("the editor {named:?} {why}"),
            "set EDITOR to a command that edits a file and ends when it is closed",
        )
    };
    let words = shlex::split(&editor).unwrap_or_default();
    let Some((program, args)) = words.split_first() else {
        return Err(trouble("is no command".to_owned()));
    };
    let _unbroken = out::unbroken();
    let ended = Command::new(program).args(args).arg(path).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(trouble(format!("ended with {status}"))),
        Err(error) => Err(trouble(format!("could not be started: {error}"))),
    }
}

/// What the file holds now; none when that is what it held before.
fn changed(path: &Path, before: &str) -> Result<Option<String>, Wrong> {
    let wrong = |what: String| Wrong {
        what,
        hint: "write text in UTF-8, of at most 4 MiB".to_owned(),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| wrong(format!("what was edited can't be read: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong("what was edited is too long".to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text).filter(|text| text != before)),
        Err(_) => Err(wrong("what was edited is no UTF-8".to_owned())),
    }
}

/// Keeps the file, and tells where.
fn kept(path: TempPath, what: &str) -> Trouble {
    match path.keep() {
        Ok(path) => Trouble::new(
            format!("{what}; your text is kept in {}", path.display()),
            "mend it there and give it again, or remove it",
        ),
        Err(error) => Trouble::new(
            format!("{what}; your text could not be kept: {error}"),
            "edit again",
        ),
    }
}
