//! The client of an app-server that runs already, and large frames, through a relay of ours, against the real engine.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use orch_engine::app_server::{AppServer, Connect};
use orch_engine::error::EngineError;
use orch_engine::frame::peek;
use orch_engine::link::frame::Frame;
use orch_engine::link::listen::{Listener, dial};
use orch_engine::link::{Link, ws};
use orch_engine::relay::{PassAll, relay};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::{Home, engine};
use crate::wire::{Wire, hear, pair, send};

fn connect(incoming: Option<mpsc::Sender<Frame>>, opt_out: &[&str]) -> Connect {
    Connect {
        client_version: "0.0.0".into(),
        timeout: Duration::from_secs(30),
        opt_out: opt_out.iter().map(|method| (*method).to_owned()).collect(),
        incoming,
    }
}

/// A real app-server that listens on a socket.
struct Listening {
    child: Child,
    socket: PathBuf,
}

impl Listening {
    async fn new(home: &Home) -> Self {
        let socket = home.dir("run").join("s.sock");
        let child = Command::new(engine())
            .args(["app-server", "--listen"])
            .arg(format!("unix://{}", socket.display()))
            .env("CODEX_HOME", home.home())
            .env("SCRIPTED_KEY", "x")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let listening = Self { child, socket };
        let patience = Duration::from_secs(20);
        tokio::time::timeout(patience, async {
            while dial(&listening.socket).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the engine doesn't listen");
        listening
    }

    async fn link(&self) -> Link {
        ws::connect(dial(&self.socket).await.unwrap())
            .await
            .unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The methods of what comes in, up to and with `last`.
async fn methods(incoming: &mut mpsc::Receiver<Frame>, last: &str) -> Vec<String> {
    let mut methods = Vec::new();
    while methods.last().is_none_or(|method| method != last) {
        let frame = incoming.recv().await.expect("the connection has ended");
        let method = peek(frame.text().unwrap()).unwrap().method.unwrap();
        methods.push(method.into_owned());
    }
    methods
}

#[tokio::test]
async fn a_listening_engine_is_called_and_heard_and_spared_what_was_opted_out() {
    let home = Home::new(Vec::new());
    let listening = Listening::new(&home).await;
    // Little room: what finds none waits, and is not dropped.
    let (tx, mut heard) = mpsc::channel(1);
    let all = tokio::spawn(async move { methods(&mut heard, "turn/completed").await });
    let first = AppServer::connect(listening.link().await, connect(Some(tx), &[]))
        .await
        .unwrap();
    let (tx, mut heard) = mpsc::channel(1024);
    let opted = connect(Some(tx), &["thread/started", "turn/started"]);
    let second = AppServer::connect(listening.link().await, opted)
        .await
        .unwrap();

    let params = json!({"cwd": home.project(), "sandbox": "read-only"});
    let started = first.call("thread/start", params).await.unwrap();
    let thread = &started["thread"]["id"];
    let params = json!({"threadId": thread, "input": [{"type": "text", "text": "hello"}]});
    first.call("turn/start", params).await.unwrap();
    let all = all.await.unwrap();
    let place = |method: &str| all.iter().position(|seen| seen == method);
    assert!(
        place("thread/started").unwrap() < place("turn/started").unwrap(),
        "{all:?}"
    );

    let params = json!({"threadId": thread, "excludeTurns": true});
    second.call("thread/resume", params).await.unwrap();
    let params = json!({"threadId": thread, "input": [{"type": "text", "text": "again"}]});
    second.call("turn/start", params).await.unwrap();
    let spared = methods(&mut heard, "turn/completed").await;
    let opted = |method: &&String| ["thread/started", "turn/started"].contains(&method.as_str());
    assert!(!spared.iter().any(|method| opted(&method)), "{spared:?}");

    let error = second.call("no/such", json!({})).await.unwrap_err();
    assert!(matches!(error, EngineError::Refused { .. }), "{error}");
    // One leaves; the server lives on.
    assert!(second.shutdown(Duration::from_secs(5)).await.is_err());
    let list = first.call("thread/loaded/list", json!({})).await.unwrap();
    assert_eq!(list["data"], json!([thread]));
}

#[tokio::test]
async fn twenty_megabytes_go_through_a_relay_to_the_real_engine_and_forty_come_back() {
    let home = Home::new(Vec::new());
    let listening = Listening::new(&home).await;
    let listener = Listener::bind(&home.dir("ours").join("s.sock")).unwrap();
    let (near, far) = tokio::join!(dial(listener.path()), listener.accept());
    let (near, far) = tokio::join!(ws::connect(near.unwrap()), ws::accept(far.unwrap()));
    let (_inject, injected) = mpsc::channel(1);
    let engine_link = listening.link().await;
    tokio::spawn(relay(far.unwrap(), engine_link, PassAll, PassAll, injected));

    let server = AppServer::connect(near.unwrap(), connect(None, &[]))
        .await
        .unwrap();
    let params = json!({"cwd": home.project(), "sandbox": "read-only"});
    let started = server.call("thread/start", params).await.unwrap();
    let thread = &started["thread"]["id"];
    let content = json!([{"type": "input_text", "text": "x".repeat(20 << 20)}]);
    let item = json!({"type": "message", "role": "developer", "content": content});
    let params = json!({"threadId": thread, "items": [item]});
    server.call("thread/inject_items", params).await.unwrap();

    let file = home.project().join("large");
    std::fs::write(&file, vec![b'z'; 30 << 20]).unwrap();
    let read = server.call("fs/readFile", json!({"path": file})).await;
    assert_eq!(
        read.unwrap()["dataBase64"].as_str().unwrap().len(),
        40 << 20
    );
}

#[tokio::test]
async fn a_request_of_the_engine_is_answered_only_by_word_and_as_it_is_written() {
    for wire in [Wire::Ws, Wire::Lines] {
        let (client, mut engine) = pair(wire, 1 << 16).await;
        let shake = async {
            let hello: Value = serde_json::from_str(&hear(&mut engine).await).unwrap();
            let id = hello["id"].as_str().unwrap();
            assert!(id.starts_with("codex-orch-"), "{id}");
            assert_eq!(
                hello["params"]["capabilities"]["optOutNotificationMethods"],
                json!(["a/b"])
            );
            send(&mut engine, "no json").await;
            send(&mut engine, r#"{"id":1,"result":{}}"#).await;
            send(&mut engine, &json!({"id": id, "result": null}).to_string()).await;
        };
        let (tx, mut incoming) = mpsc::channel(4);
        let (server, ()) = tokio::join!(
            AppServer::connect(client, connect(Some(tx), &["a/b"])),
            shake
        );
        let server = server.unwrap();
        assert_eq!(hear(&mut engine).await, r#"{"method":"initialized"}"#);

        let request = r#"{"id":1.50,"method":"item/tool/call","params":{ }}"#;
        send(&mut engine, request).await;
        let frame = incoming.recv().await.unwrap();
        assert_eq!(frame.text(), Some(request));
        let id = peek(request).unwrap().id.unwrap();
        server.answer(id, &json!({"success": true})).await.unwrap();
        // Nothing was sent before it.
        assert_eq!(
            hear(&mut engine).await,
            r#"{"id":1.50,"result":{"success":true}}"#
        );

        let (call, ()) = tokio::join!(server.call("x", json!(1)), async {
            hear(&mut engine).await;
            drop(engine);
        });
        let error = call.unwrap_err();
        assert!(matches!(error, EngineError::EngineDied { .. }), "{error}");
    }
}
