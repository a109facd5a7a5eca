//! Any text is read as a tasks' file and taken in without a panic; what is taken in is written, and read back as the same.
//! `just fuzzed orchestrator/runtime tasks_yaml`
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use orch_core::command::Asker;
use orch_core::judge::Here;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, Origin};
use orch_runtime::checkout::edits::{Against, Scope, document, taken};
use orch_runtime::checkout::{parse, views};

fuzz_target!(|text: &str| {
    let Ok(parsed) = parse::read(text) else {
        return;
    };
    let asker = Asker {
        by: Actor::Person,
        origin: Origin::Person { branch: None },
        branch: None,
        worktree: None,
        head: None,
        now: Timestamp::UNIX_EPOCH,
        nonce: "fuzz".into(),
    };
    let none = State::default();
    let against = Against {
        base: &none.tasks,
        comments: None,
        shown: &|_| None,
        now: &none,
        asker: &asker,
        saved: Timestamp::UNIX_EPOCH,
        scope: Scope::Whole,
    };
    let Ok(first) = taken(&against, &parsed) else {
        return;
    };
    let tasks = first.changes.into_iter().filter_map(|change| match change {
        Change::AddTask { task } => Some((task.id.clone(), *task)),
        _ => None,
    });
    let state = State {
        tasks: tasks.collect(),
        ..State::default()
    };
    let seen: Vec<_> = views(&state, &Here::default()).collect();
    let written = document(&seen).expect("what was read can be written");
    let shown: BTreeMap<_, _> = seen
        .iter()
        .map(|view| (view.id().clone(), view.judged()))
        .collect();
    let against = Against {
        base: &state.tasks,
        shown: &|id| shown.get(id).cloned(),
        now: &state,
        scope: Scope::Part,
        ..against
    };
    let parsed = parse::read(&written).expect("what was written can be read");
    let again = taken(&against, &parsed).expect("what was written is fine");
    assert!(again.is_empty(), "{again:?}\n{written}");
});
