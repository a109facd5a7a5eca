//! Folders: untrusted ones, two at once, several projects in one TUI.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{WORKED, asked, setting, turn, world};
use crate::screen::{Key, Screen};
use crate::world::{World, text, told};

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

const QUESTION: &str = "Trust this folder?";

/// A TUI in which the question is there and takes keys. Upstream drops the first ones; where one comes while it does, it may
/// give up ("timed out discarding buffered terminal input"), as plain codex does: then it is started again.
fn asked_for_trust(world: &World) -> Screen {
    let [yes, no] = ["› 1. Trust", "› 2. Back"];
    for _ in 0..3 {
        let screen = Screen::start(world, &[]);
        screen.until(QUESTION).until(yes);
        screen.answer(Key::Down, yes);
        if screen.shows_before_its_end(no) {
            screen.answer(Key::Up, no).until(yes);
            return screen;
        }
        assert!(
            screen.text().contains("timed out discarding buffered"),
            "{}",
            screen.text()
        );
    }
    panic!("it has given up three times");
}

#[test]
fn nothing_is_written_into_a_folder_before_it_is_trusted() {
    let mut setting = setting(json!([{"when": {"user": "First"}, "steps": [{"say": "One."}]}]));
    setting.trusted = false;
    let world = World::of(setting);
    let before = [names(&world.repo), names(&world.repo.join(".git"))];
    let screen = asked_for_trust(&world);
    assert_eq!(
        before,
        [names(&world.repo), names(&world.repo.join(".git"))]
    );
    screen.key(Key::Enter).until_gone(QUESTION);
    turn(&screen, "First thing", "One.");
    screen.quit();
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    assert!(config.contains("trust_level = \"trusted\""), "{config}");
    assert!(world.store().join("store.git").is_dir());
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn who_does_not_trust_a_folder_leaves_it_as_it_was() {
    let mut setting = setting(json!([]));
    setting.trusted = false;
    let world = World::of(setting);
    let before = [names(&world.repo), names(&world.repo.join(".git"))];
    let screen = asked_for_trust(&world);
    screen.key(Key::CtrlC).until_gone(QUESTION);
    let centre = "Agent command center";
    screen.until(centre).answer(Key::CtrlC, centre);
    screen.exit_code();
    assert_eq!(
        before,
        [names(&world.repo), names(&world.repo.join(".git"))]
    );
    assert!(world.requests().is_empty());
}

/// Another trusted repository beside the world's.
fn beside(world: &World, name: &str) -> PathBuf {
    let folder = world.repo.with_file_name(name);
    std::fs::create_dir(&folder).unwrap();
    world.git_in(&folder, &["init", "-q", "-b", "main"]);
    let commit = [
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=a@example.org",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "begin",
    ];
    world.git_in(&folder, &commit);
    let key = Value::from(folder.to_str().unwrap());
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    let entry = format!("{config}\n[projects.{key}]\ntrust_level = \"trusted\"\n");
    world.write_home("config.toml", &entry);
    folder
}

/// The titles of a project's tasks.
fn titles(world: &World, folder: &Path) -> Vec<String> {
    let mut command = world.command(&["tasks", "list", "--all", "--json"]);
    let output = command.current_dir(folder).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let tasks = listed["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| text(&task["title"]).to_owned())
        .collect()
}

fn plan(title: &str) -> Value {
    json!({"plan": [[title, "in_progress"]]})
}

#[test]
fn two_terminals_in_two_folders_record_each_its_own() {
    let world = world(json!([
        {"when": {"user": "Left"}, "steps": [plan("Left work")]},
        {"when": {"user": "Right"}, "steps": [plan("Right work")]},
        {"when": {"user": "Left"}, "fault": "hang", "steps": [{"say": "One."}]},
        {"when": {"user": "Right"}, "fault": "hang", "steps": [{"say": "Two."}]},
    ]));
    let other = beside(&world, "other");
    let left = Screen::start(&world, &[]);
    let right = Screen::of(world.command::<&str>(&[]).current_dir(&other));
    left.submit("Left thing").until("Left work");
    right.submit("Right thing").until("Right work");
    world.server.release();
    world.server.release();
    left.until("One.").until(WORKED);
    right.until("Two.").until(WORKED);
    assert_eq!((left.quit().code, right.quit().code), (0, 0));
    assert_eq!(titles(&world, &world.repo), ["Left thing", "Left work"]);
    assert_eq!(titles(&world, &other), ["Right thing", "Right work"]);
}

#[test]
fn three_projects_in_one_tui_are_told_apart() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [plan("Work one")]},
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [plan("Work two")]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
        {"when": {"user": "Third"}, "steps": [plan("Work three")]},
        {"when": {"user": "Third"}, "steps": [{"say": "Three."}]},
    ]));
    let folders = [beside(&world, "second"), beside(&world, "third")];
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    for (folder, message, answer) in [
        (&folders[0], "Second thing", "Two."),
        (&folders[1], "Third thing", "Three."),
    ] {
        let name = folder.file_name().unwrap().to_str().unwrap();
        screen.submit(&format!("/cd {}", folder.display()));
        screen
            .until("Working directory changed to")
            .until(&format!("~/{name}"));
        turn(&screen, message, answer);
    }
    screen.quit();
    assert_eq!(titles(&world, &world.repo), ["First thing", "Work one"]);
    assert_eq!(titles(&world, &folders[0]), ["Second thing", "Work two"]);
    assert_eq!(titles(&world, &folders[1]), ["Third thing", "Work three"]);
    let asked = asked(&world);
    let third = told(asked.last().unwrap());
    assert!(third.contains("<codex_orch_brief_1>"), "{third}");
}
