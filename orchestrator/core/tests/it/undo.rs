//! Undo: operations taken back one after the other restore every earlier state; one in the middle leaves the rest.

use orch_core::graph::is_acyclic;
use orch_core::state::State;
use orch_core::undo;
use orch_protocol::fact::{Event, Fact};
use orch_protocol::ids::*;
use orch_protocol::project::Project;
use orch_protocol::proposal::{Change, TaskEdit};
use orch_protocol::task::*;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::given::*;
use crate::properties::event;

/// A state and its history: the state after each operation.
struct Kept {
    states: Vec<State>,
    seq: u64,
}

impl Kept {
    fn new() -> Self {
        Self {
            states: vec![State::default()],
            seq: 0,
        }
    }

    fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    fn operation(&mut self, events: Vec<Event>) {
        let mut state = self.now().clone();
        for event in events {
            self.seq += 1;
            let fact = Fact {
                event,
                ..changed("1", self.seq, rename("a", ""))
            };
            // As it is written and read again.
            let written = serde_json::to_string(&fact).unwrap();
            assert!(state.apply(&serde_json::from_str(&written).unwrap()));
            assert!(is_acyclic(&state.tasks));
            let twice = state
                .tasks
                .keys()
                .filter(|id| state.archive.contains_key(id));
            assert_eq!(twice.count(), 0, "a task stands in one place");
        }
        self.states.push(state);
    }

    /// Undoes the operation that led to state `n`.
    fn undo(&mut self, n: usize) {
        let facts = undo::facts(&self.states[n - 1], &self.states[n], self.now());
        self.operation(facts);
    }

    fn change(&mut self, changes: &[Change]) {
        let event = |change: &Change| Event::Changed {
            change: change.clone(),
            reason: "by command".to_owned(),
        };
        self.operation(changes.iter().map(event).collect());
    }
}

fn rename(name: &str, title: &str) -> Change {
    Change::EditTask {
        task: id(name),
        edit: TaskEdit {
            title: Some(title.to_owned()),
            ..TaskEdit::default()
        },
    }
}

fn add(task: Task) -> Change {
    Change::AddTask {
        task: Box::new(task),
    }
}

fn need(task: &str, need: &str) -> Change {
    Change::AddNeed {
        task: id(task),
        need: id(need),
    }
}

fn archive(name: &str, archived: bool) -> Change {
    Change::Archive {
        task: id(name),
        archived,
    }
}

/// What an undo restores.
fn restored(state: &State) -> State {
    State {
        tasks: state.tasks.clone(),
        archive: state.archive.clone(),
        project: Project {
            open_runs: Default::default(),
            ..state.project.clone()
        },
        ..State::default()
    }
}

#[test]
fn an_operation_in_the_middle_is_undone_and_what_came_later_stays() {
    let mut kept = Kept::new();
    kept.change(&[add(task("a")), add(task("b"))]);
    kept.change(&[rename("a", "Worse"), need("a", "b")]);
    kept.change(&[
        Change::Claim {
            task: id("a"),
            claim: claim(ClaimState::Active),
        },
        rename("b", "Other"),
        add(needing("c", &["a"])),
    ]);
    let expect = |a: Task| {
        let b = Task {
            title: "Other".to_owned(),
            ..task("b")
        };
        state_of(&[said(a, ClaimState::Active), b, needing("c", &["a"])])
    };
    let later = kept.now().clone();
    kept.undo(2);
    assert_eq!(restored(kept.now()), expect(task("a")));
    kept.undo(4);
    assert_eq!(restored(kept.now()), restored(&later), "the undo undone");
    // Nothing of it is left to undo twice.
    kept.undo(2);
    assert!(undo::facts(&kept.states[1], &kept.states[2], kept.now()).is_empty());
}

#[test]
fn a_task_with_later_work_outlives_the_undo_of_its_addition() {
    let mut kept = Kept::new();
    kept.change(&[add(task("a"))]);
    kept.change(&[Change::Claim {
        task: id("a"),
        claim: claim(ClaimState::Done),
    }]);
    let before = kept.now().tasks.clone();
    kept.undo(1);
    assert_eq!(kept.now().tasks, before);
    let waiting: Vec<_> = kept.now().project.proposals.values().collect();
    assert_eq!(waiting.len(), 1, "that it should have gone is told");
    assert!(
        waiting[0].reason.contains("removed"),
        "{}",
        waiting[0].reason
    );
}

#[test]
fn an_edge_turned_round_turns_back() {
    let turned = Change::RemoveNeed {
        task: id("a"),
        need: id("b"),
    };
    let mut kept = Kept::new();
    kept.change(&[add(needing("a", &["b"])), add(task("b"))]);
    kept.change(&[turned, need("b", "a")]);
    kept.undo(2);
    assert_eq!(restored(kept.now()), restored(&kept.states[1]));
    kept.undo(3);
    assert_eq!(restored(kept.now()), restored(&kept.states[2]));
}

#[test]
fn the_archive_gives_back_what_was_put_there() {
    let mut kept = Kept::new();
    kept.change(&[add(needing("a", &["b"])), add(task("b"))]);
    kept.change(&[archive("a", true), need("b", "a")]);
    assert!(kept.now().archive.contains_key(&id("a")));
    kept.undo(2);
    assert_eq!(restored(kept.now()), restored(&kept.states[1]));
    kept.undo(3);
    assert_eq!(restored(kept.now()), restored(&kept.states[2]));
    // Taken back while the other need stands, the edge that would close the cycle waits.
    kept.change(&[archive("a", false)]);
    assert!(kept.now().tasks[&id("a")].needs.is_empty());
    assert_eq!(kept.now().project.proposals.len(), 1);
}

#[test]
fn what_is_said_of_an_archived_task_takes_it_back_and_what_is_edited_stays_there() {
    let mut kept = Kept::new();
    kept.change(&[add(task("a")), archive("a", true)]);
    let better = Task {
        title: "Better".to_owned(),
        ..task("a")
    };
    kept.change(&[Change::MergeTask {
        task: id("a"),
        base: Some(Box::new(task("a"))),
        theirs: Some(Box::new(better.clone())),
    }]);
    assert_eq!(kept.now().archive[&id("a")], better);
    kept.change(&[add(task("a"))]);
    assert!(kept.now().tasks.is_empty(), "it is there already");
    kept.change(&[Change::Claim {
        task: id("a"),
        claim: claim(ClaimState::Pending),
    }]);
    assert_eq!(
        kept.now().tasks[&id("a")],
        said(better, ClaimState::Pending)
    );
    assert!(kept.now().archive.is_empty());
}

/// Only what differs, as a store hands it in.
fn part_of(state: &State, other: &State) -> State {
    let mut part = state.clone();
    part.tasks
        .retain(|id, task| other.tasks.get(id) != Some(task));
    part.archive
        .retain(|id, task| other.archive.get(id) != Some(task));
    part
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn undone_one_after_the_other_every_earlier_state_is_back(operations in vec(vec(event(), 1..6), 1..9)) {
        let mut kept = Kept::new();
        for events in operations {
            kept.operation(events);
        }
        let operations = kept.states.len() - 1;
        for n in (1..=operations).rev() {
            let (before, after) = (&kept.states[n - 1], &kept.states[n]);
            let facts = undo::facts(&part_of(before, after), &part_of(after, before), kept.now());
            prop_assert_eq!(&facts, &undo::facts(before, after, kept.now()));
            kept.operation(facts);
            prop_assert_eq!(restored(kept.now()), restored(&kept.states[n - 1]), "operation {} undone", n);
        }
        // And the undoing is undone.
        for n in 1..=operations {
            let undone = kept.states.len() - (2 * n - 1);
            kept.undo(undone);
            prop_assert_eq!(restored(kept.now()), restored(&kept.states[n]), "operation {} again", n);
        }
    }

    #[test]
    fn undone_in_the_middle_nothing_of_others_is_lost(
        operations in vec(vec(event(), 1..6), 1..9),
        at in any::<proptest::sample::Index>(),
    ) {
        let mut kept = Kept::new();
        for events in operations {
            kept.operation(events);
        }
        let n = at.index(kept.states.len() - 1) + 1;
        let now = kept.now().clone();
        let runs = now.project.open_runs.clone();
        kept.undo(n);
        let (before, after, undone) = (&kept.states[n - 1], &kept.states[n], kept.now());
        prop_assert_eq!(&undone.project.open_runs, &runs);
        let all = |state: &State, id: &TaskId| state.tasks.get(id).or(state.archive.get(id)).cloned();
        for (id, task) in now.tasks.iter().chain(&now.archive) {
            let (was, made) = (all(before, id), all(after, id));
            if was == made {
                // But an edge that closes a cycle where the task comes back from the archive: that one is told.
                let left = all(undone, id).unwrap_or_else(|| task.clone());
                let told = |need: &TaskId| {
                    let edge = Change::AddNeed { task: id.clone(), need: need.clone() };
                    undone.project.proposals.values().any(|waiting| waiting.change == edge)
                };
                prop_assert!(task.needs.iter().all(|need| left.needs.contains(need) || told(need)));
                let untouched = Task { needs: task.needs.clone(), ..left };
                prop_assert_eq!(&untouched, task, "the operation didn't touch it");
                prop_assert!(undone.tasks.contains_key(id) || undone.archive.contains_key(id));
                continue;
            }
            // Claims that the operation didn't make are there.
            let claims = |task: &Option<Task>| task.iter().flat_map(|task| task.claims.clone()).collect::<Vec<_>>();
            let (made, left) = (claims(&made), claims(&all(undone, id)));
            let of_others = task.claims.iter().filter(|claim| made.iter().all(|made| made.id != claim.id));
            for claim in of_others {
                prop_assert!(left.contains(claim), "a later claim is lost");
            }
        }
    }
}
