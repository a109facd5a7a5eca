//! Several at once: runs side by side in one repository, and two that want the same thread.

use std::collections::BTreeSet;

use serde_json::json;

use crate::world::{Setting, World, text};

#[test]
fn two_runs_at_once_are_both_recorded() {
    let world = World::new(json!([
        {"when": {"user": "left"}, "steps": [{"plan": [["Left work", "in_progress"]]}]},
        {"when": {"user": "right"}, "steps": [{"plan": [["Right work", "in_progress"]]}]},
        {"when": {"user": "left"}, "fault": "hang", "steps": [{"say": "Left."}]},
        {"when": {"user": "right"}, "fault": "hang", "steps": [{"say": "Right."}]},
    ]));
    let running =
        ["turn left", "turn right"].map(|prompt| world.start(&["exec", "--json", prompt]));
    // Both are in the middle of their turns, and both end at the same moment.
    world.asked(4);
    world.server.release();
    world.server.release();
    let threads: BTreeSet<String> = running.map(|running| running.finish().ok().thread()).into();
    assert_eq!(threads.len(), 2);
    let sessions = world.sessions();
    let recorded: BTreeSet<String> = sessions
        .iter()
        .map(|session| text(&session["thread"]).to_owned())
        .collect();
    assert_eq!((sessions.len(), recorded), (2, threads));
    assert_eq!(world.turns(), ["completed", "completed"]);
    let mut titles: Vec<String> = world
        .tasks()
        .iter()
        .map(|task| text(&task["title"]).to_owned())
        .collect();
    titles.sort();
    assert_eq!(
        titles,
        ["Left work", "Right work", "turn left", "turn right"]
    );
    assert_eq!(world.journal().len(), 2);
    world.git_in(&world.store().join("store.git"), &["fsck", "--strict"]);
}

#[test]
fn tasks_added_at_once_are_all_there() {
    let world = World::new(json!([]));
    let adding: Vec<_> = (0..12)
        .map(|n| world.start(&["tasks", "add", &format!("Task {n}")]))
        .collect();
    let added: BTreeSet<String> = adding
        .into_iter()
        .map(|running| {
            let output = running.finish().ok().stdout;
            output.split_whitespace().nth(1).unwrap().to_owned()
        })
        .collect();
    let listed: BTreeSet<String> = world
        .tasks()
        .iter()
        .map(|task| text(&task["id"]).to_owned())
        .collect();
    assert_eq!(added.len(), 12);
    assert_eq!(added, listed);
}

#[test]
fn a_task_added_in_mid_turn_is_there_at_once_and_afterwards() {
    let world = World::new(json!([{"fault": "hang", "steps": [{"say": "Done."}]}]));
    let running = world.start(&["exec", "--json", "Hello"]);
    world.asked(1);
    world.run(&["tasks", "add", "Meanwhile"]).ok();
    assert_eq!(world.statuses(), ["Meanwhile: pending"]);
    assert_eq!(
        world.turns(),
        Vec::<String>::new(),
        "a live run isn't taken for a dead one"
    );
    world.server.release();
    running.finish().ok();
    assert_eq!(world.statuses(), ["Meanwhile: pending"]);
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn a_thread_that_another_process_holds_is_told_in_two_lines() {
    let world = World::of(Setting::new(json!([
        {"steps": [{"say": "First."}]},
        {"fault": "hang", "steps": [{"say": "Second."}]},
    ])));
    let thread = world.exec("Hello").thread();
    let holding = world.start(&["exec", "--json", "resume", &thread, "Go on"]);
    world.asked(2);
    let refused = world.run(&["exec", "resume", &thread, "Me too"]).exits(1);
    refused.is_trouble(
        "another process is writing it",
        "close the codex that has this thread open",
    );
    assert_eq!(world.requests().len(), 2);
    world.server.release();
    assert_eq!(holding.finish().ok().thread(), thread);
    assert_eq!(world.turns(), ["completed", "completed"]);
}
