//! `codex-orch demo`: a story of two sessions on a small project, told as it happens, with the real engine and a
//! scripted model. This file reads the command line, gets the engine and makes the folder; it tells nothing itself.

mod backlog;
mod report;
mod screen;
mod stand;
mod story;
mod telling;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Parser;
use orch_protocol::Timestamp;

use crate::config::Config;
use crate::engine;
use crate::tasks::parse;
use crate::trouble::Trouble;
use screen::Screen;
use stand::Stand;

/// A story of two sessions with the real engine and a scripted model
///
/// No account is needed and nothing is asked of a paid model. Your own CODEX_HOME and repositories stay as they are.
#[derive(Debug, Parser)]
#[command(name = "codex-orch demo", disable_version_flag = true)]
struct Args {
    /// Print the story as it runs, and a closing report (what happens without it, too, as yet)
    #[arg(long)]
    headless: bool,
    /// Print the report only, as JSON
    #[arg(long)]
    json: bool,
    /// Where to play; it must be empty or new [default: a folder of its own below codex-orch's data]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Show what the engine prints, too
    #[arg(long)]
    verbose: bool,
}

pub(crate) fn run(engine: Option<OsString>, args: Vec<OsString>) -> Result<u8, Trouble> {
    let Some(args) = parse::<Args>("codex-orch demo", args)? else {
        return Ok(0);
    };
    crate::in_runtime(play(engine, args))
}

async fn play(engine: Option<OsString>, args: Args) -> Result<u8, Trouble> {
    let config = Config::load()?;
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => fresh(&config),
    };
    let folder = stand::made(&folder)?;
    // What is dropped when the signal comes first takes its children along.
    tokio::select! {
        told = told(&config, engine.as_deref(), &args, folder.clone()) => told?,
        interrupted = stand::interrupted(&folder) => return Err(interrupted),
    }
    Ok(0)
}

async fn told(
    config: &Config,
    engine: Option<&OsStr>,
    args: &Args,
    folder: PathBuf,
) -> Result<(), Trouble> {
    let cache = folder.join("home").join("orch").join("cache");
    let program = engine::obtained(config, engine, cache).await?;
    let stand = Stand::new(folder, program)?;
    let mut screen = Screen::new(args.json, args.verbose);
    let end = story::tell(&stand, &mut screen).await?;
    if args.json {
        report::as_json(&stand, &end)
    } else {
        report::as_text(&stand, &end, &screen)
    }
}

/// Below our data, never in the system's temporary folder: upstream wants no home there.
fn fresh(config: &Config) -> PathBuf {
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    config.data_dir.join("demo").join(now)
}
