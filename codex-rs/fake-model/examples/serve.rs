//! Plays a scenario file until Enter is pressed: `cargo run -p orch-fake-model --example serve -- FILE [RECORD.jsonl]`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;

use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Options, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = arguments
        .next()
        .ok_or("Usage: serve SCENARIO.json [RECORD.jsonl]")?;
    let options = Options {
        record: arguments.next(),
        ..Options::default()
    };
    let server = Server::start_with(Scenario::load(&file)?, options)?;
    println!(
        "# Listening on {}. Put this into $CODEX_HOME/config.toml, and run codex with {KEY_VARIABLE}=x.",
        server.url()
    );
    println!("{}", server.config_toml());
    println!("# Enter ends it.");
    std::io::stdin().read_line(&mut String::new())?;
    for request in server.requests() {
        println!(
            "# {:>8.3?} {} {:?}",
            request.received, request.path, request.answered
        );
    }
    Ok(())
}
