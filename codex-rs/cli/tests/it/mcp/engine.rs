//! The real engine as the client: the pairs that `exec` configures, and what the model does with the tools.

use std::process::Output;

use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Options, Patience, Server};
use serde_json::{Value, json};

use super::client::Stand;
use crate::engine::engine;

fn exec(stand: &Stand, server: &Server, more: &[&str]) -> Output {
    stand.configure(&server.config_toml());
    let mut args = vec!["exec", "--json"];
    args.extend(more);
    let output = stand
        .orch(&args)
        .env("CODEX_ORCH_ENGINE", engine())
        .env(KEY_VARIABLE, "x")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn model(replies: Value) -> Server {
    let options = Options {
        patience: Patience::NO_RETRIES,
        ..Options::default()
    };
    Server::start_with(
        Scenario::from_value(json!({"replies": replies})).unwrap(),
        options,
    )
    .unwrap()
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"call": {"namespace": "mcp__codex_orch", "name": name, "arguments": arguments}})
}

#[test]
fn a_model_keeps_the_backlog_in_the_tightest_sandbox() {
    let stand = Stand::new();
    let head = stand.git(&["rev-parse", "HEAD"]);
    let id = "\"id\":\"([0-9a-z]+)\"";
    let server = model(json!([
        {"steps": [call("tasks_add", json!({"title": "Write the parser"}))]},
        {
            "capture": {"parser": id},
            "steps": [call("tasks_add", json!({"title": "Test it", "needs": ["{{capture parser}}"]}))],
        },
        {"steps": [call("tasks_list", json!({}))]},
        {
            "capture": {"parser": "\"id\":\"([0-9a-z]+)\",[^}]*\"title\":\"Write the parser\""},
            "steps": [
                call("tasks_update", json!({"task": "{{capture parser}}", "status": "done", "reason": "It parses"})),
                call("tasks_link", json!({"task": "{{capture parser}}", "commit": head})),
                call("tasks_show", json!({"task": "nothing"})),
            ],
        },
        {"steps": [{"say": "The parser is written."}]},
        {"steps": [call("journal_search", json!({"words": "PARSER goal"}))]},
        {"steps": [{"say": "Found."}]},
    ]));
    let output = exec(&stand, &server, &["-s", "read-only", "Write the parser"]);
    let requests = server.requests();
    let outputs = requests[4].outputs();
    assert!(outputs["call-2-0"].contains("Test it"), "{outputs:#?}");
    assert!(
        outputs["call-3-2"].contains("there is no task"),
        "{outputs:#?}"
    );

    let printed = String::from_utf8_lossy(&output.stdout);
    let thread = printed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|event| event["type"] == "thread.started")
        .unwrap()["thread_id"]
        .clone();
    let tasks = stand.tasks();
    let of = |title: &str| {
        let found = tasks.iter().find(|task| task["title"] == title);
        found.unwrap_or_else(|| panic!("no {title} in {tasks:#?}"))
    };
    let (parser, test) = (of("Write the parser"), of("Test it"));
    assert_eq!(parser["status"], "done");
    assert_eq!(parser["target_commit"], *head);
    assert_eq!(test["needs"], json!([parser["id"]]));
    assert_eq!(test["ready"], true);
    for task in [parser, test] {
        assert_eq!(task["origin"]["from"], "agent", "{task}");
        assert_eq!(task["origin"]["thread"], thread, "{task}");
        assert!(task["origin"]["turn"].is_string(), "{task}");
    }

    // The run that was going on while the server looked was not taken for a dead one: it is recorded once, by itself.
    let state = stand.listing(&["state", "show", "--json"]);
    assert_eq!(state["state"][0]["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(state["state"][0]["journal"].as_array().unwrap().len(), 1);
    let told = stand.listing(&["journal", "show", "--json"]);
    let told = told["journal"][0]["text"].as_str().unwrap();
    for title in ["Write the parser", "Test it"] {
        assert!(told.contains(&format!("- {title} — ")), "{told}");
    }
    let kept = std::fs::read_dir(stand.repo().join(".codex-orch")).unwrap();
    let kept = kept.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("edited")
    });
    assert_eq!(kept.count(), 0, "nobody's checkout was taken for an edit");

    // And the next one finds it in the journal.
    exec(&stand, &server, &["What was done?"]);
    let found = &server.requests()[6].outputs()["call-5-0"];
    assert!(found.contains("Write the parser"), "{found}");
}
