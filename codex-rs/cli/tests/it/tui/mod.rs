//! The stock TUI and the real engine in a pseudo-terminal, started by `codex-orch`: what the user sees, and what is recorded.

mod approvals;
mod drift;
mod ending;
mod flow;
mod mended;
mod own_turns;
mod places;
mod threads;
mod turn;

use std::sync::Arc;
use std::time::Instant;

use orch_fake_model::record::Recorded;
use serde_json::{Value, json};

use crate::screen::Screen;
use crate::world::{PATIENCE, Setting, World};

/// How the TUI asks for the title of a conversation, in a thread of its own.
const TITLE: &str = "Generate a concise, single-line task title";

/// A model that plays `replies`, and gives every conversation a title.
fn setting(mut replies: Value) -> Setting {
    let title = json!({"when": {"user": TITLE}, "repeat": true, "steps": [{"say": "Some work"}]});
    replies.as_array_mut().unwrap().insert(0, title);
    Setting::new(replies)
}

fn world(replies: Value) -> World {
    World::of(setting(replies))
}

/// What the model was asked in conversations; questions for a title are none.
fn asked(world: &World) -> Vec<Arc<Recorded>> {
    let mut requests = world.requests();
    requests.retain(|request| !is_for_title(request));
    requests
}

/// Waits until the model was asked that often in conversations.
fn until_asked(world: &World, n: usize) {
    while asked(world).len() < n {
        world.asked(world.requests().len() + 1);
    }
}

fn is_for_title(request: &Recorded) -> bool {
    let users = request.messages("user");
    users.last().is_some_and(|last| last.contains(TITLE))
}

/// The conversation's newest message of the user, as the model was told it.
fn last_message(request: &Recorded) -> String {
    request.messages("user").pop().unwrap_or_default()
}

/// Waits until that many turns are in the state: the TUI has shown a turn's end before it is recorded.
#[track_caller]
fn until_recorded(world: &World, n: usize) {
    let until = Instant::now() + PATIENCE;
    while world.turns().len() < n {
        assert!(Instant::now() < until, "{:#?}", world.sessions());
    }
}

/// Sends a message, and waits for the answer and for the line below it that says that the turn is over.
#[track_caller]
fn turn(screen: &Screen, message: &str, answer: &str) {
    let ended = screen.count(WORKED);
    screen.submit(message).until(answer);
    screen.until_more(WORKED, ended);
}

/// What stands below a turn that is over.
const WORKED: &str = "Worked for";

/// One field of every recorded turn, session by session.
fn field(world: &World, name: &str) -> Vec<Value> {
    let sessions = world.sessions();
    let turns = sessions
        .iter()
        .flat_map(|session| session["turns"].as_array().unwrap());
    turns.map(|turn| turn["record"][name].clone()).collect()
}
