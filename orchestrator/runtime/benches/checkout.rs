//! What the checkout costs: `cargo bench -p orch-runtime --bench checkout`, with a backlog of which a fifth is open.
#![allow(clippy::unwrap_used, missing_docs)]

use std::cell::RefCell;
use std::fs;

use divan::Bencher;
use orch_core::command::Asker;
use orch_core::judge::Here;
use orch_core::state::State;
use orch_protocol::Timestamp;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::{ClaimId, FactId, LogId, TaskId};
use orch_protocol::proposal::Change;
use orch_protocol::task::{Actor, Claim, ClaimState, Origin, Task};
use orch_runtime::checkout::edits::{Against, Scope, taken};
use orch_runtime::checkout::{Checkout, Shown, TASKS, parse, views};
use orch_runtime::ports::{Backlog, StateStore, Wanted};
use orch_runtime::store::BareStore;
use tempfile::TempDir;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

fn main() {
    divan::main();
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn task(n: usize) -> Task {
    let second = i64::try_from(n).unwrap();
    let mut task = Task::new(
        TaskId::from_seed(&[&n.to_string()]),
        format!("Task {n}: make the parser say where it stopped"),
        Origin::Person {
            branch: Some("main".into()),
        },
        at(second),
    );
    task.acceptance = Some("cargo test -p parser\npasses, and the message has a line".into());
    if !n.is_multiple_of(5) {
        task.claims.push(Claim {
            id: ClaimId::from_seed(&[task.id.as_str()]),
            state: ClaimState::Done,
            by: Actor::Person,
            at: at(second),
            branch: Some("main".into()),
            worktree: None,
            commits: Vec::new(),
            files: Vec::new(),
            reason: None,
        });
    }
    task
}

struct Stand {
    dir: TempDir,
    store: BareStore,
    state: State,
    checkout: Checkout,
    seq: u64,
}

impl Stand {
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = BareStore::new(dir.path().join("store"), LogId::new("log"));
        let checkout = Checkout::new(&dir.path().join("work"), store.dir());
        let mut stand = Self {
            dir,
            store,
            state: State::default(),
            checkout,
            seq: 0,
        };
        stand.record((0..size).map(|n| Change::AddTask {
            task: Box::new(task(n)),
        }));
        stand
    }

    /// Records changes, and reads what every command reads of them.
    fn record(&mut self, changes: impl Iterator<Item = Change>) {
        let log = self.store.log_id().clone();
        let facts: Vec<Fact> = changes
            .zip(self.seq + 1..)
            .map(|(change, seq)| Fact {
                id: FactId {
                    log: log.clone(),
                    seq,
                },
                at: at(0),
                by: Actor::Person,
                op: seq,
                head: None,
                event: Event::Changed {
                    change,
                    reason: "bench".into(),
                },
            })
            .collect();
        self.seq += facts.len() as u64;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        self.state = runtime.block_on(async {
            self.store.append(&facts).await.unwrap();
            self.store.fold().await.unwrap();
            let outline = Wanted::backlog(Backlog::Outline);
            self.store.load(&outline).await.unwrap()
        });
    }

    fn refresh(&self) {
        let here = Here::default();
        let shown = Shown::of(&self.state, &here);
        let told = self.checkout.refresh(&self.store, shown, &here, None);
        assert!(told.unwrap().is_empty());
    }
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn first_write(bencher: Bencher<'_, '_>, size: usize) {
    bencher
        .with_inputs(|| Stand::new(size))
        .bench_values(|stand| {
            stand.refresh();
            stand
        });
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn refresh_after_one_change(bencher: Bencher<'_, '_>, size: usize) {
    let stand = RefCell::new(Stand::new(size));
    stand.borrow().refresh();
    let mut count = size;
    bencher
        .with_inputs(|| {
            count += 1;
            let change = Change::AddTask {
                task: Box::new(task(count)),
            };
            stand.borrow_mut().record([change].into_iter());
        })
        .bench_local_values(|()| stand.borrow().refresh());
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn refresh_after_no_change(bencher: Bencher<'_, '_>, size: usize) {
    let stand = Stand::new(size);
    stand.refresh();
    bencher.bench_local(|| stand.refresh());
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 10)]
fn look_for_an_edit_where_there_is_none(bencher: Bencher<'_, '_>, size: usize) {
    let stand = Stand::new(size);
    stand.refresh();
    while stand.checkout.edited().unwrap().is_some() {}
    bencher.bench_local(|| assert!(stand.checkout.edited().unwrap().is_none()));
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn take_one_edit_in(bencher: Bencher<'_, '_>, size: usize) {
    let stand = Stand::new(size);
    stand.refresh();
    let path = stand.dir.path().join("work").join(TASKS);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("priority: 2", "priority: 1", 1)).unwrap();
    let here = Here::default();
    let judged = views(&stand.state, &here);
    let shown: std::collections::BTreeMap<_, _> = judged
        .map(|view| (view.id().clone(), view.judged()))
        .collect();
    let asker = Asker {
        by: Actor::Person,
        origin: Origin::Person { branch: None },
        branch: None,
        worktree: None,
        head: None,
        now: at(0),
        nonce: "bench".into(),
    };
    let against = Against {
        base: &stand.state.tasks,
        comments: None,
        shown: &|id| shown.get(id).cloned(),
        now: &stand.state,
        asker: &asker,
        saved: at(0),
        scope: Scope::Whole,
    };
    bencher.bench_local(|| {
        let edited = stand.checkout.edited().unwrap().unwrap();
        let parsed = parse::read(&edited.text).unwrap();
        assert_eq!(taken(&against, &parsed).unwrap().changes.len(), 1);
    });
}
