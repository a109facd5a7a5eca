//! `find_thread` against what upstream's `exec resume` really takes.

use std::path::Path;

use orch_engine::app_server::AppServer;
use orch_engine::error::EngineError;
use orch_engine::resolve::{Selector, find_thread};
use orch_engine::threads::Fork;
use orch_protocol::ids::ThreadId;
use serde_json::json;

use crate::app_server::start;
use crate::support::Home;

fn last(all: bool) -> Selector {
    Selector::Last {
        all,
        provider: None,
    }
}

/// What we say upstream will take; the server is gone afterwards, as it must be before upstream may open a thread.
async fn ours(home: &Home, selector: &Selector, cwd: &Path) -> Option<String> {
    let server = AppServer::start(start(home)).await.unwrap();
    let found = find_thread(&server, selector, cwd).await.unwrap();
    server
        .shutdown(std::time::Duration::from_secs(5))
        .await
        .unwrap();
    found.map(|thread| thread.id.to_string())
}

#[tokio::test]
async fn last_is_the_newest_of_the_folder_and_provider() {
    let home = Home::new(Vec::new());
    let (a, b, c) = (home.dir("a"), home.dir("b"), home.dir("a/c"));
    let in_a = home.exec(&a, &["one"]).unwrap();
    let in_c = home.exec(&c, &["two"]).unwrap();
    home.exec(&a, &["-c", "model_provider=other", "three"])
        .unwrap();
    // Children do not count, nor do other providers.
    assert_eq!(ours(&home, &last(false), &a).await, Some(in_a.clone()));
    assert_eq!(ours(&home, &last(true), &a).await, Some(in_c.clone()));
    assert_eq!(ours(&home, &last(false), &b).await, None);
    assert_eq!(home.exec(&a, &["resume", "--last", "on"]).unwrap(), in_a);
    // By id from elsewhere: from then on the thread belongs to that folder.
    assert_eq!(home.exec(&b, &["resume", &in_a, "moved"]).unwrap(), in_a);
    assert_eq!(ours(&home, &last(false), &a).await, None);
    assert_eq!(ours(&home, &last(false), &b).await, Some(in_a.clone()));
    assert_eq!(home.exec(&b, &["resume", "--last", "on"]).unwrap(), in_a);
    let fresh = home.exec(&a, &["resume", "--last", "on"]).unwrap();
    assert!(
        fresh != in_a && fresh != in_c,
        "upstream starts a new thread"
    );
    // A folder reached by a link is the folder.
    let link = home.folder.path().join("link");
    std::os::unix::fs::symlink(&a, &link).unwrap();
    assert_eq!(ours(&home, &last(false), &link).await, Some(fresh.clone()));
    assert_eq!(
        home.exec(&link, &["resume", "--last", "on"]).unwrap(),
        fresh
    );
    let other = Selector::Last {
        all: false,
        provider: Some("other".into()),
    };
    let theirs = home
        .exec(
            &a,
            &["-c", "model_provider=other", "resume", "--last", "on"],
        )
        .unwrap();
    assert_eq!(ours(&home, &other, &a).await, Some(theirs));
}

#[tokio::test]
async fn a_fork_takes_the_place_of_its_source_unless_attached() {
    let home = Home::new(Vec::new());
    let project = home.project();
    let id = ThreadId::new(home.exec(&project, &["one"]).unwrap());
    let fork = async |kind| {
        let server = AppServer::start(start(&home)).await.unwrap();
        let fork = server.fork(&id, kind).await.unwrap().to_string();
        server
            .shutdown(std::time::Duration::from_secs(5))
            .await
            .unwrap();
        fork
    };
    let attached = fork(Fork::Attached).await;
    assert_eq!(
        ours(&home, &last(false), &project).await,
        Some(id.to_string())
    );
    assert_eq!(
        home.exec(&project, &["resume", "--last", "on"]).unwrap(),
        id.as_str()
    );
    assert_eq!(
        home.exec(&project, &["resume", &attached, "on"]).unwrap(),
        attached
    );
    let listed = fork(Fork::Listed).await;
    assert_eq!(
        ours(&home, &last(false), &project).await,
        Some(listed.clone())
    );
    assert_eq!(
        home.exec(&project, &["resume", "--last", "on"]).unwrap(),
        listed
    );
}

#[tokio::test]
async fn a_name_is_exact_and_of_any_provider_and_archived_threads_are_not_seen() {
    let home = Home::new(Vec::new());
    let (a, b, c) = (home.dir("a"), home.dir("b"), home.dir("c"));
    let id = home.exec(&a, &["one"]).unwrap();
    home.call(
        "thread/name/set",
        &json!({"threadId": id, "name": "my name"}),
    );
    let named = |all| Selector::parse("my name", all);
    let both = async |cwd: &Path, all: bool| {
        let found = ours(&home, &named(all), cwd).await;
        let flags: &[&str] = if all {
            &["resume", "--all", "my name", "on"]
        } else {
            &["resume", "my name", "on"]
        };
        let taken = home.exec(cwd, flags).unwrap();
        // Upstream starts a new thread where we find none.
        assert_eq!(
            found.as_ref().is_some_and(|found| *found == taken),
            taken == id,
            "{found:?} {taken}"
        );
        assert_eq!(found.is_some(), taken == id);
        taken == id
    };
    assert!(both(&a, false).await);
    assert!(!both(&b, false).await);
    assert!(both(&b, true).await);
    // It went on in b, began in a, and has never been in c.
    assert!(both(&b, false).await && both(&a, false).await && !both(&c, false).await);
    assert_eq!(
        ours(&home, &Selector::parse("My Name", true), &a).await,
        None
    );
    assert_eq!(ours(&home, &Selector::parse("my", true), &a).await, None);

    let other = home
        .exec(&a, &["-c", "model_provider=other", "two"])
        .unwrap();
    home.call(
        "thread/name/set",
        &json!({"threadId": other, "name": "my name"}),
    );
    assert_eq!(ours(&home, &named(false), &a).await, Some(other.clone()));
    assert!(
        home.exec(&a, &["resume", "my name", "on"])
            .unwrap_err()
            .contains("model provider")
    );

    home.call("thread/archive", &json!({"threadId": other}));
    assert_eq!(ours(&home, &named(false), &a).await, Some(id.clone()));
    home.call("thread/archive", &json!({"threadId": id}));
    assert_eq!(ours(&home, &named(true), &a).await, None);
    let server = AppServer::start(start(&home)).await.unwrap();
    let error = server.resume(&ThreadId::new(id.clone())).await.unwrap_err();
    assert!(
        matches!(error, EngineError::ThreadArchived { .. }),
        "{error}"
    );
    assert!(error.hint().contains(&id));
    server
        .shutdown(std::time::Duration::from_secs(5))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_id_is_taken_from_anywhere_and_an_unknown_one_is_nothing() {
    let home = Home::new(Vec::new());
    let id = home.exec(&home.project(), &["one"]).unwrap();
    let elsewhere = home.dir("elsewhere");
    let shouted = Selector::parse(&id.to_uppercase(), false);
    assert_eq!(ours(&home, &shouted, &elsewhere).await, Some(id));
    let nobody = Selector::parse("01a202a1-3541-7ec0-a911-e0b235a9b840", false);
    assert_eq!(ours(&home, &nobody, &elsewhere).await, None);
    assert_eq!(
        ours(&home, &Selector::parse("no such name", true), &elsewhere).await,
        None
    );
}
