//! Installs the upstream binary with npm into a folder of codex-orch's own. A version's folder appears whole or not at
//! all; the user's own codex, npm's global packages and the project's npmrc are never touched.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::check::{Checked, check};
use crate::error::EngineError;
use crate::find::installed;
use crate::leash::Launch;
use crate::npm::{self, Npm};
use crate::platform::Platform;

/// Between two reports of progress.
const INTERVAL: Duration = Duration::from_millis(200);
/// Temporary folders begin with this; no version does.
const TEMP: &str = ".tmp-";

/// What to install, where, and with what.
#[derive(Debug, Clone)]
pub struct Install {
    /// codex-orch's data folder; versions go below [`engines_dir`] of it.
    pub data_dir: PathBuf,
    /// The folder [`check`] remembers in.
    pub cache_dir: PathBuf,
    /// The version, [`crate::check::PINNED`] as a rule.
    pub version: String,
    /// The value of `PATH`, to find npm, and for npm to find node.
    pub path: OsString,
    /// The executable that leashes npm to us ([`Launch::trampoline`]).
    pub trampoline: Option<PathBuf>,
    /// The platform to get a binary for.
    pub platform: Platform,
}

/// What an install is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Another process is installing.
    Waiting,
    /// npm downloads and unpacks.
    Downloading,
    /// The binary is asked what it is.
    Verifying,
}

/// How far an install is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub phase: Phase,
    /// Bytes unpacked so far; in the end about 420,000,000.
    pub bytes_on_disk: u64,
    /// Since the beginning.
    pub elapsed: Duration,
}

/// An installed engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The native binary.
    pub program: PathBuf,
    /// What it was found to be.
    pub checked: Checked,
    /// Whether it was there before.
    pub already: bool,
}

/// The folder whose children are installed versions.
pub fn engines_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("engine")
}

/// Installs one version, telling `report` a few times a second how it goes. Of two at once, the second waits and then finds
/// it done. Dropping the future kills npm and removes what it wrote.
///
/// # Errors
/// Anything npm can fail with, told apart; npm's last lines are part of the error. And those of [`check`].
pub async fn install(
    plan: &Install,
    mut report: impl FnMut(Progress),
) -> Result<Installed, EngineError> {
    let started = Instant::now();
    let mut tell = |phase, bytes_on_disk| {
        report(Progress {
            phase,
            bytes_on_disk,
            elapsed: started.elapsed(),
        });
    };
    let engines = engines_dir(&plan.data_dir);
    std::fs::create_dir_all(&engines).map_err(io_error("make", &engines))?;
    let _lock = lock(&engines.join(".lock"), || tell(Phase::Waiting, 0)).await?;
    remove_leftovers(&engines);
    if let Some(program) = installed(&engines, &plan.version, plan.platform)
        && let Ok(checked) = check(&program, &plan.cache_dir).await
        && checked.version.to_string() == plan.version
    {
        return Ok(Installed {
            program,
            checked,
            already: true,
        });
    }

    let npm = npm::locate(&plan.path)?;
    let temp = tempfile::Builder::new()
        .prefix(TEMP)
        .tempdir_in(&engines)
        .map_err(io_error("make a folder in", &engines))?;
    download(plan, npm, temp.path(), &mut tell).await?;
    tell(Phase::Verifying, size(temp.path()));
    verify(plan, temp.path()).await?;
    let program = publish(plan, temp, &engines)?;
    let checked = check(&program, &plan.cache_dir).await?;
    Ok(Installed {
        program,
        checked,
        already: false,
    })
}

async fn download(
    plan: &Install,
    npm: PathBuf,
    folder: &Path,
    tell: &mut impl FnMut(Phase, u64),
) -> Result<(), EngineError> {
    let launch = Launch {
        program: npm,
        trampoline: plan.trampoline.clone(),
    };
    let package = format!("@openai/codex@{}", plan.version);
    let mut npm = Npm::start(&launch, &plan.path, &package, folder)?;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let status = loop {
        tokio::select! {
            status = npm.ended() => break status?,
            _ = ticks.tick() => tell(Phase::Downloading, size(folder)),
        }
    };
    if status.success() {
        Ok(())
    } else {
        Err(npm::failure(status, npm.tail(), &plan.version, folder))
    }
}

/// Asks the binary what it is before anyone can find it; what is learned there is forgotten with the folder.
async fn verify(plan: &Install, folder: &Path) -> Result<(), EngineError> {
    let modules = folder.join("node_modules").join(plan.platform.package());
    let program = modules.join(plan.platform.binary());
    if !program.is_file() {
        return Err(EngineError::Incomplete {
            package: plan.platform.package(),
        });
    }
    let scratch = tempfile::tempdir_in(folder).map_err(io_error("make a folder in", folder))?;
    let checked = check(&program, scratch.path()).await?;
    if checked.version.to_string() == plan.version {
        Ok(())
    } else {
        Err(EngineError::WrongVersion {
            wanted: plan.version.clone(),
            found: checked.version,
        })
    }
}

/// Gives the finished folder its name. A broken earlier one makes room.
fn publish(
    plan: &Install,
    temp: tempfile::TempDir,
    engines: &Path,
) -> Result<PathBuf, EngineError> {
    let target = engines.join(&plan.version);
    let displaced = engines.join(format!("{TEMP}displaced-{}", plan.version));
    match std::fs::rename(&target, &displaced) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("replace", &target)(error));
        }
        _ => {}
    }
    std::fs::rename(temp.path(), &target).map_err(io_error("put in place", &target))?;
    // It has left its temporary name; nothing remains to be removed.
    let _ = temp.keep();
    remove(&displaced);
    installed(engines, &plan.version, plan.platform).ok_or(EngineError::Incomplete {
        package: plan.platform.package(),
    })
}

/// Takes the lock; it is held until the file is dropped, by the system if need be.
async fn lock(path: &Path, mut waiting: impl FnMut()) -> Result<File, EngineError> {
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io_error("open", path))?;
    let mut ticks = interval(INTERVAL);
    loop {
        ticks.tick().await;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => waiting(),
            Err(TryLockError::Error(error)) => return Err(io_error("lock", path)(error)),
        }
    }
}

/// Removes temporary folders; under the lock, their makers are dead.
fn remove_leftovers(engines: &Path) {
    for entry in std::fs::read_dir(engines).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMP) {
            remove(&entry.path());
        }
    }
}

fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, folder = %folder.display(), "a temporary folder is left for the next install to remove");
        }
        _ => {}
    }
}

/// Bytes of all files below `folder`; what vanishes meanwhile counts nothing.
fn size(folder: &Path) -> u64 {
    let mut folders = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io {
        doing,
        path,
        source,
    }
}
