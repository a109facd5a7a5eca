//! Which conversation `--last`, `--all` and `--include-non-interactive` mean, and threads in worktrees.

use serde_json::json;

use super::{ANSWER, Pair, TITLE, command, setting, turn};
use crate::engine::engine;
use crate::world::{Setting, World, text};

/// Three conversations, oldest first: one of the user's here, one in a folder below, one by exec.
fn three() -> Pair {
    Pair::of(setting, |world| {
        std::fs::create_dir(world.repo.join("sub")).unwrap();
        for args in [
            &["--no-daemon", "Here"][..],
            &["--no-daemon", "-C", "sub", "Below"],
        ] {
            turn(world, world.program(engine(), args));
        }
        world.plain(&["exec", "By exec"]).ok();
    })
}

#[test]
fn the_newest_conversation_is_chosen_as_upstream_chooses() {
    for story in [
        &[
            (
                &["resume", "--last", "--include-non-interactive"][..],
                "By exec",
            ),
            (&["fork", "--last"], "Here"),
        ][..],
        &[
            (&["fork", "--last", "--all"], "Below"),
            (&["resume", "--last", "--all"], "Below"),
        ],
    ] {
        let pair = three();
        for (flags, first) in story {
            let mut args = flags.to_vec();
            // Without a folder it would ask in which one to go on.
            args.extend(["-C", ".", "Go"]);
            let [seen, _] = pair.turn(&args);
            let input = seen.request["input"].to_string();
            assert!(
                input.contains(&format!("\"{first}\"")),
                "{args:?}: {}",
                seen.screen
            );
        }
    }
}

#[test]
fn a_worktree_is_made_and_its_work_is_the_projects() {
    let setting = || {
        Setting::new(json!([
            {"when": {"user": TITLE}, "repeat": true, "steps": [{"say": "Some work"}]},
            {"steps": [{"plan": [["Make it", "in_progress"]]}]},
            {"steps": [{"say": ANSWER}]},
        ]))
    };
    let world = World::of(setting());
    let seen = turn(&world, command(&world, &["--worktree", "Go"]));
    let cwd = text(&seen.context["cwd"]).to_owned();
    assert!(cwd.contains("/worktrees/"), "{cwd}");
    let listed = world.git(&["worktree", "list", "--porcelain"]);
    let made = world.home.join("worktrees");
    assert!(listed.contains(made.to_str().unwrap()), "{listed}");
    assert!(
        world
            .statuses()
            .iter()
            .any(|task| task.starts_with("Make it")),
        "{:?}",
        world.statuses()
    );
    assert_eq!(world.turns(), ["completed"]);
}
