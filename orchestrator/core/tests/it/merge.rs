//! Merging, by table and by law: nothing is lost, sides are alike, and once merged is merged.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::graph::is_acyclic;
use orch_core::merge::{Lost, Merged, merge_backlogs, merge_into, merge_projects, merge_task};
use orch_protocol::git::GitSnapshot;
use orch_protocol::ids::*;
use orch_protocol::project::*;
use orch_protocol::proposal::{Change, Confidence, Proposal, TaskEdit};
use orch_protocol::session::Digest;
use orch_protocol::task::*;
use orch_protocol::tasks::Tasks;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::given::*;
use crate::properties::{a_claim, a_task, change, commits, evidence, head, look, thread};

type Backlog = Tasks;

fn backlog(tasks: &[Task]) -> Backlog {
    state_of(tasks).tasks
}

/// Both ways give the same; the outcome.
fn merged(base: &Backlog, ours: &Backlog, theirs: &Backlog) -> Merged<Backlog> {
    let merged = merge_backlogs(base, ours, theirs);
    assert_eq!(merged, merge_backlogs(base, theirs, ours));
    merged
}

fn edits(lost: &[Lost]) -> Vec<TaskEdit> {
    let edit = |lost: &Lost| match &lost.change {
        Change::EditTask { edit, .. } => Some(edit.clone()),
        _ => None,
    };
    lost.iter().filter_map(edit).collect()
}

#[test]
fn two_clones_edit_different_fields_of_one_task() {
    let base = backlog(&[task("a"), task("b")]);
    let ours = backlog(&[
        Task {
            title: "A better title".to_owned(),
            claims: vec![claim(ClaimState::Done)],
            ..task("a")
        },
        task("b"),
    ]);
    let theirs = backlog(&[
        Task {
            owner: Some("bo".to_owned()),
            needs: vec![id("b")],
            notes: vec!["see the log".to_owned()],
            ..task("a")
        },
        task("b"),
    ]);
    let both = Task {
        title: "A better title".to_owned(),
        claims: vec![claim(ClaimState::Done)],
        owner: Some("bo".to_owned()),
        needs: vec![id("b")],
        notes: vec!["see the log".to_owned()],
        ..task("a")
    };
    let merged = merged(&base, &ours, &theirs);
    assert_eq!(merged.value, backlog(&[both, task("b")]));
    assert!(merged.lost.is_empty());
}

#[test]
fn two_clones_edit_two_tasks_and_both_add_some() {
    let urgent = |name: &str| Task {
        priority: 0,
        ..task(name)
    };
    let base = backlog(&[task("a"), task("b")]);
    let ours = backlog(&[urgent("a"), task("b"), task("c")]);
    let theirs = backlog(&[task("a"), urgent("b"), task("d"), part("e", "d")]);
    let merged = merged(&base, &ours, &theirs);
    assert_eq!(
        merged.value,
        backlog(&[
            urgent("a"),
            urgent("b"),
            task("c"),
            task("d"),
            part("e", "d")
        ])
    );
    assert!(merged.lost.is_empty());
}

#[test]
fn what_both_changed_goes_by_the_rule_of_its_field_and_the_loser_is_told() {
    let ours = Task {
        title: "Long and exact".to_owned(),
        owner: None,
        priority: 3,
        milestone: Some("beta".to_owned()),
        layout: Some("# mine".into()),
        ..task("a")
    };
    let theirs = Task {
        title: "Short".to_owned(),
        owner: Some("cy".to_owned()),
        priority: 1,
        milestone: Some("alfa".to_owned()),
        layout: Some("# theirs".into()),
        ..task("a")
    };
    let base = Task {
        owner: Some("bo".to_owned()),
        ..task("a")
    };
    let merged = merged(&backlog(&[base]), &backlog(&[ours]), &backlog(&[theirs]));
    let outcome = &merged.value[&id("a")];
    assert_eq!(outcome.title, "Long and exact");
    assert_eq!(outcome.owner.as_deref(), Some("cy"));
    assert_eq!(outcome.priority, 1);
    assert_eq!(outcome.milestone.as_deref(), Some("beta"));
    assert_eq!(outcome.layout.as_deref(), Some("# theirs"));
    assert_eq!(
        edits(&merged.lost),
        [
            TaskEdit {
                title: Some("Short".to_owned()),
                ..TaskEdit::default()
            },
            TaskEdit {
                owner: Some(String::new()),
                ..TaskEdit::default()
            },
            TaskEdit {
                priority: Some(3),
                ..TaskEdit::default()
            },
            TaskEdit {
                milestone: Some("alfa".to_owned()),
                ..TaskEdit::default()
            },
        ]
    );
    assert_eq!(
        merged.lost[0].why,
        "both sides changed the title: “Long and exact” was kept"
    );
    // A person who wants the other one after all gets it.
    let mut state = state_of(std::slice::from_ref(outcome));
    for (n, lost) in merged.lost.into_iter().enumerate() {
        assert!(state.apply(&changed("review", n as u64 + 1, lost.change)));
    }
    let task = &state.tasks[&id("a")];
    assert_eq!((task.title.as_str(), task.priority), ("Short", 3));
    assert_eq!(
        (&task.owner, task.milestone.as_deref()),
        (&None, Some("alfa"))
    );
}

#[test]
fn the_newer_status_is_never_dropped() {
    let says = |name: &str, second, state| Claim {
        id: ClaimId::new(name),
        at: at(second),
        ..claim(state)
    };
    let with = |claims: &[Claim]| {
        backlog(&[Task {
            claims: claims.to_vec(),
            ..task("a")
        }])
    };
    let begun = says("begun", 1, ClaimState::Active);
    let done = says("done", 5, ClaimState::Done);
    let blocked = says("blocked", 3, ClaimState::Blocked);
    let merged = merged(
        &with(std::slice::from_ref(&begun)),
        &with(&[begun.clone(), done.clone()]),
        &with(&[begun.clone(), blocked.clone()]),
    );
    assert_eq!(merged.value, with(&[begun, blocked, done]));
    assert!(merged.lost.is_empty());
}

#[test]
fn work_found_in_commits_here_and_there_is_one_claim_with_all_of_them() {
    let with = |commits: &[u64], files: &[&str]| {
        backlog(&[Task {
            claims: vec![Claim {
                commits: commits.iter().map(|n| commit(*n)).collect(),
                files: files.iter().map(|file| (*file).to_owned()).collect(),
                ..claim(ClaimState::Done)
            }],
            target_commit: commits.last().map(|n| commit(*n)),
            ..task("a")
        }])
    };
    let merged = merged(
        &with(&[], &["x.rs"]),
        &with(&[3, 1], &[]),
        &with(&[3, 2], &[]),
    );
    let claim = &merged.value[&id("a")].claims[0];
    assert_eq!(claim.commits, [commit(3), commit(1), commit(2)]);
    assert!(claim.files.is_empty());
    assert!(merged.lost.is_empty(), "the claim holds both commits");
}

#[test]
fn a_task_that_one_side_took_back() {
    let (plain, changed) = (task("a"), said(task("a"), ClaimState::Done));
    let base = backlog(std::slice::from_ref(&plain));
    let gone = backlog(&[]);
    assert_eq!(merged(&base, &gone, &base).value, gone);
    let kept = merged(&base, &gone, &backlog(std::slice::from_ref(&changed)));
    assert_eq!(kept.value, backlog(std::slice::from_ref(&changed)));
    let [lost] = &kept.lost[..] else {
        panic!("{:?}", kept.lost)
    };
    // Accepted, it is gone.
    let mut state = state_of(&[changed]);
    assert!(state.apply(&crate::given::changed("1", 1, lost.change.clone())));
    assert!(state.tasks.is_empty());
    assert!(state.project.proposals.is_empty());
}

#[test]
fn a_cycle_that_two_sides_close_loses_its_newest_edge() {
    let newer = |name: &str, needs: &[&str], second| Task {
        created_at: at(second),
        ..needing(name, needs)
    };
    let base = backlog(&[
        needing("a", &["b"]),
        newer("b", &[], 1),
        newer("c", &[], 2),
        newer("d", &[], 9),
    ]);
    let mut ours = base.clone();
    ours.insert(id("b"), newer("b", &["c"], 1));
    let mut theirs = base.clone();
    theirs.insert(id("c"), newer("c", &["a", "d"], 2));
    let merged = merged(&base, &ours, &theirs);
    assert_eq!(merged.value[&id("b")].needs, [id("c")]);
    assert_eq!(
        merged.value[&id("c")].needs,
        [id("d")],
        "the edge outside stays"
    );
    let lost: Vec<_> = merged.lost.iter().map(|lost| &lost.change).collect();
    let edge = Change::AddNeed {
        task: id("c"),
        need: id("a"),
    };
    assert_eq!(lost, [&edge]);
    // An edge that both had is left in, though its task is the newest.
    let base = backlog(&[newer("a", &["b"], 99), task("b"), task("c")]);
    let ours = backlog(&[newer("a", &["b"], 99), needing("b", &["c"]), task("c")]);
    let theirs = backlog(&[newer("a", &["b"], 99), task("b"), needing("c", &["a"])]);
    let merged = merge_backlogs(&base, &ours, &theirs);
    assert_eq!(merged.value[&id("a")].needs, [id("b")]);
    assert_eq!(merged.lost.len(), 1);
}

#[test]
fn a_loop_of_parents_loses_its_newest_edge() {
    let newer = Task {
        created_at: at(5),
        ..task("b")
    };
    let base = backlog(&[task("a"), newer.clone()]);
    let ours = backlog(&[part("a", "b"), newer.clone()]);
    let under_a = Task {
        parent: Some(id("a")),
        ..newer
    };
    let theirs = backlog(&[task("a"), under_a]);
    let merged = merged(&base, &ours, &theirs);
    assert_eq!(merged.value, ours);
    let edit = TaskEdit {
        parent: Some(id("a").to_string()),
        ..TaskEdit::default()
    };
    assert_eq!(edits(&merged.lost), [edit]);
}

#[test]
fn a_parent_that_had_lost_comes_in_where_the_other_one_closes_a_loop() {
    // One side puts b under a, the other puts b under c and a under b.
    let names = ["a", "b", "c"];
    let (heavier, lighter) = match id("a").as_str() > id("c").as_str() {
        true => ("a", "c"),
        false => ("c", "a"),
    };
    let newer = |parent: Option<&str>| Task {
        created_at: at(5),
        parent: parent.map(id),
        ..task("b")
    };
    let base: Backlog = backlog(&names.map(task));
    let mut ours = base.clone();
    ours.insert(id("b"), newer(Some(heavier)));
    let mut theirs = base.clone();
    theirs.insert(id("b"), newer(Some(lighter)));
    theirs.insert(id(heavier), part(heavier, "b"));
    let merged = merged(&base, &ours, &theirs);
    assert_eq!(merged.value[&id("b")].parent, Some(id(lighter)));
    assert_eq!(merged.value[&id(heavier)].parent, Some(id("b")));
    let edit = TaskEdit {
        parent: Some(id(heavier).to_string()),
        ..TaskEdit::default()
    };
    assert_eq!(edits(&merged.lost), [edit]);
    // Where that one closes a loop too, through what the first side changed, there is none, and both are told.
    ours.insert(id(lighter), part(lighter, "b"));
    let merged = self::merged(&base, &ours, &theirs);
    assert_eq!(merged.value[&id("b")].parent, None);
    assert_eq!(merged.lost.len(), 2);
    for (mut into, from) in [(ours.clone(), &theirs), (theirs.clone(), &ours)] {
        assert_eq!(merge_into(&base, &mut into, from), merged.lost);
        assert_eq!(into, merged.value);
    }
}

#[test]
fn a_task_kept_for_an_edge_that_closes_a_cycle_is_not_kept() {
    // One side removed a, and gave b and c a need on it; the other gave a a need on b.
    let base = backlog(&[task("a"), task("c")]);
    let ours = backlog(&[needing("a", &["b"]), task("c")]);
    let theirs = backlog(&[needing("b", &["a"]), needing("c", &["a"])]);
    let newest_is_ours = id("a") > id("b");
    let merged = laws([&base, &ours, &theirs], merge_backlogs);
    assert_eq!(merged.contains_key(&id("a")), !newest_is_ours);
    assert!(merged[&id("c")].needs.contains(&id("a")));
}

#[test]
fn a_full_list_of_evidence_keeps_its_commits() {
    let seen = |kind, n: i64| Evidence {
        kind,
        reference: format!("{n}"),
        ok: None,
        tree: None,
        at: at(n),
        session: None,
    };
    let with = |evidence: Vec<Evidence>| Task {
        evidence,
        ..task("a")
    };
    let commits: Vec<_> = (0..30).map(|n| seen(EvidenceKind::Commit, n)).collect();
    let files: Vec<_> = (30..70).map(|n| seen(EvidenceKind::File, n)).collect();
    let merged = merge_task(
        Some(&with(Vec::new())),
        Some(&with(commits.clone())),
        Some(&with(files.clone())),
    );
    let expect: Vec<_> = commits.into_iter().chain(files[20..].to_vec()).collect();
    assert_eq!(merged.value.unwrap().evidence, expect);
}

#[test]
fn a_long_chain_is_no_trouble() {
    // A cycle through every task, closed by the edge of the newest; a recursive search would end the stack.
    let name = |n: usize| TaskId::new(format!("{n:010}"));
    let chain = |n: usize, needs: Vec<TaskId>| Task {
        id: name(n),
        needs,
        created_at: at(n as i64),
        ..task("")
    };
    let size = 20_000;
    let base: Backlog = (0..size)
        .map(|n| {
            (
                name(n),
                chain(n, (n > 0).then(|| name(n - 1)).into_iter().collect()),
            )
        })
        .collect();
    let mut ours = base.clone();
    ours.insert(name(size), chain(size, vec![name(size - 1)]));
    let mut theirs = base.clone();
    theirs.insert(name(0), chain(0, vec![name(size)]));
    let merged = merge_backlogs(&base, &ours, &theirs);
    assert_eq!(merged.lost.len(), 1);
    assert_eq!(merged.value[&name(0)].needs, [name(size)]);
    assert!(merged.value[&name(size)].needs.is_empty());
}

#[test]
fn a_branch_keeps_the_last_session_whole() {
    let left = |session: &str, second: i64, objective: Option<&str>| BranchContext {
        objective: objective.map(str::to_owned),
        last_session: Some(SessionId::new(session)),
        last_thread: Some(ThreadId::new(format!("thread of {session}"))),
        digest: Some(Digest {
            at: at(second),
            goal: session.to_owned(),
            changes: Vec::new(),
            commits: Vec::new(),
            open_ends: Vec::new(),
            next_actions: Vec::new(),
        }),
        ..BranchContext::default()
    };
    let with = |context: BranchContext| Project {
        branches: BTreeMap::from([("main".to_owned(), context)]),
        ..Project::default()
    };
    let merged = merge_projects(
        &with(left("one", 1, None)),
        &with(left("two", 2, Some("Faster"))),
        &with(left("three", 3, None)),
    );
    assert_eq!(merged.value, with(left("three", 3, Some("Faster"))));
    assert!(merged.lost.is_empty());
}

#[test]
fn what_ended_or_was_settled_on_one_side_is_over() {
    let run = |cwd: &str| OpenRun {
        run: RunId::new("r"),
        at: at(0),
        kind: RunKind::Fresh,
        cwd: cwd.to_owned(),
        codex_home: String::new(),
        snapshot: None,
        log: LogId::new("l"),
        brief_tasks: Vec::new(),
        outlives: false,
    };
    let with = |cwd: &str| Project {
        open_runs: BTreeMap::from([(RunId::new("r"), run(cwd))]),
        ..Project::default()
    };
    let none = Project::default();
    assert_eq!(merge_projects(&with("a"), &none, &with("b")).value, none);
    assert_eq!(merge_projects(&with("a"), &with("b"), &none).value, none);
    let other = Project {
        open_runs: BTreeMap::from([(RunId::new("s"), run("s"))]),
        ..Project::default()
    };
    assert_eq!(merge_projects(&none, &none, &other).value, other);
}

fn word() -> impl Strategy<Value = String> {
    select(vec!["", "a", "b", "bb", "Ä", "a longer one"]).prop_map(str::to_owned)
}

fn words(max: usize) -> impl Strategy<Value = Vec<String>> {
    vec(
        select(vec!["p", "q", "r", "s", "t", "u", "v", "w"]).prop_map(str::to_owned),
        0..=max,
    )
}

fn some_claims() -> impl Strategy<Value = Vec<Claim>> {
    let claim = (a_claim(), words(3), 0..3i64).prop_map(|(claim, files, second)| Claim {
        files,
        at: at(second),
        ..claim
    });
    vec(claim, 0..5).prop_map(|mut claims| {
        let mut seen = BTreeSet::new();
        claims.retain(|claim| seen.insert(claim.id.clone()));
        claims
    })
}

fn some_evidence() -> impl Strategy<Value = Vec<Evidence>> {
    let piece = (0..9u8, 0..3i64, evidence()).prop_map(|(n, second, seen)| Evidence {
        reference: commit(u64::from(n)).to_string(),
        at: at(second),
        ..seen
    });
    prop_oneof![
        9 => vec(piece, 0..5),
        // Up to the bound, of more than there is room for.
        1 => subsequence((0..90).collect::<Vec<i64>>(), 40..=50).prop_shuffle().prop_map(|of| {
            of.into_iter()
                .map(|n| Evidence {
                    kind: if n % 4 == 0 { EvidenceKind::Commit } else { EvidenceKind::File },
                    reference: n.to_string(),
                    ok: None,
                    tree: None,
                    at: at(n / 3),
                    session: None,
                })
                .collect()
        }),
    ]
}

/// Any task of `name`, lists in any order.
fn any_task(name: TaskId) -> impl Strategy<Value = Task> {
    let aliases = subsequence(
        vec!["k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u"],
        0..=8,
    )
    .prop_shuffle()
    .prop_map(|aliases| aliases.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let texts = (
        word(),
        option::of(word()),
        option::of(word()),
        option::of(word()),
        option::of(word()),
    );
    let links = (0..5u8, option::of(a_task()), vec(a_task(), 0..4), 0..3i64);
    let lists = (some_claims(), some_evidence(), aliases, words(4));
    let target = option::of((0..9u64).prop_map(commit));
    let origin = option::of(word()).prop_map(|branch| Origin::Person { branch });
    (texts, links, lists, target, origin).prop_map(
        move |(texts, links, (claims, evidence, aliases, notes), target_commit, origin)| {
            let (title, owner, milestone, acceptance, layout) = texts;
            let (priority, parent, needs, second) = links;
            Task {
                id: name.clone(),
                title,
                owner,
                priority,
                parent,
                needs,
                milestone,
                acceptance,
                claims,
                evidence,
                target_commit,
                origin,
                created_at: at(second),
                aliases,
                notes,
                layout: layout.map(Into::into),
            }
        },
    )
}

/// A version of a task that has some of its fields from another one.
fn mixed(task: &Task, other: Task, fields: u16) -> Task {
    let mut out = task.clone();
    let Task {
        id: _,
        title,
        owner,
        priority,
        parent,
        needs,
        milestone,
        acceptance,
        claims,
        evidence,
        target_commit,
        origin,
        created_at,
        aliases,
        notes,
        layout,
    } = other;
    let mut n = 0;
    let mut turn = || {
        n += 1;
        fields & (1 << n) != 0
    };
    macro_rules! take {
        ($($field:ident),*) => { $(if turn() { out.$field = $field; })* };
    }
    take!(
        title,
        owner,
        priority,
        parent,
        needs,
        milestone,
        acceptance,
        claims,
        evidence,
        target_commit,
        origin,
        created_at,
        aliases,
        notes,
        layout
    );
    out
}

/// A task and two versions of it, alike in more or fewer fields.
fn three_versions() -> impl Strategy<Value = [Option<Task>; 3]> {
    let version = || any_task(id("a"));
    let sides = (
        version(),
        version(),
        version(),
        any::<u16>(),
        any::<u16>(),
        0..12u8,
    );
    sides.prop_map(|(base, a, b, some, others, there)| {
        let (a, b) = (mixed(&base, a, some), mixed(&base, b, others));
        match there {
            0 => [None, Some(a), Some(b)],
            1 => [Some(base), None, Some(b)],
            2 => [None, None, Some(b)],
            3 => [Some(base), None, None],
            _ => [Some(base), Some(a), Some(b)],
        }
    })
}

/// A backlog that changes have led to; acyclic, with its parents in no loop.
fn any_backlog() -> impl Strategy<Value = Backlog> {
    vec(change(), 0..30).prop_map(|changes| {
        let mut state = orch_core::state::State::default();
        for (n, change) in changes.into_iter().enumerate() {
            state.apply(&changed("1", n as u64 + 1, change));
        }
        merge_backlogs(&Backlog::new(), &state.tasks, &Backlog::new()).value
    })
}

/// A backlog and two that went on from it.
fn three_backlogs() -> impl Strategy<Value = [Backlog; 3]> {
    let went_on = |base: &Backlog, changes: Vec<Change>| {
        let mut state = orch_core::state::State {
            tasks: base.clone(),
            ..Default::default()
        };
        for (n, change) in changes.into_iter().enumerate() {
            state.apply(&changed("2", n as u64 + 1, change));
        }
        // A parent set by itself may close a loop: that is not what is asked here.
        merge_backlogs(base, &state.tasks, base).value
    };
    let alone = (any_backlog(), any_backlog(), any_backlog()).prop_map(|(a, b, c)| [a, b, c]);
    let related = (any_backlog(), vec(change(), 0..15), vec(change(), 0..15))
        .prop_map(move |(base, a, b)| [base.clone(), went_on(&base, a), went_on(&base, b)]);
    prop_oneof![1 => alone, 4 => related]
}

fn any_project() -> impl Strategy<Value = Project> {
    let digest = (0..3i64, word()).prop_map(|(second, goal)| Digest {
        at: at(second),
        goal,
        changes: Vec::new(),
        commits: Vec::new(),
        open_ends: Vec::new(),
        next_actions: Vec::new(),
    });
    let context = (
        option::of(word()),
        option::of(select(vec!["s1", "s2"]).prop_map(SessionId::new)),
        option::of(thread()),
        option::of(digest),
        look(),
        option::of(word()),
        option::of(thread()),
    )
        .prop_map(|context| {
            let (
                objective,
                last_session,
                last_thread,
                digest,
                snapshot,
                forked_from,
                parked_thread,
            ) = context;
            BranchContext {
                objective,
                last_session,
                last_thread,
                digest,
                snapshot: snapshot.map(|seen: GitSnapshot| seen),
                forked_from,
                parked_thread,
            }
        })
        .boxed();
    let milestone =
        (option::of(word()), option::of(word())).prop_map(|(text, due)| Milestone { text, due });
    let checkpoint = (0..4i64, head(), word()).prop_map(|(second, head, text)| Checkpoint {
        at: at(second),
        head,
        trigger: "commit".to_owned(),
        text,
        session: None,
    });
    let checkpoints = prop_oneof![
        9 => vec(checkpoint, 0..4),
        1 => subsequence((0..300).collect::<Vec<i64>>(), 195..=200).prop_shuffle().prop_map(|of| {
            of.into_iter()
                .map(|n| Checkpoint {
                    at: at(n / 2),
                    head: branch("main", n as u64),
                    trigger: "commit".to_owned(),
                    text: String::new(),
                    session: None,
                })
                .collect()
        }),
    ];
    let drift = (0..4i64, word()).prop_map(|(second, kind)| DriftEntry {
        at: at(second),
        thread: None,
        kind,
        from: None,
        to: None,
        choice: String::new(),
        text: String::new(),
    });
    let proposal = (0..3i64, change()).prop_map(|(second, change)| Proposal {
        id: ProposalId::new("p"),
        by: Actor::BacklogKeeper,
        at: at(second),
        change,
        reason: String::new(),
        confidence: Confidence::Low,
        evidence: Vec::new(),
    });
    let run = (0..3i64, word()).prop_map(|(second, cwd)| OpenRun {
        run: RunId::new("r"),
        at: at(second),
        kind: RunKind::Fresh,
        cwd,
        codex_home: String::new(),
        snapshot: None,
        log: LogId::new("l"),
        brief_tasks: Vec::new(),
        outlives: false,
    });
    let choice = (0..3i64, word(), head()).prop_map(|(second, choice, head)| DriftChoice {
        at: at(second),
        choice,
        head,
    });
    let named = || select(vec!["x", "y", "z"]);
    let rewrites = btree_map(
        (0..4u64).prop_map(commit),
        btree_set((0..6u64).prop_map(commit), 0..4),
        0..4,
    );
    let archived = (0..3i64, context.clone()).prop_map(|(second, context)| ArchivedContext {
        at: at(second),
        context,
    });
    (
        btree_map(named().prop_map(str::to_owned), context, 0..3),
        btree_map(named().prop_map(str::to_owned), archived, 0..3),
        btree_map(named().prop_map(str::to_owned), milestone, 0..3),
        rewrites,
        checkpoints,
        btree_map(named().prop_map(ProposalId::new), proposal, 0..3),
        btree_map(named().prop_map(RunId::new), run, 0..3),
        vec(drift, 0..4),
        btree_map(thread(), choice, 0..3),
        proptest::option::of(
            ("# [a-c]{1,3}\n", "(# [a-c]{1,3}\n)?")
                .prop_map(|(top, end)| FileComments { top, end }),
        ),
    )
        .prop_map(|project| {
            let (
                branches,
                archived,
                milestones,
                rewrites,
                checkpoints,
                proposals,
                open_runs,
                drift,
                drift_choices,
                comments,
            ) = project;
            Project {
                branches,
                archived,
                milestones,
                rewrites,
                checkpoints,
                proposals,
                open_runs,
                drift,
                drift_choices,
                comments,
            }
        })
}

/// Three projects of which some fields are alike.
fn three_projects() -> impl Strategy<Value = [Project; 3]> {
    let mix = |base: &Project, other: Project, fields: u16| {
        let mut out = other;
        macro_rules! stay {
            ($($n:literal $field:ident),*) => { $(if fields & (1 << $n) != 0 {
                out.$field.clone_from(&base.$field);
            })* };
        }
        stay!(0 branches, 1 milestones, 2 rewrites, 3 checkpoints, 4 proposals, 5 open_runs, 6 drift, 7 drift_choices, 8 comments, 9 archived);
        out
    };
    (
        any_project(),
        any_project(),
        any_project(),
        any::<u16>(),
        any::<u16>(),
    )
        .prop_map(move |(base, a, b, some, others)| {
            [base.clone(), mix(&base, a, some), mix(&base, b, others)]
        })
}

/// The laws that hold of every merge.
fn laws<T: PartialEq + std::fmt::Debug + Clone>(
    [base, ours, theirs]: [&T; 3],
    merge: impl Fn(&T, &T, &T) -> Merged<T>,
) -> T {
    let value = |base: &T, ours: &T, theirs: &T| merge(base, ours, theirs).value;
    let merged = merge(base, ours, theirs);
    assert_eq!(merged, merge(base, ours, theirs), "deterministic");
    assert_eq!(merged, merge(base, theirs, ours), "symmetric");
    for side in [base, ours, theirs] {
        let unchanged = merge(base, side, side);
        assert_eq!(&unchanged.value, side, "merged with itself");
        assert!(unchanged.lost.is_empty());
        let alone = merge(base, base, side);
        assert_eq!(&alone.value, side, "one side alone");
        assert!(alone.lost.is_empty());
    }
    let merged = merged.value;
    assert_eq!(
        value(base, &merged, theirs),
        merged,
        "merged again with theirs"
    );
    assert_eq!(value(base, ours, &merged), merged, "merged again with ours");
    merged
}

/// What is in a merged set, said once more.
fn is_kept<T: PartialEq>(item: &T, [base, ours, theirs]: [&[T]; 3]) -> bool {
    match (ours.contains(item), theirs.contains(item)) {
        (true, true) => true,
        (false, false) => false,
        _ => !base.contains(item),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn tasks_merge_by_law([base, ours, theirs] in three_versions()) {
        let outcome = laws([&base, &ours, &theirs], |base, ours, theirs| {
            merge_task(base.as_ref(), ours.as_ref(), theirs.as_ref())
        });
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let base = base.unwrap_or_else(|| task("a"));
            let outcome = outcome.unwrap();
            macro_rules! nothing_is_lost {
                ($($field:ident),*) => { $({
                    let sides = [&base.$field[..], &ours.$field[..], &theirs.$field[..]];
                    for item in sides.concat() {
                        prop_assert_eq!(outcome.$field.contains(&item), is_kept(&item, sides));
                    }
                })* };
            }
            nothing_is_lost!(needs, notes);
            if [&base, &ours, &theirs].iter().all(|side| side.evidence.len() < 16) {
                nothing_is_lost!(evidence);
            }
            let names = |task: &Task| task.claims.iter().map(|claim| claim.id.clone()).collect::<Vec<_>>();
            for claim in names(&ours).into_iter().chain(names(&theirs)) {
                if is_kept(&claim, [&names(&base), &names(&ours), &names(&theirs)]) {
                    prop_assert!(names(&outcome).contains(&claim));
                }
            }
            prop_assert!(outcome.evidence.len() <= Task::MAX_EVIDENCE);
            prop_assert!(outcome.aliases.len() <= Task::MAX_ALIASES);
        }
    }

    #[test]
    fn projects_merge_by_law([base, ours, theirs] in three_projects()) {
        let outcome = laws([&base, &ours, &theirs], merge_projects);
        prop_assert!(outcome.checkpoints.len() <= Project::MAX_CHECKPOINTS);
        for (named, found) in ours.rewrites.iter().chain(&theirs.rewrites) {
            let of = |project: &Project| project.rewrites.get(named).into_iter().flatten().cloned().collect::<Vec<_>>();
            let sides = [of(&base), of(&ours), of(&theirs)];
            for commit in found {
                prop_assert_eq!(of(&outcome).contains(commit), is_kept(commit, [&sides[0], &sides[1], &sides[2]]));
            }
        }
        let held = ours.drift.iter().chain(&theirs.drift);
        for drift in held {
            let sides = [&base.drift[..], &ours.drift[..], &theirs.drift[..]];
            prop_assert_eq!(outcome.drift.contains(drift), is_kept(drift, sides));
        }
        for run in base.open_runs.keys() {
            let open = ours.open_runs.contains_key(run) && theirs.open_runs.contains_key(run);
            prop_assert_eq!(outcome.open_runs.contains_key(run), open);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn backlogs_merge_by_law([base, ours, theirs] in three_backlogs()) {
        let outcome = laws([&base, &ours, &theirs], merge_backlogs);
        prop_assert!(is_acyclic(&outcome));
        let Merged { value, lost } = merge_backlogs(&base, &ours, &theirs);
        let mut into = ours.clone();
        prop_assert_eq!(&merge_into(&base, &mut into, &theirs), &lost);
        prop_assert_eq!(&into, &value);
        for id in ours.keys().chain(theirs.keys()) {
            let there = [&base, &ours, &theirs].map(|side| side.contains_key(id));
            if there != [true, true, false] && there != [true, false, true] {
                prop_assert!(value.contains_key(id), "a task that nobody removed is there");
            }
            let needs = |side: &Backlog| side.get(id).map(|task| task.needs.clone()).unwrap_or_default();
            let sides = [needs(&base), needs(&ours), needs(&theirs)];
            let Some(task) = value.get(id) else { continue };
            for need in sides.concat() {
                if there == [true; 3] && is_kept(&need, [&sides[0], &sides[1], &sides[2]]) {
                    let edge = Change::AddNeed { task: id.clone(), need: need.clone() };
                    let told = lost.iter().any(|lost| lost.change == edge);
                    prop_assert!(task.needs.contains(&need) != told, "an edge is there, or it is told");
                }
            }
        }
        // Whatever is told can be accepted.
        let mut state = orch_core::state::State { tasks: value, ..Default::default() };
        for (n, lost) in lost.into_iter().enumerate() {
            prop_assert!(!lost.why.is_empty());
            prop_assert!(state.apply(&changed("review", n as u64 + 1, lost.change)));
            prop_assert!(is_acyclic(&state.tasks));
        }
    }

    /// Inputs that no fact can make: cycles on every side, needs unsorted and twice, loops of parents.
    #[test]
    fn no_cycle_comes_out_whatever_goes_in(sides in vec(vec((a_task(), vec(a_task(), 0..4), option::of(a_task()), 0..3i64), 0..6), 3)) {
        let side = |n: usize| -> Backlog {
            let task = |(id, needs, parent, second): &(TaskId, Vec<TaskId>, Option<TaskId>, i64)| Task {
                id: id.clone(),
                needs: needs.clone(),
                parent: parent.clone(),
                created_at: at(*second),
                ..task("")
            };
            sides[n].iter().map(task).map(|task| (task.id.clone(), task)).collect()
        };
        let [base, ours, theirs] = [0, 1, 2].map(side);
        let merged = merged(&base, &ours, &theirs);
        prop_assert!(is_acyclic(&merged.value));
        for task in merged.value.values() {
            let above = |task: &Task| merged.value.get(task.parent.as_ref()?);
            let chain = std::iter::successors(above(task), |task| above(task));
            prop_assert!(chain.take(9).count() < 9, "a task is a part of itself");
        }
    }

    /// Two clones, each with facts of its own on tasks of its own: merged, it is as if all had happened in one.
    #[test]
    fn two_clones_are_as_one(
        base in any_backlog(),
        here in vec((select(vec!["a", "b", "c"]), 0..7u8, a_claim(), commits()), 0..9),
        there in vec((select(vec!["d", "e", "f"]), 0..7u8, a_claim(), commits()), 0..9),
    ) {
        let change = |(name, kind, claim, commits): &(&str, u8, Claim, Vec<CommitId>)| {
            let task = id(name);
            match kind {
                0 => Change::AddTask { task: Box::new(crate::given::task(name)) },
                1 => Change::Claim { task, claim: claim.clone() },
                2 => Change::AnchorClaim { task, claim: claim.id.clone(), commits: commits.clone() },
                // Edges to tasks of no side: no cycle, so the order in which they are made plays no part.
                3 => Change::AddNeed { task, need: id(&format!("outside {}", claim.id)) },
                4 => Change::AddAlias { task, alias: claim.id.to_string() },
                5 => Change::EditTask { task, edit: TaskEdit { title: claim.reason.clone(), note: Some(claim.id.to_string()), ..TaskEdit::default() } },
                _ => Change::EditTask { task, edit: TaskEdit { owner: claim.reason.clone(), priority: Some(1), ..TaskEdit::default() } },
            }
        };
        let start = || orch_core::state::State { tasks: base.clone(), ..Default::default() };
        let (mut ours, mut theirs, mut one) = (start(), start(), start());
        for (n, given) in here.iter().enumerate() {
            let fact = changed("here", n as u64 + 1, change(given));
            ours.apply(&fact);
            one.apply(&fact);
        }
        for (n, given) in there.iter().enumerate() {
            let fact = changed("there", n as u64 + 1, change(given));
            theirs.apply(&fact);
            one.apply(&fact);
        }
        let merged = merged(&base, &ours.tasks, &theirs.tasks);
        prop_assert_eq!(merged.value, one.tasks);
        prop_assert!(merged.lost.is_empty());
    }
}
