//! Where the upstream binary is. The order of [`Source`] is the order of precedence; every find remembers its source.
//! Nothing is executed or written here, and nothing global is read: [`Search`] carries it all.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::check::Version;
use crate::error::EngineError;
use crate::launcher::{Followed, follow};
use crate::platform::Platform;

/// The environment variable that names the engine.
pub const ENGINE_ENV: &str = "CODEX_ORCH_ENGINE";
/// Set for every engine that is only being asked what it is; whoever finds it set must not search again.
pub const PROBE_ENV: &str = "CODEX_ORCH_PROBE";

/// Where a candidate came from, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `--engine PATH`.
    Flag,
    /// [`ENGINE_ENV`].
    Env,
    /// `orch.toml`.
    Config,
    /// Installed by codex-orch.
    Managed,
    /// `codex` on `PATH`.
    Path,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "--engine",
            Self::Env => ENGINE_ENV,
            Self::Config => "orch.toml",
            Self::Managed => "codex-orch engine install",
            Self::Path => "PATH",
        })
    }
}

/// Everything a search depends on.
#[derive(Debug, Clone)]
pub struct Search {
    /// The value of `--engine`.
    pub flag: Option<PathBuf>,
    /// The value of [`ENGINE_ENV`]; empty is unset.
    pub env: Option<OsString>,
    /// The path in `orch.toml`.
    pub config: Option<PathBuf>,
    /// The folder whose children are installed versions ([`crate::install::engines_dir`]).
    pub managed: Option<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// The running executable.
    pub own_exe: PathBuf,
    /// Whether [`PROBE_ENV`] is set: we were started as an engine by codex-orch.
    pub probing: bool,
    /// The platform to find a binary for.
    pub platform: Platform,
}

/// A binary to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What to run.
    pub program: PathBuf,
    /// Where the candidate came from.
    pub source: Source,
    /// The candidate as it was named, before launchers were followed.
    pub named: PathBuf,
}

/// Finds the engine. It is not run: whether it fits is for [`crate::check::check`] to say.
///
/// # Errors
/// An explicit source (flag, environment, configuration) that cannot be used is an error, never passed over. Otherwise
/// [`EngineError::NotFound`], or why the one candidate on `PATH` was no good.
pub fn find(search: &Search) -> Result<Found, EngineError> {
    if search.probing {
        return Err(EngineError::Loop);
    }
    let env = search.env.as_ref().filter(|value| !value.is_empty());
    let explicit = [
        (Source::Flag, search.flag.clone()),
        (Source::Env, env.map(PathBuf::from)),
        (Source::Config, search.config.clone()),
    ];
    for (source, path) in explicit {
        if let Some(path) = path {
            return accept_explicit(search, source, path);
        }
    }
    if let Some(found) = managed(search) {
        return Ok(found);
    }
    on_path(search)
}

/// The binary of an installed version below `engines`, when it is there.
pub fn installed(engines: &Path, version: &str, platform: Platform) -> Option<PathBuf> {
    let folder = engines.join(version).join("node_modules");
    Some(folder.join(platform.package()).join(platform.binary())).filter(|path| path.is_file())
}

fn accept_explicit(search: &Search, origin: Source, path: PathBuf) -> Result<Found, EngineError> {
    let unusable = |why: String| EngineError::Unusable {
        origin,
        path: path.clone(),
        why,
    };
    let meta = std::fs::metadata(&path).map_err(|error| unusable(error.to_string()))?;
    if !meta.is_file() {
        return Err(unusable("it is not a file".into()));
    }
    // A launcher that is followed need not be executable itself.
    let program = match follow(&path, search.platform)? {
        Followed::Program(program) if !is_ourselves(&path, &meta, &search.own_exe) => program,
        _ => return Err(EngineError::Ourselves { origin, path }),
    };
    if !is_executable(&program) {
        return Err(unusable("it is not executable".into()));
    }
    Ok(Found {
        program,
        source: origin,
        named: path,
    })
}

/// The pinned version if it is installed, else the newest that is.
fn managed(search: &Search) -> Option<Found> {
    let engines = search.managed.as_ref()?;
    let mut versions: Vec<Version> = std::fs::read_dir(engines)
        .ok()?
        .filter_map(|entry| Version::parse(entry.ok()?.file_name().to_str()?))
        .collect();
    versions.sort_by_key(|version| (version.is_pinned(), version.clone()));
    versions.iter().rev().find_map(|version| {
        let program = installed(engines, &version.to_string(), search.platform)?;
        is_executable(&program).then(|| Found {
            named: engines.join(version.to_string()),
            source: Source::Managed,
            program,
        })
    })
}

fn on_path(search: &Search) -> Result<Found, EngineError> {
    let mut first_problem = None;
    let entries = search.path.as_deref().unwrap_or_default();
    for folder in std::env::split_paths(entries) {
        // An empty entry means the working directory, whose files are not ours to run.
        if !folder.is_absolute() {
            continue;
        }
        let path = folder.join("codex");
        let Ok(meta) = std::fs::metadata(&path) else {
            continue;
        };
        if !is_executable(&path) || is_ourselves(&path, &meta, &search.own_exe) {
            continue;
        }
        match follow(&path, search.platform) {
            Ok(Followed::Program(program)) if is_executable(&program) => {
                return Ok(Found {
                    program,
                    source: Source::Path,
                    named: path,
                });
            }
            Ok(Followed::Program(_) | Followed::Ours) => {}
            Err(error) => first_problem = first_problem.or(Some(error)),
        }
    }
    Err(first_problem.unwrap_or(EngineError::NotFound))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether `path` is the running executable: the same file under any name or link, or a copy of it.
fn is_ourselves(path: &Path, meta: &Metadata, own_exe: &Path) -> bool {
    let Ok(own) = std::fs::metadata(own_exe) else {
        return false;
    };
    if (meta.dev(), meta.ino()) == (own.dev(), own.ino()) {
        return true;
    }
    // Hashing is paid only by files of exactly our length, which upstream's are not.
    meta.len() == own.len()
        && matches!((digest(path), digest(own_exe)), (Ok(theirs), Ok(ours)) if theirs == ours)
}

fn digest(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hash.finalize().to_vec()),
            n => hash.update(chunk.get(..n).unwrap_or_default()),
        }
    }
}
