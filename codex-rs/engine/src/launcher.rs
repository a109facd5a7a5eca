//! From what is called `codex` to the native binary: npm's node launcher, and the shell shims of other package managers,
//! are followed to the platform package. Nothing is executed here.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::EngineError;
use crate::platform::Platform;

/// The launcher's path inside a `node_modules` folder.
const LAUNCHER: &str = "@openai/codex/bin/codex.js";
/// A shim longer than this is no shim.
const SHIM_LIMIT: u64 = 16 * 1024;

/// What a `codex` is, after following it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// A program that is upstream's binary, or stands for it: run it as it is.
    Program(PathBuf),
    /// A script that starts codex-orch.
    Ours,
}

/// Follows `path` (an executable file) to what should be run.
pub(crate) fn follow(path: &Path, platform: Platform) -> Result<Followed, EngineError> {
    let real = std::fs::canonicalize(path).map_err(|source| EngineError::Io {
        doing: "resolve",
        path: path.to_owned(),
        source,
    })?;
    if real.ends_with(LAUNCHER) {
        return native(&real, platform).map(Followed::Program);
    }
    let Some(script) = script(&real) else {
        return Ok(Followed::Program(path.to_owned()));
    };
    if script.contains("codex-orch") {
        return Ok(Followed::Ours);
    }
    match shim_target(&script, &real) {
        Some(launcher) => native(&launcher, platform).map(Followed::Program),
        None => Ok(Followed::Program(path.to_owned())),
    }
}

/// The binary inside the platform package that node would resolve from `launcher`, which is a real path.
fn native(launcher: &Path, platform: Platform) -> Result<PathBuf, EngineError> {
    let root = launcher.parent().and_then(Path::parent);
    let beside = root.into_iter().flat_map(Path::ancestors).flat_map(|dir| {
        let modules = match dir.file_name() {
            Some(name) if name == "node_modules" => dir.to_owned(),
            _ => dir.join("node_modules"),
        };
        [modules.join(platform.package()).join(platform.binary())]
    });
    let bundled = root.map(|root| root.join(platform.binary()));
    beside
        .chain(bundled)
        .find(|path| path.is_file())
        .ok_or_else(|| EngineError::NativeMissing {
            launcher: launcher.to_owned(),
            package: platform.package(),
        })
}

/// The text of `path` when it is a short script.
fn script(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > SHIM_LIMIT {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(SHIM_LIMIT).read_to_end(&mut bytes).ok()?;
    bytes
        .starts_with(b"#!")
        .then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The launcher a shell shim (pnpm, yarn) names; `$basedir` is the shim's own folder.
fn shim_target(script: &str, shim: &Path) -> Option<PathBuf> {
    let folder = shim.parent()?;
    script
        .split(['"', '\'', ' ', '\n', '\t'])
        .filter(|word| word.ends_with(LAUNCHER))
        .map(|word| {
            let word = word
                .trim_start_matches("$basedir/")
                .trim_start_matches("${basedir}/");
            folder.join(word)
        })
        .find_map(|path| std::fs::canonicalize(path).ok())
}
