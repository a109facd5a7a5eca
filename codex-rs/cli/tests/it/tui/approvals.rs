//! Approvals are the user's: asked on the screen, answered by a key, never by us.

use serde_json::json;

use super::{WORKED, setting};
use crate::screen::{Key, Screen};
use crate::world::World;

/// A world in which a command outside the sandbox is asked for.
fn asking() -> World {
    let touch = json!({"cmd": "touch made", "sandbox_permissions": "require_escalated", "justification": "May I?"});
    let mut setting = setting(json!([
        {"when": {"user": "Touch"}, "steps": [{"call": {"name": "exec_command", "arguments": touch}}]},
        {"when": {"user": "Touch"}, "steps": [{"say": "Touched."}]},
    ]));
    setting.trusted = false;
    let world = World::of(setting);
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    let config = config
        .replace("\"danger-full-access\"", "\"workspace-write\"")
        .replace("\"never\"", "\"on-request\"");
    world.write_home("config.toml", &config);
    world.trust();
    world
}

const QUESTION: &str = "Would you like to run the following command?";

#[test]
fn an_approved_command_runs() {
    let world = asking();
    let screen = Screen::start(&world, &[]);
    screen
        .submit("Touch it")
        .until(QUESTION)
        .until("$ touch made");
    screen.until("May I?");
    assert!(!world.repo.join("made").exists());
    screen.answer(Key::Enter, QUESTION);
    screen.until("Touched.").until(WORKED);
    screen.quit();
    assert!(world.repo.join("made").exists());
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn a_denied_command_does_not_run_and_the_turn_is_over() {
    let world = asking();
    let screen = Screen::start(&world, &[]);
    screen.submit("Touch it").until(QUESTION);
    screen.answer(Key::Esc, QUESTION);
    screen
        .until("You canceled the request")
        .until("interrupted");
    screen.quit();
    assert!(!world.repo.join("made").exists());
    assert_eq!(world.turns(), ["interrupted"]);
}
