//! Each fault, as it looks to a client.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, ask, saying, serve_one};

async fn failing(fault: Value) -> Answer {
    let server = serve_one(
        json!({"steps": [{"say": "Before."}], "headers": {"retry-after": "7"}, "fault": fault}),
    );
    ask(&server, saying("go")).await
}

#[tokio::test]
async fn status_answers_an_http_error() {
    let answer =
        failing(json!({"status": {"code": 429, "body": {"error": {"message": "slow down"}}}}))
            .await;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (429, &br#"{"error":{"message":"slow down"}}"#[..])
    );
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn status_bodies_may_be_text_or_nothing() {
    assert_eq!(
        &failing(json!({"status": {"code": 500, "body": "oops"}}))
            .await
            .body[..],
        b"oops"
    );
    assert_eq!(
        &failing(json!({"status": {"code": 401}})).await.body[..],
        b""
    );
}

#[tokio::test]
async fn garbage_is_no_text() {
    let answer = failing(json!("garbage")).await;
    assert_eq!((answer.status, answer.broken), (200, false));
    assert!(std::str::from_utf8(&answer.body).is_err());
}

#[tokio::test]
async fn empty_ends_without_a_byte() {
    let answer = failing(json!("empty")).await;
    assert_eq!(
        (answer.status, answer.broken, answer.body.len()),
        (200, false, 0)
    );
}

#[tokio::test]
async fn cut_breaks_the_connection_after_the_steps() {
    let answer = failing(json!("cut")).await;
    assert!(answer.broken);
    assert_eq!(
        answer.kinds(),
        ["response.created", "response.output_item.done"]
    );
}

#[tokio::test]
async fn unfinished_ends_in_order_without_completion() {
    let answer = failing(json!("unfinished")).await;
    assert!(!answer.broken);
    assert_eq!(
        answer.kinds(),
        ["response.created", "response.output_item.done"]
    );
}

#[tokio::test]
async fn malformed_event_holds_no_json() {
    let answer = failing(json!("malformed_event")).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    let last = text
        .lines()
        .rfind(|line| line.starts_with("data: "))
        .unwrap();
    assert!(serde_json::from_str::<Value>(&last[6..]).is_err());
}

#[tokio::test]
async fn failed_and_incomplete_end_the_response() {
    let answer = failing(json!({"failed": {"code": "invalid_prompt", "message": "no"}})).await;
    let error = json!({"id": "resp-0", "status": "failed", "error": {"code": "invalid_prompt", "message": "no"}});
    assert_eq!(
        answer.events()[2],
        json!({"type": "response.failed", "response": error})
    );

    let answer = failing(json!({"incomplete": "max_output_tokens"})).await;
    let error = json!({"id": "resp-0", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}});
    assert_eq!(
        answer.events()[2],
        json!({"type": "response.incomplete", "response": error})
    );
}

#[tokio::test]
async fn hang_and_stall_wait_for_a_release() {
    for fault in ["hang", "stall"] {
        let server = serve_one(json!({"steps": [{"say": "At last."}], "fault": fault}));
        let answer = ask(&server, saying("go"));
        tokio::pin!(answer);
        let seen = tokio::select! {
            _ = &mut answer => panic!("{fault}: answered before it was released"),
            seen = server.arrived(1, Duration::from_secs(10)) => seen,
        };
        assert_eq!(seen.unwrap().len(), 1);
        server.release();
        let answer = answer.await;
        assert_eq!(
            answer.kinds(),
            [
                "response.created",
                "response.output_item.done",
                "response.completed"
            ]
        );
    }
}
