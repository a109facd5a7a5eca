//! Where it runs: repositories in every condition, folders that aren't one, and names that nobody should use.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::{Folder, Setting, World, text};

fn hello() -> Setting {
    Setting::new(json!([]))
}

/// A commit on whatever branch there is, by the agent.
fn committing() -> Setting {
    Setting::new(json!([
        {"steps": [{"plan": [["Make it", "in_progress"]]}]},
        {"steps": [{"run": "echo 1 > made.txt && git add made.txt && git commit -qm 'Make it'"}]},
        {"steps": [{"plan": [["Make it", "completed"]]}]},
        {"steps": [{"say": "Made."}]},
    ]))
}

/// Runs a turn that commits, and looks whether all of it is on record.
#[track_caller]
fn check_commit(world: &World, branch: &str) {
    let output = world.exec("Make it");
    assert_eq!(world.task("Make it")["parent"], Value::Null);
    let step = &world.tasks()[1];
    assert_eq!(
        (&step["status"], &step["target_commit"]),
        (&json!("done"), &json!(world.head()))
    );
    let session = world.sessions().pop().unwrap();
    assert_eq!(
        (&session["branch"], &session["thread"]),
        (&json!(branch), &json!(output.thread()))
    );
    assert_eq!(world.journal().len(), 1);
    world
        .run(&["exec", "--json", "resume", "--last", "Go on"])
        .ok();
    assert_eq!(world.sessions().len(), 1);
    let yaml = std::fs::read_to_string(world.repo.join(".codex-orch/project_tasks.yaml")).unwrap();
    let file: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(file["tasks"], Value::from(world.tasks()));
}

#[test]
fn a_repository_without_commits() {
    let world = World::of(Setting {
        folder: Folder::Unborn,
        ..committing()
    });
    check_commit(&world, "main");
}

#[test]
fn a_repository_that_stays_without_commits() {
    let world = World::of(Setting {
        folder: Folder::Unborn,
        ..hello()
    });
    world.exec("Hello");
    assert_eq!(world.turns(), ["completed"]);
    world
        .run(&["exec", "--json", "resume", "--last", "Go on"])
        .ok();
    assert_eq!(world.turns(), ["completed", "completed"]);
}

#[test]
fn a_folder_without_git() {
    let world = World::of(Setting {
        folder: Folder::Plain,
        ..hello()
    });
    let refused = world.run(&["exec", "--json", "Hello"]);
    let plain = world.plain(&["exec", "--json", "Hello"]);
    assert_eq!(
        (refused.code, refused.theirs()),
        (plain.code, plain.theirs())
    );
    assert!(world.requests().len() < 3);

    let args = ["exec", "--json", "--skip-git-repo-check"];
    let first = world.run(&[&args[..], &["Hello"]].concat()).ok();
    let second = world
        .run(&[&args[..], &["resume", "--last", "Go on"]].concat())
        .ok();
    assert_eq!(first.thread(), second.thread());
    assert_eq!(world.sessions().len(), 1);
    let store = world.state()["store"].clone();
    assert!(
        text(&store).starts_with(world.home.join("orch/state").to_str().unwrap()),
        "{store}"
    );
    assert_eq!(
        std::fs::read_dir(&world.repo).unwrap().count(),
        0,
        "nothing is left in the folder"
    );
    let id = world.run(&["tasks", "add", "Buy milk"]).ok();
    assert!(id.stdout.starts_with("added "));
    assert_eq!(world.tasks().len(), 1);
}

/// Every entry below `folder`: its type, mode, size, change time and content.
pub(crate) fn listing(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let content = if meta.is_file() {
                std::fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            let line = format!(
                "{:o} {}.{} {content:?}",
                meta.mode(),
                meta.mtime(),
                meta.mtime_nsec()
            );
            found.insert(path.display().to_string(), line);
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn nothing_is_written_into_an_untrusted_folder() {
    let world = World::of(Setting {
        trusted: false,
        ..hello()
    });
    std::fs::write(world.repo.join("untracked.txt"), "x").unwrap();
    let before = listing(&world.repo);
    let output = world
        .run(&["exec", "--json", "-s", "read-only", "Hello"])
        .ok();
    world.run(&["tasks", "add", "Look around"]).ok();
    world
        .run(&[
            "exec",
            "--json",
            "-s",
            "read-only",
            "resume",
            "--last",
            "Go on",
        ])
        .ok();
    assert_eq!(world.turns(), ["completed", "completed"]);
    assert_eq!(listing(&world.repo), before);
    let store = world.state()["store"].clone();
    assert!(
        text(&store).starts_with(world.home.join("orch/state").to_str().unwrap()),
        "{store}"
    );
    assert!(
        output
            .stderr
            .contains("isn't trusted, so nothing is written into it"),
        "{output:#?}"
    );

    // Once it is trusted, the state moves into the clone, whole.
    world.trust();
    let tasks = world.tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!(world.state()["store"], world.store().to_str().unwrap());
    assert_eq!(world.turns(), ["completed", "completed"]);
    assert!(!Path::new(text(&store)).exists());
    world.exec("Hello again");
    assert!(world.repo.join(".codex-orch/project_tasks.yaml").is_file());
    assert_eq!(world.git(&["status", "--porcelain"]), "?? untracked.txt");
}

/// Rights don't bind root, and mounts and attributes need it; a file in the place of the folder stops everybody alike.
#[test]
fn a_repository_that_takes_no_state_doesnt_stop_the_run() {
    let world = World::of(hello());
    std::fs::write(world.store(), "not a folder").unwrap();
    let output = world.run(&["exec", "--json", "Hello"]);
    let plain = world.plain(&["exec", "--json", "Hello"]);
    if output.code == Some(0) {
        assert_eq!(output.theirs(), plain.theirs());
        assert!(
            output.ours().iter().any(|line| line.contains("record")),
            "{output:#?}"
        );
    } else {
        // Nothing was sent: then it says what is wrong and how to go on.
        output.exits(1).is_trouble("codex-orch", "--no-orch");
        assert_eq!(world.requests().len(), 1, "the plain run's");
    }
    assert_eq!(
        std::fs::read_to_string(world.store()).unwrap(),
        "not a folder"
    );
    world.run(&["exec", "--no-orch", "--json", "Hello"]).ok();
}

#[test]
fn folders_with_spaces_quotes_and_letters_of_all_kinds() {
    for names in [
        ["my home", "my repo"],
        ["hömé 日本", "проект \u{1f980}"],
        ["it's \"home\"", "a 'b' \"c\" \\d $HOME `x` #[1]"],
        ["-home", "-rf"],
    ] {
        let world = World::of(Setting {
            names,
            ..committing()
        });
        check_commit(&world, "main");
    }
}

#[test]
fn branches_with_names_of_all_kinds() {
    let long = "x".repeat(200);
    for branch in [
        "feat/x",
        "-rf",
        "\u{1f980}/日本",
        "a'b\"c$(id)&d;e",
        "@",
        &long,
    ] {
        let world = World::of(committing());
        // Not by `git switch`, which refuses some of them.
        world.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]);
        world.git(&["commit", "-q", "--allow-empty", "-m", "begin"]);
        check_commit(&world, branch);
        let names = std::fs::read_dir(world.repo.join(".codex-orch/sessions")).unwrap();
        for name in names
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
        {
            assert!(
                name.is_ascii() && name.len() < 140 && !name.contains(['/', ' ', '\'']),
                "{name}"
            );
        }
    }
}

#[test]
fn work_trees_share_one_backlog() {
    let world = World::of(committing());
    world.run(&["tasks", "add", "Common work"]).ok();
    let other = world.root().join("other tree");
    world.git(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "side",
        other.to_str().unwrap(),
    ]);
    let mut command = world.command(&["exec", "--json", "Make it"]);
    crate::world::Running::start(command.current_dir(&other))
        .finish()
        .ok();
    let titles: Vec<Value> = world
        .tasks()
        .iter()
        .map(|task| task["title"].clone())
        .collect();
    assert_eq!(titles, ["Common work", "Make it", "Make it"]);
    assert_eq!(world.tasks()[2]["done_on"], "side");
    assert!(other.join(".codex-orch/project_tasks.yaml").is_file());
    assert_eq!(world.git_in(&other, &["status", "--porcelain"]), "");
}

#[test]
fn the_folder_is_the_one_that_upstream_works_in() {
    let world = World::of(committing());
    let mut command = world.command(&[
        "exec",
        "--json",
        "-C",
        world.repo.to_str().unwrap(),
        "Make it",
    ]);
    crate::world::Running::start(command.current_dir(world.root()))
        .finish()
        .ok();
    assert_eq!(world.tasks()[1]["target_commit"], world.head());
    // And one below the top is the same project.
    let below = world.repo.join("src");
    std::fs::create_dir(&below).unwrap();
    let mut command = world.command(&["tasks", "list", "--all", "--json"]);
    let listed = crate::world::Running::start(command.current_dir(&below))
        .finish()
        .ok();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["tasks"], Value::from(world.tasks()));
}
