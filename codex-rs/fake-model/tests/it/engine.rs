//! The real upstream engine (`codex exec --json`) with the scripted model as its only stand-in. Nothing is skipped:
//! without an engine these tests fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use orch_engine::find::ENGINE_ENV;
use orch_engine::obtain::obtain_pinned;
use orch_fake_model::record::Answered::Reply;
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{KEY_VARIABLE, Options, Patience, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A `CODEX_HOME` and a folder to work in, wired to a server; not below the system's temporary folder.
struct Stand {
    folder: TempDir,
    server: Server,
}

impl Stand {
    /// Plays `replies` to an engine that repeats nothing and gives up after a second of silence.
    fn new(replies: Value) -> Self {
        let patience = Patience {
            stream_idle_timeout: Some(Duration::from_secs(1)),
            ..Patience::NO_RETRIES
        };
        Self::patient(replies, patience)
    }

    fn patient(replies: Value, patience: Patience) -> Self {
        let scenario = Scenario::from_value(json!({"replies": replies})).unwrap();
        let server = Server::start_with(
            scenario,
            Options {
                patience,
                ..Options::default()
            },
        )
        .unwrap();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let config = server.config_toml() + "tools.update_plan.enabled = true\n";
        std::fs::write(folder.path().join("home/config.toml"), config).unwrap();
        Self { folder, server }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// `codex exec --json PROMPT`, not yet started.
    fn exec(&self, prompt: &str) -> Command {
        let mut command = Command::new(engine());
        command
            .args([
                "exec",
                "--json",
                "--skip-git-repo-check",
                "-s",
                "danger-full-access",
                prompt,
            ])
            .current_dir(self.work())
            .env("CODEX_HOME", self.folder.path().join("home"))
            .env(KEY_VARIABLE, "x")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// The upstream binary: the one that `CODEX_ORCH_ENGINE` names, else the pinned one, installed once beside the build.
fn engine() -> &'static Path {
    static ENGINE: LazyLock<PathBuf> = LazyLock::new(|| {
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let data_dir = tmp.parent().unwrap_or(tmp).join("codex-orch-data");
        let named = std::env::var_os(ENGINE_ENV);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let found = runtime.block_on(obtain_pinned(named, &data_dir, path));
        found.unwrap_or_else(|error| {
            panic!(
                "these tests run the real engine, and there is none: {error}. {}",
                error.hint()
            )
        })
    });
    &ENGINE
}

/// The events an engine printed.
fn events(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The completed items of one type.
fn items(output: &Output, kind: &str) -> Vec<Value> {
    let completed = events(output)
        .into_iter()
        .filter(|event| event["type"] == "item.completed");
    completed
        .map(|event| event["item"].clone())
        .filter(|item| item["type"] == kind)
        .collect()
}

#[test]
fn a_turn_plans_runs_and_speaks() {
    let stand = Stand::new(json!([
        {"steps": [
            {"reasoning": "First a plan."},
            {"plan": [["Write it", "in_progress"], ["Test it", "pending"]]},
            {"run": "echo 'added task t42' | tee made.txt"},
        ]},
        {
            "capture": {"task": "added task (t[0-9]+)"},
            "steps": [{"run": "exit 3"}, {"stream": ["Made ", "{{capture task}}."]}],
            "usage": {"input": 1000, "cached": 900, "output": 5},
        },
        {"steps": [{"say": "Done."}]},
    ]));
    let output = stand.exec("go").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        std::fs::read_to_string(stand.work().join("made.txt")).unwrap(),
        "added task t42\n"
    );

    let plan =
        json!([{"text": "Write it", "completed": false}, {"text": "Test it", "completed": false}]);
    assert_eq!(items(&output, "todo_list")[0]["items"], plan);
    let exits: Vec<_> = items(&output, "command_execution")
        .iter()
        .map(|item| item["exit_code"].clone())
        .collect();
    assert_eq!(exits, [json!(0), json!(3)]);
    let said: Vec<_> = items(&output, "agent_message")
        .iter()
        .map(|item| item["text"].clone())
        .collect();
    assert_eq!(said, ["Made t42.", "Done."]);
    assert_eq!(items(&output, "reasoning")[0]["text"], "First a plan.");
    let usage = &events(&output).pop().unwrap()["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["cached_input_tokens"]),
        (&json!(1200), &json!(900))
    );

    let requests = stand.server.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].messages("user").last().unwrap(), "go");
    assert!(
        requests[0]
            .tool_names()
            .iter()
            .any(|name| name == "update_plan")
    );
    assert!(
        requests
            .iter()
            .all(|request| !request.headers.contains_key("content-encoding"))
    );
    let outputs = requests[2].outputs();
    assert_eq!(outputs["call-0-1"], "Plan updated");
    assert!(outputs["call-1-0"].contains("exited with code 3"));
}

#[test]
fn processes_at_once_get_the_replies_meant_for_them() {
    let stand = Stand::new(json!([
        {"when": {"user": "left"}, "steps": [{"run": "echo L"}]},
        {"when": {"user": "right"}, "steps": [{"run": "echo R"}]},
        {"when": {"user": "left"}, "steps": [{"say": "Left."}]},
        {"when": {"user": "right"}, "steps": [{"say": "Right."}]},
    ]));
    let running = ["turn right", "turn left"].map(|prompt| stand.exec(prompt).spawn().unwrap());
    let said = running
        .map(|child| items(&child.wait_with_output().unwrap(), "agent_message")[0]["text"].clone());
    assert_eq!(said, ["Right.", "Left."]);
    let mut used: Vec<_> = stand
        .server
        .requests()
        .iter()
        .map(|request| request.answered.clone())
        .collect();
    used.sort_by_key(|answered| format!("{answered:?}"));
    assert_eq!(used, [Reply(0), Reply(1), Reply(2), Reply(3)]);
}

#[test]
fn a_held_turn_goes_on_when_released() {
    let stand = Stand::patient(
        json!([{"fault": "hang", "steps": [{"say": "At last."}]}]),
        Patience::default(),
    );
    let mut child = stand.exec("go").spawn().unwrap();
    stand.server.wait_for(1, Duration::from_secs(30)).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    stand.server.release();
    let output = child.wait_with_output().unwrap();
    assert_eq!(items(&output, "agent_message")[0]["text"], "At last.");
}

#[test]
fn a_busy_model_is_asked_again() {
    let stand = Stand::patient(
        json!([{"fault": {"status": {"code": 500}}}, {"fault": "cut"}, {"steps": [{"say": "Third time."}]}]),
        Patience {
            request_max_retries: Some(1),
            stream_max_retries: Some(1),
            stream_idle_timeout: None,
        },
    );
    let output = stand.exec("go").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(items(&output, "agent_message")[0]["text"], "Third time.");
    assert_eq!(stand.server.requests().len(), 3);
}

#[test]
fn a_rate_limit_is_waited_for_when_it_says_how_long() {
    let busy = json!({"headers": {"retry-after": "1"}, "fault": {"status": {"code": 429}}});
    let stand = Stand::patient(
        json!([busy, {"steps": [{"say": "Now."}]}]),
        Patience::default(),
    );
    let output = stand.exec("go").output().unwrap();
    assert_eq!(items(&output, "agent_message")[0]["text"], "Now.");
    let received: Vec<_> = stand
        .server
        .requests()
        .iter()
        .map(|request| request.received)
        .collect();
    assert!(
        received[1] - received[0] >= Duration::from_millis(900),
        "{received:?}"
    );
}

/// Runs an engine that repeats nothing into a fault, and compares what it says of it.
fn check_fault(fault: Value, complaint: &str) {
    let stand =
        Stand::new(json!([{"repeat": true, "steps": [{"say": "Before."}], "fault": fault}]));
    let output = stand.exec("go").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let last = events(&output).pop().unwrap();
    assert_eq!(last["type"], "turn.failed");
    let message = last["error"]["message"].as_str().unwrap();
    assert!(message.contains(complaint), "{fault}: {message}");
    assert_eq!(stand.server.requests().len(), 1);
}

#[test]
fn http_errors_fail_the_turn() {
    check_fault(
        json!({"status": {"code": 429}}),
        "exceeded retry limit, last status: 429",
    );
    check_fault(
        json!({"status": {"code": 401, "body": {"error": {"message": "bad key"}}}}),
        "401 Unauthorized: bad key",
    );
    check_fault(json!({"status": {"code": 500}}), "high demand");
}

#[test]
fn broken_streams_fail_the_turn() {
    check_fault(json!("garbage"), "invalid utf-8 sequence");
    check_fault(json!("cut"), "error decoding response body");
    for quiet in ["empty", "unfinished", "malformed_event"] {
        check_fault(json!(quiet), "stream closed before response.completed");
    }
    check_fault(json!("stall"), "idle timeout waiting for SSE");
}

#[test]
fn failed_responses_fail_the_turn() {
    check_fault(
        json!({"failed": {"code": "rate_limit_exceeded", "message": "slow"}}),
        "rate limit exceeded: slow",
    );
    check_fault(
        json!({"failed": {"code": "context_length_exceeded"}}),
        "ran out of room",
    );
    check_fault(
        json!({"failed": {"code": "invalid_prompt", "message": "not this"}}),
        "not this",
    );
    check_fault(
        json!({"incomplete": "max_output_tokens"}),
        "Incomplete response returned, reason: max_output_tokens",
    );
}
