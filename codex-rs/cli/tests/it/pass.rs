//! Everything that isn't ours is upstream's: same words, same exit code, same signals.

use rustix::process::Signal;
use serde_json::json;

use crate::engine::engine;
use crate::twins::same;
use crate::world::{Running, Setting, World};

fn hello() -> Setting {
    Setting::new(json!([]))
}

#[test]
fn what_isnt_ours_is_upstreams() {
    for args in [
        &["--version"][..],
        &["-V"],
        &["login", "status"],
        &["features", "list"],
        &["login", "--help"],
        &["exec", "--help"],
        &["exec", "resume", "--help"],
        &["no-such-command", "--no-such-flag"],
        &["--no-such-flag"],
        &["mcp", "list"],
        &["completion", "bash"],
    ] {
        let world = World::of(hello());
        let (output, plain) = (world.run(args), world.plain(args));
        assert_eq!(
            (output.code, output.signal, &output.stdout, &output.stderr),
            (plain.code, plain.signal, &plain.stdout, &plain.stderr),
            "{args:?}"
        );
        assert!(!world.store().exists(), "{args:?}");
    }
}

#[test]
fn help_is_upstreams_and_ours_below_it() {
    let world = World::of(hello());
    for args in [&["--help"][..], &["-h"], &["help"]] {
        let (output, plain) = (world.run(args).ok(), world.plain(args).ok());
        let ours = output.stdout.strip_prefix(&plain.stdout).unwrap();
        for word in [
            "exec ...",
            "tasks",
            "journal",
            "state",
            "engine",
            "demo",
            "--on-drift",
        ] {
            assert!(ours.contains(word), "{ours}");
        }
    }
}

#[test]
fn an_image_and_other_options_reach_upstream() {
    let (world, plain, _) = same(
        hello,
        &[
            "exec",
            "--json",
            "-c",
            "model_reasoning_effort=high",
            "-m",
            "other",
            "Hello",
        ],
    );
    let of = |world: &World| {
        let request = world.requests()[0].clone();
        (
            request.body["model"].clone(),
            request.body["reasoning"].clone(),
        )
    };
    assert_eq!(of(&world), of(&plain));
    assert_eq!(of(&world).0, "other");
}

#[test]
fn a_passed_command_is_ended_by_its_signal() {
    let world = World::of(hello());
    let status = |mut command: std::process::Command| {
        command.stdin(std::process::Stdio::piped());
        let mut running = Running::start(&mut command);
        let mut stdin = running.child().stdin.take().unwrap();
        let hello = json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "1"}}});
        std::io::Write::write_all(&mut stdin, format!("{hello}\n").as_bytes()).unwrap();
        running.until("\"id\":1");
        running.signal(Signal::TERM);
        let output = running.finish();
        (output.code, output.signal)
    };
    let args = ["app-server"];
    assert_eq!(
        status(world.command(&args)),
        status(world.program(engine(), &args))
    );
}
