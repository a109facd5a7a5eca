//! Whole turns against the backlog: what becomes of commands, commits, files.

use orch_protocol::proposal::{Change, Confidence, Proposal};
use orch_protocol::task::{Actor, ClaimState, EvidenceKind, TaskStatus};
use orch_protocol::turn::{CommandKind, TurnEvent, TurnKind, TurnStatus};

use crate::given::*;

fn claims(proposals: &[Proposal]) -> Vec<(ClaimState, Confidence)> {
    proposals
        .iter()
        .filter_map(|proposal| match &proposal.change {
            Change::Claim { claim, .. } => Some((claim.state, proposal.confidence)),
            _ => None,
        })
        .collect()
}

/// One turn, everything applied: the backlog afterwards.
#[track_caller]
fn check(events: Vec<TurnEvent>, commits: &[(u64, i64, &[&str])], dirty: &[&str], expect: &[&str]) {
    let mut world = World::new();
    world.apply_all = true;
    let commits = commits
        .iter()
        .map(|(n, second, files)| commit(*n, *second, files))
        .collect();
    world.turn(events, commits, dirty);
    assert_eq!(world.backlog(), expect);
}

#[test]
fn commits_go_to_the_steps_they_were_made_in() {
    // As many commands as commits: in order.
    check(
        vec![
            plan(&["> Cache icons", "Trim fonts"]),
            patched("icons.rs"),
            committed(),
            plan(&["x Cache icons", "> Trim fonts"]),
            patched("/repo/fonts.rs"),
            committed(),
            plan(&["x Cache icons", "x Trim fonts"]),
        ],
        &[(1, 110, &["icons.rs"]), (2, 120, &["fonts.rs"])],
        &[],
        &["Cache icons: done #1", "Trim fonts: done #2"],
    );
    // Committed after the fact: the commit that touches the step's files.
    check(
        vec![
            plan(&["> Cache icons", "Trim fonts"]),
            patched("icons.rs"),
            plan(&["x Cache icons", "> Trim fonts"]),
            patched("fonts.rs"),
            plan(&["x Cache icons", "x Trim fonts"]),
            committed(),
            committed(),
        ],
        &[(1, 110, &["fonts.rs"]), (2, 120, &["icons.rs"])],
        &[],
        &["Cache icons: done #2", "Trim fonts: done #1"],
    );
    // Files unknown: the next commit. More commits than commands, and no times: all at the last command.
    check(
        vec![
            plan(&["> Cache icons"]),
            plan(&["x Cache icons"]),
            committed(),
        ],
        &[(1, 110, &["icons.rs"]), (2, 111, &["fonts.rs"])],
        &[],
        &["Cache icons: done #1"],
    );
    // What a pull brought is nobody's work in this turn.
    check(
        vec![
            plan(&["> Cache icons"]),
            committed(),
            plan(&["x Cache icons"]),
        ],
        &[
            (7, -9_000, &["a"]),
            (8, -8_000, &["b"]),
            (1, 110, &["icons.rs"]),
        ],
        &[],
        &["Cache icons: done #1"],
    );
    // No commit: the files wait for one, as far as git calls them changed.
    check(
        vec![
            plan(&["> Cache icons"]),
            patched("./icons.rs"),
            patched("ignored.log"),
            plan(&["x Cache icons"]),
        ],
        &[],
        &["icons.rs", "other.rs"],
        &["Cache icons: done +icons.rs"],
    );
}

#[test]
fn a_thread_without_a_plan_leaves_what_it_committed() {
    check(
        vec![patched("a.rs"), committed()],
        &[(1, 110, &["a.rs"])],
        &[],
        &["Make the importer faster and test it: done #1"],
    );
    check(vec![patched("a.rs")], &[], &["a.rs"], &[]);
}

#[test]
fn confidence_follows_what_was_seen() {
    #[track_caller]
    fn check(work: Vec<TurnEvent>, expect: Confidence) {
        let mut world = World::new();
        let mut events = vec![plan(&["> Cache icons"])];
        events.extend(work);
        events.push(plan(&["x Cache icons"]));
        let proposals = world.turn(events, vec![], &[]);
        assert_eq!(claims(&proposals), [(ClaimState::Done, expect)]);
        let seen = &world.task("Cache icons").evidence;
        assert!(seen.iter().any(|seen| seen.kind == EvidenceKind::Turn));
        assert!(seen.iter().all(|seen| seen.tree == world.here.head));
    }
    check(vec![], Confidence::Medium);
    check(vec![tested(0)], Confidence::High);
    check(vec![tested(0), tested(1)], Confidence::Low);
    check(vec![tested(1), tested(0)], Confidence::High);
    check(vec![tested_unheard(0)], Confidence::Medium);
    check(vec![tested_unheard(1)], Confidence::Low);
    check(vec![tested(1), tested_unheard(0)], Confidence::Low);
    check(vec![tested(0), tested_unheard(0)], Confidence::High);
    check(vec![patched("a.rs"), tested_unheard(0)], Confidence::High);
    check(vec![patched("a.rs"), tested(101)], Confidence::Low);
    check(vec![patched("a.rs")], Confidence::High);
    check(vec![ran("ls", CommandKind::Other, 0)], Confidence::High);
    check(vec![ran("ls", CommandKind::Other, 2)], Confidence::Medium);
}

#[test]
fn uncommitted_work_is_anchored_or_reopened() {
    let work = || {
        vec![
            plan(&["> Cache icons"]),
            patched("icons.rs"),
            plan(&["x Cache icons"]),
        ]
    };
    let mut world = World::new();
    world.turn(work(), vec![], &["icons.rs"]);
    assert_eq!(world.backlog(), ["Cache icons: done +icons.rs"]);
    world.turn(
        vec![committed()],
        vec![commit(4, 250, &["fonts.rs"])],
        &["icons.rs"],
    );
    assert_eq!(world.backlog(), ["Cache icons: done +icons.rs"]);
    world.turn(vec![committed()], vec![commit(5, 350, &["icons.rs"])], &[]);
    assert_eq!(world.backlog(), ["Cache icons: done #5"]);
    assert!(world.task("Cache icons").target_commit.is_some());

    // In another thread without a plan, the commit is explained, and makes no task.
    let mut world = World::new();
    world.turn(work(), vec![], &["icons.rs"]);
    world.open("t2");
    world.turn(vec![committed()], vec![commit(5, 250, &["icons.rs"])], &[]);
    assert_eq!(world.state.tasks.len(), 2);

    let mut world = World::new();
    world.turn(work(), vec![], &["icons.rs"]);
    let proposals = world.turn(
        vec![ran("git checkout .", CommandKind::Other, 0)],
        vec![],
        &[],
    );
    assert_eq!(
        claims(&proposals),
        [(ClaimState::Pending, Confidence::Medium)]
    );
    assert_eq!(
        world.status(world.task("Cache icons")),
        TaskStatus::Done,
        "it waits for review"
    );
}

#[test]
fn what_is_no_transition_is_no_claim() {
    let mut world = World::new();
    world.turn(
        vec![
            plan(&["> Cache icons"]),
            committed(),
            plan(&["x Cache icons"]),
        ],
        vec![commit(1, 110, &[])],
        &[],
    );
    // On another branch, whose HEAD doesn't reach it, a plan that still has it completed says nothing.
    world.here.branch = Some("other".into());
    let proposals = world.turn(vec![plan(&["x Cache icons", "> Trim fonts"])], vec![], &[]);
    assert_eq!(claims(&proposals), [(ClaimState::Active, Confidence::High)]);
    // An interrupted turn leaves it active.
    let mut record = world.record(vec![plan(&["x Cache icons", "> Trim fonts"])], vec![]);
    record.status = TurnStatus::Interrupted;
    assert_eq!(world.take(&record, &[]), []);
    assert_eq!(world.status(world.task("Trim fonts")), TaskStatus::Active);
    // A review is no turn of the user's.
    let mut record = world.record(vec![plan(&["> Something else"])], vec![]);
    record.kind = TurnKind::Review;
    assert_eq!(world.take(&record, &[]), []);
}

#[test]
fn a_person_is_not_overruled_silently() {
    let mut world = World::new();
    world.turn(vec![plan(&["Cache icons", "Trim fonts"])], vec![], &[]);
    let task = world.task("Cache icons").id.clone();
    world.change(Change::Claim {
        task,
        claim: orch_protocol::task::Claim {
            id: orch_protocol::ids::ClaimId::new("c"),
            state: ClaimState::Dropped,
            by: Actor::Person,
            at: at(150),
            branch: None,
            worktree: None,
            commits: vec![],
            files: vec![],
            reason: None,
        },
    });
    let proposals = world.turn(vec![plan(&["> Cache icons", "Trim fonts"])], vec![], &[]);
    assert_eq!(
        claims(&proposals),
        [(ClaimState::Active, Confidence::Medium)]
    );
}
