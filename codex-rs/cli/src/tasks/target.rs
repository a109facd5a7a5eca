//! Texts that go into a file when one is named: whole or not at all, and never over somebody else's unless that is asked
//! for.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use orch_protocol::text::one_line;
use tempfile::Builder;

use super::line::Target;
use crate::out;
use crate::trouble::Trouble;

/// Writes a text where it is wanted: into a file, else on stdout.
pub(crate) fn put(target: &Target, text: &str) -> Result<(), Trouble> {
    let Some(path) = target.file.as_deref().filter(|path| *path != "-") else {
        return out::raw(text.as_bytes());
    };
    let shown = one_line(&path.display().to_string(), 400);
    match written(path, text, target.force) {
        Ok(()) => {
            out::note(&format!("written to {shown}"));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Trouble::usage(
            format!("{shown} is there already"),
            "name another file, or say --force to have this one in its place",
        )),
        Err(error) => Err(Trouble::new(
            format!("Failed to write {shown}: {error}"),
            "name a file in a folder that is there and can be written",
        )),
    }
}

fn written(path: &Path, text: &str, force: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != "");
    // As any new file; what the umask takes away is taken away.
    let mut file = Builder::new()
        .prefix(".codex-orch-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    match force {
        true => file.persist(path).map(drop),
        false => file.persist_noclobber(path).map(drop),
    }
    .map_err(|error| error.error)
}
