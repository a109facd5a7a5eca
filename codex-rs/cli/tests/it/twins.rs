//! The same story told twice, once through `codex-orch` and once by upstream itself: what upstream prints and how it
//! exits must be the same.

use regex::Regex;
use serde_json::{Value, json};

use crate::world::{Output, Running, Setting, World};

/// Two worlds of the same setting: the first one is for `codex-orch`, the second for upstream.
pub(crate) fn twins(setting: impl Fn() -> Setting) -> [World; 2] {
    [World::of(setting()), World::of(setting())]
}

/// Upstream's part of an output, without what differs between any two runs of upstream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    code: Option<i32>,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

pub(crate) fn theirs(world: &World, output: &Output) -> Told {
    // A program that a signal ended is one that exited with 128 and its number to the shell that asks.
    let code = output.code.or(output.signal.map(|signal| 128 + signal));
    let own = |line: &&str| !line.starts_with("codex-orch: ") && !line.starts_with("  hint: ");
    let mut stdout: Vec<String> = output
        .stdout
        .lines()
        .map(|line| plain(world, line))
        .collect();
    // How often upstream has tried again when it is stopped is a matter of time.
    stdout.dedup();
    Told {
        code,
        stdout,
        stderr: output
            .stderr
            .lines()
            .filter(own)
            .map(|line| plain(world, line))
            .collect(),
    }
}

/// Takes ids, times, the port and the place out.
pub(crate) fn plain(world: &World, line: &str) -> String {
    let mut line = line
        .replace(world.repo.to_str().unwrap(), "<repo>")
        .replace(world.home.to_str().unwrap(), "<home>")
        .replace(world.root().to_str().unwrap(), "<root>")
        .replace(&world.server.address().to_string(), "<server>");
    for (pattern, with) in [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
        (r"\b\d+(\.\d+)?m?s\b", "<time>"),
        (r"\b[0-9a-f]{40}\b", "<commit>"),
    ] {
        line = Regex::new(pattern)
            .unwrap()
            .replace_all(&line, with)
            .into_owned();
    }
    line
}

/// Runs both, feeding `input`, and compares; returns the first world with its output.
#[track_caller]
pub(crate) fn same_fed(
    setting: impl Fn() -> Setting,
    args: &[&str],
    input: Option<&str>,
) -> (World, World, Output) {
    let [ours, plain] = twins(setting);
    let mut command = ours.command(args);
    let output = run_fed(&mut command, input);
    // Plans are shown when they are switched on; codex-orch does so.
    let args: Vec<&str> = args
        .iter()
        .flat_map(|arg| match *arg {
            "exec" => vec!["exec", "-c", "tools.update_plan.enabled=true"],
            arg => vec![arg],
        })
        .collect();
    let mut command = plain.program(crate::engine::engine(), &args);
    let expected = run_fed(&mut command, input);
    assert_eq!(
        theirs(&ours, &output),
        theirs(&plain, &expected),
        "{output:#?}\n{expected:#?}"
    );
    (ours, plain, output)
}

#[track_caller]
pub(crate) fn same(setting: impl Fn() -> Setting, args: &[&str]) -> (World, World, Output) {
    same_fed(setting, args, None)
}

fn run_fed(command: &mut std::process::Command, input: Option<&str>) -> Output {
    use std::io::Write as _;
    if input.is_some() {
        command.stdin(std::process::Stdio::piped());
    }
    let mut running = Running::start(command);
    if let (Some(input), Some(mut stdin)) = (input, running.child().stdin.take()) {
        stdin.write_all(input.as_bytes()).unwrap();
    }
    running.finish()
}

/// One call or message a request: of several, upstream itself shows the order in which they happen to end.
fn story() -> Setting {
    Setting::new(json!([
        {"steps": [
            {"reasoning": "A plan comes first."},
            {"plan": [["Make it", "in_progress"], ["Test it", "pending"]]},
        ], "usage": {"input": 1200, "cached": 300, "output": 40}},
        {"steps": [{"run": "echo made > made.txt && git add made.txt && git commit -qm made && exit 3"}]},
        {"steps": [{"plan": [["Make it", "completed"], ["Test it", "in_progress"]]}]},
        {"steps": [{"run": "echo '# tested' && false"}]},
        {"steps": [{"stream": ["It is ", "made."]}, {"say": "{\"made\": true}"}]},
    ]))
}

#[test]
fn the_events_of_a_run_are_upstreams() {
    let (world, _, output) = same(story, &["exec", "--json", "Make it"]);
    assert!(output.events().len() > 6);
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn the_text_of_a_run_is_upstreams() {
    let (world, _, output) = same(story, &["exec", "Make it"]);
    assert!(output.stdout.contains("{\"made\": true}"));
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn the_last_message_goes_into_the_file_that_was_asked_for() {
    let (world, plain, _) = same(story, &["exec", "-o", "last.txt", "Make it"]);
    let read = |world: &World| std::fs::read_to_string(world.repo.join("last.txt")).unwrap();
    assert_eq!(read(&world), "{\"made\": true}");
    assert_eq!(read(&world), read(&plain));
}

#[test]
fn an_output_schema_reaches_the_model() {
    let schema = json!({
        "type": "object",
        "properties": {"made": {"type": "boolean"}},
        "required": ["made"],
        "additionalProperties": false,
    });
    let [ours, plain] = twins(story);
    for world in [&ours, &plain] {
        std::fs::write(world.repo.join("schema.json"), schema.to_string()).unwrap();
    }
    let args = [
        "exec",
        "--json",
        "--output-schema",
        "schema.json",
        "Make it",
    ];
    let output = ours.run(&args).ok();
    let expected = plain.plain(
        &["exec", "-c", "tools.update_plan.enabled=true"]
            .iter()
            .chain(&args[1..])
            .collect::<Vec<_>>(),
    );
    assert_eq!(theirs(&ours, &output), theirs(&plain, &expected));
    let format = |world: &World| world.requests()[0].body["text"]["format"].clone();
    assert_eq!(format(&ours)["schema"], schema);
    assert_eq!(format(&ours), format(&plain));
}

#[test]
fn a_prompt_may_come_by_stdin() {
    for args in [
        &["exec", "--json", "-"][..],
        &["exec", "--json"],
        &["exec", "--json", "Look at this:"],
    ] {
        let (ours, plain, _) = same_fed(story, args, Some("made of text\n"));
        let prompt = |world: &World| world.requests()[0].messages("user").pop().unwrap();
        assert_eq!(prompt(&ours), prompt(&plain));
        assert!(prompt(&ours).contains("made of text"));
    }
}

#[test]
fn without_a_prompt_it_fails_as_upstream_does() {
    let (world, _, output) = same_fed(story, &["exec", "--json"], Some(""));
    assert_ne!(output.code, Some(0));
    assert!(world.requests().is_empty());
}

#[test]
fn bad_flags_are_told_as_upstream_tells_them() {
    for args in [
        &["exec", "--no-such-flag", "x"][..],
        &["exec", "--sandbox", "no-such-mode", "x"],
        &["exec", "resume", "--no-such-flag"],
        &["exec", "--output-schema"],
    ] {
        let (world, _, output) = same(story, args);
        assert_eq!(output.code, Some(2), "{args:?}");
        assert!(world.requests().is_empty());
    }
}

#[test]
fn orchestration_can_be_left_out() {
    let quiet = World::of(story());
    let output = quiet.run(&["exec", "--no-orch", "--json", "Make it"]).ok();
    assert_eq!(output.ours(), Vec::<&str>::new());
    assert!(!quiet.store().exists() && !quiet.repo.join(".codex-orch").exists());
    assert!(
        !quiet.requests()[0]
            .input_text()
            .contains("codex_orch_brief")
    );
    // The same by configuration.
    let quiet = World::of(story());
    quiet.write_home("orch.toml", "[record]\nenabled = false\n");
    quiet.exec("Make it");
    assert!(!quiet.store().exists());
}

#[test]
fn a_review_is_upstreams_and_leaves_the_backlog_alone() {
    let setting = || {
        Setting::new(Value::Array(vec![
            json!({"steps": [{"say": "Looks fine."}]}),
        ]))
    };
    let [ours, plain] = twins(setting);
    for world in [&ours, &plain] {
        std::fs::write(world.repo.join("README.md"), "changed\n").unwrap();
    }
    let args = ["exec", "review", "--uncommitted"];
    let (output, expected) = (ours.run(&args), plain.plain(&args));
    assert_eq!(theirs(&ours, &output), theirs(&plain, &expected));
    assert_eq!(ours.tasks(), Vec::<Value>::new());
    assert_eq!(ours.requests().len(), plain.requests().len());
}
