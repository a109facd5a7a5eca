//! `codex-orch`: run in place of `codex`. This file tells our own commands from upstream's and hands each its arguments.
//!
//! Printing happens in this crate alone, through [`out`]; errors get their hint here, in [`trouble`].

mod args;
mod backlog;
mod config;
mod demo;
mod drift;
mod engine;
mod exec;
mod exec_line;
mod hand;
mod help;
mod instructions;
mod journal;
mod live;
mod login;
mod logs;
mod mcp;
mod out;
mod pass;
mod screen;
mod session;
mod state;
mod tasks;
mod tasks_graph;
mod trouble;
mod tui_line;

use std::ffi::OsString;
use std::process::ExitCode;

use mimalloc::MiMalloc;

use crate::args::{Route, route};
use crate::trouble::Trouble;

/// A large backlog is a million small texts; a quarter of a listing's time went into finding room for them.
#[global_allocator]
static ROOM: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Before anything else is set up: the leash has to become the engine within a millisecond or two.
    if args
        .first()
        .is_some_and(|first| first == orch_engine::leash::LEASH)
    {
        let error = orch_engine::leash::run_leash(args.into_iter().skip(1));
        return Trouble::from(error).report();
    }
    if tasks::completion::answers(&args) {
        return ExitCode::SUCCESS;
    }
    match run(args) {
        Ok(code) => ExitCode::from(code),
        Err(trouble) => trouble.report(),
    }
}

fn run(args: Vec<OsString>) -> Result<u8, Trouble> {
    match route(args) {
        Route::Pass { engine, args } => pass::run(engine.as_deref(), &args),
        Route::Help { engine, args } => help::run(engine.as_deref(), &args),
        Route::Tui { engine, args } => in_runtime(live::tui::run(engine, args)),
        Route::AppServer { engine, root, args } => {
            in_runtime(live::app_server::run(engine, root, args))
        }
        Route::Exec { engine, root, args } => in_runtime(exec::run(engine, root, args)),
        Route::Tasks(args) => in_runtime(tasks::run(args)),
        Route::Journal(args) => in_runtime(journal::run(args)),
        Route::State(args) => in_runtime(state::run(args)),
        Route::Drift(args) => in_runtime(drift::run(args)),
        Route::Engine { engine, args } => in_runtime(engine::run(engine, args)),
        Route::McpOrch(args) => in_runtime(mcp::run(args)),
        Route::Demo { engine, args } => demo::run(engine, args),
    }
}

/// One thread, and that the main one: children are leashed to the thread that started them.
fn in_runtime<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Trouble::new(
                format!("Failed to start: {error}"),
                "this is a fault of the system; try again",
            )
        })?;
    let done = runtime.block_on(work);
    // A read of stdin can't be given up: who still waits for a client's next word would keep us from ending.
    runtime.shutdown_background();
    done
}
