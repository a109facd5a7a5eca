//! Several threads: resumed, forked, listed, and one that two terminals want.

use serde_json::json;

use super::{asked, field, turn, world};
use crate::screen::{Key, Screen};
use crate::world::{World, text, told};

fn talk() -> World {
    world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
        {"when": {"user": "Third"}, "steps": [{"say": "Three."}]},
    ]))
}

/// The threads of all recorded sessions.
fn threads(world: &World) -> Vec<String> {
    let sessions = world.sessions();
    sessions
        .iter()
        .map(|session| text(&session["thread"]).to_owned())
        .collect()
}

#[test]
fn resume_last_goes_on_in_the_same_thread() {
    let world = talk();
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.quit();
    let screen = Screen::start(&world, &["resume", "--last"]);
    screen.until("One.");
    turn(&screen, "Second thing", "Two.");
    screen.quit();
    let asked = asked(&world);
    let second = asked[1].messages("user").join("\n");
    assert!(second.contains("First thing"), "{second}");
    assert!(
        asked[1]
            .tool_names()
            .contains(&"codex_orch.tasks_add".to_owned())
    );
    assert!(asked[1].tool_names().contains(&"update_plan".to_owned()));
    assert_eq!(field(&world, "request"), ["First thing", "Second thing"]);
    let threads = threads(&world);
    assert!(threads.iter().all(|thread| *thread == threads[0]));
}

#[test]
fn resume_in_the_tui_goes_back_to_an_earlier_thread() {
    let world = talk();
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.submit("/new").until("Where should");
    screen.key(Key::Enter).until_gone("One.");
    turn(&screen, "Second thing", "Two.");
    screen.submit("/resume").until("Resume a previous session");
    screen.until("First thing").until("Second thing");
    screen.key(Key::Down).key(Key::Enter);
    screen.until("One.").until_gone("Two.");
    turn(&screen, "Third thing", "Three.");
    screen.quit();
    let third = asked(&world)[2].messages("user").join("\n");
    assert!(
        third.contains("First thing") && !third.contains("Second thing"),
        "{third}"
    );
    let by_thread: Vec<_> = field(&world, "thread");
    let requests = field(&world, "request");
    let thread_of = |request: &str| {
        let at = requests.iter().position(|known| known == request);
        by_thread[at.unwrap()].clone()
    };
    assert_eq!(thread_of("First thing"), thread_of("Third thing"));
    assert_ne!(thread_of("First thing"), thread_of("Second thing"));
}

#[test]
fn forks_know_what_was_said_and_are_threads_of_their_own() {
    let world = talk();
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.submit("/fork").until("Where should");
    screen.key(Key::Enter).until("Fork created");
    turn(&screen, "Second thing", "Two.");
    screen.quit();
    let screen = Screen::start(&world, &["fork", "--last"]);
    screen.until("Thread forked from").until("Two.");
    turn(&screen, "Third thing", "Three.");
    screen.quit();
    let asked = asked(&world);
    let third = asked[2].messages("user").join("\n");
    assert!(
        third.contains("First thing") && third.contains("Second thing"),
        "{third}"
    );
    for request in &asked {
        assert!(told(request).contains("<codex_orch_brief_1>"));
        assert!(
            request
                .tool_names()
                .contains(&"codex_orch.tasks_add".to_owned())
        );
    }
    let threads: std::collections::BTreeSet<String> = threads(&world).into_iter().collect();
    assert_eq!(threads.len(), 3);
    let mut requests = field(&world, "request");
    requests.sort_by_key(ToString::to_string);
    assert_eq!(requests, ["First thing", "Second thing", "Third thing"]);
}

#[test]
fn the_agents_centre_lists_the_threads_and_opens_one() {
    let world = talk();
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.quit();
    let screen = Screen::start(&world, &["agents"]);
    screen.until("Agent command center").until("First thing");
    screen.key(Key::Enter).until("One.");
    turn(&screen, "Second thing", "Two.");
    screen.quit();
    assert_eq!(field(&world, "request"), ["First thing", "Second thing"]);
    let threads = threads(&world);
    assert!(threads.iter().all(|thread| *thread == threads[0]));
}

#[test]
fn a_thread_that_another_terminal_holds_is_read_only_until_that_one_has_ended() {
    let world = talk();
    let first = Screen::start(&world, &[]);
    turn(&first, "First thing", "One.");
    let second = Screen::start(&world, &["resume", "--last"]);
    second.until("One.").until("open in another app");
    turn(&first, "Second thing", "Two.");
    first.quit();
    second.key(Key::Char('r')).until_gone("open in another app");
    second.until("Two.");
    turn(&second, "Third thing", "Three.");
    assert_eq!(second.quit().code, 0);
    let third = asked(&world)[2].messages("user").join("\n");
    assert!(third.contains("Second thing"), "{third}");
    assert_eq!(
        field(&world, "request"),
        ["First thing", "Second thing", "Third thing"]
    );
    assert_eq!(world.turns(), ["completed"; 3]);
}
