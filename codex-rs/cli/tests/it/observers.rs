//! The two observers see the same: what the live wire tells of a turn, and what the rollout tells of it afterwards. Run on
//! the real engine. Where they may differ is said in `docs/observation.md`, and nowhere but there.

pub(crate) mod client;
pub(crate) mod scenarios;

use std::collections::BTreeMap;

use orch_protocol::ids::ThreadId;
use orch_protocol::turn::{TurnEvent, TurnRecord};
use orch_rollout::below::{self, read_with_below};
use orch_rollout::find::find_by_thread;
use orch_rollout::live::seen::{Role, Seen};
use orch_rollout::reader::read_thread;
use serde_json::{Value, json};

use crate::observers::client::Client;
use crate::observers::scenarios::{Scenario, all};
use crate::world::{Setting, World};

#[test]
fn both_observers_see_the_same() {
    let wanted = std::env::var("OBSERVE").unwrap_or_default();
    let mut wrong = Vec::new();
    for scenario in all().into_iter().filter(|one| one.name.contains(&wanted)) {
        wrong.extend(differences(&scenario));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays a scenario; each field that the observers disagree on, and what each saw.
fn differences(scenario: &Scenario) -> Vec<String> {
    let mut setting = Setting::new(scenario.replies.clone());
    setting.config = scenario.config.to_owned();
    let world = World::of(setting);
    let mut client = Client::new(&world);
    client.start(json!({}));
    (scenario.play)(&mut client);
    client.finish();

    let mut live: BTreeMap<String, Vec<TurnRecord>> = BTreeMap::new();
    let mut taken_back: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seen in &client.seen {
        match seen {
            Seen::TurnEnded(ended) if ended.role != Role::Ephemeral => {
                let records = live.entry(ended.thread.to_string()).or_default();
                records.extend(ended.record.iter().map(|record| (**record).clone()));
            }
            Seen::Reverted { thread, turns } => {
                let turns = turns.as_ref().expect("the request was told");
                let gone = taken_back.entry(thread.to_string()).or_default();
                gone.extend(turns.iter().map(ToString::to_string));
            }
            _ => {}
        }
    }
    let sessions = world.home.join("sessions");
    let work_below = client.seen.iter().filter_map(|seen| match seen {
        Seen::TurnEnded(ended) => Some((ended.above.as_ref()?, ended.record.as_ref()?)),
        _ => None,
    });
    let mut with_below = live.clone();
    for (above, work) in work_below {
        let turns = with_below.get_mut(above.thread.as_ref().unwrap().as_str());
        let turn = turns
            .unwrap()
            .iter_mut()
            .find(|turn| turn.turn == above.turn);
        below::add(turn.unwrap(), work);
    }
    let mut wrong = Vec::new();
    let mut say = |what: String| wrong.push(format!("{}: {what}", scenario.name));
    let mut records = 0;
    for (thread, live) in &live {
        let read = read_thread(&find_by_thread(&sessions, thread)).unwrap();
        let read_with_below = read_with_below(&sessions, &ThreadId::new(thread.as_str())).unwrap();
        let gone = taken_back.remove(thread).unwrap_or_default();
        let reverted: Vec<String> = read.reverted.iter().map(ToString::to_string).collect();
        if reverted != gone {
            say(format!("reverted: live {gone:?}, rollout {reverted:?}"));
        }
        records += live.len();
        if live.len() != read.turns.len() {
            let requests = |turns: &[TurnRecord]| {
                turns
                    .iter()
                    .map(|turn| turn.request.clone())
                    .collect::<Vec<_>>()
            };
            let (live, read) = (requests(live), requests(&read.turns));
            say(format!("turns: live {live:?}, rollout {read:?}"));
            continue;
        }
        let alone = live.iter().zip(&read.turns);
        let together = with_below[thread].iter().zip(&read_with_below.turns);
        for (live, read) in alone.chain(together) {
            let (live, read) = (comparable(live), comparable(read));
            let keys = live.as_object().unwrap().keys();
            for key in keys.filter(|key| live[*key] != read[*key]) {
                say(format!(
                    "turn {}: {key}:\n  live    {}\n  rollout {}",
                    live["request"], live[key], read[key]
                ));
            }
        }
    }
    if scenario.records != usize::MAX && records != scenario.records {
        say(format!("{records} records instead of {}", scenario.records));
    }
    wrong
}

/// A record without what the two may differ in.
pub(crate) fn comparable(record: &TurnRecord) -> Value {
    let mut record = record.clone();
    record
        .events
        .retain(|event| !matches!(event, TurnEvent::File { ok: false, .. }));
    for calls in record.events.chunk_by_mut(|a, b| is_call(a) && is_call(b)) {
        calls.sort_by_key(|event| format!("{:?}", timeless(event)));
    }
    let events: Vec<Value> = record.events.iter().map(timeless).collect();
    let mut value = serde_json::to_value(&record).unwrap();
    value["events"] = events.into();
    for key in ["started_at", "ended_at"] {
        value[key] = value[key].is_string().into();
    }
    // Keys that are left out when empty are compared too.
    value["events_dropped"] = record.events_dropped.into();
    value
}

fn is_call(event: &TurnEvent) -> bool {
    matches!(event, TurnEvent::Command { .. } | TurnEvent::File { .. })
}

fn timeless(event: &TurnEvent) -> Value {
    let mut value = serde_json::to_value(event).unwrap();
    value["at"] = value["at"].is_string().into();
    if matches!(
        event,
        TurnEvent::Command {
            exit_code: None,
            ..
        }
    ) {
        // A script's command gets its own id in the file when it ends.
        value["call_id"] = Value::Null;
    }
    value
}
