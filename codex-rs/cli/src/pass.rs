//! Pass-through: codex-orch becomes upstream. Same process, so the same arguments, terminal, signals and exit code.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::config::Config;
use crate::trouble::Trouble;

pub(crate) fn run(engine: Option<&OsStr>, args: &[OsString]) -> Result<u8, Trouble> {
    let found = Config::load()?.find_engine(engine)?;
    let error = Command::new(&found.program).args(args).exec();
    Err(Trouble::new(
        format!("Failed to start {}: {error}", found.program.display()),
        "codex-orch engine status tells which engine is used and why",
    ))
}
