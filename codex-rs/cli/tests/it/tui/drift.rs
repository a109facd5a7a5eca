//! Git has moved between two turns: the message is kept, the user is told what to do, and what they choose is done.

use serde_json::{Value, json};

use super::{WORKED, asked, field, turn, until_recorded, world};
use crate::screen::{Key, Screen};
use crate::world::{World, text, told};

/// A conversation begun on `main`, whose next message is refused on `side`.
fn refused() -> (World, Screen) {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    until_recorded(&world, 1);
    world.git(&["checkout", "-q", "-b", "side"]);
    world.commit("side.txt", "side\n", "Work on the side");
    screen
        .submit("Second thing")
        .until("codex-orch drift resolve");
    screen.until("no longer fits the repository");
    screen
        .until("Queued follow-up inputs")
        .until("↳ Second thing");
    assert_eq!(asked(&world).len(), 1);
    (world, screen)
}

/// Sends the message that was kept.
fn send_again(screen: &Screen) {
    screen.key(Key::ShiftLeft).until_gone("Queued follow-up");
    screen.key(Key::Enter).until("Two.").until_more(WORKED, 1);
}

#[test]
fn a_refused_message_is_kept_and_goes_on_fast_forward() {
    let (world, screen) = refused();
    let status = world.run(&["drift", "status"]).ok().stdout;
    assert!(status.contains("branched: main at"), "{status}");
    world.run(&["drift", "resolve", "fast-forward"]).ok();
    send_again(&screen);
    assert_eq!(screen.quit().code, 0);
    let second = told(&asked(&world)[1]);
    assert_eq!(second.matches("<codex_orch_note_1>").count(), 1, "{second}");
    assert!(second.contains("Work on the side"), "{second}");
    assert_eq!(field(&world, "request"), ["First thing", "Second thing"]);
    assert_eq!(drift(&world), ["stop", "fast-forward"]);
    assert_eq!(
        world.state()["project"]["branches"]["main"]["parked_thread"],
        json!(null)
    );
}

#[test]
fn a_fork_parks_the_conversation_for_the_branch_that_was_left() {
    let (world, screen) = refused();
    world.run(&["drift", "resolve", "fork"]).ok();
    send_again(&screen);
    screen.quit();
    let state = world.state();
    let parked = text(&state["project"]["branches"]["main"]["parked_thread"]).to_owned();
    let thread = text(&world.sessions()[0]["thread"]).to_owned();
    assert_ne!(parked, thread);
    assert_eq!(drift(&world), ["stop", "fork"]);
    assert_eq!(world.turns(), ["completed", "completed"]);

    // Back on main it can be taken up: it knows the first message and not the second.
    world.git(&["checkout", "-q", "main"]);
    let screen = Screen::start(&world, &["resume", &parked]);
    turn(&screen, "First of all: where were we?", "Done.");
    assert!(!screen.text().contains("Second thing"), "{}", screen.text());
    screen.quit();
    let users = asked(&world)[2].messages("user").join("\n");
    assert!(
        users.contains("First thing") && !users.contains("Second thing"),
        "{users}"
    );
}

#[test]
fn going_back_to_the_branch_is_an_answer_too() {
    let (world, screen) = refused();
    world.git(&["checkout", "-q", "main"]);
    send_again(&screen);
    screen.quit();
    assert_eq!(drift(&world), ["stop"]);
    assert!(!told(&asked(&world)[1]).contains("codex_orch_note"));
    assert_eq!(world.turns(), ["completed", "completed"]);
}

/// What was done about each drift.
fn drift(world: &World) -> Vec<String> {
    let state = world.state();
    let drift = state["project"]["drift"].as_array();
    let choice = |entry: &Value| text(&entry["choice"]).to_owned();
    drift.into_iter().flatten().map(choice).collect()
}
