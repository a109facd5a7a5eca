//! What a user does while a turn runs, or to one that is over: steer, interrupt, queue, take back.

use serde_json::{Value, json};

use super::{WORKED, asked, field, last_message, turn, until_asked, world};
use crate::screen::{Key, Screen};
use crate::world::{World, told};

/// One answer, and one that is held until it is released.
fn held_second() -> World {
    world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "fault": "hang", "steps": [{"run": "echo second"}]},
        {"when": {"user": "Third"}, "steps": [{"say": "Three."}]},
    ]))
}

const WORKING: &str = "esc to interrupt";

#[test]
fn a_message_while_a_turn_runs_steers_it() {
    // It works on until it is told otherwise.
    let world = world(json!([
        {"when": {"user": "Second"}, "repeat": true, "delay_ms": 50, "steps": [{"run": "echo on and on"}]},
        {"when": {"user": "Third"}, "steps": [{"say": "Three."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    screen.submit("Second thing").until("echo on and on");
    screen
        .submit("Third: that way")
        .until("Three.")
        .until(WORKED);
    screen.quit();
    let last = asked(&world).pop().unwrap();
    let told = told(&last);
    assert_eq!(told.matches("<codex_orch_brief_1>").count(), 1, "{told}");
    assert_eq!(last_message(&last), "Third: that way");
    assert_eq!(
        field(&world, "request"),
        ["Second thing\n\nThird: that way"]
    );
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn an_interrupted_turn_is_recorded_as_one_and_the_next_goes_on() {
    let world = held_second();
    let screen = Screen::start(&world, &[]);
    screen.submit("Second thing").until(WORKING);
    until_asked(&world, 1);
    screen.key(Key::Esc).until("Conversation interrupted");
    turn(&screen, "Third thing", "Three.");
    screen.quit();
    world.server.release();
    assert_eq!(world.turns(), ["interrupted", "completed"]);
}

#[test]
fn a_queued_message_is_a_turn_of_its_own() {
    let world = held_second();
    let screen = Screen::start(&world, &[]);
    screen.submit("Second thing").until(WORKING);
    screen.paste("Third thing").key(Key::Tab);
    screen.until("Queued follow-up").until("↳ Third thing");
    world.server.release();
    screen.until("Three.").until_more(WORKED, 1);
    screen.quit();
    let asked = asked(&world);
    assert!(told(asked.last().unwrap()).contains("<codex_orch_brief_1>"));
    assert_eq!(field(&world, "request"), ["Second thing", "Third thing"]);
    assert_eq!(world.turns(), ["completed", "completed"]);
}

#[test]
fn a_turn_that_is_taken_back_is_marked_and_the_message_can_be_changed() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "changed"}, "steps": [{"say": "Changed it is."}]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    turn(&screen, "Second thing", "Two.");
    screen.until_empty().key(Key::Esc).until("again to edit");
    screen.key(Key::Esc).until("rewind").key(Key::Enter);
    screen.until("Conversation reverted to this point");
    screen.until_gone("Two.");
    screen.type_text(", changed").key(Key::Enter);
    screen.until("Changed it is.").until_more(WORKED, 1);
    screen.quit();
    let last = asked(&world).pop().unwrap();
    let users = last.messages("user").join("\n");
    assert!(!users.contains("Second thing\n"), "{users}");
    let sessions = world.sessions();
    let reverted: Vec<&Value> = sessions
        .iter()
        .flat_map(|session| session["turns"].as_array().unwrap())
        .map(|turn| &turn["reverted"])
        .collect();
    assert_eq!(reverted, [&Value::Null, &json!(true), &Value::Null]);
    assert_eq!(
        field(&world, "request"),
        ["First thing", "Second thing", "Second thing, changed"]
    );
}
