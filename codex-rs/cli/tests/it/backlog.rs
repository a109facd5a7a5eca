//! What a run leaves in the backlog, and how git judges it afterwards. The oracle is git itself.

use serde_json::{Value, json};

use crate::world::{Setting, World, text, told};

const STEPS: [&str; 2] = ["Write the parser", "Document the parser"];

/// A turn that plans two steps, commits the first one, and completes it.
fn planned() -> Value {
    json!([
        {"steps": [
            {"plan": [[STEPS[0], "in_progress"], [STEPS[1], "pending"]]},
            {"run": "echo 'fn parse() {}' > parser.rs && git add parser.rs && git commit -qm 'Write the parser'"},
        ]},
        {"steps": [{"plan": [[STEPS[0], "completed"], [STEPS[1], "pending"]]}]},
        {"steps": [{"say": "Half of it is done."}]},
    ])
}

fn all(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

#[test]
fn a_plan_becomes_tasks_with_their_commits() {
    let world = World::new(planned());
    let before = world.head();
    let output = world.exec("Build a parser");
    let head = world.head();
    assert_ne!(before, head);
    assert_eq!(
        world.statuses(),
        [
            "Build a parser: active",
            "Write the parser: done",
            "Document the parser: pending"
        ]
    );

    let task = world.task(STEPS[0]);
    assert_eq!(task["target_commit"], head);
    let claims = all(&task["claims"]);
    let done = claims
        .iter()
        .find(|claim| claim["state"] == "done")
        .unwrap();
    assert_eq!(done["commits"], json!([head]));
    assert_eq!(done["branch"], "main");
    let evidence = all(&task["evidence"]);
    let commit = evidence
        .iter()
        .find(|seen| seen["kind"] == "commit")
        .unwrap();
    assert_eq!(commit["ref"], head);
    let session = world.sessions().remove(0);
    let turn = evidence.iter().find(|seen| seen["kind"] == "turn").unwrap();
    assert_eq!(turn["ref"], session["turns"][0]["record"]["turn"]);

    let (goal, open) = (world.task("Build a parser"), world.task(STEPS[1]));
    assert_eq!(task["parent"], goal["id"]);
    assert_eq!(open["parent"], goal["id"]);
    assert_eq!(open["claims"], json!([]));
    assert_eq!(task["origin"]["thread"], output.thread());

    let journal = world.journal();
    assert_eq!(journal.len(), 1);
    assert!(
        journal[0].contains(head.get(..7).unwrap()),
        "{}",
        journal[0]
    );
    assert!(journal[0].contains("Build a parser"));
    assert!(
        output.ours().iter().any(|line| line.contains("1 commit")),
        "{:?}",
        output.ours()
    );
}

#[test]
fn the_checkout_agrees_with_the_listing() {
    let world = World::new(planned());
    world.exec("Build a parser");
    let yaml = std::fs::read_to_string(world.repo.join(".codex-orch/project_tasks.yaml")).unwrap();
    let file: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(file["tasks"], Value::from(world.tasks()));
    // Its first line names its state commit and where it is seen from.
    let first = yaml.lines().next().unwrap();
    assert!(first.starts_with("# state "), "{first}");
    let state = first.split(' ').nth(2).unwrap().trim_end_matches(',');
    assert_eq!(
        world.git_in(&world.store().join("store.git"), &["cat-file", "-t", state]),
        "commit"
    );
    assert!(
        first.ends_with(&format!("main at {}", world.head())),
        "{first}"
    );
    // Git doesn't see any of it.
    assert_eq!(world.git(&["status", "--porcelain", "-uall"]), "");
    assert_eq!(
        world.git(&["for-each-ref", "--format=%(refname)"]),
        "refs/heads/main"
    );
    world.git(&["fsck", "--strict"]);
}

#[test]
fn what_is_done_on_a_branch_is_open_elsewhere_until_it_is_merged() {
    let world = World::new(planned());
    let start = world.head();
    world.git(&["switch", "-qc", "feature"]);
    world.exec("Build a parser");
    assert_eq!(world.task(STEPS[0])["status"], "done");

    world.git(&["switch", "-q", "main"]);
    let here = world.task(STEPS[0]);
    assert_eq!(
        (&here["status"], &here["done_on"]),
        (&json!("pending"), &json!("feature"))
    );
    let listed = world.run(&["tasks", "list"]).ok().stdout;
    assert!(
        listed.contains("Write the parser  @agent  (done on feature)"),
        "{listed}"
    );

    world.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature"]);
    let merged = world.task(STEPS[0]);
    assert_eq!(
        (&merged["status"], &merged["done_on"]),
        (&json!("done"), &Value::Null)
    );

    world.git(&["reset", "-q", "--hard", &start]);
    assert_eq!(world.task(STEPS[0])["status"], "pending");
}

#[test]
fn a_reworded_step_stays_one_task_over_two_runs() {
    let world = World::new(json!([
        {"steps": [{"plan": [
            ["Write the parser for the config file", "in_progress"],
            ["Add tests for the parser", "pending"],
        ]}]},
        {"steps": [{"plan": [
            ["Write the config file parser", "in_progress"],
            ["Add parser tests", "pending"],
        ]}]},
        {"steps": [{"say": "More tomorrow."}]},
        {"steps": [{"plan": [
            ["Write a parser for the config file", "completed"],
            ["Add tests for parser", "in_progress"],
        ]}]},
        {"steps": [{"say": "Later."}]},
    ]));
    world.exec("Read the config");
    let first = world.tasks();
    world
        .run(&["exec", "--json", "resume", "--last", "Go on"])
        .ok();
    let second = world.tasks();
    let ids = |tasks: &[Value]| {
        tasks
            .iter()
            .map(|task| task["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(first.len(), 3, "{first:#?}");
    assert_eq!(ids(&first), ids(&second), "{second:#?}");
}

#[test]
fn a_task_is_taken_up_by_its_id_in_a_new_thread() {
    let mut setting = Setting::new(json!([
        {"when": {"user": "Build"}, "steps": [{"plan": [["Write the parser", "in_progress"]]}]},
        {"when": {"user": "Build"}, "steps": [{"say": "Begun."}]},
        {
            "when": {"user": "Finish"},
            "capture": {"id": r"\[([a-z0-9]+)\] Write the parser"},
            "steps": [{"plan": [["[{{capture id}}] Finish the whole thing", "in_progress"]]}],
        },
    ]));
    setting.fallback = Some(json!({"steps": [{"say": "Done."}]}));
    let world = World::of(setting);
    world.exec("Build a parser");
    let known = world.task("Write the parser")["id"].clone();
    world.exec("Finish it");
    let tasks = world.tasks();
    let same: Vec<&Value> = tasks.iter().filter(|task| task["id"] == known).collect();
    assert_eq!(same.len(), 1);
    assert!(
        !tasks
            .iter()
            .any(|task| text(&task["title"]).contains("whole thing")),
        "{tasks:#?}"
    );
    let last = world.requests().pop().unwrap();
    assert!(told(&last).contains(text(&known)));
}

#[test]
fn an_ephemeral_run_leaves_what_git_and_its_exit_code_tell() {
    let world = World::new(planned());
    world.run(&["exec", "--ephemeral", "Build a parser"]).ok();
    assert!(world.sessions().is_empty(), "upstream left no rollout");
    let state = world.state();
    let points = state["project"]["checkpoints"].as_array().unwrap();
    let last = points.last().unwrap();
    assert_eq!(last["head"]["commit"], world.head());
    assert_eq!(last["text"], "no turn recorded, exit code 0 · 1 commit");
    assert_eq!(state["project"]["open_runs"], json!({}));
}
