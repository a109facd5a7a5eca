//! One backlog in several places at once: two terminals on a branch, two work trees on different ones. No engine runs but
//! where a session is what the others are beside.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{Output, Running, World, text};

const TASKS: &str = ".codex-orch/project_tasks.yaml";

/// A second work tree of the same repository, on a branch of its own.
struct Tree<'a> {
    world: &'a World,
    folder: PathBuf,
}

impl<'a> Tree<'a> {
    fn new(world: &'a World, branch: &str) -> Self {
        let folder = world.root().canonicalize().unwrap().join(branch);
        let path = folder.to_str().unwrap();
        world.git(&["worktree", "add", "-q", "-b", branch, path]);
        Self { world, folder }
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.world.command(args);
        Running::start(command.current_dir(&self.folder)).finish()
    }

    fn task(&self, title: &str) -> Value {
        let listed = self.run(&["tasks", "list", "--all", "--json"]).ok().stdout;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let tasks = listed["tasks"].as_array().unwrap();
        let found = tasks.iter().find(|task| task["title"] == title);
        found.unwrap_or_else(|| panic!("no {title:?}")).clone()
    }
}

fn shown(folder: &Path) -> String {
    fs::read_to_string(folder.join(TASKS)).unwrap()
}

fn add(world: &World, title: &str) -> String {
    world.run(&["tasks", "add", title]).ok();
    text(&world.task(title)["id"]).to_owned()
}

fn status(task: &Value) -> (&Value, &Value) {
    (&task["status"], &task["done_on"])
}

#[test]
fn two_terminals_on_a_branch_change_one_task_and_both_changes_are_there() {
    let world = World::new(json!([]));
    let id = add(&world, "Shared");
    let changes: [&[&str]; 4] = [
        &["tasks", "edit", &id, "--title", "Shared by both"],
        &["tasks", "edit", &id, "--owner", "ann"],
        &["tasks", "edit", &id, "-p", "0"],
        &["tasks", "start", &id],
    ];
    let running: Vec<Running> = changes.iter().map(|args| world.start(args)).collect();
    for terminal in running {
        terminal.finish().ok();
    }
    let task = world.task("Shared by both");
    assert_eq!(
        (&task["owner"], &task["priority"]),
        (&json!("ann"), &json!(0))
    );
    assert_eq!(task["status"], "active");
    let checkout = shown(&world.repo);
    assert!(checkout.contains("owner: ann"), "{checkout}");
}

#[test]
fn each_work_tree_judges_by_its_own_head_until_the_work_is_merged() {
    let world = World::new(json!([]));
    let feature = Tree::new(&world, "feature");
    let id = add(&world, "Parser");
    assert_eq!(feature.task("Parser")["id"], json!(id), "one backlog");

    fs::write(feature.folder.join("parser.rs"), "fn parse() {}\n").unwrap();
    world.git_in(&feature.folder, &["add", "-A"]);
    world.git_in(&feature.folder, &["commit", "-q", "-m", "Write the parser"]);
    feature
        .run(&["tasks", "done", &id, "--commit", "HEAD"])
        .ok();
    let there = feature.task("Parser");
    assert_eq!(status(&there), (&json!("done"), &Value::Null));
    let here = world.task("Parser");
    assert_eq!(status(&here), (&json!("pending"), &json!("feature")));

    // Each has a checkout of its own, as seen from its own HEAD.
    world.run(&["tasks", "add", "Another"]).ok();
    feature.run(&["tasks", "add", "A third"]).ok();
    let heads = [&world.repo, &feature.folder].map(|folder| {
        let head = world.git_in(folder, &["rev-parse", "HEAD"]);
        let first = shown(folder).lines().next().unwrap().to_owned();
        assert!(first.ends_with(&format!("at {head}")), "{first}");
        first
    });
    assert!(
        heads[0].contains(" main at ") && heads[1].contains(" feature at "),
        "{heads:?}"
    );

    world.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature"]);
    for task in [world.task("Parser"), feature.task("Parser")] {
        assert_eq!(status(&task), (&json!("done"), &Value::Null));
    }
}

#[test]
fn an_edit_by_hand_in_one_work_tree_is_seen_in_the_other() {
    let world = World::new(json!([]));
    add(&world, "Shared");
    let other = Tree::new(&world, "other");
    other.run(&["tasks", "add", "From the other one"]).ok();
    let file = other.folder.join(TASKS);
    let edited = shown(&other.folder).replacen("title: Shared", "title: Edited by hand", 1);
    fs::write(&file, &edited).unwrap();
    // Until a command of ours runs there, nobody can know of it; the first that does takes it in.
    other.run(&["tasks", "list"]).ok();
    assert_eq!(
        world.statuses(),
        ["Edited by hand: pending", "From the other one: pending"]
    );
    world.run(&["tasks", "add", "Last"]).ok();
    assert!(shown(&world.repo).contains("title: Edited by hand"));
    world.git_in(&world.store().join("store.git"), &["fsck", "--strict"]);
}

#[test]
fn a_session_sees_what_another_terminal_changes_and_is_seen_by_it_before_it_folds() {
    let tool = |name: &str, arguments: Value| json!({"call": {"namespace": "mcp__codex_orch", "name": name, "arguments": arguments}});
    let world = World::new(json!([
        {"steps": [tool("tasks_add", json!({"title": "From the session"}))]},
        {"fault": "hang", "steps": [tool("tasks_list", json!({}))]},
        {"steps": [{"say": "Done."}]},
    ]));
    let session = world.start(&["exec", "--json", "Work"]);
    // The tool has answered, and the model has been asked what to do next.
    world.asked(2);
    let listed = world.run(&["tasks", "list", "--all", "--json"]).ok().stdout;
    assert!(listed.contains("From the session"), "{listed}");
    assert_eq!(world.turns(), Vec::<String>::new(), "the turn goes on");
    world.run(&["tasks", "add", "From the terminal"]).ok();
    world.server.release();
    let answered = world.asked(3);
    let outputs = answered[2].outputs();
    let answer = outputs.values().last().unwrap();
    assert!(answer.contains("From the terminal"), "{answer}");
    assert!(answer.contains("From the session"), "{answer}");
    session.finish().ok();
    assert_eq!(
        world.statuses(),
        ["From the session: pending", "From the terminal: pending"]
    );
}
