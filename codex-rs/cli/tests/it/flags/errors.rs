//! Command lines that upstream refuses, or answers by itself: the same words on the terminal, the same exit code.

use std::path::Path;
use std::process::Command;

use super::{in_turn, setting};
use crate::engine::engine;
use crate::screen::Screen;
use crate::twins;
use crate::world::World;

/// Runs it to its end in a terminal: all that stands on the screen then, and below it the exit code.
pub(super) fn ended(world: &World, command: &Command) -> String {
    // Waiting for the shell's last word there is no doubt that all before it was read.
    let script = "\"$0\" \"$@\"; echo \"ended: $?\"; read -r _";
    let mut shell = world.program(Path::new("/bin/sh"), &["-c", script]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    let screen = Screen::of(&shell);
    screen.until("ended: ");
    twins::plain(world, screen.text().trim_end())
}

/// The same of `codex-orch` and of upstream.
pub(super) fn both(world: &World, args: &[&str]) -> (String, String) {
    in_turn(
        || ended(world, &world.command(args)),
        || ended(world, &world.program(engine(), args)),
    )
}

#[track_caller]
fn check(world: &World, args: &[&str], code: u32) -> String {
    let (ours, plain) = both(world, args);
    assert_eq!(ours, plain, "{args:?}");
    assert!(
        ours.ends_with(&format!("ended: {code}")),
        "{args:?}: {ours}"
    );
    ours
}

#[test]
fn what_upstream_refuses_is_refused_in_its_words() {
    let world = World::of(setting());
    for args in [
        &["--no-such-flag"][..],
        &["resume", "--no-such-flag"],
        &["fork", "--no-such-flag"],
        &["agents", "--search"],
        &["-s", "no-such-mode", "Go"],
        &["resume", "-a", "no-such-policy"],
        &["-m"],
        &["--approve-for-me", "-s", "read-only", "Go"],
        &["resume", "--approve-for-me", "-a", "never", "--last"],
        &[
            "fork",
            "--approve-for-me",
            "--dangerously-bypass-approvals-and-sandbox",
        ],
        &["-p", "one", "-p", "two"],
        &["--last"],
        &["fork", "--include-non-interactive"],
    ] {
        check(&world, args, 2);
    }
    for args in [
        &["-c", "novalue", "Go"][..],
        &["--remote-auth-token-env", "TOKEN", "Go"],
        &["resume", "--remote-auth-token-env", "TOKEN"],
        &["fork", "--remote-auth-token-env", "TOKEN"],
        &["agents", "--remote-auth-token-env", "TOKEN"],
    ] {
        check(&world, args, 1);
    }
    assert!(!world.store().exists());
}

#[test]
fn help_and_version_are_upstreams() {
    let world = World::of(setting());
    for way in ["resume", "fork", "agents"] {
        for flag in ["--help", "-h"] {
            check(&world, &[way, flag], 0);
        }
    }
    for way in [&["-V"][..], &["resume", "--version"], &["fork", "-V"]] {
        assert!(check(&world, way, 0).contains("0.169"));
    }
}

#[test]
fn an_unknown_setting_fails_the_strict_look() {
    let world = World::of(setting());
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    world.write_home("config.toml", &format!("no_such_setting = 1\n{config}"));
    for way in [&[][..], &["resume"], &["fork"]] {
        let mut args = way.to_vec();
        args.push("--strict-config");
        let (ours, plain) = both(&world, &args);
        for told in [&ours, &plain] {
            assert!(told.contains("no_such_setting"), "{told}");
            assert!(told.ends_with("ended: 1"), "{told}");
        }
    }
}

#[test]
fn a_setting_that_cannot_be_is_told() {
    let world = World::of(setting());
    for way in [&[][..], &["resume"], &["fork"], &["agents"]] {
        let mut args = way.to_vec();
        args.extend(["-c", "sandbox_mode=nonsense"]);
        let (ours, plain) = both(&world, &args);
        for told in [&ours, &plain] {
            assert!(told.contains("nonsense"), "{told}");
            assert!(told.ends_with("ended: 1"), "{told}");
        }
    }
}
