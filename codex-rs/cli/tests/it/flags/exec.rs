//! The flags of `exec`: the same output, exit code, request and turn context as upstream's.

use serde_json::Value;

use super::{Pair, at_once, normal, rollouts, seen, setting, without_ours};
use crate::twins::theirs;
use crate::world::World;

/// What the flags speak of.
fn furnish(world: &World) {
    std::fs::create_dir(world.root().join("more")).unwrap();
    std::fs::create_dir(world.repo.join("sub")).unwrap();
    std::fs::write(world.repo.join("a.png"), super::folders::PIXEL).unwrap();
    world.write_home("work.config.toml", "model = \"profiled\"\n");
}

/// The configuration's provider, by the command line.
fn provider(world: &World) -> String {
    let url = world.server.url();
    format!(
        "model_providers.scripted={{name=\"s\",base_url=\"{url}\",wire_api=\"responses\",env_key=\"SCRIPTED_KEY\"}}"
    )
}

/// Runs both and compares; the request that codex-orch's run made.
#[track_caller]
fn check(args: &[&str]) -> Value {
    let pair = Pair::of(setting, furnish);
    let words = |world: &World| -> Vec<String> {
        let word = |arg: &&str| match *arg {
            "{provider}" => provider(world),
            arg => arg.to_owned(),
        };
        args.iter().map(word).collect()
    };
    let (output, plain) = at_once(
        || pair.ours.run(&words(&pair.ours)),
        || pair.plain.plain(&words(&pair.plain)),
    );
    assert_eq!(
        theirs(&pair.ours, &output),
        theirs(&pair.plain, &plain),
        "{args:?}"
    );
    let request = |world: &World| {
        let mut body = world.requests().last().map(|request| request.body.clone());
        if let Some(body) = &mut body {
            body.as_object_mut().unwrap().remove("client_metadata");
            without_ours(body);
        }
        body.unwrap_or_default()
    };
    let ours = request(&pair.ours);
    pair.same(args, &ours, &request(&pair.plain));
    let contexts = [&pair.ours, &pair.plain].map(|world| {
        let has_rollout = !rollouts(&world.home).is_empty();
        has_rollout.then(|| seen(world, 0).map(|seen| normal(world, &seen.context)))
    });
    assert_eq!(contexts[0], contexts[1], "{args:?}");
    ours
}

#[test]
fn flags_of_exec_do_what_upstreams_do() {
    for args in [
        &["exec", "--color", "always", "--skip-git-repo-check", "Go"][..],
        &[
            "exec",
            "--color",
            "never",
            "--json",
            "--ignore-rules",
            "-s",
            "read-only",
            "Go",
        ],
        &[
            "exec",
            "--ephemeral",
            "--thread-source",
            "elsewhere",
            "-a",
            "never",
            "Go",
        ],
        &["exec", "--ephemeral", "--thread-source", "elsewhere", "Go"],
        &[
            "exec",
            "--add-dir",
            "../more",
            "-C",
            "sub",
            "-s",
            "workspace-write",
            "Go",
        ],
        &["exec", "--approve-for-me", "--trust", "Go"],
        &[
            "exec",
            "--dangerously-bypass-approvals-and-sandbox",
            "--dangerously-bypass-hook-trust",
            "Go",
        ],
        &[
            "exec",
            "--strict-config",
            "--local-provider",
            "ollama",
            "Go",
        ],
        &["exec", "--cyber-access-program", "standard", "Go"],
        &["exec", "--oss", "--local-provider", "lmstudio", "Go"],
        &["exec", "--help"],
        &["exec", "--version"],
    ] {
        check(args);
    }
}

#[test]
fn what_is_said_to_exec_reaches_the_model() {
    assert_eq!(check(&["exec", "-p", "work", "Go"])["model"], "profiled");
    let ignoring = [
        "exec",
        "--ignore-user-config",
        "-c",
        "{provider}",
        "-c",
        "model_provider=scripted",
        "-c",
        "tools.update_plan.enabled=true",
        "-m",
        "said",
        "Go",
    ];
    assert_eq!(check(&ignoring)["model"], "said");
    let request = check(&["exec", "Go", "-i", "a.png"]);
    assert!(request["input"].to_string().contains("input_image"));
    let features = [
        "exec",
        "--enable",
        "request_permissions_tool",
        "--disable",
        "goals",
        "Go",
    ];
    let request = check(&features);
    let tools = super::tools(&request);
    assert!(
        tools.contains(&"request_permissions") && !tools.contains(&"get_goal"),
        "{tools:?}"
    );
}

#[test]
fn a_worktree_of_exec_is_upstreams() {
    let pair = Pair::new();
    let args = ["exec", "--worktree", "Go"];
    let (output, plain) = at_once(|| pair.ours.run(&args), || pair.plain.plain(&args));
    assert_eq!((output.code, output.stdout), (plain.code, plain.stdout));
    let made = pair.ours.git(&["worktree", "list"]);
    assert!(made.contains("/home/worktrees/"), "{made}");
    assert_eq!(pair.ours.turns(), ["completed"]);
}
