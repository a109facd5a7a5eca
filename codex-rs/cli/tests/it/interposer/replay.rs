//! A recorded session of the stock TUI, replayed with the interposer and without: at the engine's side every frame arrives
//! byte for byte, but for the two kinds that are edited, and of those all but the edit.
//!
//! The recorder stands where the user's daemon would, so codex-orch takes it for one; behind it is the real engine.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use orch_engine::link::frame::Frame;
use orch_engine::link::listen::{Listener, dial};
use orch_engine::link::ws;
use orch_engine::relay::{ClientRules, PassAll, Verdict, relay};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Client, Front};
use crate::engine::engine;
use crate::world::{Running, World, text};

/// What the TUI of codex-cli 0.169 sends when it is started, asked twice, given a `!command`, and told `/new`. Folders and
/// threads are named by placeholders; long texts and keys are replaced.
const SESSION: &str = include_str!("../fixtures/tui_session.jsonl");

type Arrived = Arc<Mutex<Vec<String>>>;

struct Recording(Arrived);

impl ClientRules for Recording {
    async fn from_client(&mut self, frame: &Frame) -> Verdict {
        self.0
            .lock()
            .unwrap()
            .push(frame.text().unwrap().to_owned());
        Verdict::Pass
    }
}

/// The real engine with a recorder before it; where that listens.
fn recorder(world: &World) -> (Front, PathBuf, Arrived) {
    let behind = world.root().join("engine.sock");
    let at = format!("unix://{}", behind.display());
    let mut command = world.program(engine(), &["app-server", "--listen", &at]);
    let engine = Front::start(Running::start(&mut command), behind.clone());
    let arrived = Arrived::default();
    let socket = world
        .home
        .join("app-server-control/app-server-control.sock");
    let (path, all) = (socket.clone(), arrived.clone());
    let (ready, listens) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = Listener::bind(&path).unwrap();
            ready.send(()).unwrap();
            loop {
                let stream = listener.accept().await.unwrap();
                let (behind, all) = (behind.clone(), all.clone());
                tokio::spawn(async move {
                    // Who only looks whether anybody listens shakes no hands.
                    let Ok(client) = ws::accept(stream).await else {
                        return;
                    };
                    let engine = ws::connect(dial(&behind).await.unwrap()).await.unwrap();
                    let (_nothing, injected) = mpsc::channel(1);
                    relay(client, engine, Recording(all), PassAll, injected).await;
                });
            }
        });
    });
    listens.recv().unwrap();
    (engine, socket, arrived)
}

/// Replays the session; what was sent.
fn replay(world: &World, client: &mut Client) -> Vec<String> {
    let mut threads: Vec<String> = Vec::new();
    let mut sent = Vec::new();
    for line in SESSION.lines() {
        let mut line = line.replace("$REPO", world.repo.to_str().unwrap());
        for (n, thread) in threads.iter().enumerate() {
            line = line.replace(&format!("$THREAD_{}", n + 1), thread);
        }
        assert!(!line.contains("$THREAD"), "{line}");
        let said: Value = serde_json::from_str(&line).unwrap();
        client.send_frame(Frame::from(line.clone()));
        sent.push(line);
        let answered =
            |message: &Value| message["id"] == said["id"] && message.get("method").is_none();
        match said["method"].as_str().unwrap() {
            "thread/start" => {
                let answer = client.until(answered);
                threads.push(text(&answer["result"]["thread"]["id"]).to_owned());
            }
            "turn/start" | "thread/shellCommand" => {
                client.until(answered);
                let thread = &said["params"]["threadId"];
                client.until(|message| {
                    message["method"] == "turn/completed"
                        && message["params"]["threadId"] == *thread
                });
            }
            _ => {}
        }
    }
    // What comes after all of it is answered after all of it has arrived.
    let last = json!({"id": "last", "method": "thread/loaded/list", "params": {}}).to_string();
    client.send_frame(Frame::from(last.clone()));
    client.until(|message| message["id"] == "last");
    sent.push(last);
    sent
}

/// The value of a member, as text: what stands between its name and the name of the next.
fn cut<'a>(frame: &'a str, name: &str, next: &str) -> &'a str {
    let (_, rest) = frame.split_once(&format!("\"{name}\":")).unwrap();
    rest.split_once(&format!(",\"{next}\":")).unwrap().0
}

#[test]
fn a_session_of_the_tui_arrives_as_it_was_sent() {
    let world = World::new(json!([]));
    let (engine, socket, arrived) = recorder(&world);
    let mut direct = Client::dial(&socket);
    let sent = replay(&world, &mut direct);
    direct.close();
    assert_eq!(
        std::mem::take(&mut *arrived.lock().unwrap()),
        sent,
        "directly"
    );

    let front = Front::open(&world);
    let mut client = front.client();
    let sent = replay(&world, &mut client);
    client.close();
    front.stop().ok();
    let arrived = std::mem::take(&mut *arrived.lock().unwrap());
    assert_eq!(arrived.len(), sent.len());
    let (mut threads, mut turns) = (0, 0);
    for (sent, arrived) in sent
        .iter()
        .zip(&arrived)
        .filter(|(sent, arrived)| sent != arrived)
    {
        let said: Value = serde_json::from_str(arrived).unwrap();
        let params = &said["params"];
        let unedited = match text(&said["method"]) {
            "thread/start" => {
                threads += 1;
                assert_eq!(params["ephemeral"], false);
                let tools = params["dynamicTools"].as_array().unwrap();
                assert_eq!(tools.len(), 1);
                assert_eq!(tools[0]["name"], "codex_orch");
                let ours = cut(arrived, "dynamicTools", "selectedCapabilityRoots");
                arrived.replacen(ours, "null", 1).replacen(
                    ",\"tools.update_plan.enabled\":true",
                    "",
                    1,
                )
            }
            "turn/start" => {
                turns += 1;
                let context = params["additionalContext"].as_object().unwrap();
                assert!(!context.is_empty());
                for (key, value) in context {
                    assert!(key.starts_with("codex_orch_brief_"), "{key}");
                    assert_eq!(value["kind"], "application");
                    assert!(text(&value["value"]).chars().count() <= 3_500);
                    assert_eq!(value.as_object().unwrap().len(), 2);
                }
                let ours = cut(arrived, "additionalContext", "environments");
                arrived.replacen(ours, "null", 1)
            }
            other => panic!("{other} is edited"),
        };
        assert_eq!(unedited, *sent);
    }
    assert_eq!(
        (threads, turns),
        (2, 2),
        "threads and turns of the user's own"
    );
    engine.running.signal(rustix::process::Signal::KILL);
    engine.running.finish();
}
