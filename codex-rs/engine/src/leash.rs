//! Children die with us, also after `kill -9` of codex-orch: on Linux a trampoline (`codex-orch __leash <parent> <engine>
//! args…`) asks the kernel for SIGKILL at its parent's death, looks whether the parent is still there, and becomes the engine.
//!
//! Three things to know. The kernel watches the parent *thread*: spawn from the main thread (a current-thread runtime on
//! it does), never from a pool thread that may retire. The leash holds the engine itself, not what its shell commands have
//! started: those are upstream's to end (its direct shells and MCP servers end with it, their background jobs do not). On
//! other systems the trampoline only becomes the engine; there the app-server still ends when its stdin closes.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::EngineError;

/// The hidden subcommand.
pub const LEASH: &str = "__leash";

/// A program to start, and whether it is leashed to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// What to run.
    pub program: PathBuf,
    /// An executable that answers to [`LEASH`] by calling [`run_leash`]; `None` starts the program unleashed.
    /// On Linux `/proc/self/exe` stays right when the binary is replaced meanwhile.
    pub trampoline: Option<PathBuf>,
}

impl Launch {
    /// The command, without the program's arguments.
    pub fn command(&self) -> Command {
        match &self.trampoline {
            Some(own) => leash_command(own, &self.program),
            None => Command::new(&self.program),
        }
    }
}

/// The command that runs `program` on a leash held by the calling process; arguments appended to it are the program's.
pub fn leash_command(own_exe: &Path, program: &Path) -> Command {
    let mut command = Command::new(own_exe);
    command
        .arg(LEASH)
        .arg(std::process::id().to_string())
        .arg(program);
    command
}

/// Becomes the program named by `args` (what followed [`LEASH`]). Returns only when that failed.
pub fn run_leash(args: impl IntoIterator<Item = OsString>) -> EngineError {
    let mut args = args.into_iter();
    let parent = args
        .next()
        .and_then(|pid| pid.to_str().and_then(|pid| pid.parse::<i32>().ok()));
    let (Some(parent), Some(program)) = (parent, args.next()) else {
        return EngineError::LeashUsage;
    };
    if let Err(error) = hold(parent) {
        return error;
    }
    let source = Command::new(&program).args(args).exec();
    EngineError::Spawn {
        program: program.into(),
        source,
    }
}

#[cfg(target_os = "linux")]
fn hold(parent: i32) -> Result<(), EngineError> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

    // The signal survives exec, for the engine is not set-uid. Asking first and looking second leaves no gap.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| EngineError::Spawn {
        program: LEASH.into(),
        source: errno.into(),
    })?;
    match getppid().map(Pid::as_raw_nonzero) {
        Some(now) if now.get() == parent => Ok(()),
        _ => Err(EngineError::ParentGone),
    }
}

#[cfg(not(target_os = "linux"))]
fn hold(_parent: i32) -> Result<(), EngineError> {
    Ok(())
}
