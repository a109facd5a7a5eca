//! The state as files: what is written is read back, and bytes that are no state are an error, never a panic.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::state::State;
use orch_protocol::ids::{CommitId, SessionId, TaskId, ThreadId};
use orch_protocol::session::Session;
use orch_protocol::task::{Evidence, EvidenceKind, Task};
use orch_protocol::tasks::Tasks;
use orch_runtime::store::files::*;
use proptest::prelude::*;

use crate::make::{at, task};

/// Everything a state has.
fn all(state: &State) -> Touched {
    let tasks = state.tasks.keys().chain(state.archive.keys());
    Touched {
        shards: tasks.map(Shard::of).collect(),
        sessions: state
            .sessions
            .keys()
            .map(|id| id.as_str().to_owned())
            .collect(),
        journal: BTreeSet::new(),
    }
}

fn read(files: &BTreeMap<String, Option<Vec<u8>>>, dir: &str) -> Tasks {
    let here = files.iter().filter_map(|(path, bytes)| {
        let below = path.strip_prefix(dir)?.strip_prefix('/')?;
        assert!(Shard::of_path(below).is_some(), "{path}");
        Some(tasks(path, bytes.as_ref()?).unwrap())
    });
    here.flatten().map(|task| (task.id.clone(), task)).collect()
}

fn a_session(id: &str) -> Session {
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
    fn what_is_written_is_read_back(backlog in prop::collection::vec(any_task(), 0..40), closed in prop::collection::vec(any_task(), 0..9)) {
        let keyed = |tasks: Vec<Task>| tasks.into_iter().map(|task| (task.id.clone(), task)).collect();
        let mut state = State { tasks: keyed(backlog), archive: keyed(closed), ..State::default() };
        state.sessions.insert(SessionId::new("s"), a_session("s"));
        let files = written(&state, &all(&state)).unwrap();
        prop_assert_eq!(&read(&files, TASKS), &state.tasks);
        prop_assert_eq!(&read(&files, ARCHIVE), &state.archive);
        let bytes = files["sessions/s.json"].as_ref().unwrap();
        prop_assert_eq!(session_of(bytes), a_session("s"));
    }

    #[test]
    fn a_change_changes_only_the_file_it_is_in(titles in prop::collection::btree_set("[a-z]{8}", 2..40)) {
        let tasks: Tasks = titles.iter().map(|title| task(title)).map(|t| (t.id.clone(), t)).collect();
        let before = State { tasks, ..State::default() };
        let mut after = before.clone();
        let id = after.tasks.keys().next().cloned().unwrap();
        after.tasks.get_mut(&id).unwrap().priority = 0;
        let (was, is) = (written(&before, &all(&before)).unwrap(), written(&after, &all(&after)).unwrap());
        let differ: Vec<String> = is.keys().filter(|path| was[*path] != is[*path]).cloned().collect();
        prop_assert_eq!(differ, vec![Shard::of(&id).path(TASKS)]);
        let lines = |files: &BTreeMap<String, Option<Vec<u8>>>| -> Vec<Vec<u8>> {
            let file = files[&Shard::of(&id).path(TASKS)].clone().unwrap();
            file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
        };
        let changed = lines(&was).iter().zip(&lines(&is)).filter(|(was, is)| was != is).count();
        prop_assert_eq!(changed, 1, "one task is one line");
    }

    #[test]
    fn any_id_has_a_shard_inside_of_the_store(id in ".{0,20}") {
        let path = Shard::of(&TaskId::new(id)).path(TASKS);
        prop_assert!(path.len() == "tasks/a/b.json".len() && !path.contains(".."), "{}", path);
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(tasks("tasks/0/0.json", &bytes).is_err());
        prop_assert!(project(Some(&bytes)).is_err());
        prop_assert!(folded(Some(&bytes)).is_err());
        prop_assert!(schema(Some(&bytes)).is_err());
        prop_assert!(orch_runtime::store::files::session("s", &bytes).is_err());
    }
}

fn session_of(bytes: &[u8]) -> Session {
    orch_runtime::store::files::session("sessions/s.json", bytes).unwrap()
}

#[test]
fn a_newer_schema_is_refused() {
    assert!(matches!(schema(None), Ok(SCHEMA)));
    assert!(matches!(schema(Some(br#"{"schema": 1}"#)), Ok(1)));
    assert!(matches!(
        schema(Some(br#"{"schema": 3}"#)),
        Err(FilesError::Newer {
            found: 3,
            known: SCHEMA
        })
    ));
}
