//! What dies in mid-turn: the engine, codex-orch itself, the engine's file. Nothing is lost, nothing lives on, and the next
//! start works.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::client::{Client, Front, below, engine_of, is_dead, wait};
use crate::engine::engine;
use crate::interposer::{is_whole, recorded, talking};
use crate::world::{World, text};

/// A world whose model waits in the second turn, with a command running.
fn waiting() -> World {
    World::new(json!([
        {"when": {"user": "First"}, "steps": [{"plan": [["A step", "in_progress"]]}]},
        {"when": {"user": "First"}, "steps": [{"say": "Begun."}]},
        {"when": {"user": "Wait"}, "steps": [{"run": "echo before"}]},
        {"when": {"user": "Wait"}, "steps": [
            {"call": {"name": "exec_command", "arguments": {"cmd": "sleep 600", "yield_time_ms": 250}}},
        ]},
        {"when": {"user": "Wait"}, "fault": "hang"},
    ]))
}

/// What the next start finds and can do.
fn goes_on(world: &World, thread: &str) {
    let statuses = || -> Vec<Value> {
        let records = recorded(world, thread);
        records.iter().map(|record| json!(record.status)).collect()
    };
    assert_eq!(statuses(), ["completed", "interrupted"]);
    let cut = recorded(world, thread).remove(1);
    let events = serde_json::to_string(&cut.events).unwrap();
    assert!(events.contains("echo before"), "{events}");
    assert_eq!(statuses(), ["completed", "interrupted"], "recovered once");
    let (running, client) = Client::stdio(world);
    let mut client = client.greeted();
    client.resume(thread);
    client.turn("Thanks");
    client.close();
    running.finish().ok();
    assert_eq!(statuses(), ["completed", "interrupted", "completed"]);
    is_whole(world, thread, 3);
}

#[test]
fn the_engine_is_killed() {
    for listens in [false, true] {
        let world = waiting();
        let (running, mut client) = match listens {
            false => talking(&world),
            true => {
                let front = Front::open(&world);
                let mut client = front.client().greeted();
                client.start(json!({"cwd": world.repo}));
                (front.running, client)
            }
        };
        client.turn("First");
        client.begin("Wait");
        world.asked(5);
        kill_process(engine_of(&running), Signal::KILL).unwrap();
        client.closed();
        let output = running.finish().exits(1);
        let [notice, what, hint] = output.ours()[..] else {
            panic!("{output:#?}")
        };
        assert!(notice.contains("are kept in"), "{notice}");
        assert!(
            what.contains("SIGKILL") && hint.starts_with("  hint: "),
            "{output:#?}"
        );
        assert_eq!(output.theirs(), Vec::<&str>::new());
        goes_on(&world, &client.thread);
    }
}

#[test]
fn codex_orch_is_killed() {
    let world = waiting();
    let (running, mut client) = talking(&world);
    client.turn("First");
    client.begin("Wait");
    world.asked(5);
    let children = below(running.pid());
    assert!(
        children.len() > 2,
        "guard, engine, and the shell's command: {children:?}"
    );
    running.signal(Signal::KILL);
    client.closed();
    running.finish();
    for child in children {
        wait("a child dies with it", || is_dead(child));
    }
    goes_on(&world, &client.thread);
}

#[test]
fn it_is_asked_to_end_in_mid_turn() {
    let world = waiting();
    let front = Front::open(&world);
    let mut client = front.client().greeted();
    client.start(json!({"cwd": world.repo}));
    client.turn("First");
    client.begin("Wait");
    world.asked(5);
    let children = below(front.running.pid());
    front.stop().ok();
    client.closed();
    assert!(children.into_iter().all(is_dead));
    goes_on(&world, &client.thread);
}

#[test]
fn the_engine_is_upgraded_while_it_runs() {
    let world = World::new(json!([
        {"when": {"user": "Run"}, "steps": [{"run": "echo ran"}]},
    ]));
    let program = world.root().join("codex");
    if std::fs::hard_link(engine(), &program).is_err() {
        std::fs::copy(engine(), &program).unwrap();
    }
    let socket = world.root().join("clients.sock");
    let at = format!("unix://{}", socket.display());
    let mut command = world.command(&["app-server", "--listen", &at]);
    command.env("CODEX_ORCH_ENGINE", &program);
    let front = Front::start(crate::world::Running::start(&mut command), socket);
    let mut client = front.client().greeted();
    client.start(json!({"cwd": world.repo}));
    client.turn("First");
    let new = world.root().join("new");
    std::fs::write(&new, "not the engine").unwrap();
    std::fs::rename(&new, &program).unwrap();
    client.turn("Run");
    let mut another = front.client().greeted();
    another.resume(&client.thread);
    another.turn("Go on");
    front.stop().ok();
    let request = &world.requests()[2];
    assert!(
        request.outputs()["call-0-0"].contains("ran"),
        "{:?}",
        request.outputs()
    );
    is_whole(&world, text(&json!(client.thread)), 3);
}
