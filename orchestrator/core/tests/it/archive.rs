//! Which closed tasks leave the backlog, by table, and that nobody who stays can tell.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use orch_core::archive::{Limits, leaving};
use orch_core::drift::OnDrift;
use orch_core::graph::Statuses;
use orch_core::graph::parents::{milestones, progress};
use orch_core::judge::{Here, Reachable};
use orch_core::supervisor::{Ended, Input};
use orch_protocol::ids::{ClaimId, TaskId, ThreadId};
use orch_protocol::project::RunKind;
use orch_protocol::task::*;
use orch_protocol::tasks::Tasks;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::given::*;

/// Everything closed for more than 40 seconds may leave.
const SOON: Limits = Limits {
    age: SignedDuration::from_secs(40),
    newest: 0,
    at_once: 200,
};

fn done(task: Task) -> Task {
    said(task, ClaimState::Done)
}

/// Done by the agent, with commits, on `branch`.
fn committed(name: &str, branch: &str, commits: &[u64]) -> Task {
    let claim = Claim {
        by: Actor::MainAgent,
        branch: Some(branch.to_owned()),
        commits: commits.iter().map(|n| commit(*n)).collect(),
        ..claim(ClaimState::Done)
    };
    Task {
        claims: vec![claim],
        ..task(name)
    }
}

/// The names of those that leave `main`, whose HEAD reaches commit 1.
#[track_caller]
fn check(tasks: &[Task], trunk: Option<&str>, expect: &[&str]) {
    let titles: BTreeMap<TaskId, String> = tasks
        .iter()
        .map(|task| (task.id.clone(), task.title.clone()))
        .collect();
    let tasks = state_of(tasks).tasks;
    let left = leaving(&tasks, &here("main", &[1]), trunk, at(100), &SOON);
    let mut left: Vec<&str> = left.iter().map(|id| titles[id].as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, expect);
}

#[test]
fn what_is_closed_here_leaves_unless_somebody_still_looks_at_it() {
    let dropped = said(task("d"), ClaimState::Dropped);
    let blocked = said(task("b"), ClaimState::Blocked);
    check(
        &[done(task("a")), dropped, blocked, task("open")],
        None,
        &["a", "d"],
    );
    // Closed too lately.
    let mut fresh = done(task("a"));
    fresh.claims[0].at = at(60);
    check(&[fresh], None, &[]);
    // Needed by an open task, and by a closed one.
    check(&[done(task("a")), needing("open", &["a"])], None, &[]);
    check(
        &[done(task("a")), done(needing("b", &["a"]))],
        None,
        &["a", "b"],
    );
    // Trees leave whole.
    check(&[done(task("p")), part("open", "p")], None, &[]);
    check(
        &[task("p"), done(part("a", "p")), part("open", "p")],
        None,
        &[],
    );
    check(
        &[task("p"), done(part("a", "p")), done(part("b", "a"))],
        None,
        &["a", "b", "p"],
    );
    check(&[done(part("a", "gone"))], None, &["a"]);
    // A loop of parents has no root.
    check(&[done(part("a", "b")), done(part("b", "a"))], None, &[]);
    // What a milestone still waits for shows how far it is.
    let of = |task: Task| Task {
        milestone: Some("1.0".to_owned()),
        ..task
    };
    check(&[of(done(task("a"))), of(task("open"))], None, &[]);
    check(
        &[of(done(task("a"))), of(done(task("b")))],
        None,
        &["a", "b"],
    );
}

#[test]
fn what_is_done_on_this_branch_alone_stays() {
    let here_alone = [committed("a", "main", &[1])];
    check(&here_alone, None, &["a"]);
    check(&here_alone, Some("main"), &["a"]);
    check(&here_alone, Some("trunk"), &[]);
    // It came here from another branch.
    check(&[committed("a", "dev", &[1])], Some("trunk"), &["a"]);
    // It isn't here.
    check(&[committed("a", "dev", &[2])], Some("main"), &[]);
    // An agent's word for uncommitted work, here and elsewhere.
    check(&[committed("a", "main", &[])], Some("trunk"), &[]);
    check(&[committed("a", "dev", &[])], Some("main"), &[]);
    // A person's word holds everywhere.
    check(&[done(task("a"))], Some("trunk"), &["a"]);
    let tasks = state_of(&[done(task("a"))]).tasks;
    let detached = Here {
        branch: None,
        ..here("main", &[1])
    };
    assert!(leaving(&tasks, &detached, None, at(100), &SOON).is_empty());
    let folder = Here::default();
    assert_eq!(leaving(&tasks, &folder, None, at(100), &SOON), [id("a")]);
}

#[test]
fn the_newest_stay_and_the_oldest_leave_first() {
    let closed = |name: String, second| {
        let mut task = done(task(&name));
        task.claims[0].at = at(second);
        task
    };
    let tasks: Vec<Task> = (0..20).map(|n| closed(format!("t{n:02}"), n)).collect();
    let tasks = state_of(&tasks).tasks;
    let limits = Limits {
        newest: 5,
        at_once: 3,
        ..SOON
    };
    let left = leaving(&tasks, &here("main", &[1]), None, at(100), &limits);
    assert_eq!(left, [id("t00"), id("t01"), id("t02")]);
    let limits = Limits {
        at_once: 100,
        ..limits
    };
    let left = leaving(&tasks, &here("main", &[1]), None, at(100), &limits);
    assert_eq!(left.len(), 15);
    assert!(!left.contains(&id("t15")));
}

/// A month of seconds, and more.
const MONTH: i64 = 31 * 24 * 3_600;

#[test]
fn a_session_that_ends_moves_what_is_old() {
    for (kind, began_before, expect) in [
        (RunKind::Fresh, false, 200),
        (
            RunKind::Turn {
                thread: ThreadId::new("t"),
            },
            false,
            200,
        ),
        (
            RunKind::Turn {
                thread: ThreadId::new("t"),
            },
            true,
            0,
        ),
    ] {
        let tasks: Vec<Task> = (0..800).map(|n| done(task(&format!("t{n}")))).collect();
        let mut machine = Machine::from(state_of(&tasks));
        let main = snapshot(branch("main", 1));
        let ran = |machine: &mut Machine, second: i64| {
            let begun = start(kind.clone(), Some(main.clone()), OnDrift::Stop, second);
            let run = begun.run.clone();
            let _ = machine.take(Input::Start(Box::new(begun)));
            let left = Ended {
                thread: Some(ThreadId::new("t")),
                turns: vec![turn("t", &format!("turn-{second}"), second + 1)],
                after: Some(main.clone()),
                here: here("main", &[1]),
                ..ended(&run, second + 10)
            };
            let _ = machine.take(Input::Ended(Box::new(left)));
            machine.answer_all(second + 11);
        };
        if began_before {
            ran(&mut machine, 100);
            assert!(machine.supervisor.state().archive.is_empty(), "too new");
        }
        ran(&mut machine, MONTH);
        let state = machine.supervisor.state();
        assert_eq!(
            (state.archive.len(), state.tasks.len()),
            (expect, 800 - expect),
            "{kind:?}"
        );
    }
}

fn a_task() -> impl Strategy<Value = Task> {
    use ClaimState::{Active, Blocked, Done, Dropped, Pending};
    let name = || (0..12u8).prop_map(|n| id(&n.to_string()));
    let state = select(vec![
        Done, Done, Done, Done, Dropped, Active, Blocked, Pending,
    ]);
    let claim = (
        0..99u8,
        state,
        0..99i64,
        any::<bool>(),
        vec(1..3u64, 0..2),
        any::<bool>(),
    )
        .prop_map(|(n, state, second, is_person, commits, is_main)| Claim {
            id: ClaimId::new(format!("claim-{n}")),
            at: at(second),
            by: if is_person {
                Actor::Person
            } else {
                Actor::MainAgent
            },
            commits: commits.into_iter().map(commit).collect(),
            branch: Some(if is_main { "main" } else { "dev" }.to_owned()),
            ..claim(state)
        });
    let milestone = option::weighted(0.2, select(vec!["1.0", "2.0"]).prop_map(str::to_owned));
    (
        name(),
        option::weighted(0.5, name()),
        vec(name(), 0..2),
        vec(claim, 0..3),
        milestone,
    )
        .prop_map(|(id, parent, needs, claims, milestone)| Task {
            id,
            parent,
            needs,
            claims,
            milestone,
            ..task("")
        })
}

fn without(tasks: &Tasks, left: &[TaskId]) -> Tasks {
    let stays = |id: &TaskId| !left.contains(id);
    tasks
        .iter()
        .filter(|(id, _)| stays(id))
        .map(|(id, task)| (id.clone(), task.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nobody_who_stays_can_tell(
        tasks in vec(a_task(), 0..14),
        newest in 0..4usize,
        at_once in 1..6usize,
        trunk in option::of(select(vec!["main", "dev"])),
        reached in vec(1..3u64, 0..3),
    ) {
        let mut tasks = state_of(&tasks).tasks;
        let place = Here { reachable: Reachable::new(reached.into_iter().map(commit)), ..here("main", &[1]) };
        let limits = Limits { newest, at_once, ..SOON };
        let before = Statuses::judge(&tasks, &place);
        let closed = tasks.keys().filter(|id| !before.of(id).is_open()).count();
        let mut archive: Vec<TaskId> = Vec::new();
        // Session by session, until nothing leaves any more.
        loop {
            let left = leaving(&tasks, &place, trunk, at(100), &limits);
            prop_assert!(left.len() <= at_once);
            if left.is_empty() {
                break;
            }
            let stay = without(&tasks, &left);
            let (was, is) = (Statuses::judge(&tasks, &place), Statuses::judge(&stay, &place));
            let (counted, counts) = (progress(&tasks, &was), progress(&stay, &is));
            for (id, task) in &stay {
                prop_assert_eq!(was.of(id), is.of(id));
                prop_assert_eq!(was.is_ready(task), is.is_ready(task));
                // A parent that is split from what is above it keeps what is below it.
                prop_assert!(counts.get(id).is_none_or(|now| counted.get(id) == Some(now)));
                prop_assert_eq!(counted.contains_key(id), counts.contains_key(id));
            }
            for name in ["1.0", "2.0"] {
                let open = |tasks: &Tasks, statuses: &Statuses| {
                    let found = milestones(tasks, statuses).remove(name).unwrap_or_default();
                    (found.pending, found.active, found.blocked)
                };
                prop_assert_eq!(open(&tasks, &was), open(&stay, &is));
            }
            archive.extend(left);
            tasks = stay;
        }
        let after = Statuses::judge(&tasks, &place);
        for task in tasks.values().filter(|task| after.of(&task.id).is_open()) {
            prop_assert!(task.parent.as_ref().is_none_or(|parent| !archive.contains(parent)));
            prop_assert!(task.needs.iter().all(|need| !archive.contains(need)));
        }
        prop_assert!(archive.iter().all(|id| !before.of(id).is_open()));
        prop_assert!(closed - archive.len() >= newest.min(closed));
    }
}
