//! The live observer on what the real engine said (recorded in `fixtures/live`, cut down to what observers look at), held
//! against the rollouts of the same runs; on hand-written notifications; and on damaged ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orch_protocol::Timestamp;
use orch_protocol::ids::{ThreadId, TurnId};
use orch_protocol::turn::{TurnEvent, TurnKind, TurnRecord, TurnStatus};
use orch_rollout::live::seen::{Role, RunBy, Seen};
use orch_rollout::live::{LiveThreads, OBSERVED};
use orch_rollout::reader::read_thread;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rollout::shown;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn records(seen: &[Seen]) -> Vec<&TurnRecord> {
    seen.iter()
        .filter_map(|seen| match seen {
            Seen::TurnEnded(ended) => ended.record.as_deref(),
            _ => None,
        })
        .collect()
}

fn replay(folder: &Path) -> Vec<Seen> {
    let mut live = LiveThreads::default();
    let wire = std::fs::read_to_string(folder.join("wire.jsonl")).unwrap();
    let mut seen = Vec::new();
    for line in wire.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let params = &line["params"];
        match line["method"].as_str() {
            Some(method) => seen.extend(live.take(method, &params.to_string(), NOW)),
            None => live.revert_asked(
                &ThreadId::new(params["threadId"].as_str().unwrap()),
                &TurnId::new(params["beforeTurnId"].as_str().unwrap()),
            ),
        }
    }
    seen.extend(live.engine_gone());
    seen
}

/// All that is compared of a record; of what runs at once or in one script the order isn't, and refused patches may be missing.
fn told(turn: &TurnRecord) -> String {
    let mut events: Vec<&TurnEvent> = turn.events.iter().collect();
    events.retain(|event| !matches!(event, TurnEvent::File { ok: false, .. }));
    let mut lines: Vec<String> = Vec::new();
    let is_call =
        |event: &TurnEvent| !matches!(event, TurnEvent::Message { .. } | TurnEvent::Error { .. });
    for run in events.chunk_by(|a, b| is_call(a) && is_call(b)) {
        let run = run.iter().map(|event| (*event).clone()).collect();
        let mut run = shown(&TurnRecord {
            events: run,
            ..turn.clone()
        });
        run.sort();
        lines.extend(run);
    }
    format!(
        "{} {:?} {:?} {:?} {:?} {:?} {:?}\n  {}",
        turn.turn,
        turn.kind,
        turn.status,
        turn.request,
        turn.cwd,
        turn.model,
        turn.usage,
        lines.join("\n  ")
    )
}

#[test]
fn recordings_tell_what_their_rollouts_tell() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/live");
    let mut turns = 0;
    for folder in std::fs::read_dir(fixtures).unwrap() {
        let folder = folder.unwrap().path();
        let seen = replay(&folder);
        let mut live: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for record in records(&seen) {
            turns += 1;
            live.entry(record.thread.as_str())
                .or_default()
                .push(told(record));
        }
        for (thread, live) in live {
            let files = std::fs::read_dir(&folder).unwrap();
            let files: Vec<PathBuf> = files
                .map(|file| file.unwrap().path())
                .filter(|file| file.to_str().unwrap().contains(&format!("-{thread}")))
                .collect();
            let rollout = read_thread(&files).unwrap();
            let read: Vec<String> = rollout.turns.iter().map(told).collect();
            assert_eq!(live.join("\n"), read.join("\n"), "{}", folder.display());
            let reverted: Vec<&TurnId> = seen
                .iter()
                .filter_map(|seen| match seen {
                    Seen::Reverted { turns, .. } => turns.as_deref(),
                    _ => None,
                })
                .flatten()
                .collect();
            assert_eq!(reverted, rollout.reverted.iter().collect::<Vec<_>>());
        }
    }
    assert!(turns > 15, "{turns} turns");
}

/// One thread that is told of notification by notification.
struct Wire {
    live: LiveThreads,
    seen: Vec<Seen>,
}

impl Wire {
    fn new() -> Self {
        let mut wire = Wire {
            live: LiveThreads::default(),
            seen: Vec::new(),
        };
        wire.take(
            "thread/started",
            json!({"thread": {"id": "t", "cwd": "/w", "model": "m", "path": "/r"}}),
        );
        wire
    }

    fn take(&mut self, method: &str, params: Value) -> &mut Self {
        let seen = self.live.take(method, &params.to_string(), NOW);
        self.seen.extend(seen);
        self
    }

    fn started(&mut self, turn: &str) -> &mut Self {
        self.take(
            "turn/started",
            json!({"threadId": "t", "turn": {"id": turn, "rootTurnId": turn}}),
        )
    }

    fn completed(&mut self, turn: &str) -> &mut Self {
        let turn = json!({"id": turn, "status": "completed"});
        self.take("turn/completed", json!({"threadId": "t", "turn": turn}))
    }

    fn item(&mut self, event: &str, turn: &str, item: Value) -> &mut Self {
        let params = json!({"threadId": "t", "turnId": turn, "item": item,
            "startedAtMs": 1_000, "completedAtMs": 2_000});
        self.take(&format!("item/{event}"), params)
    }

    fn asked(&mut self, turn: &str, text: &str) -> &mut Self {
        let content = json!([{"type": "text", "text": text}]);
        self.item(
            "completed",
            turn,
            json!({"type": "userMessage", "content": content}),
        )
    }

    fn records(&self) -> Vec<&TurnRecord> {
        records(&self.seen)
    }
}

#[test]
fn errors_that_are_got_over_are_none() {
    let error = |retry: bool| json!({"threadId": "t", "turnId": "1", "willRetry": retry, "error": {"message": "gone"}});
    for (retry, status, events) in [
        (true, TurnStatus::Completed, vec![]),
        (false, TurnStatus::Failed, vec!["error gone".to_owned()]),
    ] {
        let mut wire = Wire::new();
        wire.started("1")
            .asked("1", "go")
            .take("error", error(retry))
            .completed("1");
        let [record] = wire.records()[..] else {
            panic!()
        };
        assert_eq!((record.status, shown(record)), (status, events));
    }
}

#[test]
fn the_end_of_the_engine_interrupts_what_runs() {
    let mut wire = Wire::new();
    wire.started("1").asked("1", "go");
    assert_eq!(
        wire.live.running(&ThreadId::new("t")),
        Some(&TurnId::new("1"))
    );
    let seen = wire.live.engine_gone();
    let [record] = records(&seen)[..] else {
        panic!()
    };
    assert_eq!(
        (record.status, record.ended_at),
        (TurnStatus::Interrupted, None)
    );
    assert!(wire.live.engine_gone().is_empty());
}

#[test]
fn a_command_that_ends_late_is_told_and_not_recorded() {
    let command = |source: &str, code: Option<i32>| json!({"type": "commandExecution", "id": "c", "command": "/bin/bash -lc 'make; echo $?'", "source": source, "exitCode": code});
    let mut wire = Wire::new();
    wire.started("1")
        .item("started", "1", command("unifiedExecStartup", None))
        .completed("1");
    wire.started("2")
        .item("completed", "1", command("unifiedExecStartup", Some(2)))
        .asked("2", "go")
        .completed("2");
    // `!cmd`, in a turn of its own.
    wire.started("3")
        .item("completed", "3", command("userShell", Some(0)))
        .completed("3");
    let told: Vec<Vec<String>> = wire.records().into_iter().map(shown).collect();
    assert_eq!(
        told,
        [
            vec!["Other `make; echo $?` None (says nothing)".to_owned()],
            vec![]
        ]
    );
    let ran: Vec<_> = wire
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Ran(ran) => Some((
                ran.turn.as_str(),
                ran.by,
                ran.exit_code,
                ran.command.as_str(),
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        ran,
        [
            ("1", RunBy::Agent, Some(2), "make; echo $?"),
            ("3", RunBy::User, Some(0), "make; echo $?")
        ]
    );
}

#[test]
fn a_review_is_one_turn_under_its_first_id() {
    let mut wire = Wire::new();
    wire.item(
        "started",
        "1",
        json!({"type": "enteredReviewMode", "id": "r"}),
    );
    wire.take(
        "turn/started",
        json!({"threadId": "t", "turn": {"id": "inner", "rootTurnId": "1"}}),
    );
    wire.asked("1", "Review the changes").completed("1");
    let [record] = wire.records()[..] else {
        panic!()
    };
    assert_eq!(
        (record.kind, record.request.as_str(), record.turn.as_str()),
        (TurnKind::Review, "", "1")
    );
}

#[test]
fn threads_are_told_apart() {
    for (thread, role) in [
        (json!({"id": "x"}), Role::Root),
        (json!({"id": "x", "forkedFromId": "t"}), Role::Root),
        (json!({"id": "x", "ephemeral": true}), Role::Ephemeral),
        (json!({"id": "x", "parentThreadId": "t"}), Role::Below),
        (json!({"id": "x", "attachedToThreadId": "t"}), Role::Below),
        (
            json!({"id": "x", "source": {"subAgent": "review"}}),
            Role::Below,
        ),
    ] {
        let mut wire = Wire::new();
        let seen = wire.live.know(&thread.to_string());
        assert!(
            matches!(&seen[..], [Seen::Thread(found)] if found.role == role),
            "{thread}: {seen:?}"
        );
        assert!(wire.live.know(&thread.to_string()).is_empty(), "told once");
    }
    // A sub-agent is not announced: its turn says whose work it does.
    let mut wire = Wire::new();
    wire.started("1");
    wire.take(
        "turn/started",
        json!({"threadId": "x", "turn": {"id": "2", "rootTurnId": "1"}}),
    );
    let Some(Seen::TurnStarted {
        role,
        above: Some(above),
        ..
    }) = wire.seen.last()
    else {
        panic!()
    };
    assert_eq!((*role, above.turn.as_str()), (Role::Below, "1"));
    assert_eq!(above.thread, Some(ThreadId::new("t")));
}

#[test]
fn a_turn_that_was_joined_late_is_told_as_missed() {
    let mut wire = Wire::new();
    wire.asked("1", "go").completed("1");
    assert!(matches!(
        &wire.seen[..],
        [Seen::Thread(_), Seen::TurnMissed { .. }]
    ));
}

#[test]
fn bounds_hold() {
    let mut wire = Wire::new();
    let long = "x".repeat(50_000);
    wire.started("1").asked("1", &long);
    let step = json!({"step": long, "status": "pending"});
    let plan =
        json!({"threadId": "t", "turnId": "1", "explanation": long, "plan": vec![step; 500]});
    for n in 0..TurnRecord::MAX_EVENTS + 10 {
        let item = json!({"type": "commandExecution", "id": n.to_string(), "command": "true"});
        wire.item("started", "1", item);
    }
    let item = json!({"type": "commandExecution", "id": "c", "command": long});
    wire.take("turn/plan/updated", plan)
        .item("started", "1", item)
        .completed("1");
    let [record] = wire.records()[..] else {
        panic!()
    };
    assert!(record.request.chars().count() <= TurnRecord::MAX_MESSAGE);
    assert_eq!(
        (record.events.len(), record.events_dropped),
        (TurnRecord::MAX_EVENTS, 12)
    );
    assert_eq!(record.last_plan().unwrap().len(), TurnRecord::MAX_STEPS);
}

/// Parameters that look right in some places and wrong in others.
fn params() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!("t")),
        Just(json!("1")),
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("commandExecution")),
        Just(json!("fileChange")),
        Just(json!("/bin/bash -lc 'a")),
    ];
    let key = prop::sample::select(vec![
        "threadId",
        "turnId",
        "turn",
        "thread",
        "item",
        "id",
        "type",
        "command",
        "changes",
        "path",
        "kind",
        "content",
        "text",
        "plan",
        "step",
        "status",
        "error",
        "message",
        "tokenUsage",
        "total",
        "inputTokens",
        "outputTokens",
        "startedAtMs",
        "rootTurnId",
        "exitCode",
        "source",
    ]);
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..8).prop_map(|map| Value::from_iter(
                map.into_iter().map(|(key, value)| (key.to_owned(), value))
            )),
        ]
    })
}

proptest! {
    #[test]
    fn anything_may_come(sent in prop::collection::vec((prop::sample::select(OBSERVED.to_vec()), params()), 0..40), torn in 0usize..200) {
        let mut wire = Wire::new();
        wire.started("1");
        for (method, params) in sent {
            let json = params.to_string();
            let json = &json[..json.floor_char_boundary(if torn < 20 { torn } else { json.len() })];
            let seen = wire.live.take(method, json, NOW);
            wire.seen.extend(seen);
        }
        let seen = wire.live.engine_gone();
        for record in records(&wire.seen).into_iter().chain(records(&seen)) {
            prop_assert!(record.events.len() <= TurnRecord::MAX_EVENTS);
        }
    }
}
