//! Turns that no message begins: goals and reviews.

use serde_json::json;

use super::{WORKED, asked, field, turn, world};
use crate::screen::{Key, Screen};
use crate::world::told;

#[test]
fn a_turn_that_the_engine_begins_for_a_goal_is_recorded() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"input": "Make it so"}, "steps": [{"run": "echo goal > goal.txt && git add -A && git commit -qm Goal"}]},
        {"when": {"input": "Make it so"}, "steps": [{"call": {"name": "update_goal", "arguments": {"status": "complete"}}}]},
        {"when": {"input": "Make it so"}, "steps": [{"say": "Goal reached."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    turn(&screen, "/goal Make it so", "Goal reached.");
    screen.until("Goal achieved");
    screen.quit();
    assert_eq!(world.turns(), ["completed", "completed"]);
    let commits = &field(&world, "commits")[1];
    assert!(commits.to_string().contains(&world.head()), "{commits}");
}

#[test]
fn a_review_is_shown_and_recorded_as_a_review() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "current code changes"}, "steps": [{"say": "Looks fine to me."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.submit("/review").until("Select a review preset");
    screen.key(Key::Char('2'));
    screen.until("Code review finished").until_more(WORKED, 1);
    screen.quit();
    let asked = asked(&world);
    assert!(
        !told(&asked[1]).contains("codex_orch_brief"),
        "{:?}",
        asked[1]
    );
    assert_eq!(field(&world, "kind"), ["user", "review"]);
    assert_eq!(world.turns(), ["completed", "completed"]);
}
