//! Going on with a conversation: on the same head, and after git has moved. What was sent is read from the requests.

use serde_json::{Value, json};

use crate::world::{Output, World, text};

/// A world in which one run on `main` has committed a file; the answer to everything else is "Done.".
fn begun() -> (World, Output) {
    let world = World::new(json!([
        {"steps": [{"run": "echo 1 > one.txt && git add one.txt && git commit -qm 'One'"}]},
        {"steps": [{"say": "One is there."}]},
    ]));
    let output = world.exec("Make one");
    assert_eq!(world.requests().len(), 2);
    (world, output)
}

fn resume(world: &World, args: &[&str]) -> Output {
    world.run(&[&["exec", "--json"], args, &["resume", "--last", "Go on"]].concat())
}

/// The requests from the third one on: what was sent after [`begun`].
fn sent(world: &World) -> Vec<String> {
    world
        .requests()
        .iter()
        .skip(2)
        .map(|request| request.input_text())
        .collect()
}

#[test]
fn on_the_same_head_it_goes_on_with_the_brief() {
    let (world, first) = begun();
    let second = resume(&world, &[]).ok();
    assert_eq!(first.thread(), second.thread());
    let sent = sent(&world);
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].contains("Make one") && sent[0].contains("One is there."),
        "the thread's own history"
    );
    assert_eq!(
        sent[0].matches("<codex_orch_brief_1>").count(),
        2,
        "{}",
        sent[0]
    );
    assert!(sent[0].contains("Objective: Make one"), "{}", sent[0]);
    let sessions = world.sessions();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["thread"], first.thread());
    assert_eq!(sessions[0]["turns"].as_array().unwrap().len(), 2);
    assert_eq!(sessions[0]["runs"].as_array().unwrap().len(), 2);
    assert_eq!(world.journal().len(), 1);
}

#[test]
fn a_thread_is_resumed_by_its_id_too() {
    let (world, first) = begun();
    let id = first.thread();
    let second = world.run(&["exec", "resume", &id, "Go on", "--json"]).ok();
    assert_eq!(second.thread(), id);
    assert!(sent(&world)[0].contains("Objective: Make one"));
}

#[test]
fn after_a_checkout_nothing_is_sent_until_somebody_decides() {
    let (world, _) = begun();
    world.git(&["switch", "-qc", "other", "HEAD~1"]);
    let calm = resume(&world, &[]).exits(3);
    calm.is_trouble(
        "switched: main at",
        "--on-drift fork, --on-drift fast-forward, --on-drift rebuild",
    );
    assert_eq!(sent(&world), Vec::<String>::new());
    // The same for a branch that begins right here, said by name.
    world.git(&["switch", "-q", "main"]);
    world.git(&["switch", "-qc", "feature"]);
    resume(&world, &["--on-drift", "stop"])
        .exits(3)
        .is_trouble("branched: main at", "--on-drift fork");
    assert_eq!(sent(&world), Vec::<String>::new());
    let drift = world.state()["project"]["drift"].clone();
    assert_eq!(drift.as_array().unwrap().len(), 2, "{drift:#?}");
    assert_eq!(
        (&drift[0]["kind"], &drift[0]["choice"]),
        (&json!("switched"), &json!("stop"))
    );
    // Back where it was, all is well.
    world.git(&["switch", "-q", "main"]);
    resume(&world, &[]).ok();
    assert_eq!(sent(&world).len(), 1);
}

fn on_feature() -> (World, String) {
    let (world, first) = begun();
    world.git(&["switch", "-qc", "feature"]);
    let head = world.commit("two.txt", "2\n", "Two");
    assert_eq!(resume(&world, &[]).code, Some(3));
    assert!(!head.is_empty());
    (world, first.thread())
}

#[test]
fn fast_forward_goes_on_with_the_same_thread_and_a_note() {
    let (world, thread) = on_feature();
    let output = resume(&world, &["--on-drift", "fast-forward"]).ok();
    assert_eq!(output.thread(), thread);
    let sent = sent(&world);
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].contains("The repository moved since your last turn"),
        "{}",
        sent[0]
    );
    assert!(
        sent[0].contains("Two") && sent[0].contains("1 incoming commit"),
        "{}",
        sent[0]
    );
    assert!(
        output
            .ours()
            .iter()
            .any(|line| line.contains("(fast-forward)")),
        "{output:#?}"
    );
    // From here on this is where the thread stands.
    assert_eq!(resume(&world, &[]).ok().thread(), thread);
    let branches: Vec<Value> = world
        .sessions()
        .iter()
        .map(|session| session["branch"].clone())
        .collect();
    assert_eq!(branches, ["main", "feature"]);
}

#[test]
fn fork_parks_a_copy_for_the_branch_it_leaves() {
    let (world, thread) = on_feature();
    let output = resume(&world, &["--on-drift=fork"]).ok();
    assert_eq!(output.thread(), thread, "the live thread goes on here");
    assert!(sent(&world)[0].contains("The repository moved since your last turn"));
    let state = world.state();
    let copy = text(&state["project"]["branches"]["main"]["parked_thread"]).to_owned();
    assert_ne!(copy, thread);
    assert_eq!(
        state["project"]["branches"]["feature"]["parked_thread"],
        Value::Null
    );
    // The copy is not what is resumed next, though it is the younger one.
    assert_eq!(resume(&world, &[]).ok().thread(), thread);
    // It is there for whoever comes back: with the old conversation, without what came after.
    world.git(&["switch", "-q", "main"]);
    let back = world
        .run(&["exec", "--json", "resume", &copy, "Back again"])
        .ok();
    assert_eq!(back.thread(), copy);
    let last = sent(&world).pop().unwrap();
    assert!(
        last.contains("Make one") && !last.contains("The repository moved"),
        "{last}"
    );
}

#[test]
fn rebuild_begins_a_new_thread_from_what_is_known() {
    let (world, thread) = on_feature();
    let output = resume(&world, &["--on-drift", "rebuild"]).ok();
    assert_ne!(output.thread(), thread);
    let sent = sent(&world);
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].contains("A new conversation takes the place of one from main at"),
        "{}",
        sent[0]
    );
    assert!(sent[0].contains("Objective: Make one"), "{}", sent[0]);
    assert!(
        !sent[0].contains("One is there."),
        "the old conversation isn't in the new one"
    );
    assert_eq!(
        world.requests()[2].messages("user").last().unwrap(),
        "Go on"
    );
    assert_eq!(resume(&world, &[]).ok().thread(), output.thread());
}

#[test]
fn commits_that_came_in_are_told_and_the_thread_goes_on() {
    let (world, first) = begun();
    world.commit("one.txt", "changed\n", "Change one by hand");
    let output = resume(&world, &[]).ok();
    assert_eq!(output.thread(), first.thread());
    let sent = sent(&world);
    assert!(sent[0].contains("advanced: main at"), "{}", sent[0]);
    assert!(sent[0].contains("Change one by hand"), "{}", sent[0]);
    assert!(sent[0].contains("touching one.txt"), "{}", sent[0]);
}

#[test]
fn files_changed_meanwhile_are_told_when_the_thread_knows_them() {
    let (world, _) = begun();
    std::fs::write(world.repo.join("one.txt"), "by hand\n").unwrap();
    resume(&world, &[]).ok();
    assert!(sent(&world)[0].contains("files changed outside this conversation, touching one.txt"));
}

#[test]
fn a_rewritten_branch_asks() {
    let (world, _) = begun();
    world.git(&["commit", "-q", "--amend", "-m", "One, amended"]);
    resume(&world, &[])
        .exits(3)
        .is_trouble("rewritten: main at", "--on-drift fork, --on-drift rebuild");
    let refused = resume(&world, &["--on-drift", "fast-forward"]).exits(3);
    refused.is_trouble(
        "fast-forward isn't possible here",
        "--on-drift fork, --on-drift rebuild",
    );
    assert_eq!(sent(&world), Vec::<String>::new());
}

#[test]
fn a_detached_head_and_an_unfinished_merge_ask() {
    let (world, _) = begun();
    world.git(&["switch", "-q", "--detach"]);
    resume(&world, &[])
        .exits(3)
        .is_trouble("detached: main at", "--on-drift rebuild");
    world.git(&["switch", "-q", "main"]);
    world.git(&["switch", "-qc", "side", "HEAD~1"]);
    world.commit("one.txt", "other\n", "Another one");
    world.git(&["switch", "-q", "main"]);
    let merge = world
        .git_command(&world.repo)
        .args(["merge", "-q", "side"])
        .output()
        .unwrap();
    assert!(!merge.status.success(), "it conflicts");
    resume(&world, &[])
        .exits(3)
        .is_trouble("in-progress", "--on-drift rebuild");
    assert_eq!(sent(&world), Vec::<String>::new());
}

#[test]
fn a_bad_choice_is_a_usage_error() {
    let (world, _) = begun();
    for args in [&["--on-drift", "maybe"][..], &["--on-drift="]] {
        resume(&world, args).exits(2).is_trouble(
            "--on-drift takes stop, fork, fast-forward or rebuild",
            "exit code 3",
        );
    }
    assert_eq!(sent(&world), Vec::<String>::new());
}

#[test]
fn a_fresh_run_never_stops() {
    let (world, _) = begun();
    for branch in ["one", "two"] {
        world.git(&["switch", "-qc", branch]);
        world.commit("file", branch, branch);
        world.exec("Hello");
    }
    world.git(&["switch", "-q", "--detach", "main"]);
    world.exec("Hello");
    assert_eq!(sent(&world).len(), 3);
    assert!(
        sent(&world)[0].contains("Objective: Make one"),
        "a new branch takes over what was known"
    );
}

#[test]
fn a_resume_that_finds_nothing_is_a_new_thread_as_upstream_has_it() {
    let world = World::new(json!([]));
    resume(&world, &[]).ok();
    assert_eq!(world.requests().len(), 1);
    assert_eq!(world.turns(), ["completed"]);
}

#[test]
fn an_unknown_thread_fails_as_upstream_fails() {
    let world = World::new(json!([]));
    let args = [
        "exec",
        "resume",
        "01a00000-0000-7000-8000-000000000000",
        "Go on",
    ];
    let output = world.run(&args).exits(1);
    assert!(
        output
            .stderr
            .contains("01a00000-0000-7000-8000-000000000000"),
        "{output:#?}"
    );
    assert!(!output.stderr.contains("panicked"));
    assert!(world.requests().is_empty());
}

#[test]
fn exec_fork_copies_as_upstream_does_and_never_stops() {
    let (world, thread) = on_feature();
    let output = world
        .run(&["exec", "--json", "fork", &thread, "Another way"])
        .ok();
    assert_ne!(output.thread(), thread);
    let asked = &sent(&world)[0];
    assert!(asked.contains("Make one"), "{output:#?}");
    assert!(
        asked.contains("The repository moved since your last turn"),
        "{asked}"
    );
    assert_eq!(world.turns(), ["completed", "completed"]);
}

#[test]
fn a_branch_with_work_of_its_own_is_merged_into_or_switched_to() {
    let (world, first) = begun();
    let thread = first.thread();
    // `dev` begins before that commit and has work of its own; `feature` begins after it.
    world.git(&["switch", "-qc", "dev", "HEAD~1"]);
    world.exec("On dev");
    world.git(&["switch", "-q", "main"]);
    world.git(&["switch", "-qc", "feature"]);
    world.exec("On feature");
    let before = world.requests().len();
    world
        .run(&["exec", "--json", "resume", &thread, "Go on"])
        .exits(3)
        .is_trouble("switched: main at", "--on-drift fork");
    assert_eq!(world.requests().len(), before, "nothing was sent");

    world.git(&["switch", "-q", "dev"]);
    world.commit("dev.txt", "dev\n", "Dev");
    world.git(&["merge", "-q", "--no-edit", "main"]);
    world
        .run(&["exec", "--json", "resume", &thread, "Go on"])
        .ok();
    let drift = world.state()["project"]["drift"].clone();
    let last = drift.as_array().unwrap().last().unwrap();
    assert_eq!(
        (text(&last["kind"]), text(&last["choice"])),
        ("merged", "go on")
    );
}
