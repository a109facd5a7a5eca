//! One IDE client on stdio: what its turns are told, what is recorded of them, and what stops them.

use serde_json::{Value, json};

use crate::client::Client;
use crate::interposer::{call, is_whole, talking, titles};
use crate::world::{Running, World, text, told};

#[test]
fn turns_get_the_brief_and_our_tools_and_are_recorded() {
    let world = World::new(json!([
        {"when": {"user": "Make one"}, "steps": [
            {"plan": [["Write one", "in_progress"], ["Test one", "pending"]]},
            call("tasks_add", json!({"title": "Look at two"})),
        ]},
        {"when": {"user": "Make one"}, "steps": [{"run": "echo 1 > one.txt && git add -A && git commit -qm One"}]},
        {"when": {"user": "Make one"}, "steps": [{"say": "One is there."}]},
    ]));
    let (running, mut client) = talking(&world);
    let one = client.turn("Make one");
    let two = client.turn("And two");
    client.close();
    let output = running.finish().ok();
    assert_eq!(output.stdout, "");

    let requests = world.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert!(
            told(request).contains("<codex_orch_brief_1>"),
            "{}",
            told(request)
        );
        assert!(
            request
                .tool_names()
                .contains(&"codex_orch.tasks_add".to_owned())
        );
    }
    let answer = requests[1].outputs()["call-0-1"].clone();
    assert!(answer.contains("added"), "{answer}");
    // The client hears of the call as of any item, and isn't asked to carry it out.
    assert_eq!(client.times("item/tool/call"), 0);
    assert_eq!(client.times("serverRequest/resolved"), 0);
    let calls = client.heard.iter().filter(|message| {
        message["method"] == "item/completed"
            && message["params"]["item"]["type"] == "dynamicToolCall"
    });
    assert_eq!(calls.count(), 1);

    let sessions = world.sessions();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["thread"], client.thread.as_str());
    assert_eq!(sessions[0]["branch"], "main");
    let ids: Vec<&str> = sessions[0]["turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| text(&turn["record"]["turn"]))
        .collect();
    assert_eq!(ids, [one.as_str(), two.as_str()]);
    is_whole(&world, &client.thread, 2);
    let titles = titles(&world);
    for title in ["Write one", "Test one", "Look at two"] {
        assert_eq!(
            titles.iter().filter(|known| *known == title).count(),
            1,
            "{titles:?}"
        );
    }
    assert_eq!(world.journal().len(), 1);
    assert_eq!(world.state()["project"]["open_runs"], json!({}));

    // The next start begins with what is known.
    let (running, mut client) = talking(&world);
    client.turn("What is left?");
    client.close();
    running.finish().ok();
    let brief = told(&world.requests()[4]);
    assert!(
        brief.contains("Look at two") && brief.contains("Test one"),
        "{brief}"
    );
    assert_eq!(world.sessions().len(), 2);
}

/// A thread with a turn on main; then a branch with a commit that the thread knows nothing of.
fn moved() -> (World, Running, Client) {
    let world = World::new(json!([]));
    let (running, mut client) = talking(&world);
    client.turn("Make one");
    world.git(&["switch", "-qc", "feature"]);
    world.commit("two.txt", "2\n", "Two");
    let error = client.refused("turn/start", client.message("Go on"));
    assert!(
        error.contains("branched: main at") && error.contains("codex-orch drift resolve"),
        "{error}"
    );
    assert_eq!(world.requests().len(), 1, "nothing was sent");
    (world, running, client)
}

fn waiting(world: &World) -> usize {
    let output = world.run(&["drift", "status", "--json"]).ok();
    let listed: Value = serde_json::from_str(&output.stdout).unwrap();
    listed["drift"].as_array().unwrap().len()
}

#[test]
fn after_a_checkout_a_turn_waits_for_a_decision() {
    let (world, running, mut client) = moved();
    assert_eq!(waiting(&world), 1);
    let shown = world.run(&["drift", "status"]).ok().stdout;
    assert!(
        shown.contains(&client.thread) && shown.contains("branched"),
        "{shown}"
    );
    // Undecided it stays refused, also what else would begin a turn.
    for method in ["turn/start", "thread/compact/start"] {
        let error = client.refused(method, client.message("Go on"));
        assert!(
            error.contains("codex-orch drift resolve"),
            "{method}: {error}"
        );
    }
    world.run(&["drift", "resolve", "fast-forward"]).ok();
    assert_eq!(waiting(&world), 0);
    client.turn("Go on");
    let requests = world.requests();
    assert_eq!(requests.len(), 2);
    let brief = told(&requests[1]);
    assert!(
        brief.contains("The repository moved since your last turn") && brief.contains("Two"),
        "{brief}"
    );
    // From here on this is where it stands.
    client.turn("Go on");
    client.close();
    running.finish().ok();
    let branches: Vec<Value> = world
        .sessions()
        .iter()
        .map(|session| session["branch"].clone())
        .collect();
    assert_eq!(branches, ["main", "feature"]);
    assert_eq!(world.turns().len(), 3);
}

#[test]
fn fork_parks_a_copy_that_the_client_never_hears_of() {
    let (world, running, mut client) = moved();
    world.run(&["drift", "resolve", "fork"]).ok();
    client.turn("Go on");
    assert_eq!(world.requests().len(), 2);
    let own = client.thread.clone();
    client.close();
    running.finish().ok();
    let of_others = client.heard.iter().filter(|message| {
        let params = &message["params"];
        let thread = params["threadId"]
            .as_str()
            .or(params["thread"]["id"].as_str());
        thread.is_some_and(|thread| thread != own)
    });
    assert_eq!(of_others.collect::<Vec<_>>(), Vec::<&Value>::new());
    let parked = world.state()["project"]["branches"]["main"].clone();
    let mut files = Vec::new();
    walk(&world.home.join("sessions"), &mut files);
    assert_eq!(files.len(), 2, "the copy is a thread of its own: {parked}");
}

fn walk(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path(), files),
            false => files.push(entry.path()),
        }
    }
}

#[test]
fn a_message_that_joins_a_running_turn_is_no_turn() {
    let world = World::new(json!([
        {"when": {"user": "Wait"}, "fault": "hang", "steps": [{"say": "Waited."}]},
    ]));
    let (running, mut client) = talking(&world);
    let turn = client.begin("Wait");
    world.asked(1);
    // Git may move meanwhile: the turn runs, and what joins it isn't judged.
    world.git(&["switch", "-qc", "feature"]);
    let steered = client.begin("And more");
    assert_eq!(steered, turn);
    world.server.release();
    client.ended(&turn);
    client.close();
    running.finish().ok();
    assert_eq!(world.turns(), ["completed"]);
    let told: usize = world
        .requests()
        .iter()
        .map(|request| told(request).matches("<codex_orch_brief_1>").count())
        .max()
        .unwrap();
    assert_eq!(told, 1, "a steer brings no brief");
}

#[test]
fn a_thread_that_is_kept_nowhere_is_the_clients_own() {
    let world = World::new(json!([]));
    let (running, client) = Client::stdio(&world);
    let mut client = client.greeted();
    client.start(json!({"cwd": world.repo, "ephemeral": true}));
    client.turn("Name this");
    client.close();
    running.finish().ok();
    let request = &world.requests()[0];
    assert!(!told(request).contains("codex_orch"), "{}", told(request));
    assert!(
        !request
            .tool_names()
            .iter()
            .any(|name| name.starts_with("codex_orch"))
    );
    assert_eq!(world.sessions(), Vec::<Value>::new());
    assert_eq!(world.tasks(), Vec::<Value>::new());
}

#[test]
fn what_sub_agents_do_is_their_parents_work() {
    let world = World::new(json!([
        {"when": {"user": "delegate"}, "steps": [{"run": "echo mine"},
            {"call": {"namespace": "multi_agent_v1", "name": "spawn_agent", "arguments": {"message": "work below"}}}]},
        {"when": {"user": "work below"}, "steps": [{"run": "echo below; false"}, {"plan": [["Below", "in_progress"]]}]},
        {"when": {"user": "work below"}, "steps": [{"say": "Done below."}]},
    ]));
    let (running, mut client) = talking(&world);
    client.begin("delegate this");
    for _ in 0..2 {
        client.until(|message| message["method"] == "turn/completed");
    }
    client.close();
    running.finish().ok();
    let sessions = world.sessions();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["thread"], client.thread.as_str());
    let turns = sessions[0]["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 1);
    let events = turns[0]["record"]["events"].to_string();
    assert!(
        events.contains("echo mine") && events.contains("echo below"),
        "{events}"
    );
    let titles: Vec<String> = world.statuses();
    assert!(
        !titles.iter().any(|title| title.starts_with("Below")),
        "{titles:?}"
    );
}

#[test]
fn what_is_taken_back_is_marked_and_what_rested_on_it_proposed() {
    let world = World::new(json!([
        {"when": {"user": "Make one"}, "steps": [{"plan": [["Write one", "in_progress"]]}]},
        {"when": {"user": "Make one"}, "steps": [{"run": "echo 1 > one.txt && git add -A && git commit -qm One"}, {"plan": [["Write one", "completed"]]}]},
        {"when": {"user": "Make one"}, "steps": [{"say": "Made."}]},
    ]));
    let (running, mut client) = talking(&world);
    client.turn("Hello");
    let one = client.turn("Make one");
    let revert = json!({"threadId": client.thread, "beforeTurnId": one});
    client.call("thread/revert", revert);
    client.turn("Thanks");
    client.close();
    running.finish().ok();
    let reverted: Vec<bool> = world
        .sessions()
        .iter()
        .flat_map(|session| session["turns"].as_array().unwrap().clone())
        .map(|turn| turn["reverted"] == true)
        .collect();
    assert_eq!(reverted, [false, true, false]);
    let proposals = world.state()["project"]["proposals"].clone();
    let [proposal] = &proposals.as_object().unwrap().values().collect::<Vec<_>>()[..] else {
        panic!("{proposals:#}")
    };
    assert_eq!(proposal["change"]["task"], world.task("Write one")["id"]);
    assert_eq!(proposal["change"]["claim"]["state"], "pending");
    assert!(
        text(&proposal["reason"]).contains("taken back"),
        "{proposal:#}"
    );
}
