//! What can be wrong before anything runs, and what can be wrong with the store: one line what, one line what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::engine::engine;
use crate::world::{Output, Running, World};

fn hello() -> World {
    World::new(json!([]))
}

fn ran(command: &mut Command) -> Output {
    Running::start(command).finish()
}

#[test]
fn no_engine() {
    let world = hello();
    for args in [
        &["exec", "Hello"][..],
        &["login", "status"],
        &["engine", "status"],
    ] {
        let mut command = world.command(args);
        command
            .env_remove("CODEX_ORCH_ENGINE")
            .env("CODEX_ORCH_DATA", world.root().join("no data"))
            .env("PATH", "/nowhere");
        ran(&mut command).exits(1).is_trouble(
            "Failed to find the codex engine",
            "codex-orch engine install",
        );
    }
    let mut command = world.command(&["exec", "Hello"]);
    let named = ran(command.env("CODEX_ORCH_ENGINE", "/nowhere/codex")).exits(1);
    named.is_trouble("/nowhere/codex", "CODEX_ORCH_ENGINE");
    let flag = world
        .run(&["exec", "--engine", "/nowhere/codex", "Hello"])
        .exits(1);
    flag.is_trouble("/nowhere/codex", "--engine");
}

/// A program that is no engine, or not one that fits.
fn impostor(world: &World, script: &str) -> PathBuf {
    let path = world.root().join("codex");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn an_engine_that_doesnt_fit() {
    let world = hello();
    let old = impostor(&world, "echo codex-cli 0.98.0");
    let run = |engine: &Path| {
        ran(world
            .command(&["exec", "Hello"])
            .env("CODEX_ORCH_ENGINE", engine))
    };
    run(&old)
        .exits(1)
        .is_trouble("0.98.0", "codex-orch engine install");
    let silent = impostor(&world, "exit 7");
    run(&silent).exits(1).is_trouble("codex", "--version");
    let own = Path::new(env!("CARGO_BIN_EXE_codex-orch"));
    run(own)
        .exits(1)
        .is_trouble("codex-orch", "upstream codex binary");
    assert!(world.requests().is_empty());
}

#[test]
fn not_logged_in() {
    let world = hello();
    world.write_home(
        "config.toml",
        "check_for_update_on_startup = false\nanalytics.enabled = false\n",
    );
    let output = world.run(&["exec", "Hello"]).exits(1);
    output.is_trouble("not logged in", "codex-orch login");
    assert!(!world.store().exists());
}

#[test]
fn a_bad_configuration_of_ours() {
    let world = hello();
    for (text, what) in [
        (
            "[brief]\nmax_char = 5\n",
            "orch.toml line 2: unknown field `max_char`",
        ),
        ("[brief\n", "orch.toml line 1"),
        (
            "[record]\nenabled = \"yes\"\n",
            "orch.toml line 2: invalid type",
        ),
    ] {
        world.write_home("orch.toml", text);
        for args in [&["exec", "Hello"][..], &["tasks", "list"]] {
            world
                .run(args)
                .exits(1)
                .is_trouble(what, "nothing was started");
        }
    }
    assert!(world.requests().is_empty());
}

#[test]
fn a_bad_configuration_of_upstreams_is_told_in_its_words() {
    let world = hello();
    for text in ["model = 5\n", "model = \n"] {
        world.write_home("config.toml", text);
        let (output, plain) = (
            world.run(&["exec", "Hello"]),
            world.plain(&["exec", "Hello"]),
        );
        assert_eq!((output.code, output.theirs()), (plain.code, plain.theirs()));
        assert!(!output.stderr.contains("panicked"), "{output:#?}");
    }
}

#[test]
fn bad_usage_of_our_own_commands() {
    let world = hello();
    for args in [
        &["tasks", "list", "--no-such-flag"][..],
        &["tasks", "nosuch"],
        &["tasks", "milestone", "set", "v1", "--due", "soon"],
        &["tasks", "add"],
        &["tasks", "add", ""],
        &["tasks", "add", "x", "--priority", "9"],
        &["tasks", "add", "x", "--need", "nosuch"],
        &["tasks", "show", "nosuch"],
        &["tasks", "done", "nosuch"],
        &["journal", "show", "../../etc/passwd"],
        &["state", "explode"],
        &["engine", "explode"],
    ] {
        let output = world.run(args).exits(2);
        assert_eq!(output.stderr.lines().count(), 2, "{output:#?}");
        assert!(output.stderr.contains("\n  hint: "), "{output:#?}");
    }
    assert!(!world.store().exists(), "asking wrongly stores nothing");
}

/// A world with a recorded run, and its store's git folder.
fn recorded() -> (World, PathBuf) {
    let world = hello();
    world.run(&["tasks", "add", "Keep me"]).ok();
    world.exec("Hello");
    let git = world.store().join("store.git");
    (world, git)
}

/// Writes one file into the newest state, as somebody else would: with git's own tools.
fn tamper(world: &World, store: &Path, file: &str, content: &str) {
    let input = world.root().join("content");
    std::fs::write(&input, content).unwrap();
    let git = |args: &[&str]| {
        let mut command = world.git_command(store);
        command
            .env("GIT_DIR", store)
            .env("GIT_INDEX_FILE", world.root().join("index"))
            .args(args);
        for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command
                .env(format!("{who}_NAME"), "Eve")
                .env(format!("{who}_EMAIL"), "eve@example.org");
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let state = "refs/codex-orch/state";
    git(&["read-tree", state]);
    let blob = git(&["hash-object", "-w", input.to_str().unwrap()]);
    git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("100644,{blob},{file}"),
    ]);
    let tree = git(&["write-tree"]);
    let commit = git(&["commit-tree", &tree, "-p", state, "-m", "tampered"]);
    git(&["update-ref", state, &commit]);
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let (world, store) = recorded();
    tamper(&world, &store, "schema.json", "{\"schema\": 99}");
    let state = || world.git_in(&store, &["rev-parse", "refs/codex-orch/state"]);
    let (before, asked) = (state(), world.requests().len());
    for args in [
        &["exec", "Hello"][..],
        &["tasks", "list"],
        &["tasks", "add", "x"],
        &["journal", "list"],
    ] {
        world.run(args).exits(1).is_trouble(
            "newer codex-orch (schema 99, this one knows 2)",
            "update codex-orch",
        );
    }
    assert_eq!((state(), world.requests().len()), (before, asked));
    world.run(&["exec", "--no-orch", "--json", "Hello"]).ok();
}

#[test]
fn a_session_that_cant_be_read_is_set_aside() {
    let (world, store) = recorded();
    let session = world.state()["sessions"][0].as_str().unwrap().to_owned();
    let file = format!("sessions/{session}.json");
    tamper(&world, &store, &file, "{ not json");
    let output = world
        .run(&["exec", "--json", "resume", "--last", "Go on"])
        .ok();
    assert!(output.stderr.contains("aside/"), "{output:#?}");
    let tree = world.git_in(
        &store,
        &["ls-tree", "-r", "--name-only", "refs/codex-orch/state"],
    );
    assert!(
        tree.lines().any(|line| line == format!("aside/{file}")),
        "{tree}"
    );
    let kept = world.git_in(
        &store,
        &[
            "cat-file",
            "blob",
            &format!("refs/codex-orch/state:aside/{file}"),
        ],
    );
    assert_eq!(kept, "{ not json");
    assert_eq!(world.tasks().len(), 1, "all else is still there");
    let recorded = world.sessions();
    let turns = recorded.last().unwrap()["turns"].as_array().unwrap();
    assert_eq!(turns.last().unwrap()["record"]["request"], "Go on");
    // It is said once.
    assert!(!world.exec("Hello").stderr.contains("aside/"));
}

#[test]
fn a_backlog_that_cant_be_read_is_told_and_not_written_over() {
    let (world, store) = recorded();
    let tree = world.git_in(
        &store,
        &["ls-tree", "-r", "--name-only", "refs/codex-orch/state"],
    );
    let file = tree
        .lines()
        .find(|line| line.starts_with("tasks/"))
        .unwrap()
        .to_owned();
    tamper(&world, &store, &file, "{ not json");
    let before = world.git_in(&store, &["rev-parse", "refs/codex-orch/state"]);
    let asked = world.requests().len();
    for args in [&["exec", "Hello"][..], &["tasks", "list"]] {
        world
            .run(args)
            .exits(1)
            .is_trouble(&file, "earlier versions are kept");
    }
    assert_eq!(
        world.git_in(&store, &["rev-parse", "refs/codex-orch/state"]),
        before
    );
    assert_eq!(world.requests().len(), asked);
    // What doesn't need that file goes on, and leaves it as it is.
    let added = world.run(&["tasks", "add", "x"]).ok();
    assert!(added.stderr.contains(&file), "{added:#?}");
    let kept = world.git_in(
        &store,
        &["cat-file", "blob", &format!("refs/codex-orch/state:{file}")],
    );
    assert_eq!(kept, "{ not json");
    let found = world.run(&["state", "verify"]).exits(1);
    assert!(found.stdout.contains(&file), "{found:#?}");
}

#[test]
fn a_log_cut_in_the_middle_of_a_line_loses_that_line_only() {
    let world = World::new(json!([{"fault": "hang"}]));
    world.run(&["tasks", "add", "Keep me"]).ok();
    let running = world.start(&["exec", "Hello"]);
    world.asked(1);
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    let mut logs = std::fs::read_dir(world.store().join("log"))
        .unwrap()
        .flatten();
    let log = logs.next().unwrap().path();
    let mut text = std::fs::read_to_string(&log).unwrap();
    text.push_str("0badf00d {\"id\": {\"log\"");
    std::fs::write(&log, text).unwrap();
    assert_eq!(world.statuses(), ["Keep me: pending"]);
    assert_eq!(world.turns(), ["interrupted"]);
}

/// A limit on the size of files stands in for a full disk: it needs no rights and no mount, and the system says so at
/// the same places.
#[test]
fn a_full_disk_keeps_what_was_acknowledged() {
    let (world, store) = recorded();
    let before = world.statuses();
    let limited = |args: &[&str]| {
        let mut command = world.program(
            Path::new("sh"),
            &["-c", "ulimit -f 0; trap '' XFSZ; exec \"$0\" \"$@\""],
        );
        command.arg(env!("CARGO_BIN_EXE_codex-orch")).args(args);
        ran(&mut command)
    };
    let output = limited(&["tasks", "add", "One too many"]).exits(1);
    output.is_trouble(
        "Failed to",
        "free some space; what was acknowledged is safe",
    );
    assert_eq!(world.statuses(), before);
    // With room again everything works, and nothing is damaged.
    world.run(&["tasks", "add", "After all"]).ok();
    assert_eq!(world.statuses().len(), before.len() + 1);
    world.git_in(&store, &["fsck", "--strict"]);
    assert!(engine().is_file());
}
