//! The state as files: what is written is read back, and bytes that are no state are an error, never a panic.

use std::collections::BTreeMap;

use orch_core::state::State;
use orch_protocol::ids::{CommitId, SessionId, TaskId, ThreadId};
use orch_protocol::session::Session;
use orch_protocol::task::{Evidence, EvidenceKind, Task};
use orch_runtime::store::files::{Blobs, FilesError, changes, parse};
use proptest::prelude::*;

use crate::make::{at, task};

/// Sorts changed files into the folders they stand in, as a store would hand them back.
fn stored(files: &BTreeMap<String, Option<Vec<u8>>>) -> Blobs {
    let mut blobs = Blobs::default();
    for (path, bytes) in files
        .iter()
        .filter_map(|(path, bytes)| Some((path, bytes.clone()?)))
    {
        match path.split_once('/') {
            None => blobs.fixed.insert(path.clone(), bytes),
            Some(("tasks", name)) => blobs.tasks.insert(name.to_owned(), bytes),
            Some(("sessions", name)) => blobs.sessions.insert(name.to_owned(), bytes),
            Some((_, name)) => {
                blobs.journal.push(name.to_owned());
                None
            }
        };
    }
    blobs
}

fn session(id: &str) -> Session {
    Session {
        id: SessionId::new(id),
        thread: ThreadId::new("t"),
        branch: Some("main".into()),
        started_at: at(1),
        runs: Vec::new(),
        snapshot: None,
        plan: Vec::new(),
        turns: Vec::new(),
        digest: None,
        journal: Some("j".into()),
    }
}

prop_compose! {
    fn any_task()(title in ".{0,60}", note in ".{0,60}", owner in prop::option::of(".{0,10}"), second in 0i64..1_000_000,
                  ok in any::<Option<bool>>()) -> Task {
        let seen = Evidence { kind: EvidenceKind::Command, reference: note.clone(), ok,
            tree: Some(CommitId::new("c")), at: at(second), session: None };
        Task { owner, notes: vec![note], evidence: vec![seen], created_at: at(second), ..task(&title) }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tasks in prop::collection::vec(any_task(), 0..40)) {
        let tasks = tasks.into_iter().map(|task| (task.id.clone(), task)).collect();
        let mut state = State { tasks, ..State::default() };
        state.sessions.insert(SessionId::new("s"), session("s"));
        let files = changes(&State::default(), &state, true).unwrap();
        let loaded = parse(&stored(&files)).unwrap();
        prop_assert!(loaded.unreadable.is_empty());
        prop_assert_eq!(&loaded.state, &state);
        prop_assert!(changes(&state, &loaded.state, false).unwrap().is_empty(), "an equal state changes no file");
    }

    #[test]
    fn a_change_writes_only_the_files_it_is_in(titles in prop::collection::btree_set("[a-z]{8}", 2..40)) {
        let all: BTreeMap<TaskId, Task> = titles.iter().map(|title| task(title)).map(|t| (t.id.clone(), t)).collect();
        let before = State { tasks: all, ..State::default() };
        let mut after = before.clone();
        let id = after.tasks.keys().next().cloned().unwrap();
        after.tasks.get_mut(&id).unwrap().priority = 0;
        let written: Vec<String> = changes(&before, &after, false).unwrap().into_keys().collect();
        prop_assert_eq!(written, vec![format!("tasks/{}.json", &id.as_str()[..1])]);
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), place in 0usize..5) {
        let mut blobs = Blobs::default();
        match place {
            0 => blobs.fixed.insert("schema.json".into(), bytes),
            1 => blobs.fixed.insert("project_state.json".into(), bytes),
            2 => blobs.fixed.insert("folded.json".into(), bytes),
            3 => blobs.tasks.insert("0.json".into(), bytes),
            _ => blobs.sessions.insert("s.json".into(), bytes),
        };
        match parse(&blobs) {
            Ok(loaded) => prop_assert_eq!(loaded.unreadable.len(), usize::from(place >= 4)),
            Err(error) => {
                let corrupt = matches!(error, FilesError::Corrupt { .. });
                prop_assert!(corrupt);
            }
        }
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let mut blobs = Blobs::default();
    blobs
        .fixed
        .insert("schema.json".into(), br#"{"schema": 2}"#.to_vec());
    assert!(matches!(
        parse(&blobs),
        Err(FilesError::Newer { found: 2, known: 1 })
    ));
}
