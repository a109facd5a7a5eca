//! `codex-orch state` as a person uses it: what happened, taking it back, checking, keeping.

use serde_json::{Value, json};

use crate::world::{Output, World, text};

fn state(world: &World, args: &[&str]) -> Output {
    world.run(&[&["state"], args].concat())
}

fn add(world: &World, title: &str) {
    world.run(&["tasks", "add", title]).ok();
}

fn rows(out: Output, noun: &str) -> Vec<Value> {
    let object: Value = serde_json::from_str(&out.ok().stdout).unwrap();
    object[noun].as_array().unwrap().clone()
}

fn operations(world: &World, more: &[&str]) -> Vec<Value> {
    rows(
        state(world, &[&["log", "--json"], more].concat()),
        "operations",
    )
}

fn titles(world: &World) -> Vec<String> {
    let mut titles: Vec<String> = world
        .tasks()
        .iter()
        .map(|task| text(&task["title"]).to_owned())
        .collect();
    titles.sort();
    titles
}

#[test]
fn who_did_what_and_when_is_told_and_git_tells_the_same() {
    let world = World::new(json!([]));
    add(&world, "one");
    add(&world, "two");
    let seen = operations(&world, &[]);
    let told: Vec<&str> = seen.iter().map(|row| text(&row["what"])).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told[0].ends_with(" two") && told[1].ends_with(" one"),
        "{told:?}"
    );
    for row in &seen {
        assert_eq!(row["who"], "person");
        assert_eq!(row["code"], world.head(), "where the code stood");
    }
    let store = world.store().join("store.git");
    let ids = world.git_in(&store, &["log", "--format=%H", "refs/codex-orch/state"]);
    let ours: Vec<&str> = seen.iter().map(|row| text(&row["id"])).collect();
    assert_eq!(ids.lines().collect::<Vec<_>>(), ours);
    let shown = state(&world, &["log"]).ok().stdout;
    assert!(shown.lines().next().unwrap().contains("person"), "{shown}");
    assert_eq!(
        state(&world, &["log", "-n", "1"])
            .ok()
            .stdout
            .lines()
            .count(),
        1
    );
}

#[test]
fn undo_goes_back_step_by_step_and_an_undoing_can_be_undone() {
    let world = World::new(json!([]));
    for title in ["one", "two", "three"] {
        add(&world, title);
    }
    state(&world, &["undo"]).ok();
    assert_eq!(titles(&world), ["one", "two"]);
    state(&world, &["undo"]).ok();
    assert_eq!(titles(&world), ["one"]);
    let undoing = operations(&world, &["--all", "-n", "1"]).remove(0);
    assert!(!undoing["undoes"].is_null());
    state(&world, &["undo", &text(&undoing["id"])[..10]]).ok();
    assert_eq!(titles(&world), ["one", "two"]);
    let first = operations(&world, &[]).pop().unwrap();
    state(&world, &["undo", text(&first["id"])]).ok();
    assert_eq!(titles(&world), ["two"], "what came later stays");
    state(&world, &["undo", "5"]).ok();
    assert!(titles(&world).is_empty());
    state(&world, &["undo"])
        .exits(1)
        .is_trouble("nothing to undo", "state log");
    state(&world, &["undo", "deadbeef01"])
        .exits(2)
        .is_trouble("no operation", "state log --all");
    let yaml = std::fs::read_to_string(world.repo.join(".codex-orch/project_tasks.yaml")).unwrap();
    assert!(yaml.ends_with("tasks: []\n"), "{yaml}");
}

#[test]
fn all_is_well_is_said_and_what_is_not_is_found() {
    let world = World::new(json!([]));
    world.run(&["tasks", "add", "one"]).ok();
    let task = text(&world.task("one")["id"]).to_owned();
    let commit = world.commit("a.txt", "a\n", "a");
    world
        .run(&["tasks", "done", &task, "--commit", &commit])
        .ok();
    let well = state(&world, &["verify"]).ok().stdout;
    assert!(well.contains("all is well"), "{well}");
    // The commit goes: nothing is broken, but it is worth knowing.
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    world.git(&["reflog", "expire", "--expire=now", "--all"]);
    world.git(&["gc", "-q", "--prune=now"]);
    let found = rows(state(&world, &["verify", "--json"]), "findings");
    assert!(!found.is_empty());
    assert!(found.iter().all(|row| row["weight"] == "note"), "{found:?}");
    assert!(text(&found[0]["what"]).contains(&commit[..10]), "{found:?}");
}

#[test]
fn what_is_kept_is_packed_exported_set_aside_and_brought_back() {
    let world = World::new(json!([]));
    for n in 0..5 {
        add(&world, &format!("task {n}"));
    }
    let path = state(&world, &["path"]).ok().stdout;
    assert_eq!(path.trim(), world.store().to_str().unwrap());
    state(&world, &["gc"]).ok();
    let objects = world.store().join("store.git/objects");
    let packs = std::fs::read_dir(objects.join("pack")).unwrap().count();
    assert!(packs > 0, "packed by git");
    assert_eq!(titles(&world).len(), 5);
    let file = world.root().join("export.json");
    state(&world, &["export", "-o", file.to_str().unwrap()]).ok();
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["tasks"].as_array().unwrap().len(), 5);
    state(&world, &["export", "-o", file.to_str().unwrap()])
        .exits(1)
        .is_trouble("Failed to write", "isn't there yet");
    state(&world, &["forget"])
        .exits(2)
        .is_trouble("no terminal", "--yes");
    assert_eq!(titles(&world).len(), 5, "nobody said yes");
    state(&world, &["forget", "--yes"]).ok();
    assert!(!world.store().exists() && !world.repo.join(".codex-orch").exists());
    assert!(titles(&world).is_empty());
    state(&world, &["forget", "--restore"]).ok();
    assert_eq!(titles(&world).len(), 5);
}
