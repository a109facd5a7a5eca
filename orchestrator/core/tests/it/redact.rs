//! Secrets go, and what is compared later stays.

use orch_core::redact::{MARK, event};
use orch_protocol::fact::Event;
use orch_protocol::ids::{CommitId, RunId, SessionId, ThreadId, TurnId};
use orch_protocol::project::{OpenRun, RunKind};
use orch_protocol::turn::{CommandKind, TurnEvent};

use crate::given::*;

const SECRET: &str = "sk-aaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn words_are_cleaned_and_names_are_left() {
    // A branch, folder and file may be called what they like: git is asked for them by that name.
    let mut seen = dirty(branch(SECRET, 1), &[SECRET]);
    seen.worktree = format!("/home/{SECRET}");
    let mut record = turn(SECRET, SECRET, 1);
    record.cwd = Some(format!("/{SECRET}"));
    record.request = format!("use {SECRET}");
    record.commits = vec![summary(1, &[SECRET])];
    record.commits[0].subject = format!("add {SECRET}");
    let leak = format!("export KEY={SECRET}");
    record.events = vec![
        TurnEvent::Command {
            at: None,
            call_id: SECRET.to_owned(),
            command: leak.clone(),
            kind: CommandKind::Other,
            exit_code: Some(0),
            vouches: false,
        },
        TurnEvent::Message {
            at: None,
            text: leak.clone(),
        },
        TurnEvent::Error {
            at: None,
            text: leak,
        },
    ];
    let given = Event::TurnRecorded {
        session: SessionId::new(SECRET),
        record: Box::new(record.clone()),
        snapshot: Some(seen.clone()),
    };
    let Event::TurnRecorded {
        session,
        record: clean,
        snapshot,
    } = event(given)
    else {
        panic!("another event")
    };
    assert_eq!((session.as_str(), snapshot), (SECRET, Some(seen.clone())));
    assert_eq!(clean.thread, ThreadId::new(SECRET));
    assert_eq!(
        (&clean.turn, &clean.cwd),
        (&TurnId::new(SECRET), &record.cwd)
    );
    assert_eq!(clean.request, format!("use {MARK}"));
    assert_eq!(clean.commits[0].files, [SECRET]);
    assert_eq!(clean.commits[0].subject, format!("add {MARK}"));
    assert_eq!(clean.commits[0].id, CommitId::new(format!("{:040x}", 1)));
    for happened in &clean.events {
        let (TurnEvent::Command { command: text, .. }
        | TurnEvent::Message { text, .. }
        | TurnEvent::Error { text, .. }) = happened
        else {
            panic!("another event")
        };
        assert_eq!(*text, format!("export KEY={MARK}"));
    }
    assert!(
        matches!(&clean.events[0], TurnEvent::Command { call_id, vouches: false, .. } if call_id == SECRET)
    );
    let run = OpenRun {
        run: RunId::new(SECRET),
        at: at(0),
        kind: RunKind::Resume {
            thread: ThreadId::new(SECRET),
        },
        cwd: format!("/{SECRET}"),
        codex_home: format!("/{SECRET}"),
        snapshot: Some(seen),
        log: orch_protocol::ids::LogId::new(SECRET),
        brief_tasks: vec![id("a")],
        outlives: false,
    };
    let started = Event::RunStarted { run };
    assert_eq!(
        event(started.clone()),
        started,
        "a run is found again by what it says"
    );
}
