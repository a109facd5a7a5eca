//! Why a status is what it is, what nobody can know, and where else a task is done.

use orch_core::explain::{Explanation, Place, Verdict, explain};
use orch_core::judge::{Here, Reachable, done_elsewhere, is_unknown, status_at};
use orch_protocol::task::{Actor, Claim, ClaimState, Task, TaskStatus};

use crate::given::*;

fn said_at(state: ClaimState, second: i64, commits: &[u64]) -> Claim {
    Claim {
        at: at(second),
        by: Actor::MainAgent,
        commits: commits.iter().map(|n| commit(*n)).collect(),
        ..claim(state)
    }
}

fn on(branch: &str, claim: Claim) -> Claim {
    Claim {
        branch: Some(branch.to_owned()),
        ..claim
    }
}

fn of(claims: &[Claim]) -> Task {
    Task {
        claims: claims.to_vec(),
        ..task("a")
    }
}

/// HEAD reaches 1 as itself and 2 as 20; of 9 nobody can tell.
fn place() -> Here {
    let reachable = Reachable::new([commit(1)])
        .with_rewritten([(commit(2), commit(20))])
        .with_unknown([commit(9)]);
    Here {
        reachable,
        ..here("main", &[])
    }
}

#[test]
fn what_was_rewritten_is_here_and_what_is_unknown_isnt() {
    let reachable = place().reachable;
    assert!(reachable.contains(&commit(2)) && !reachable.is_ancestor(&commit(2)));
    assert_eq!(reachable.rewritten_to(&commit(2)), Some(&commit(20)));
    assert_eq!(reachable.rewritten_to(&commit(1)), None);
    assert!(reachable.is_unknown(&commit(9)) && !reachable.contains(&commit(9)));
    // Once it is reached, as when a run that was cut off is recorded, it is known.
    let later = reachable.with([commit(2), commit(9)]);
    assert_eq!(later.rewritten_to(&commit(2)), None);
    assert!(!later.is_unknown(&commit(9)));
}

#[test]
fn every_claim_and_every_commit_is_accounted_for() {
    use ClaimState::{Active, Blocked, Done};
    let task = of(&[
        said_at(Active, 1, &[]),
        said_at(Done, 3, &[1, 2]),
        on("dev", said_at(Done, 4, &[1, 3])),
        said_at(Blocked, 5, &[1, 9]),
        on("dev", said_at(Active, 2, &[])),
        Claim {
            worktree: Some("/other".to_owned()),
            ..said_at(Active, 2, &[])
        },
    ]);
    let here = place();
    let Explanation {
        status,
        deciding,
        others,
        elsewhere,
        is_unknown,
    } = explain(&task, &here);
    assert_eq!(
        (status, elsewhere, is_unknown),
        (TaskStatus::Done, Some("dev"), true)
    );
    let deciding = deciding.unwrap();
    assert_eq!(deciding.verdict, Verdict::Decides);
    let places = |commits: &[(_, Place<'_>)]| -> Vec<String> {
        commits
            .iter()
            .map(|(_, place)| format!("{place:?}"))
            .collect()
    };
    let twenty = commit(20);
    assert_eq!(
        places(&deciding.commits),
        [
            "Here".to_owned(),
            format!("{:?}", Place::Rewritten(&twenty))
        ]
    );
    let told: Vec<(i64, Verdict, Vec<String>)> = others
        .iter()
        .map(|said| {
            let second = said.claim.at.as_second() - at(0).as_second();
            (second, said.verdict, places(&said.commits))
        })
        .collect();
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told,
        [
            (5, Verdict::Unknown, words(&["Here", "Unknown"])),
            (4, Verdict::NotReached, words(&["Here", "NotHere"])),
            (2, Verdict::OtherWorktree, vec![]),
            (2, Verdict::OtherBranch, vec![]),
            (1, Verdict::Overtaken, vec![]),
        ]
    );
}

#[test]
fn only_a_newer_claim_makes_a_status_unknown() {
    use ClaimState::{Active, Done};
    for (claims, expect) in [
        (vec![said_at(Done, 2, &[9])], true),
        (vec![said_at(Active, 1, &[]), said_at(Done, 2, &[9])], true),
        (vec![said_at(Active, 3, &[]), said_at(Done, 2, &[9])], false),
        // One commit is known to be missing: the others don't matter.
        (vec![said_at(Done, 2, &[9, 3])], false),
        (vec![said_at(Done, 2, &[1])], false),
        (vec![], false),
    ] {
        let task = of(&claims);
        assert_eq!(is_unknown(&task, &place()), expect, "{claims:?}");
        // Unknown is no status: what is known decides.
        let known: Vec<Claim> = claims
            .iter()
            .filter(|claim| !claim.commits.contains(&commit(9)))
            .cloned()
            .collect();
        assert_eq!(status_at(&task, &place()), status_at(&of(&known), &place()));
    }
}

#[test]
fn done_elsewhere_is_silent_where_it_isnt_so() {
    use ClaimState::{Active, Done, Pending};
    let by_person = |claim: Claim| Claim {
        by: Actor::Person,
        ..claim
    };
    for (claims, expect) in [
        (vec![on("dev", said_at(Done, 1, &[3]))], Some("dev")),
        // The newest of two.
        (
            vec![
                on("dev", said_at(Done, 2, &[3])),
                on("old", said_at(Done, 1, &[4])),
            ],
            Some("dev"),
        ),
        // Opened again over there, by the same branch or by a person's word, which holds everywhere.
        (
            vec![
                on("dev", said_at(Done, 1, &[3])),
                on("dev", said_at(Pending, 2, &[5])),
            ],
            None,
        ),
        (
            vec![
                on("dev", said_at(Done, 1, &[3])),
                by_person(said_at(Active, 2, &[])),
            ],
            None,
        ),
        (
            vec![
                by_person(said_at(Active, 0, &[])),
                on("dev", said_at(Done, 1, &[3])),
            ],
            Some("dev"),
        ),
        // Perhaps it is done here.
        (vec![on("dev", said_at(Done, 1, &[9]))], None),
        // Made without a branch: there is nothing to name, and another one stays named.
        (
            vec![
                on("dev", said_at(Done, 1, &[3])),
                Claim {
                    branch: None,
                    ..said_at(Done, 2, &[3])
                },
            ],
            Some("dev"),
        ),
    ] {
        assert_eq!(done_elsewhere(&of(&claims), &place()), expect, "{claims:?}");
    }
}
