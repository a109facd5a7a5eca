//! Edits by hand of the checkout, through the real binary: taken in by the next command, told, undone by nobody.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::world::World;

fn tasks_file(world: &World) -> PathBuf {
    world.repo.join(".codex-orch/project_tasks.yaml")
}

fn edit(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(tasks_file(world)).unwrap();
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    fs::write(tasks_file(world), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn an_edit_is_taken_in_by_the_next_command_and_a_broken_one_is_left_alone() {
    let world = World::new(json!([]));
    world.run(&["tasks", "add", "one"]).ok();
    edit(&world, "title: one", "title: uno   # as they say there");
    edit(
        &world,
        "notes: []",
        "notes: []\n- title: two\n  status: blocked\n",
    );
    let output = world.run(&["tasks", "list", "--json"]).ok();
    let told = output.ours();
    assert!(
        told.iter().any(|line| line.contains("3 changes taken in")),
        "{told:?}"
    );
    assert_eq!(world.task("uno")["status"], "pending");
    let claim = &world.task("two")["claims"][0];
    assert_eq!(
        (&claim["state"], &claim["by"]),
        (&json!("blocked"), &json!("person"))
    );
    let text = fs::read_to_string(tasks_file(&world)).unwrap();
    assert!(
        text.contains("title: uno   # as they say there\n"),
        "{text}"
    );
    let told = world.run(&["tasks", "list"]).ok();
    assert_eq!(told.ours(), Vec::<&str>::new(), "it is taken in once");

    edit(&world, "priority: 2", "priority: [");
    let broken = fs::read_to_string(tasks_file(&world)).unwrap();
    let line = 1 + broken
        .lines()
        .position(|line| line.contains("priority: ["))
        .unwrap();
    let output = world.run(&["tasks", "add", "three"]).ok();
    let told = output.ours();
    let place = format!("line {line}, column");
    assert_eq!(
        told.iter().filter(|told| told.contains(&place)).count(),
        1,
        "{told:?}"
    );
    assert_eq!(fs::read_to_string(tasks_file(&world)).unwrap(), broken);
    edit(&world, "priority: [", "priority: 0");
    assert_eq!(world.task("uno")["priority"], 0);
    assert!(
        fs::read_to_string(tasks_file(&world))
            .unwrap()
            .contains("title: three")
    );
}

#[test]
fn what_is_edited_while_a_turn_runs_is_the_agents() {
    let world = World::new(json!([
        {"steps": [{"run": "sed -i 's/status: pending/status: active/' .codex-orch/project_tasks.yaml"}]},
        {"steps": [{"say": "Begun."}]},
    ]));
    world.run(&["tasks", "add", "one"]).ok();
    edit(&world, "owner: null", "owner: kim");
    world.exec("Begin");
    let task = world.task("one");
    assert_eq!(
        (&task["status"], &task["owner"]),
        (&json!("active"), &json!("kim"))
    );
    assert_eq!(task["claims"][0]["by"], "main-agent");
}
