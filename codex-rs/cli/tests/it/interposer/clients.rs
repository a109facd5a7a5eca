//! Several clients of one server, on one thread and on several: said to all, done and recorded once.

use serde_json::json;

use crate::client::{Front, wait};
use crate::interposer::{call, is_whole, rolled_out, titles};
use crate::world::World;

#[test]
fn with_two_clients_a_tool_is_carried_out_once_and_a_turn_recorded_once() {
    let world = World::new(json!([
        {"when": {"user": "First"}, "steps": [{"say": "Hello."}]},
        {"when": {"user": "Add"}, "steps": [
            {"plan": [["A step", "in_progress"]]},
            call("tasks_add", json!({"title": "Added once"})),
            {"run": "echo hi"},
        ]},
    ]));
    let front = Front::open(&world);
    let (mut one, mut two) = (front.client().greeted(), front.client().greeted());
    one.start(json!({"cwd": world.repo}));
    one.turn("First");
    two.resume(&one.thread);
    let turn = two.turn("Add it");
    one.ended(&turn);
    for client in [&one, &two] {
        assert_eq!(client.times("item/tool/call"), 0);
        assert_eq!(client.times("serverRequest/resolved"), 0);
    }
    front.stop().ok();
    let outputs = world.requests()[2].outputs();
    assert!(outputs["call-1-1"].contains("added"), "{outputs:?}");
    assert_eq!(
        titles(&world)
            .iter()
            .filter(|title| *title == "Added once")
            .count(),
        1
    );
    is_whole(&world, &one.thread, 2);
}

/// A world whose model waits in the second request of a turn.
fn waiting() -> World {
    World::new(json!([
        {"when": {"user": "Wait"}, "steps": [{"plan": [["A step", "in_progress"]]}, {"run": "echo before"}]},
        {"when": {"user": "Wait"}, "fault": "hang", "steps": [{"run": "echo after; false"}]},
        {"when": {"user": "Wait"}, "steps": [{"say": "Waited."}]},
    ]))
}

#[test]
fn one_of_two_leaves_in_mid_turn() {
    // The one that began it, and the one that came to it.
    for leaves_first in [true, false] {
        let world = waiting();
        let front = Front::open(&world);
        let (mut one, mut two) = (front.client().greeted(), front.client().greeted());
        one.start(json!({"cwd": world.repo}));
        one.turn("Hello");
        two.resume(&one.thread);
        let thread = one.thread.clone();
        let turn = one.begin("Wait");
        world.asked(3);
        let mut stays = match leaves_first {
            true => {
                drop(one);
                two
            }
            false => {
                drop(two);
                one
            }
        };
        // What is held is ruled on after the news that one has gone, or before: both must do.
        world.server.release();
        stays.ended(&turn);
        stays.turn("Thanks");
        front.stop().ok();
        is_whole(&world, &thread, 3);
    }
}

#[test]
fn a_client_that_no_longer_listens_to_a_thread_leaves_it_to_the_other() {
    let world = World::new(json!([]));
    let front = Front::open(&world);
    let (mut one, mut two) = (front.client().greeted(), front.client().greeted());
    one.start(json!({"cwd": world.repo}));
    one.turn("Hello");
    two.resume(&one.thread);
    one.call("thread/unsubscribe", json!({"threadId": one.thread}));
    two.turn("Go on");
    two.turn("And on");
    front.stop().ok();
    is_whole(&world, &two.thread, 3);
}

#[test]
fn a_turn_runs_on_when_its_only_client_dies() {
    // Seen again by another client, or by nobody.
    for comes_back in [true, false] {
        let world = waiting();
        let front = Front::open(&world);
        let mut client = front.client().greeted();
        client.start(json!({"cwd": world.repo}));
        let thread = client.thread.clone();
        client.begin("Wait");
        world.asked(2);
        drop(client);
        world.server.release();
        world.asked(3);
        wait("the turn ends", || {
            let turns = rolled_out(&world, &thread);
            turns.last().is_some_and(|turn| turn.ended_at.is_some())
        });
        let mut turns = 1;
        if comes_back {
            let mut client = front.client().greeted();
            client.resume(&thread);
            client.turn("Thanks");
            turns += 1;
        }
        front.stop().ok();
        is_whole(&world, &thread, turns);
        assert_eq!(world.turns(), vec!["completed"; turns]);
    }
}

#[test]
fn who_comes_back_in_mid_turn_hears_its_end() {
    let world = waiting();
    let front = Front::open(&world);
    let mut client = front.client().greeted();
    client.start(json!({"cwd": world.repo}));
    let thread = client.thread.clone();
    let turn = client.begin("Wait");
    world.asked(2);
    drop(client);
    let mut client = front.client().greeted();
    client.resume(&thread);
    world.server.release();
    client.ended(&turn);
    client.turn("Thanks");
    front.stop().ok();
    is_whole(&world, &thread, 2);
}
