//! Children die with us, also after `kill -9` of codex-orch. On Linux `codex-orch __leash <parent> <engine> args…` becomes a
//! guard that stays (`guard.rs`) and starts `codex-orch __leash hold <guard> <engine> args…`; that asks the kernel for
//! SIGKILL at the guard's death, looks whether the guard is still there, and becomes the engine.
//!
//! What dies with us: the engine, its MCP servers, and all that its shells have started in the sessions upstream gave them.
//! What does not: what the agent's shell has put in a session of its own (`setsid`), as with plain codex; and when the guard
//! is killed instead of us, what the shells have started, for the kernel then ends the engine alone. A child must not be
//! spawned as leader of a process group of its own: the guard could not keep out of the terminal's way. Without pidfds
//! (Linux before 5.3) the first stage holds the engine itself. On other systems it only becomes the engine; there the
//! app-server still ends when its stdin closes.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::EngineError;

/// The hidden subcommand.
pub const LEASH: &str = "__leash";
/// After [`LEASH`], the second stage.
pub(crate) const HOLD: &str = "hold";
/// After [`LEASH`], for a program that has nothing of its own to end.
const BARE: &str = "bare";

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

    /// The command for a program that starts nothing which must end with it (the TUI): it dies with us, and no guard stays
    /// beside it. Some milliseconds sooner there.
    pub fn bare_command(&self) -> Command {
        let Some(own) = &self.trampoline else {
            return Command::new(&self.program);
        };
        let mut command = Command::new(own);
        command
            .args([LEASH, BARE, &std::process::id().to_string()])
            .arg(&self.program);
        command
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

/// Runs the program named by `args` (what followed [`LEASH`]) and ends this process as the program ended. Returns only when
/// it could not be started. Call it before anything else is set up, while there is one thread.
pub fn run_leash(args: impl IntoIterator<Item = OsString>) -> EngineError {
    let mut args = args.into_iter().peekable();
    let is_second_stage = args.next_if(|arg| arg == HOLD).is_some();
    let is_bare = !is_second_stage && args.next_if(|arg| arg == BARE).is_some();
    let parent = args
        .next()
        .and_then(|pid| pid.to_str().and_then(|pid| pid.parse::<i32>().ok()))
        .filter(|pid| *pid > 0);
    let (Some(parent), Some(program)) = (parent, args.next()) else {
        return EngineError::LeashUsage;
    };
    let args: Vec<OsString> = args.collect();
    if !is_second_stage
        && !is_bare
        && let Err(error) = guard(parent, &program, &args)
    {
        return error;
    }
    if let Err(error) = hold(parent) {
        return error;
    }
    #[cfg(target_os = "linux")]
    if is_second_stage {
        crate::guard::await_apart(parent);
    }
    let source = Command::new(&program).args(args).exec();
    EngineError::Spawn {
        program: program.into(),
        source,
    }
}

/// Does not return when a guard can be had.
#[cfg(target_os = "linux")]
fn guard(parent: i32, program: &OsString, args: &[OsString]) -> Result<(), EngineError> {
    match crate::guard::Guard::start(parent, program, args)? {
        Some(guard) => guard.stay(),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn guard(_parent: i32, _program: &OsString, _args: &[OsString]) -> Result<(), EngineError> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn hold(parent: i32) -> Result<(), EngineError> {
    use rustix::process::{Signal, set_parent_process_death_signal};

    // The signal survives exec, for the engine is not set-uid. Asking first and looking second leaves no gap.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| EngineError::Spawn {
        program: LEASH.into(),
        source: errno.into(),
    })?;
    still_child_of(parent)
}

#[cfg(not(target_os = "linux"))]
fn hold(_parent: i32) -> Result<(), EngineError> {
    Ok(())
}

/// Whether our parent is the one that was named.
#[cfg(target_os = "linux")]
pub(crate) fn still_child_of(parent: i32) -> Result<(), EngineError> {
    use rustix::process::{Pid, getppid};

    match getppid().map(Pid::as_raw_pid) {
        Some(now) if now == parent => Ok(()),
        _ => Err(EngineError::ParentGone),
    }
}
