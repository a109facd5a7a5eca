//! What is touched of the frames, and that nothing else is.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::relay::{ClientRules as _, EngineRules as _, Verdict};

const TOOLS: &str = r#"{"type":"namespace","name":"codex_orch","tools":[]}"#;

const OBSERVED: [&str; 2] = ["turn/started", "turn/completed"];

struct Stand {
    ours: ClientSide,
    theirs: EngineSide,
    events: mpsc::Receiver<Event>,
}

fn stand() -> Stand {
    let (events, told) = mpsc::channel(EVENTS);
    let (ours, theirs) = Interposer::new(events, TOOLS.to_owned(), &OBSERVED).sides(ClientId(7));
    Stand {
        ours,
        theirs,
        events: told,
    }
}

impl Stand {
    /// A client's frame, and what is ruled on it if it is held.
    async fn client(&mut self, text: &str, ruling: Ruling) -> (Verdict, Option<Held>) {
        let frame = Frame::from(text.to_owned());
        let rule = async {
            match self.events.recv().await {
                Some(Event::Held {
                    held, ruling: way, ..
                }) => {
                    way.send(ruling).unwrap();
                    Some(held)
                }
                _ => None,
            }
        };
        let verdict = self.ours.from_client(&frame);
        tokio::pin!(rule, verdict);
        let mut held = None;
        loop {
            tokio::select! {
                biased;
                verdict = &mut verdict => return (verdict, held),
                ruled = &mut rule, if held.is_none() => held = ruled,
            }
        }
    }

    fn engine(&mut self, text: &str) -> Verdict {
        self.theirs.from_engine(&Frame::from(text.to_owned()))
    }

    fn told(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            all.push(match event {
                Event::Held { held, .. } => format!("held {held:?}"),
                Event::Answered { asked, thread, .. } => format!("answered {asked:?} {thread:?}"),
                Event::Told { method, .. } => format!("told {method}"),
                Event::Tool { .. } => "tool".to_owned(),
                Event::Missed { .. } => "missed".to_owned(),
                Event::Gone { .. } => "gone".to_owned(),
            });
        }
        all
    }
}

fn replaced(verdict: Verdict) -> Value {
    match verdict {
        Verdict::Replace(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?} is no replacement"),
    }
}

#[tokio::test]
async fn a_new_thread_gets_the_plan_tool_and_ours_behind_the_clients_own() {
    let given = json!({"id": 1, "method": "thread/start", "params": {
        "cwd": "/x", "config": {"a": 1}, "dynamicTools": [{"name": "theirs"}],
    }});
    let (verdict, held) = stand().client(&given.to_string(), Ruling::AS_IT_IS).await;
    assert_eq!(held, None);
    let mut expect = given.clone();
    expect["params"]["config"]["tools.update_plan.enabled"] = true.into();
    let ours: Value = serde_json::from_str(TOOLS).unwrap();
    expect["params"]["dynamicTools"] = json!([{"name": "theirs"}, ours]);
    assert_eq!(replaced(verdict), expect);
}

#[tokio::test]
async fn threads_that_exist_get_the_plan_tool_and_what_is_ruled() {
    for method in ["thread/resume", "thread/fork"] {
        let given =
            json!({"id": "a", "method": method, "params": {"threadId": "t", "config": null}});
        let (verdict, held) = stand().client(&given.to_string(), Ruling::AS_IT_IS).await;
        assert_eq!(held, Some(Held::ThreadOpen));
        let mut expect = given.clone();
        expect["params"]["config"] = json!({"tools.update_plan.enabled": true});
        assert_eq!(replaced(verdict), expect);
        // One that was begun without our tools gets them by another way.
        let server = vec![(
            "mcp_servers.codex_orch.command".to_owned(),
            "\"x\"".to_owned(),
        )];
        let (verdict, _) = stand().client(&given.to_string(), Ruling::Go(server)).await;
        expect["params"]["config"]["mcp_servers.codex_orch.command"] = "x".into();
        assert_eq!(replaced(verdict), expect);
    }
}

#[tokio::test]
async fn what_isnt_ours_to_edit_passes() {
    for given in [
        // Kept nowhere: a title, a recap.
        r#"{"id":1,"method":"thread/start","params":{"ephemeral":true}}"#,
        r#"{"id":1,"method":"turn/interrupt","params":{"threadId":"t"}}"#,
        r#"{"id":1,"method":"turn/steer","params":{"threadId":"t"}}"#,
        r#"{"method":"turn/start","params":{}}"#,
        r#"{"id":1,"result":{}}"#,
        r#"{"id":1,"method":7}"#,
        "[1,2]",
        "no json",
        "",
    ] {
        let (verdict, held) = stand().client(given, Ruling::AS_IT_IS).await;
        assert_eq!((verdict, held), (Verdict::Pass, None), "{given}");
    }
    // What the user has chosen stays; what is kept nowhere isn't touched.
    for given in [
        r#"{"id":1,"method":"thread/resume","params":{"config":{"tools.update_plan.enabled":false}}}"#,
        r#"{"id":1,"method":"thread/fork","params":{"ephemeral":true}}"#,
    ] {
        let (verdict, _) = stand().client(given, Ruling::AS_IT_IS).await;
        assert_eq!(verdict, Verdict::Pass, "{given}");
    }
    // Shapes we don't know are the engine's to refuse, but the plan tool may still fit.
    let odd = r#"{"id":1,"method":"thread/start","params":[1]}"#;
    assert_eq!(stand().client(odd, Ruling::AS_IT_IS).await.0, Verdict::Pass);
}

#[tokio::test]
async fn a_turn_waits_for_its_ruling_and_gets_its_context() {
    let given = r#"{"id": 9007199254740993, "method":"turn/start","params":{"threadId":"t","input":[], "additionalContext":{"theirs":{"kind":"untrusted","value":"v"}} }}"#;
    let context = vec![(
        "codex_orch_brief_1".to_owned(),
        "a \"b\" &lt;c>\n".to_owned(),
    )];
    let (verdict, held) = stand().client(given, Ruling::Go(context)).await;
    assert_eq!(held, Some(Held::TurnStart));
    let Verdict::Replace(text) = verdict else {
        panic!("{verdict:?}")
    };
    assert!(text.starts_with(r#"{"id": 9007199254740993, "method":"turn/start","#));
    let read: Value = serde_json::from_str(&text).unwrap();
    let context = &read["params"]["additionalContext"];
    assert_eq!(context["theirs"]["value"], "v");
    assert_eq!(
        context["codex_orch_brief_1"],
        json!({"kind": "application", "value": "a \"b\" &lt;c>\n"})
    );
    // Without anything to say it isn't touched.
    let (verdict, _) = stand().client(given, Ruling::AS_IT_IS).await;
    assert_eq!(verdict, Verdict::Pass);
}

#[tokio::test]
async fn a_refused_request_is_answered_under_its_own_id() {
    for (method, held) in [
        ("turn/start", Held::TurnStart),
        ("review/start", Held::ReviewStart),
        ("thread/queue/add", Held::QueueAdd),
        ("thread/queue/start", Held::QueueStart),
        ("thread/compact/start", Held::CompactStart),
    ] {
        let given =
            format!(r#"{{"method":"{method}","id":"x\u0041","params":{{"threadId":"t"}}}}"#);
        let refuse = Ruling::Refuse("git moved".to_owned());
        let (verdict, was_held) = stand().client(&given, refuse).await;
        assert_eq!(was_held, Some(held));
        let Verdict::Answer(text) = verdict else {
            panic!("{verdict:?}")
        };
        assert!(text.starts_with(r#"{"id":"x\u0041","error":"#), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["error"]["message"], "git moved");
    }
}

#[tokio::test]
async fn nobody_to_rule_lets_it_go_on() {
    let mut stand = stand();
    drop(std::mem::replace(&mut stand.events, mpsc::channel(1).1));
    let given = Frame::from(r#"{"id":1,"method":"turn/start","params":{}}"#.to_owned());
    assert_eq!(stand.ours.from_client(&given).await, Verdict::Pass);
}

#[test]
fn calls_of_our_tools_are_kept_back_and_others_are_not() {
    let mut stand = stand();
    let call = |id: u64, namespace: &str| {
        format!(
            r#"{{"id":{id},"method":"item/tool/call","params":{{"threadId":"t","callId":"c","namespace":{namespace},"tool":"x"}}}}"#
        )
    };
    assert_eq!(stand.engine(&call(1, r#""codex_orch""#)), Verdict::Drop);
    assert_eq!(stand.engine(&call(2, r#""codex_tui""#)), Verdict::Pass);
    assert_eq!(stand.engine(&call(3, "null")), Verdict::Pass);
    assert_eq!(stand.told(), ["tool"]);
    // The client isn't told of the end of what it never saw.
    let resolved = |id: u64| {
        format!(
            r#"{{"method":"serverRequest/resolved","params":{{"threadId":"t","requestId":{id}}}}}"#
        )
    };
    assert_eq!(stand.engine(&resolved(2)), Verdict::Pass);
    assert_eq!(stand.engine(&resolved(1)), Verdict::Drop);
    assert_eq!(stand.engine(&resolved(1)), Verdict::Pass);
}

#[test]
fn threads_of_ours_are_hidden_from_every_client() {
    let mut stand = stand();
    let started = |id: &str, source: &str| {
        format!(
            r#"{{"method":"thread/started","params":{{"thread":{{"id":"{id}","threadSource":{source}}}}}}}"#
        )
    };
    assert_eq!(stand.engine(&started("theirs", "null")), Verdict::Pass);
    assert_eq!(
        stand.engine(&started("ours", r#""codex_orch_parked""#)),
        Verdict::Drop
    );
    let (_, mut other) = stand.ours.shared.sides(ClientId(8));
    let status = |id: &str| {
        Frame::from(format!(
            r#"{{"method":"thread/status/changed","params":{{"threadId":"{id}"}}}}"#
        ))
    };
    assert_eq!(other.from_engine(&status("ours")), Verdict::Drop);
    assert_eq!(other.from_engine(&status("theirs")), Verdict::Pass);
}

#[tokio::test]
async fn observers_hear_what_they_need_and_no_deltas() {
    let mut stand = stand();
    let resume = r#"{"id":"r","method":"thread/resume","params":{"threadId":"t"}}"#;
    let _ = stand.client(resume, Ruling::AS_IT_IS).await;
    let leave = r#"{"id":"l","method":"thread/unsubscribe","params":{"threadId":"t"}}"#;
    let (verdict, _) = stand.client(leave, Ruling::AS_IT_IS).await;
    assert_eq!(verdict, Verdict::Pass);
    for said in [
        r#"{"method":"turn/started","params":{"threadId":"t"}}"#,
        r#"{"method":"item/agentMessage/delta","params":{"threadId":"t"}}"#,
        r#"{"id":"other","result":{}}"#,
        r#"{"id":"r","result":{"thread":{}}}"#,
        r#"{"id":"r","result":{"thread":{}}}"#,
        r#"{"method":"turn/completed","params":{"threadId":"t"}}"#,
        r#"{"id":"l","result":{}}"#,
    ] {
        assert_eq!(stand.engine(said), Verdict::Pass);
    }
    assert_eq!(
        stand.told(),
        [
            "told turn/started",
            "answered Thread Some(\"t\")",
            "told turn/completed",
            "answered Leave Some(\"t\")"
        ]
    );
}

#[tokio::test]
async fn a_listener_that_is_behind_is_told_so_and_slows_nobody_down() {
    let (events, mut told) = mpsc::channel(2);
    let (_, mut theirs) = Interposer::new(events, TOOLS.to_owned(), &OBSERVED).sides(ClientId(7));
    let said = Frame::from(r#"{"method":"turn/started","params":{}}"#.to_owned());
    for _ in 0..10 {
        assert_eq!(theirs.from_engine(&said), Verdict::Pass);
    }
    assert!(matches!(told.recv().await, Some(Event::Told { .. })));
    assert!(matches!(told.recv().await, Some(Event::Told { .. })));
    assert!(matches!(told.recv().await, Some(Event::Missed { .. })));
    assert!(told.try_recv().is_err(), "it is said once");
    let _ = theirs.from_engine(&said);
    assert!(matches!(told.recv().await, Some(Event::Told { .. })));
}
