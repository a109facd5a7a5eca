//! `kill -9` at any moment: what was acknowledged is there afterwards, exactly once, and nothing of the dead lives on.
//!
//! The moments are drawn from a seed, which is printed; `KILL_SEED` repeats a run. A moment is a stage of the turn (so many
//! requests have reached the model) and a short time after it, in which the run may also come to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use regex::Regex;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::world::{PATIENCE, Setting, World, text};

/// Rounds in all, and the worlds that share them, at once.
const ROUNDS: usize = 200;
const WORLDS: usize = 4;
/// Requests of a round that runs to its end.
const REQUESTS: usize = 4;
/// The longest time after a stage.
const MOST: Duration = Duration::from_millis(120);

/// How the scripted model adds tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By our command line, from its shell.
    Shell,
    /// By the tool of our MCP server.
    Tool,
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let given = std::env::var("KILL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed: u64 = given.unwrap_or(clock.subsec_nanos().into());
    println!("KILL_SEED={seed}");
    assert!(has_tool(), "a run offers the model our tools");
    let ways = [Way::Shell, Way::Tool];
    let begun = Instant::now();
    let worlds: Vec<_> = (0..WORLDS)
        .map(|n| {
            let way = ways[n % ways.len()];
            std::thread::spawn(move || rounds(Random(seed ^ (n as u64) << 32 | 1), way))
        })
        .collect();
    let mut sum = Tally::default();
    for world in worlds {
        let tally = world.join().unwrap();
        sum.killed += tally.killed;
        sum.ended += tally.ended;
        sum.acknowledged += tally.acknowledged;
        sum.interrupted += tally.interrupted;
        sum.completed += tally.completed;
        sum.unseen += tally.unseen;
    }
    println!(
        "{ROUNDS} rounds, ways {ways:?}, in {:?}: {sum:?}",
        begun.elapsed()
    );
    assert_eq!(sum.killed + sum.ended, ROUNDS);
    assert!(
        sum.killed > ROUNDS / 2,
        "most of them are to be killed: {sum:?}"
    );
    assert!(sum.acknowledged > ROUNDS / 2, "{sum:?}");
}

/// Whether a run offers the model our tools.
fn has_tool() -> bool {
    let world = World::new(json!([]));
    world.exec("Hello");
    let tools = world.requests()[0].tool_names();
    tools.iter().any(|name| name == "mcp__codex_orch.tasks_add")
}

#[derive(Debug, Default)]
struct Tally {
    killed: usize,
    /// Those that came to their end before they could be killed.
    ended: usize,
    acknowledged: usize,
    interrupted: usize,
    completed: usize,
    /// Rounds that were killed before upstream had written anything of their turn.
    unseen: usize,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The replies for one round: three tasks and a commit, each its own request.
fn replies(round: usize, way: Way) -> Vec<Value> {
    let when = json!({"user": format!("Round {round}.")});
    let add = |n: usize| {
        let title = format!("Task {n} of round {round}.");
        match way {
            Way::Shell => {
                json!({"run": format!("{} tasks add '{title}'", env!("CARGO_BIN_EXE_codex-orch"))})
            }
            Way::Tool => json!({"call": {
                "namespace": "mcp__codex_orch",
                "name": "tasks_add",
                "arguments": {"title": title},
            }}),
        }
    };
    let commit = json!({"run": format!("git commit -q --allow-empty -m 'Round {round}.'")});
    vec![
        json!({"when": when, "steps": [add(1)]}),
        json!({"when": when, "steps": [add(2), commit]}),
        json!({"when": when, "steps": [add(3)]}),
        json!({"when": when, "steps": [{"say": "Round over."}]}),
    ]
}

fn rounds(mut random: Random, way: Way) -> Tally {
    let each = ROUNDS / WORLDS;
    let all: Vec<Value> = (0..each).flat_map(|round| replies(round, way)).collect();
    let world = World::of(Setting::new(Value::Array(all)));
    let mut tally = Tally::default();
    let mut acknowledged = BTreeSet::new();
    for round in 0..each {
        let before = world.requests().len();
        let stage = usize::try_from(random.below(REQUESTS as u64 + 1)).unwrap();
        let after = Duration::from_micros(random.below(MOST.as_micros() as u64));
        let prompt = format!("Round {round}.");
        let running = world.start(&["exec", "--json", &prompt]);
        if stage > 0 {
            world.asked(before + stage);
        }
        // Not a wait for something to happen: the moment itself.
        std::thread::park_timeout(after);
        let engines = running.children();
        running.signal(Signal::KILL);
        // The pipes close when the last process that holds them is gone.
        let output = running.finish();
        for engine in engines {
            is_gone(engine);
        }
        let asked = world.requests().len() - before;
        match output.signal {
            Some(_) => tally.killed += 1,
            None => tally.ended += 1,
        }
        acknowledged.extend(told(&world, before));
        check(&world, round, asked, &acknowledged, &mut tally);
    }
    tally.acknowledged = acknowledged.len();
    tally
}

/// The ids of tasks that the model was told to have been added.
fn told(world: &World, from: usize) -> BTreeSet<String> {
    let added = Regex::new(r#"added (t?[0-9a-z-]{4,})|"id":\s*"([0-9a-z-]{4,})""#).unwrap();
    let requests = world.requests();
    let outputs = requests[from..]
        .iter()
        .flat_map(|request| request.outputs().into_values());
    let ids = |output: String| -> Vec<String> {
        let found = added.captures_iter(&output);
        found
            .filter_map(|id| Some(id.get(1).or(id.get(2))?.as_str().to_owned()))
            .collect()
    };
    outputs.flat_map(ids).collect()
}

/// What the next start finds.
fn check(
    world: &World,
    round: usize,
    asked: usize,
    acknowledged: &BTreeSet<String>,
    tally: &mut Tally,
) {
    let tasks = world.tasks();
    let mut titles: BTreeMap<&str, usize> = BTreeMap::new();
    for task in &tasks {
        *titles.entry(text(&task["title"])).or_default() += 1;
    }
    let twice: Vec<_> = titles.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "round {round}: {twice:?}");
    let ids: BTreeSet<String> = tasks
        .iter()
        .map(|task| text(&task["id"]).to_owned())
        .collect();
    let lost: Vec<_> = acknowledged.difference(&ids).collect();
    assert!(
        lost.is_empty(),
        "round {round}: acknowledged and lost: {lost:?}"
    );

    let state = world.state();
    assert_eq!(
        state["project"]["open_runs"],
        json!({}),
        "round {round}: a dead run is still open"
    );
    let store = PathBuf::from(text(&state["store"]));
    // Killed before anything was folded, there may be nothing but an empty log to clear away.
    if !store.join("store.git").exists() {
        assert!(acknowledged.is_empty());
        tally.unseen += 1;
        return;
    }
    let logs = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(store.join("log")).unwrap();
        entries.flatten().map(|log| log.path()).collect()
    };
    // A server of the killed run may have ended after the start above had looked: then it is the next one's to clear.
    if !logs().is_empty() {
        world.tasks();
    }
    assert!(logs().is_empty(), "round {round}: {:?}", logs());
    world.git_in(
        &store.join("store.git"),
        &["fsck", "--strict", "--no-dangling"],
    );

    let prompt = format!("Round {round}.");
    let sessions = newest(world, &state, 2);
    let turns = sessions
        .iter()
        .flat_map(|session| session["turns"].as_array().unwrap());
    let of_round: Vec<&str> = turns
        .filter(|turn| turn["record"]["request"] == prompt.as_str())
        .map(|turn| text(&turn["record"]["status"]))
        .collect();
    match of_round.as_slice() {
        // The rollout is written a moment after the first request goes out.
        [] => {
            assert!(
                asked < 2,
                "round {round}: {asked} requests, and no turn on record"
            );
            tally.unseen += 1;
        }
        ["interrupted"] => tally.interrupted += 1,
        ["completed"] => {
            assert_eq!(
                asked, REQUESTS,
                "round {round}: it can't have been completed"
            );
            tally.completed += 1;
        }
        other => panic!("round {round}: {other:?}"),
    }
}

/// The newest sessions of the store.
fn newest(world: &World, state: &Value, most: usize) -> Vec<Value> {
    let store = PathBuf::from(text(&state["store"])).join("store.git");
    let names = state["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .take(most);
    let read = |name: &Value| {
        let object = format!("refs/codex-orch/state:sessions/{}.json", text(name));
        serde_json::from_str(&world.git_in(&store, &["cat-file", "blob", &object])).unwrap()
    };
    names.map(read).collect()
}

/// Fails unless the process ends soon: it was to be killed with its parent. One that nobody has collected is dead too.
fn is_gone(pid: Pid) {
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let begun = Instant::now();
    while let Ok(line) = std::fs::read_to_string(&stat) {
        let state = line.rsplit(") ").next().unwrap_or_default();
        if state.starts_with(['Z', 'X']) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the engine lives on: {line}");
        std::thread::yield_now();
    }
}
