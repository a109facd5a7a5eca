//! The flags of `app-server`: what a client is told of the configuration, and how what cannot be is refused.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{in_turn, setting};
use crate::engine::engine;
use crate::twins::{self, theirs};
use crate::world::{Output, Running, World};

/// What an app-server on stdio says of its configuration.
fn configuration(world: &World, mut command: Command) -> (Value, Output) {
    command.stdin(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut stdin = running.child().stdin.take().unwrap();
    for message in [
        json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "1"}, "capabilities": {"experimentalApi": true}}}),
        json!({"method": "initialized"}),
        json!({"id": 2, "method": "config/read", "params": {"includeLayers": false}}),
    ] {
        writeln!(stdin, "{message}").unwrap();
    }
    running.until("\"id\":2");
    drop(stdin);
    let output = running.finish();
    let answer = output
        .events()
        .into_iter()
        .find(|answer| answer["id"] == 2)
        .unwrap();
    let answer = twins::plain(world, &answer["result"].to_string());
    (serde_json::from_str(&answer).unwrap(), output)
}

#[test]
fn flags_of_the_app_server_reach_the_engine() {
    let world = World::of(setting());
    world.write_home("skills.json", "{}");
    for (args, path, expect) in [
        (&["-c", "model=other"][..], "/config/model", json!("other")),
        (
            &["--enable", "request_permissions_tool"],
            "/config/features/request_permissions_tool",
            json!(true),
        ),
        (
            &["--disable", "goals"],
            "/config/features/goals",
            json!(false),
        ),
        (
            &["--strict-config", "--stdio"],
            "/config/model",
            json!("scripted"),
        ),
        (
            &["--listen", "stdio://", "--analytics-default-enabled"],
            "/config/model",
            json!("scripted"),
        ),
    ] {
        let mut all = vec!["app-server"];
        all.extend(args);
        let (ours, plain) = in_turn(
            || configuration(&world, world.command(&all)).0,
            || configuration(&world, world.program(engine(), &all)).0,
        );
        assert_eq!(ours, plain, "{args:?}");
        assert_eq!(ours.pointer(path), Some(&expect), "{args:?}: {ours:#}");
    }
}

/// Both end by themselves, alike.
#[track_caller]
fn check(world: &World, args: &[&str]) {
    let mut all = vec!["app-server"];
    all.extend(args);
    let (ours, plain) = in_turn(|| world.run(&all), || world.plain(&all));
    assert_eq!(theirs(world, &ours), theirs(world, &plain), "{args:?}");
}

#[test]
fn what_ends_by_itself_ends_as_upstreams_does() {
    let world = World::of(setting());
    let token = world.root().join("no-such-file");
    let token = token.to_str().unwrap();
    for args in [
        &["--help"][..],
        &["--print-startup-config"],
        &["--listen", "off", "--no-such-flag"],
        &["--listen", "bogus://"],
        &[
            "--listen",
            "ws://127.0.0.1:0",
            "--ws-auth",
            "capability-token",
            "--ws-token-file",
            token,
        ],
        &[
            "--listen",
            "ws://127.0.0.1:0",
            "--ws-auth",
            "capability-token",
            "--ws-token-sha256",
            "short",
        ],
        &[
            "--listen",
            "ws://127.0.0.1:0",
            "--ws-auth",
            "signed-bearer-token",
            "--ws-shared-secret-file",
            token,
        ],
        &["--listen", "ws://127.0.0.1:0", "--ws-issuer", "me"],
        &["--listen", "ws://127.0.0.1:0", "--ws-audience", "me"],
        &[
            "--listen",
            "ws://127.0.0.1:0",
            "--ws-max-clock-skew-seconds",
            "1",
        ],
        &["proxy"],
        &["daemon", "version"],
        &["daemon", "stop"],
        &["help", "proxy"],
        &["generate-ts", "--help"],
    ] {
        check(&world, args);
    }
}

#[test]
fn a_broken_configuration_ends_the_app_server() {
    let world = World::of(setting());
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    world.write_home("config.toml", &format!("no_such_setting = 1\n{config}"));
    // In its words, with ours around them.
    for (flags, words) in [
        (&["--strict-config"][..], "no_such_setting"),
        (
            &["--code-mode-host", "nonsense"],
            "invalid code-mode host URL",
        ),
        (&["--cloud-skills-snapshot", "/no/such/file"], ""),
        (&["--startup-client-info", "nonsense"], ""),
        (&["--startup-client-info", "{}", "--startup-sign-out"], ""),
    ] {
        let mut all = vec!["app-server"];
        all.extend(flags);
        let (ours, plain) = in_turn(|| world.run(&all), || world.plain(&all));
        assert_eq!(
            ours.code == Some(0),
            plain.code == Some(0),
            "{ours:#?} {plain:#?}"
        );
        for output in [ours, plain] {
            assert!(output.stderr.contains(words), "{output:#?}");
        }
    }
}

#[test]
fn the_protocol_is_written_as_upstream_writes_it() {
    let world = World::of(setting());
    for what in ["generate-ts", "generate-json-schema"] {
        let run = |name: &str, program: &std::path::Path| {
            let folder = world.root().join(format!("{what}-{name}"));
            let args = ["app-server", what, "--out", folder.to_str().unwrap()];
            Running::start(&mut world.program(program, &args))
                .finish()
                .ok();
            let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().collect();
            files.sort_by_key(std::fs::DirEntry::file_name);
            let sizes = files
                .iter()
                .map(|file| (file.file_name(), file.metadata().unwrap().len()));
            sizes.collect::<Vec<_>>()
        };
        let ours = std::path::Path::new(env!("CARGO_BIN_EXE_codex-orch"));
        assert_eq!(run("ours", ours), run("plain", engine()));
    }
}
