//! Other servers of the same home: the user's daemon, which is taken as the engine, and one that holds a thread.

use serde_json::json;

use crate::client::{Client, Front, below};
use crate::engine::engine;
use crate::interposer::{call, is_whole, talking, titles};
use crate::world::{Running, World};

/// Plain codex's server on its control socket.
fn daemon(world: &World) -> Front {
    let socket = world
        .home
        .join("app-server-control/app-server-control.sock");
    let mut command = world.program(engine(), &["app-server", "--listen", "unix://"]);
    Front::start(Running::start(&mut command), socket)
}

#[test]
fn the_daemon_that_runs_is_the_engine() {
    let world = World::new(json!([
        {"when": {"user": "Add"}, "steps": [call("tasks_add", json!({"title": "Added once"}))]},
    ]));
    let daemon = daemon(&world);
    let (running, mut client) = talking(&world);
    assert_eq!(below(running.pid()), [], "it needs no engine of its own");
    client.turn("Hello");
    // Somebody else on the same thread, by plain codex: it hears of our tool's call and needn't know what it is.
    let mut plain = daemon.client().greeted();
    plain.resume(&client.thread);
    client.turn("Add it");
    client.close();
    running.finish().ok();
    assert_eq!(
        titles(&world)
            .iter()
            .filter(|title| *title == "Added once")
            .count(),
        1
    );
    is_whole(&world, &client.thread, 2);
    // The daemon is the user's and goes on.
    plain.begin("Still there?");
    plain.until(|message| message["method"] == "turn/completed");
    daemon.running.signal(rustix::process::Signal::KILL);
    daemon.running.finish();
}

#[test]
fn a_thread_held_by_another_server_is_refused_in_upstreams_words() {
    let world = World::new(json!([]));
    let (running, mut client) = talking(&world);
    client.turn("Hello");
    client.close();
    running.finish().ok();
    let plain = || {
        let mut command = world.program(engine(), &["app-server"]);
        let (running, client) = Client::of(&mut command);
        (running, client.greeted())
    };
    let (holding, mut holder) = plain();
    holder.resume(&client.thread);
    let resume = json!({"threadId": client.thread});
    let (other, mut theirs) = plain();
    let expected = theirs.try_call("thread/resume", resume.clone());
    let (running, ours) = Client::stdio(&world);
    let mut ours = ours.greeted();
    assert_eq!(ours.try_call("thread/resume", resume), expected);
    assert!(expected.to_string().contains("active writer"), "{expected}");
    for (mut client, running) in [(holder, holding), (theirs, other), (ours, running)] {
        client.close();
        running.finish().ok();
    }
    is_whole(&world, &client.thread, 1);
}
