//! Which drift is which, and what is done about it when nobody is there to ask.

use orch_core::drift::{Compared, Decision, DriftKind, OnDrift, classify, decide};
use orch_protocol::git::{GitSnapshot, Head, HeadRelation, Operation};

use crate::given::*;

struct Given {
    expected: GitSnapshot,
    seen: GitSnapshot,
    relation: HeadRelation,
    has_context: bool,
}

/// The thread was on `main` at commit 1, and edited a.rs.
fn from_main(seen: GitSnapshot) -> Given {
    Given {
        expected: snapshot(branch("main", 1)),
        seen,
        relation: HeadRelation::default(),
        has_context: false,
    }
}

#[track_caller]
fn check(given: Given, kind: DriftKind, touched: &[&str]) {
    let files = ["a.rs".to_owned(), "b.rs".to_owned()];
    let drift = classify(Compared {
        expected: &given.expected,
        seen: &given.seen,
        relation: &given.relation,
        has_context: given.has_context,
        thread_files: &files,
    });
    let seen: Vec<&str> = drift.touched.iter().map(String::as_str).collect();
    assert_eq!((drift.kind, seen.as_slice()), (kind, touched));
    let line = drift.line();
    assert!(!line.contains('\n') && !line.is_empty());
    assert!(drift.note().contains(&line));
}

#[test]
fn every_kind_is_told() {
    let after = |files: &[&str]| HeadRelation {
        expected_in_seen: true,
        incoming: vec![summary(2, files)],
        incoming_total: 1,
        ..HeadRelation::default()
    };
    check(from_main(snapshot(branch("main", 1))), DriftKind::None, &[]);
    check(
        from_main(dirty(branch("main", 1), &["b.rs", "z.rs"])),
        DriftKind::Files,
        &["b.rs"],
    );
    check(
        Given {
            relation: after(&["a.rs", "z.rs"]),
            ..from_main(snapshot(branch("main", 2)))
        },
        DriftKind::Advanced,
        &["a.rs"],
    );
    // Nothing was expected on an unborn branch: whatever came, came after it.
    let unborn = Head::Unborn {
        name: "main".to_owned(),
    };
    check(
        Given {
            expected: snapshot(unborn.clone()),
            ..from_main(snapshot(branch("main", 2)))
        },
        DriftKind::Advanced,
        &[],
    );
    check(
        from_main(snapshot(branch("main", 2))),
        DriftKind::Rewritten,
        &[],
    );
    check(
        Given {
            relation: after(&[]),
            ..from_main(snapshot(branch("dev", 2)))
        },
        DriftKind::Branched,
        &[],
    );
    check(
        from_main(snapshot(branch("dev", 2))),
        DriftKind::Switched,
        &[],
    );
    check(
        Given {
            relation: after(&[]),
            has_context: true,
            ..from_main(snapshot(branch("dev", 2)))
        },
        DriftKind::Switched,
        &[],
    );
    check(
        Given {
            relation: HeadRelation {
                expected_branch_merged: true,
                ..after(&["b.rs"])
            },
            has_context: true,
            ..from_main(snapshot(branch("dev", 2)))
        },
        DriftKind::Merged,
        &["b.rs"],
    );
    // Its tip is the new branch's beginning, but that branch has no context: nothing was merged anywhere.
    check(
        Given {
            relation: HeadRelation {
                expected_branch_merged: true,
                ..after(&[])
            },
            ..from_main(snapshot(branch("dev", 2)))
        },
        DriftKind::Branched,
        &[],
    );
    check(
        Given {
            relation: after(&[]),
            ..from_main(snapshot(Head::Detached { commit: commit(2) }))
        },
        DriftKind::Detached,
        &[],
    );
    check(
        from_main(snapshot(Head::Unborn {
            name: "new".to_owned(),
        })),
        DriftKind::Unborn,
        &[],
    );
    for operation in [Operation::Merge, Operation::Rebase, Operation::Bisect] {
        let seen = GitSnapshot {
            operation: Some(operation),
            ..snapshot(branch("main", 1))
        };
        check(from_main(seen.clone()), DriftKind::InProgress, &[]);
        // The agent began it itself: the turn ended in the midst of it.
        let given = Given {
            expected: seen.clone(),
            ..from_main(seen)
        };
        check(given, DriftKind::None, &[]);
    }
    for moved in [
        GitSnapshot {
            worktree: "/other".to_owned(),
            ..snapshot(branch("main", 1))
        },
        GitSnapshot {
            common_dir: "/other/.git".to_owned(),
            operation: Some(Operation::Merge),
            ..snapshot(branch("main", 2))
        },
    ] {
        check(from_main(moved), DriftKind::Moved, &[]);
    }
}

#[test]
fn without_a_person_the_harmless_goes_on_and_the_policy_decides_the_rest() {
    use Decision::{Do, GoOn, Stop};
    use OnDrift::{FastForward, Fork, Rebuild};
    let policies = [OnDrift::Stop, Fork, FastForward, Rebuild];
    let all = [Do(Fork), Do(FastForward), Do(Rebuild)];
    let two = [Do(Fork), Stop, Do(Rebuild)];
    let rest = |first: Decision, others: [Decision; 3]| {
        let [a, b, c] = others;
        [first, a, b, c]
    };
    for (kind, expect) in [
        (DriftKind::None, [GoOn; 4]),
        (DriftKind::Files, [GoOn; 4]),
        (DriftKind::Advanced, rest(Do(FastForward), all)),
        (DriftKind::Branched, rest(Stop, all)),
        (DriftKind::Switched, rest(Stop, all)),
        (DriftKind::Merged, rest(GoOn, all)),
        (DriftKind::Rewritten, rest(Stop, two)),
        (DriftKind::Detached, rest(Stop, two)),
        (DriftKind::Unborn, rest(Stop, two)),
        (DriftKind::InProgress, rest(Stop, two)),
        (DriftKind::Moved, [Stop, Stop, Stop, Do(Rebuild)]),
    ] {
        assert_eq!(
            policies.map(|policy| decide(kind, policy)),
            expect,
            "{kind:?}"
        );
    }
    for policy in policies {
        assert_eq!(OnDrift::parse(policy.name()), Some(policy));
    }
    assert_eq!(OnDrift::parse("Fork"), None);
}
