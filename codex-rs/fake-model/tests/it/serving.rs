//! Which reply answers, what is recorded, and how the server starts and ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use orch_fake_model::record::Answered::{Fallback, Refused, Reply};
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::{Options, Patience, Server};
use serde_json::{Value, json};

use crate::client::{ask, saying, send, serve};

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn replies_go_to_the_requests_they_fit() {
    let server = serve(json!({"replies": [
        {"when": {"user": "left"}},
        {"when": {"user": "right"}},
        {"when": {"user": "left"}},
        {"when": {"input": "helper"}, "repeat": true},
        {},
    ]}));
    for text in [
        "right", "left", "other", "left", "a helper", "a helper", "left",
    ] {
        ask(&server, saying(text)).await;
    }
    let answered: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.answered.clone())
        .collect();
    assert_eq!(
        answered,
        [
            Reply(1),
            Reply(0),
            Reply(4),
            Reply(2),
            Reply(3),
            Reply(3),
            Fallback
        ]
    );
}

#[tokio::test]
async fn the_fallback_says_done_unless_told_otherwise() {
    let server = serve(json!({"replies": []}));
    assert_eq!(
        ask(&server, saying("go")).await.items()[0]["content"][0]["text"],
        "Done."
    );
    let server = serve(json!({"replies": [], "fallback": {"steps": [{"run": "true"}]}}));
    let ids = [
        ask(&server, saying("go")).await,
        ask(&server, saying("go")).await,
    ]
    .map(|answer| answer.items()[0]["call_id"].clone());
    assert_eq!(ids, ["call-fallback-0", "call-fallback-2-0"]);
}

#[tokio::test]
async fn requests_are_recorded_with_their_parts() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let record = folder.path().join("requests.jsonl");
    let options = Options {
        record: Some(record.clone()),
        ..Options::default()
    };
    let server = Server::start_with(
        Scenario::from_value(json!({"replies": []})).unwrap(),
        options,
    )
    .unwrap();
    let body = json!({
        "instructions": "Be good.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Brief."}]},
            {"type": "message", "role": "user", "content": "Go."},
            {"type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": "{\"cmd\":\"unseen\"}"},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        ],
        "tools": [
            {"type": "function", "name": "exec_command"},
            {"type": "namespace", "name": "mcp__orch", "tools": [{"name": "add"}, {"name": "list"}]},
            {"type": "web_search"},
        ],
    });
    ask(&server, body.clone()).await;
    let seen = server.requests().remove(0);
    assert_eq!((seen.path.as_str(), &seen.body), ("/v1/responses", &body));
    assert_eq!(seen.headers["host"], "localhost");
    assert_eq!(seen.input_text(), "Be good.\nBrief.\nGo.\none\ntwo");
    assert_eq!(seen.messages("user"), ["Go."]);
    assert_eq!(
        seen.tool_names(),
        [
            "exec_command",
            "mcp__orch.add",
            "mcp__orch.list",
            "web_search"
        ]
    );
    assert_eq!(
        seen.outputs().into_iter().collect::<Vec<_>>(),
        [("c1".into(), "one".into()), ("c2".into(), "two".into())]
    );

    let line: Value = serde_json::from_str(&std::fs::read_to_string(record).unwrap()).unwrap();
    assert_eq!(
        (&line["body"], &line["answered"]),
        (&body, &json!("fallback"))
    );
}

#[tokio::test]
async fn what_is_not_scripted_is_refused() {
    let server = serve(json!({"replies": []}));
    let models = send(&server, Method::GET, "/v1/models", &[], Bytes::new()).await;
    assert_eq!(
        (models.status, &models.body[..]),
        (200, &br#"{"object":"list","data":[],"models":[]}"#[..])
    );

    let post = |path, headers, body| {
        send(
            &server,
            Method::POST,
            path,
            headers,
            Bytes::from_static(body),
        )
    };
    assert_eq!(post("/v1/other", &[], b"{}").await.status, 404);
    assert_eq!(
        post("/v1/responses", &[("content-encoding", "zstd")], b"{}")
            .await
            .status,
        415
    );
    assert_eq!(post("/v1/responses", &[], b"{").await.status, 400);
    let huge = Bytes::from(vec![b' '; (64 << 20) + 1]);
    assert_eq!(
        send(&server, Method::POST, "/v1/responses", &[], huge)
            .await
            .status,
        413
    );

    let refused = server.requests();
    assert_eq!(refused.len(), 4);
    assert_eq!(
        refused[0].answered,
        Refused("POST /v1/other is not scripted".to_owned())
    );
}

#[test]
fn a_plain_thread_waits_without_a_runtime() {
    let server = serve(json!({"replies": []}));
    let short = server.wait_for(1, Duration::from_millis(1)).unwrap_err();
    assert_eq!((short.wanted, short.got), (1, 0));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait_for(2, LONG).unwrap().len());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            ask(&server, saying("one")).await;
            ask(&server, saying("two")).await;
        });
        assert_eq!(waiting.join().unwrap(), 2);
    });
}

#[tokio::test]
async fn a_drop_breaks_what_is_held_and_frees_the_port() {
    let server = serve(json!({"replies": [{"fault": "stall"}]}));
    let address = server.address();
    let mut held = TcpStream::connect(address).unwrap();
    held.set_read_timeout(Some(LONG)).unwrap();
    held.write_all(
        b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}",
    )
    .unwrap();
    server.arrived(1, LONG).await.unwrap();
    drop(server);
    let mut answer = String::new();
    held.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains("response.completed"), "{answer}");
    drop(TcpListener::bind(address).unwrap());
}

#[test]
fn the_engine_is_told_how_patient_to_be() {
    let nothing = Scenario::from_value(json!({"replies": []})).unwrap();
    let patience = Patience {
        stream_idle_timeout: Some(Duration::from_millis(1500)),
        ..Patience::NO_RETRIES
    };
    let server = Server::start_with(
        nothing,
        Options {
            patience,
            ..Options::default()
        },
    )
    .unwrap();
    let config: toml::Table = (server.config_toml() + "[mcp_servers.orch]\ncommand = \"x\"\n")
        .parse()
        .unwrap();
    let provider = &config["model_providers"]["scripted"];
    assert_eq!(provider["base_url"].as_str(), Some(server.url().as_str()));
    let limits = [
        "request_max_retries",
        "stream_max_retries",
        "stream_idle_timeout_ms",
    ]
    .map(|key| provider[key].as_integer());
    assert_eq!(limits, [Some(0), Some(0), Some(1500)]);
}
