//! What goes to upstream as it is: other servers, local providers, trusted hooks; and what is about the terminal and daemons.

use std::process::Command;

use super::errors::ended;
use super::{ANSWER, Pair, command, in_turn, setting, turn};
use crate::engine::engine;
use crate::screen::Screen;
use crate::world::{Running, World};

/// An app-server of the user's own, on its control socket unless told otherwise.
fn server(world: &World, args: &[&str]) -> Running {
    let mut all = vec!["app-server"];
    all.extend(args);
    Running::start(&mut world.program(engine(), &all))
}

#[test]
fn another_server_is_used_and_nothing_is_recorded() {
    let world = World::of(setting());
    let socket = world.root().join("s");
    let address = format!("unix://{}", socket.display());
    let serving = server(&world, &["--listen", &address, "-c", "model=remote"]);
    super::until("the server", || socket.exists().then_some(()));
    world.plain(&["exec", "Before"]).ok();
    for way in [&[][..], &["resume", "{thread}"], &["fork", "{thread}"]] {
        let mut args = way.to_vec();
        args.extend(["Go", "--remote", &address]);
        let seen = turn(&world, command(&world, &args));
        assert!(!seen.request.to_string().contains("codex_orch"));
    }
    let screen = Screen::start(&world, &["agents", "--remote", &address]);
    screen.until("Agent command center");
    drop(screen);
    assert!(!world.store().exists());
    serving.signal(rustix::process::Signal::KILL);
    serving.finish();
}

#[test]
fn no_daemon_means_an_engine_of_ones_own() {
    let world = World::of(setting());
    let serving = server(&world, &["--listen", "unix://", "-c", "model=daemon"]);
    let socket = world
        .home
        .join("app-server-control/app-server-control.sock");
    super::until("the daemon", || socket.exists().then_some(()));
    let seen = turn(&world, command(&world, &["Go"]));
    assert_eq!(seen.request["model"], "daemon");
    let seen = turn(&world, command(&world, &["--no-daemon", "Go"]));
    assert_eq!(seen.request["model"], "scripted");
    serving.signal(rustix::process::Signal::KILL);
    serving.finish();
}

#[test]
fn without_the_alternate_screen_what_was_there_stays() {
    let world = World::of(setting());
    let script = |flags: &str| {
        let mut command = world.program(
            std::path::Path::new("/bin/sh"),
            &[
                "-c",
                &format!("echo was there before; exec \"$0\" {flags}"),
                env!("CARGO_BIN_EXE_codex-orch"),
            ],
        );
        command.stdin(std::process::Stdio::null());
        command
    };
    let shows = |flags: &str, text: &str| {
        let screen = Screen::of(&script(flags));
        screen.until(text).text().contains("was there before")
    };
    for way in ["", "resume --last", "fork --last"] {
        let text = "OpenAI Codex";
        assert!(shows(&format!("{way} --no-alt-screen"), text), "{way}");
    }
    assert!(!shows("", "OpenAI Codex"));
    // The command center takes the whole screen whatever is said; it must open all the same.
    shows("agents --no-alt-screen", "No tasks yet");
}

#[test]
fn a_local_provider_that_does_not_run_is_told_by_upstream() {
    let world = World::of(setting());
    let told = |mut command: Command| {
        command.env("CODEX_OSS_PORT", "1");
        ended(&world, &command)
    };
    for provider in ["ollama", "lmstudio"] {
        for way in [&[][..], &["resume"], &["fork"]] {
            let mut args = way.to_vec();
            args.extend(["--oss", "--local-provider", provider]);
            let (ours, plain) = in_turn(
                || told(world.command(&args)),
                || told(world.program(engine(), &args)),
            );
            assert_eq!(ours, plain);
            assert!(ours.ends_with("ended: 1"), "{ours}");
        }
    }
}

#[test]
fn a_local_provider_alone_changes_nothing() {
    Pair::begun().every_way(&["--local-provider", "ollama"], |seen| {
        assert_eq!(seen.request["model"], "scripted");
    });
}

#[test]
fn hooks_run_without_being_trusted_when_the_user_says_so() {
    let world = World::of(setting());
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    let hook = "\n[[hooks.UserPromptSubmit]]\n[[hooks.UserPromptSubmit.hooks]]\ntype = \"command\"\ncommand = \"touch hooked\"\n";
    world.write_home("config.toml", &(config + hook));
    world.plain(&["exec", "Before"]).ok();
    for way in [&[][..], &["resume", "{thread}"], &["fork", "{thread}"]] {
        let mut args = way.to_vec();
        args.extend(["Go", "--dangerously-bypass-hook-trust"]);
        turn(&world, command(&world, &args));
        assert!(world.repo.join("hooked").exists());
        std::fs::remove_file(world.repo.join("hooked")).unwrap();
    }
    let screen = Screen::start(&world, &["Go"]);
    screen.until("Hooks need review");
    assert!(!screen.text().contains(ANSWER));
}
