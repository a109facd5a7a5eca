//! What goes wrong under the TUI and is got over: no private home can be made, the engine dies.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{field, turn, until_recorded, world};
use crate::screen::Screen;
use crate::world::told;

#[test]
fn without_a_private_home_the_tui_connects_by_remote() {
    let world = world(json!([{"when": {"user": "First"}, "steps": [{"say": "One."}]}]));
    // Where the private homes would be made stands a file.
    world.write_home("orch/run", "");
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    until_recorded(&world, 1);
    let request = super::asked(&world).remove(0);
    assert!(told(&request).contains("<codex_orch_brief_1>"));
    assert_eq!(screen.quit().code, 0);
    assert_eq!(field(&world, "request"), ["First thing"]);
}

#[test]
fn an_engine_that_is_killed_is_started_again_and_the_conversation_goes_on() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [{"run": "sleep 987"}]},
        {"when": {"user": "Third"}, "steps": [{"say": "Three."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.submit("Second thing");
    screen.until("1 background terminal running");
    for engine in engines(&world) {
        kill_process(engine, Signal::KILL).unwrap();
    }
    until_recorded(&world, 2);
    screen.until("Conversation interrupted");
    turn(&screen, "Third thing", "Three.");
    until_recorded(&world, 3);
    assert_eq!(screen.quit().code, 0);
    assert_eq!(world.turns(), ["completed", "interrupted", "completed"]);
}

/// The app-servers of this world.
fn engines(world: &crate::world::World) -> Vec<Pid> {
    let home = world.home.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let (line, environment) = (read("cmdline"), read("environ"));
            let line = String::from_utf8_lossy(&line).into_owned();
            let is_server = line.contains("app-server\0--listen") && !line.contains("__leash");
            let is_ours = String::from_utf8_lossy(&environment).contains(home);
            let pid = entry.file_name().to_str()?.parse().ok()?;
            (is_server && is_ours).then(|| Pid::from_raw(pid)).flatten()
        })
        .collect()
}
