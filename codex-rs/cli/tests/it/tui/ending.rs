//! The end: what a turn that still runs becomes, and what is left of us.

use std::path::Path;
use std::time::Instant;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::{field, turn, world};
use crate::screen::Screen;
use crate::world::{PATIENCE, World};

/// Processes whose command line or environment names this folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).into_owned();
            let all = line.clone() + &String::from_utf8_lossy(&read("environ"));
            all.contains(folder).then_some(line)
        })
        .collect()
}

/// Waits until no process of the world is left.
#[track_caller]
fn until_none_is_left(world: &World) {
    let until = Instant::now() + PATIENCE;
    loop {
        let left = processes_of(&world.home);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "{left:?}");
    }
}

/// In the middle of the second turn.
fn working() -> (World, Screen) {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [{"run": "sleep 987"}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.submit("Second thing");
    screen.until("1 background terminal running");
    assert!(!processes_of(&world.home).is_empty());
    (world, screen)
}

#[test]
fn leaving_in_mid_turn_ends_everything_and_records_the_turn_as_interrupted() {
    let (world, screen) = working();
    assert_eq!(screen.quit().code, 0);
    until_none_is_left(&world);
    assert_eq!(world.turns(), ["completed", "interrupted"]);
    assert_eq!(field(&world, "request"), ["First thing", "Second thing"]);

    let private = world.home.join("orch/run/0/home");
    let left = std::fs::read_dir(private).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    // Threads in managed worktrees have their path in here.
    assert_eq!(left, ["worktrees"]);

    let screen = Screen::start(&world, &["resume", "--last"]);
    screen.until("One.").until("Second thing");
    turn(&screen, "Third thing", "Done.");
    screen.quit();
    assert_eq!(world.turns(), ["completed", "interrupted", "completed"]);
}

#[test]
fn a_terminated_session_records_its_turn_and_leaves_nothing() {
    let (world, screen) = working();
    kill_process(screen.pid(), Signal::TERM).unwrap();
    screen.exit();
    until_none_is_left(&world);
    assert_eq!(world.turns(), ["completed", "interrupted"]);
}

#[test]
fn what_a_killed_session_was_doing_is_recorded_by_the_next_start() {
    let (world, screen) = working();
    kill_process(screen.pid(), Signal::KILL).unwrap();
    screen.exit();
    let screen = Screen::start(&world, &["resume", "--last"]);
    screen.until("One.").until("Second thing");
    turn(&screen, "Third thing", "Done.");
    screen.quit();
    assert_eq!(world.turns(), ["completed", "interrupted", "completed"]);
    until_none_is_left(&world);
}
