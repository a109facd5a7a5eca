//! What is recorded of a turn is what its rollout says: the observers' scenarios, played through codex-orch.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;

use crate::interposer::{recorded, rolled_out};
use crate::observers::client::Client;
use crate::observers::comparable;
use crate::observers::scenarios::{Scenario, all};
use crate::world::{Setting, World, text};

#[test]
fn what_is_recorded_is_what_the_rollout_says() {
    let wanted = std::env::var("OBSERVE").unwrap_or_default();
    let scenarios = all().into_iter().filter(|one| one.name.contains(&wanted));
    let left = Mutex::new(scenarios.collect::<Vec<_>>());
    let next = || left.lock().unwrap().pop();
    let work = || {
        let mut wrong = Vec::new();
        while let Some(scenario) = next() {
            wrong.extend(differences(&scenario));
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let working = [scope.spawn(work), scope.spawn(work)];
        working
            .into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differences(scenario: &Scenario) -> Vec<String> {
    let mut setting = Setting::new(scenario.replies.clone());
    setting.config = scenario.config.to_owned();
    let world = World::of(setting);
    let mut client = Client::of(&world, world.command(&["app-server"]));
    client.start(json!({}));
    (scenario.play)(&mut client);
    client.finish();
    drop(client);
    let sessions = world.sessions();
    let threads: BTreeSet<&str> = sessions
        .iter()
        .map(|session| text(&session["thread"]))
        .collect();
    let mut wrong = Vec::new();
    let mut say = |what: String| wrong.push(format!("{}: {what}", scenario.name));
    if threads.is_empty() {
        say("nothing is recorded".to_owned());
    }
    for thread in threads {
        let (ours, theirs) = (recorded(&world, thread), rolled_out(&world, thread));
        let ids = |records: &[orch_protocol::turn::TurnRecord]| -> Vec<String> {
            records
                .iter()
                .map(|record| format!("{} {:?}", record.turn, record.request))
                .collect()
        };
        if ids(&ours) != ids(&theirs) {
            say(format!(
                "turns: recorded {:?}, rollout {:?}",
                ids(&ours),
                ids(&theirs)
            ));
            continue;
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let (ours, theirs) = (comparable(ours), comparable(theirs));
            for key in ours
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| ours[*key] != theirs[*key])
            {
                say(format!(
                    "turn {}: {key}:\n  recorded {}\n  rollout  {}",
                    ours["request"], ours[key], theirs[key]
                ));
            }
        }
    }
    let open = &world.state()["project"]["open_runs"];
    if *open != json!({}) {
        say(format!("open runs: {open}"));
    }
    wrong
}
