//! `codex-orch engine`: which upstream binary is used, and getting one.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use orch_engine::check::{PINNED, check};
use orch_engine::install::{Phase, Progress, install};
use serde_json::json;

use crate::config::Config;
use crate::out;
use crate::tasks::parse;
use crate::trouble::Trouble;

/// The upstream engine
#[derive(Debug, Parser)]
#[command(name = "codex-orch engine", disable_version_flag = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tells which binary is used, where it was found, and whether it fits
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Installs the pinned version into codex-orch's own folder (about 420 MB, by npm)
    Install,
}

pub(crate) async fn run(engine: Option<OsString>, args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(args) = parse::<Args>("codex-orch engine", args)? else {
        return Ok(0);
    };
    let config = Config::load()?;
    match args.command {
        Command::Status { json } => status(&config, engine, json).await?,
        Command::Install => {
            get(&config).await?;
        }
    }
    Ok(0)
}

async fn status(config: &Config, engine: Option<OsString>, json: bool) -> Result<(), Trouble> {
    let found = config.find_engine(engine.as_deref())?;
    let checked = check(&found.program, &config.cache_dir()).await?;
    let (program, version) = (
        found.program.display().to_string(),
        checked.version.to_string(),
    );
    if json {
        return out::json(&json!({
            "schema": "codex-orch.engine/1",
            "engine": [{"program": program, "source": found.source.to_string(), "version": version, "pinned": PINNED}],
        }));
    }
    out::line(&program)?;
    out::line(&format!(
        "version {version} (verified with {PINNED}), found by {}",
        found.source
    ))
}

/// Installs the pinned engine, showing how far it is.
pub(crate) async fn get(config: &Config) -> Result<std::path::PathBuf, Trouble> {
    out::note(&format!(
        "installing codex {PINNED} with npm, about 420 MB on disk"
    ));
    let shown = |progress: Progress| {
        let phase = match progress.phase {
            Phase::Waiting => "waiting for another install",
            Phase::Downloading => "downloading",
            Phase::Verifying => "checking",
        };
        let (done, seconds) = (
            progress.bytes_on_disk / 1_000_000,
            progress.elapsed.as_secs(),
        );
        out::progress(&format!(
            "codex-orch: {phase}, {done} of about 420 MB, {seconds} s"
        ));
    };
    let installed = install(&config.install()?, shown).await;
    out::progress_done();
    let installed = installed?;
    let again = if installed.already {
        "was there already"
    } else {
        "is installed"
    };
    out::note(&format!(
        "codex {PINNED} {again}: {}",
        installed.program.display()
    ));
    Ok(installed.program)
}
