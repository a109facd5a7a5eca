//! The interposer end to end, at the protocol's level: clients of `codex-orch app-server` with the real engine behind it.

mod clients;
mod deaths;
mod hostile;
mod observed;
mod others;
mod replay;
mod rough;
mod turns;

use orch_protocol::ids::ThreadId;
use orch_protocol::turn::TurnRecord;
use orch_rollout::below::read_with_below;
use serde_json::{Value, json};

use crate::client::Client;
use crate::observers::comparable;
use crate::world::{Running, World, text};

/// A call of a tool of ours, as the model makes it.
fn call(tool: &str, arguments: Value) -> Value {
    json!({"call": {"namespace": "codex_orch", "name": tool, "arguments": arguments}})
}

/// The only client of an app-server on stdio, which talks to a thread of its own in the repository.
fn talking(world: &World) -> (Running, Client) {
    let (running, client) = Client::stdio(world);
    let mut client = client.greeted();
    client.start(json!({"cwd": world.repo}));
    (running, client)
}

/// The records of a thread's turns, as the session files have them. Commits are git's to tell, and no rollout has them.
fn recorded(world: &World, thread: &str) -> Vec<TurnRecord> {
    let sessions = world.sessions();
    let of_thread = sessions
        .iter()
        .filter(|session| session["thread"] == thread);
    let turns = of_thread.flat_map(|session| session["turns"].as_array().unwrap());
    turns
        .map(|turn| TurnRecord {
            commits: Vec::new(),
            ..serde_json::from_value(turn["record"].clone()).unwrap()
        })
        .collect()
}

/// The same as the rollout has them.
fn rolled_out(world: &World, thread: &str) -> Vec<TurnRecord> {
    let sessions = world.home.join("sessions");
    read_with_below(&sessions, &ThreadId::new(thread))
        .unwrap()
        .turns
}

/// Fails unless a thread is recorded as its rollout has it, each turn once.
#[track_caller]
fn is_whole(world: &World, thread: &str, turns: usize) {
    let all = |records: Vec<TurnRecord>| records.iter().map(comparable).collect::<Vec<_>>();
    let (ours, theirs) = (all(recorded(world, thread)), all(rolled_out(world, thread)));
    assert_eq!(ours, theirs, "recorded, and in the rollout");
    assert_eq!(ours.len(), turns);
    assert_eq!(world.state()["project"]["open_runs"], json!({}));
}

/// The titles of all tasks.
fn titles(world: &World) -> Vec<String> {
    let tasks = world.tasks();
    tasks
        .iter()
        .map(|task| text(&task["title"]).to_owned())
        .collect()
}
