//! Whether a task is done here: claims, judged by what HEAD reaches.

use orch_core::judge::{Here, done_elsewhere, holds, status_at};
use orch_protocol::task::{Actor, Claim, ClaimState, Task, TaskStatus};

use crate::given::*;

fn by(actor: Actor, commits: &[u64]) -> Claim {
    Claim {
        by: actor,
        commits: commits.iter().map(|n| commit(*n)).collect(),
        ..claim(ClaimState::Done)
    }
}

#[test]
fn a_claim_holds_where_git_or_its_giver_says() {
    let on = |branch: &str, worktree: Option<&str>, reached: &[u64]| Here {
        worktree: worktree.map(str::to_owned),
        ..here(branch, reached)
    };
    let detached = Here {
        branch: None,
        ..on("", Some("/repo"), &[1])
    };
    let main = on("main", Some("/repo"), &[1, 2]);
    let other_tree = on("main", Some("/other"), &[1, 2]);
    let feature = on("feature", Some("/repo"), &[1]);
    let no_tree = on("main", None, &[]);
    let nowhere = Here::default();
    let places = [&main, &other_tree, &feature, &no_tree, &detached, &nowhere];
    // Given on main, in /repo.
    for (claim, expect) in [
        (by(Actor::Person, &[]), [true; 6]),
        (
            by(Actor::MainAgent, &[]),
            [true, false, false, true, false, false],
        ),
        (
            by(Actor::BacklogKeeper, &[]),
            [true, false, false, true, false, false],
        ),
        // With commits only these count, whoever said it, wherever.
        (
            by(Actor::Person, &[2]),
            [true, true, false, false, false, false],
        ),
        (
            by(Actor::MainAgent, &[1]),
            [true, true, true, false, true, false],
        ),
        (
            by(Actor::MainAgent, &[1, 2]),
            [true, true, false, false, false, false],
        ),
        (by(Actor::MainAgent, &[1, 9]), [false; 6]),
        (
            Claim {
                worktree: None,
                ..by(Actor::MainAgent, &[])
            },
            [true, true, false, true, false, false],
        ),
        (
            Claim {
                branch: None,
                ..by(Actor::MainAgent, &[])
            },
            [false, false, false, false, true, true],
        ),
    ] {
        assert_eq!(
            places.map(|place| holds(&claim, place)),
            expect,
            "{claim:?}"
        );
    }
}

#[test]
fn the_newest_claim_that_holds_decides() {
    let said = |state, second, commits: &[u64]| Claim {
        state,
        at: at(second),
        ..by(Actor::Person, commits)
    };
    #[track_caller]
    fn check(claims: Vec<Claim>, expect: TaskStatus, elsewhere: Option<&str>) {
        let task = Task {
            claims,
            ..task("a")
        };
        let here = here("main", &[1]);
        assert_eq!(status_at(&task, &here), expect);
        assert_eq!(done_elsewhere(&task, &here), elsewhere);
    }
    use ClaimState::{Active, Blocked, Done, Dropped, Pending};
    check(vec![], TaskStatus::Pending, None);
    check(vec![said(Active, 1, &[])], TaskStatus::Active, None);
    check(vec![said(Blocked, 1, &[])], TaskStatus::Blocked, None);
    check(vec![said(Dropped, 1, &[])], TaskStatus::Dropped, None);
    check(vec![said(Done, 1, &[1])], TaskStatus::Done, None);
    // After a reset, what was done is open again, and done nowhere else.
    check(vec![said(Done, 1, &[2])], TaskStatus::Pending, None);
    let on_dev = Claim {
        branch: Some("dev".to_owned()),
        ..said(Done, 1, &[2])
    };
    check(vec![on_dev], TaskStatus::Pending, Some("dev"));
    check(
        vec![said(Active, 1, &[]), said(Done, 2, &[2])],
        TaskStatus::Active,
        None,
    );
    // Order of time, not of the list; among equals the later in the list.
    check(
        vec![said(Done, 3, &[]), said(Active, 2, &[])],
        TaskStatus::Done,
        None,
    );
    check(
        vec![said(Done, 2, &[]), said(Pending, 2, &[])],
        TaskStatus::Pending,
        None,
    );
}
