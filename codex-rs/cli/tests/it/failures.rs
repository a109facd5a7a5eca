//! Turns that don't come to a good end: upstream's words and exit code stay upstream's, the record says what became of
//! the turn, and nothing is done because a model said so.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::engine::engine;
use crate::twins::{same, theirs, twins};
use crate::world::{Output, Running, Setting, World};

/// A turn that says a step is under way and fails.
fn failing(fault: &Value) -> Setting {
    Setting::new(json!([
        {"steps": [{"plan": [["Ship it", "in_progress"]]}]},
        {"repeat": true, "fault": fault},
    ]))
}

#[track_caller]
fn check_failed(fault: Value, complaint: &str) {
    let (world, _, output) = same(|| failing(&fault), &["exec", "--json", "Ship it"]);
    assert_eq!(output.code, Some(1), "{output:#?}");
    assert!(output.stdout.contains(complaint), "{output:#?}");
    assert_eq!(world.turns(), ["failed"]);
    nothing_is_done(&world);
}

#[track_caller]
fn nothing_is_done(world: &World) {
    for task in world.tasks() {
        assert_ne!(task["status"], "done", "{task:#?}");
    }
}

#[test]
fn a_model_error_fails_the_turn() {
    check_failed(json!({"status": {"code": 500}}), "high demand");
    check_failed(
        json!({"status": {"code": 400, "body": {"error": {"message": "no such model"}}}}),
        "no such model",
    );
    check_failed(
        json!({"failed": {"code": "context_length_exceeded"}}),
        "ran out of room",
    );
}

#[test]
fn a_rate_limit_fails_the_turn() {
    check_failed(json!({"status": {"code": 429}}), "429 Too Many Requests");
    check_failed(
        json!({"failed": {"code": "rate_limit_exceeded", "message": "slow down"}}),
        "slow down",
    );
}

#[test]
fn a_broken_stream_fails_the_turn() {
    check_failed(json!("garbage"), "UTF8 error");
    check_failed(json!("cut"), "error decoding response body");
    check_failed(json!("empty"), "stream closed before response.completed");
    check_failed(
        json!("malformed_event"),
        "stream closed before response.completed",
    );
}

#[test]
fn a_refusal_is_what_upstream_makes_of_it() {
    let setting = || {
        Setting::new(json!([
            {"steps": [{"plan": [["Ship it", "in_progress"]]}]},
            {"steps": [{"refuse": "I would rather not."}]},
        ]))
    };
    let (world, _, _) = same(setting, &["exec", "--json", "Ship it"]);
    assert_eq!(world.turns(), ["completed"]);
    nothing_is_done(&world);
}

#[test]
fn a_model_out_of_reach_is_waited_for_until_ctrl_c() {
    // Upstream waits for the network for ever; who runs it doesn't.
    let away = "model_providers.scripted.base_url=\"http://127.0.0.1:1/v1\"";
    let [ours, plain] = twins(|| Setting::new(json!([])));
    let args = ["exec", "--json", "-c", away, "Ship it"];
    let interrupted = |mut running: Running| {
        running.until("waiting for network");
        running.signal_group(Signal::INT);
        running.finish()
    };
    let output = interrupted(ours.start(&args));
    let expected = interrupted(Running::start(&mut plain.program(engine(), &args)));
    assert_eq!(
        theirs(&ours, &output),
        theirs(&plain, &expected),
        "{output:#?}\n{expected:#?}"
    );
    assert_eq!(ours.turns(), ["interrupted"]);
    assert_eq!(ours.journal().len(), 1);
}

#[test]
fn a_word_without_work_is_a_proposal() {
    let world = World::new(json!([
        {"steps": [{"plan": [["Ship it", "completed"]]}]},
        {"steps": [{"say": "Shipped!"}]},
    ]));
    world.exec("Ship it");
    nothing_is_done(&world);
    let proposals = world.state()["project"]["proposals"].clone();
    assert_eq!(
        proposals.as_object().map(|known| known.len()),
        Some(1),
        "{proposals:#?}"
    );
}

/// A turn that hangs while the model thinks, to be ended from outside.
fn hanging() -> Setting {
    Setting::new(json!([
        {"steps": [
            {"plan": [["Ship it", "in_progress"]]},
            {"run": "echo x > shipped.txt && git add . && git commit -qm 'Ship it'"},
        ]},
        {"steps": [{"plan": [["Ship it", "completed"]]}], "fault": "hang"},
    ]))
}

/// Ends the turn of both twins in the same way and compares.
fn ended_by(end: impl Fn(&Running, bool)) -> (World, Output) {
    let [ours, plain] = twins(hanging);
    let running = ours.start(&["exec", "--json", "Ship it"]);
    ours.asked(2);
    end(&running, false);
    let output = running.finish();
    let mut command = plain.program(
        engine(),
        &[
            "exec",
            "-c",
            "tools.update_plan.enabled=true",
            "--json",
            "Ship it",
        ],
    );
    let running = Running::start(&mut command);
    plain.asked(2);
    end(&running, true);
    let expected = running.finish();
    assert_eq!(
        theirs(&ours, &output),
        theirs(&plain, &expected),
        "{output:#?}\n{expected:#?}"
    );
    (ours, output)
}

#[track_caller]
fn is_interrupted(world: &World) {
    assert_eq!(world.turns(), ["interrupted"]);
    nothing_is_done(world);
    // What was committed before is on record all the same.
    let sessions = world.sessions();
    let commits = &sessions[0]["turns"][0]["record"]["commits"];
    assert_eq!(commits[0]["id"], world.head(), "{commits:#?}");
    assert_eq!(world.journal().len(), 1);
}

#[test]
fn ctrl_c_interrupts_the_turn() {
    let (world, _) = ended_by(|running, _| running.signal_group(Signal::INT));
    is_interrupted(&world);
}

#[test]
fn sigterm_to_codex_orch_ends_upstream() {
    let (world, _) = ended_by(|running, _| running.signal(Signal::TERM));
    is_interrupted(&world);
}

#[test]
fn an_engine_that_is_killed_leaves_an_interrupted_turn() {
    let (world, output) = ended_by(|running, is_plain| match is_plain {
        true => running.signal(Signal::KILL),
        false => {
            for child in running.children() {
                kill_process(child, Signal::KILL).unwrap();
            }
        }
    });
    assert_eq!(output.code, Some(137));
    is_interrupted(&world);
}
