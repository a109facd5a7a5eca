//! Every flag through `codex-orch` with the real engine, and beside it the same through upstream alone: what the model is asked,
//! what the rollout says of the turn, what is on the screen. docs/parity.md names these tests, flag by flag.

mod agents;
mod app_server;
mod choice;
mod errors;
mod exec;
mod folders;
mod plain;
mod policy;
mod settings;
mod subcommands;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use orch_fake_model::record::Recorded;
use serde_json::{Value, json};

use crate::engine::engine;
use crate::screen::Screen;
use crate::twins;
use crate::world::{PATIENCE, Setting, World};

/// How the TUI asks for the title of a conversation, in a thread of its own.
const TITLE: &str = "Generate a concise, single-line task title";
/// What the model answers.
const ANSWER: &str = "All is well.";
/// In the words of a command line: the thread that the world began with.
const THREAD: &str = "{thread}";

/// A model that has one answer.
fn setting() -> Setting {
    let mut setting = Setting::new(json!([
        {"when": {"user": TITLE}, "repeat": true, "steps": [{"say": "Some work"}]},
        {"repeat": true, "steps": [{"say": ANSWER}]},
    ]));
    // As codex-orch has it: the model's instructions differ with it.
    setting.config = "tools.update_plan.enabled = true\n".to_owned();
    setting
}

/// The same world twice: one for codex-orch, one for upstream alone.
struct Pair {
    ours: World,
    plain: World,
}

/// What a turn was, as others than us tell it.
struct Seen {
    /// The body of the request to the model, without what codex-orch adds.
    request: Value,
    /// The rollout's `turn_context`.
    context: Value,
    screen: String,
}

impl Pair {
    fn new() -> Self {
        Self::of(setting, |_| {})
    }

    /// Both worlds with a conversation in each, the [`THREAD`].
    fn begun() -> Self {
        Self::of(setting, |world| {
            world.plain(&["exec", "Before"]).ok();
        })
    }

    fn of(setting: impl Fn() -> Setting + Sync, prepare: impl Fn(&World) + Sync) -> Self {
        let make = || {
            let world = World::of(setting());
            prepare(&world);
            world
        };
        let (ours, plain) = at_once(make, make);
        Self { ours, plain }
    }

    /// A turn in both, whose message is among `args`: it must be asked and noted down alike. Ours, then upstream's.
    #[track_caller]
    fn turn(&self, args: &[&str]) -> [Seen; 2] {
        let mut plain_args = vec!["--no-daemon"];
        plain_args.extend(args);
        let (ours, plain) = at_once(
            || turn(&self.ours, command(&self.ours, args)),
            || {
                let args = with_thread(&self.plain, &plain_args);
                turn(&self.plain, self.plain.program(engine(), &args))
            },
        );
        for part in [
            |seen: &Seen| seen.context.clone(),
            |seen: &Seen| seen.request.clone(),
        ] {
            self.same(args, &part(&ours), &part(&plain));
        }
        [ours, plain]
    }

    /// Compares what was seen in the two worlds.
    #[track_caller]
    fn same(&self, args: &[&str], ours: &Value, plain: &Value) {
        let ours = normal(&self.ours, ours);
        let plain = normal(&self.plain, plain);
        let only = |of: &[String], other: &[String]| -> Vec<String> {
            let lines = of.iter().filter(|line| !other.contains(line));
            lines.cloned().collect()
        };
        let (more, less) = (only(&ours, &plain), only(&plain, &ours));
        let differs = ours.iter().zip(&plain).find(|(ours, plain)| ours != plain);
        assert!(
            ours == plain,
            "{args:?}; ours: {more:#?}; plain: {less:#?}; {differs:#?}"
        );
    }

    /// The same turn in a new conversation, a resumed one and a fork.
    #[track_caller]
    fn every_way(&self, flags: &[&str], check: impl Fn(&Seen)) {
        for way in [
            &["Go"][..],
            &["resume", THREAD, "Go"],
            &["fork", THREAD, "Go"],
        ] {
            let args: Vec<&str> = way.iter().chain(flags).copied().collect();
            self.turn(&args).iter().for_each(&check);
        }
    }
}

/// `codex-orch ARGS`.
fn command(world: &World, args: &[&str]) -> std::process::Command {
    world.command(&with_thread(world, args))
}

fn with_thread(world: &World, args: &[&str]) -> Vec<String> {
    let thread = || {
        let name = rollouts(&world.home)[0].file_stem().unwrap().to_owned();
        let name = name.into_string().unwrap();
        name[name.len() - 36..].to_owned()
    };
    let word = |arg: &&str| match *arg {
        THREAD => thread(),
        arg => arg.to_owned(),
    };
    args.iter().map(word).collect()
}

/// For two in one home: upstream warns when another one is just setting itself up there.
fn in_turn<T>(one: impl FnOnce() -> T, other: impl FnOnce() -> T) -> (T, T) {
    (one(), other())
}

fn at_once<T: Send>(one: impl FnOnce() -> T, other: impl FnOnce() -> T + Send) -> (T, T) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        (one, other.join().unwrap())
    })
}

/// Runs one turn in a terminal, and leaves.
#[track_caller]
fn turn(world: &World, command: std::process::Command) -> Seen {
    let before = conversations(world).len();
    let screen = Screen::of(&command);
    screen.until(ANSWER);
    let seen = until("the turn on record", || seen(world, before));
    let text = screen.text();
    assert_eq!(screen.quit().code, 0, "{}", screen.text());
    Seen {
        screen: text,
        ..seen
    }
}

/// What there is of the newest turn, when there are more than `before`.
fn seen(world: &World, before: usize) -> Option<Seen> {
    let asked = conversations(world);
    let mut request = asked.get(before..)?.last()?.body.clone();
    let turn = request["client_metadata"]["turn_id"].clone();
    // Ids and times; the rest says again what the turn context says.
    request.as_object_mut()?.remove("client_metadata");
    without_ours(&mut request);
    let lines = rollouts(&world.home)
        .into_iter()
        .flat_map(|path| records(&path));
    let mut lines = lines.filter(|line| line["payload"]["turn_id"] == turn);
    let context = lines.find(|line| line["type"] == "turn_context")?;
    lines.find(|line| line["payload"]["type"] == "task_complete")?;
    Some(Seen {
        request,
        context: context["payload"].clone(),
        screen: String::new(),
    })
}

/// The requests of conversations; questions for a title are none.
fn conversations(world: &World) -> Vec<Arc<Recorded>> {
    let mut requests = world.requests();
    requests.retain(|request| {
        let users = request.messages("user");
        users.last().is_none_or(|last| !last.contains(TITLE))
    });
    requests
}

/// Takes out the brief and the tools that are added.
fn without_ours(request: &mut Value) {
    let is_ours = |value: &Value| {
        let text = value.to_string();
        // With any MCP server there are tools for resources.
        text.contains("codex_orch") || text.contains("mcp_resource")
    };
    if let Some(tools) = request["tools"].as_array_mut() {
        tools.retain(|tool| !is_ours(&tool["name"]));
    }
    for item in request["input"].as_array_mut().into_iter().flatten() {
        if let Some(parts) = item["content"].as_array_mut() {
            parts.retain(|part| !is_ours(&part["text"]));
        }
    }
    if let Some(items) = request["input"].as_array_mut() {
        items.retain(|item| item["content"] != json!([]));
    }
}

/// The rollouts of a home, oldest first.
fn rollouts(home: &Path) -> Vec<PathBuf> {
    let mut folders = vec![home.join("sessions")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push(path),
            }
        }
    }
    found.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    found
}

fn records(rollout: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(rollout).unwrap();
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Waits until there is something.
#[track_caller]
fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::yield_now();
    }
}

/// Without what differs between any two runs: a line each, so that a difference can be read.
fn normal(world: &World, value: &Value) -> Vec<String> {
    let mut value = value.clone();
    // Upstream alone writes some of them twice.
    for path in [
        "/file_system_sandbox_policy/entries",
        "/permission_profile/file_system/entries",
    ] {
        if let Some(Value::Array(entries)) = value.pointer_mut(path) {
            let mut once: Vec<Value> = Vec::new();
            for entry in entries.drain(..) {
                if !once.contains(&entry) {
                    once.push(entry);
                }
            }
            *entries = once;
        }
    }
    let text = serde_json::to_string_pretty(&value).unwrap();
    let text = twins::plain(world, &text);
    text.lines().map(str::to_owned).collect()
}

/// The names of the tools in a request.
fn tools(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().unwrap().iter();
    tools.filter_map(|tool| tool["name"].as_str()).collect()
}
