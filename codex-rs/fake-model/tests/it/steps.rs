//! Each step, as it looks to a client.

use serde_json::{Value, json};

use crate::client::{ask, saying, serve, serve_one};

/// Plays one step and compares the finished item.
async fn check(step: Value, expected: Value) {
    let server = serve_one(json!({"steps": [step]}));
    let answer = ask(&server, saying("go")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    assert_eq!(
        answer.kinds(),
        [
            "response.created",
            "response.output_item.done",
            "response.completed"
        ]
    );
    assert_eq!(answer.items(), [expected]);
}

#[tokio::test]
async fn say_is_a_message_in_one_piece() {
    let content = json!([{"type": "output_text", "text": "Hi.", "annotations": []}]);
    check(
        json!({"say": "Hi."}),
        json!({"type": "message", "role": "assistant", "id": "msg-0-0", "content": content}),
    )
    .await;
}

#[tokio::test]
async fn refuse_is_a_message_with_a_refusal() {
    let content = json!([{"type": "refusal", "refusal": "No."}]);
    check(
        json!({"refuse": "No."}),
        json!({"type": "message", "role": "assistant", "id": "msg-0-0", "content": content}),
    )
    .await;
}

#[tokio::test]
async fn reasoning_is_a_summary() {
    let summary = json!([{"type": "summary_text", "text": "Hm."}]);
    check(
        json!({"reasoning": "Hm."}),
        json!({"type": "reasoning", "id": "rs-0-0", "summary": summary}),
    )
    .await;
}

#[tokio::test]
async fn run_calls_exec_command() {
    let arguments = r#"{"cmd":"echo \"hi\""}"#;
    check(
        json!({"run": "echo \"hi\""}),
        json!({"type": "function_call", "call_id": "call-0-0", "name": "exec_command", "arguments": arguments}),
    )
    .await;
}

#[tokio::test]
async fn plan_calls_update_plan() {
    let arguments =
        r#"{"plan":[{"status":"completed","step":"A"},{"status":"in_progress","step":"B"}]}"#;
    check(
        json!({"plan": [["A", "completed"], ["B", "in_progress"]]}),
        json!({"type": "function_call", "call_id": "call-0-0", "name": "update_plan", "arguments": arguments}),
    )
    .await;
}

#[tokio::test]
async fn call_calls_any_function() {
    check(
        json!({"call": {"namespace": "mcp__orch", "name": "tasks_add", "arguments": {"title": "x"}}}),
        json!({"type": "function_call", "call_id": "call-0-0", "namespace": "mcp__orch", "name": "tasks_add",
            "arguments": r#"{"title":"x"}"#}),
    )
    .await;
}

#[tokio::test]
async fn custom_hands_over_free_text() {
    check(
        json!({"custom": {"name": "apply_patch", "input": "*** Begin Patch\n"}}),
        json!({"type": "custom_tool_call", "call_id": "call-0-0", "name": "apply_patch", "input": "*** Begin Patch\n"}),
    )
    .await;
}

#[tokio::test]
async fn stream_is_a_message_in_deltas() {
    let server = serve_one(json!({"steps": [{"stream": ["Good ", "day."]}]}));
    let answer = ask(&server, saying("go")).await;
    let expected = [
        "response.created",
        "response.output_item.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(answer.kinds(), expected);
    assert_eq!(answer.events()[3]["delta"], "day.");
    assert_eq!(answer.items()[0]["content"][0]["text"], "Good day.");
}

#[tokio::test]
async fn pauses_and_delays_take_their_time() {
    let server = serve_one(json!({"delay_ms": 60, "steps": [{"pause_ms": 60}, {"say": "Late."}]}));
    let asked = std::time::Instant::now();
    assert_eq!(ask(&server, saying("go")).await.items().len(), 1);
    assert!(asked.elapsed().as_millis() >= 120);
}

#[tokio::test]
async fn usage_and_headers_are_reported() {
    let server = serve_one(json!({
        "usage": {"input": 1000, "cached": 900, "output": 50},
        "headers": {"x-codex-primary-used-percent": "42"},
    }));
    let answer = ask(&server, saying("go")).await;
    let usage = json!({"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 900},
        "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1050});
    assert_eq!(answer.events()[1]["response"]["usage"], usage);
    assert_eq!(answer.headers["x-codex-primary-used-percent"], "42");
}

#[tokio::test]
async fn captures_fill_placeholders_at_any_depth() {
    let server = serve_one(json!({
        "capture": {"task": "added task (t[0-9]+)"},
        "steps": [
            {"call": {"name": "tasks_done", "arguments": {"ids": ["{{capture task}}"], "n": 1}}},
            {"run": "echo {{capture task}} {{capture task}}"},
        ],
    }));
    let mut body = saying("added task t1, and then added task t2");
    let output = json!([{"type": "input_text", "text": "Wall time"}, {"type": "input_text", "text": "added task t3"}]);
    body["input"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "function_call_output", "call_id": "c", "output": output}));
    let items = ask(&server, body).await.items();
    assert_eq!(items[0]["arguments"], r#"{"ids":["t3"],"n":1}"#);
    assert_eq!(items[1]["arguments"], r#"{"cmd":"echo t3 t3"}"#);
}

#[tokio::test]
async fn a_capture_that_finds_nothing_is_a_bad_request() {
    let server = serve(json!({"replies": [{"capture": {"task": "task (t[0-9]+)"}}]}));
    let answer = ask(&server, saying("go")).await;
    let told = "The scripted model refuses: capture `task`: nothing in the request matches `task (t[0-9]+)`";
    assert_eq!((answer.status, &answer.body[..]), (400, told.as_bytes()));
}
