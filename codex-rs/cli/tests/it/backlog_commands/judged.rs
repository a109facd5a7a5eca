//! What git can and can't tell of a task, and tasks that were archived. The oracle is git.

use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{FactId, TaskId};
use orch_protocol::proposal::Change;
use orch_protocol::task::Actor;
use orch_runtime::ports::{StateStore, Wanted};
use orch_runtime::store::{BareStore, log};
use serde_json::Value;

use super::{filled, id, listed, run, tasks};
use crate::world::World;

fn shown(world: &World, id: &str) -> Value {
    let printed = tasks(world, &["show", id, "--json"]).ok().stdout;
    let mut printed: Value = serde_json::from_str(&printed).unwrap();
    printed["tasks"][0].take()
}

#[test]
fn work_that_was_picked_is_found_under_its_new_id() {
    let world = filled();
    let base = id(&world, "Base");
    world.git(&["switch", "-qc", "feature"]);
    let made = world.commit("a.txt", "a", "a");
    run(&world, &["done", &base, "--commit", "HEAD"]);
    world.git(&["switch", "-q", "main"]);
    world.commit("b.txt", "b", "b");
    let line = "\n            not here: done, says a person on feature, just now (";
    let before = run(&world, &["show", &base]);
    assert!(before.contains(line), "{before}");
    let missing = format!("in {}: HEAD doesn't reach it; feature does\n", &made[..10]);
    assert!(before.contains(&missing), "{before}");
    assert!(before.contains("            done on feature, not here\n"));

    world.git(&["cherry-pick", &made]);
    let picked = world.head();
    let after = run(&world, &["show", &base]);
    let found = format!(
        "in {}: HEAD reaches its work as {}\n",
        &made[..10],
        &picked[..10]
    );
    assert!(after.starts_with("B  Base\nstatus      done\n"), "{after}");
    assert!(after.contains(&found), "{after}");
    let commit = &shown(&world, &base)["why"]["claims"][0]["commits"][0];
    assert_eq!(commit["rewritten_to"], picked);
}

#[test]
fn a_history_that_is_cut_off_leaves_a_status_unknown() {
    let world = filled();
    let base = id(&world, "Base");
    let made = world.commit("a.txt", "a", "a");
    run(&world, &["done", &base, "--commit", "HEAD"]);
    world.commit("b.txt", "b", "b");
    let row = |world: &World| run(world, &["list", "--all", "--text", "base"]);
    assert!(row(&world).starts_with("B  done"), "{}", row(&world));

    let origin = world.root().join("origin.git");
    let path = origin.to_str().unwrap();
    world.git(&["clone", "-q", "--bare", ".", path]);
    let url = format!("file://{path}");
    world.git(&["fetch", "-q", "--depth", "1", &url, "main"]);
    let reached = world.git(&["rev-list", "HEAD"]);
    assert!(!reached.contains(&made), "git can't tell either");
    assert!(row(&world).starts_with("B  unknown"), "{}", row(&world));
    let sheet = run(&world, &["show", &base]);
    assert!(
        sheet.contains("status      unknown: history is cut off here\n"),
        "{sheet}"
    );
    assert!(
        sheet.contains("            perhaps: done, says a person on main"),
        "{sheet}"
    );
    assert_eq!(shown(&world, &base)["why"]["unknown"], true);
}

/// Moves a task out of the backlog, as the supervisor does with those that were closed long ago.
fn archive(world: &World, task: &str) {
    let at: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
    let mut store = BareStore::new(world.store(), log::fresh_id(at));
    let fact = Fact {
        id: FactId {
            log: store.log_id().clone(),
            seq: 1,
        },
        at,
        by: Actor::Supervisor,
        op: 1,
        head: None,
        event: Event::Changed {
            change: Change::Archive {
                task: TaskId::new(task),
                archived: true,
            },
            reason: "done long ago".to_owned(),
        },
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        store.load(&Wanted::default()).await.unwrap();
        store.append(&[fact]).await.unwrap();
        store.fold().await.unwrap();
    });
    store.close().unwrap();
}

#[test]
fn an_archived_task_is_found_and_comes_back_when_it_is_changed() {
    let world = filled();
    let [base, alpha, charlie] = ["Base", "Alpha", "Charlie"].map(|title| id(&world, title));
    run(&world, &["done", &base, "--commit", "HEAD"]);
    archive(&world, &base);
    assert_eq!(listed(&world, &["--all", "--sort", "title"]), "ACDG");
    let row = |args: &[&str]| run(&world, args).replace(&base, "B");
    assert_eq!(
        row(&["list", "--archived"]),
        "B  done     p0  Base  @ada\n",
        "judged as ever"
    );
    assert_eq!(
        row(&["search", "tabs"]),
        "B  done     p0  Base  (archived)  @ada\n            Mind the tabs\n"
    );
    let sheet = row(&["show", &base]);
    assert!(
        sheet.starts_with("B  Base\nstatus      done, archived\n"),
        "{sheet}"
    );
    assert!(sheet.contains("HEAD reaches it"), "{sheet}");
    assert_eq!(shown(&world, &base)["archived"], true);
    assert!(row(&["log", &base]).contains("note: Mind the tabs"));
    // What needed it waits for nothing.
    assert_eq!(world.task("Alpha")["ready"], true);
    run(&world, &["need", &charlie, &base]);
    assert_eq!(
        listed(&world, &["--archived"]).len(),
        1,
        "nothing was said of it"
    );

    run(&world, &["note", &base, "once more"]);
    assert_eq!(listed(&world, &["--all", "--sort", "title"]), "ABCDG");
    let refused = tasks(&world, &["need", &base, &alpha]).exits(2);
    assert!(
        refused.stderr.contains("would close a cycle"),
        "{refused:#?}"
    );
    archive(&world, &base);
    let refused = tasks(&world, &["need", &base, &alpha]).exits(2);
    assert!(
        refused.stderr.contains("would close a cycle"),
        "{refused:#?}"
    );
    assert_eq!(
        listed(&world, &["--archived"]).len(),
        1,
        "nothing has changed"
    );
    // It is taken back as a whole.
    run(&world, &["reopen", &base]);
    assert_eq!(world.task("Base")["status"], "pending");
    world.run(&["state", "undo"]).ok();
    assert_eq!(listed(&world, &["--archived"]).len(), 1);
}
