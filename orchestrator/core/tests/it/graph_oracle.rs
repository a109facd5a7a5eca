//! The graph against oracles that are too slow to be used: people who do one task after the other, every chain tried,
//! every way walked.

use std::collections::BTreeSet;

use orch_core::graph::parents::{Progress, milestones, progress};
use orch_core::graph::reduce::reduced;
use orch_core::graph::tree::tree;
use orch_core::graph::waits::{blocked_by, unblocks};
use orch_core::graph::waves::{critical_path, waves};
use orch_core::graph::{Statuses, cycle_closed_by_parent, is_acyclic, ready, wait_closed_by};
use orch_protocol::ids::TaskId;
use orch_protocol::task::{Claim, ClaimState, Task, TaskStatus};
use orch_protocol::tasks::Tasks;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::given::*;

type Names = BTreeSet<TaskId>;

fn judged(tasks: &Tasks) -> Statuses {
    Statuses::judge(tasks, &here("main", &[]))
}

/// Up to nine tasks. `tame`: needs and parents form no cycle. Else they are what they happen to be.
fn backlog(tame: bool) -> impl Strategy<Value = Tasks> {
    use ClaimState::{Active, Blocked, Done, Dropped, Pending};
    let said = select(vec![
        None,
        None,
        None,
        Some(Pending),
        Some(Active),
        Some(Done),
        Some(Done),
        Some(Blocked),
        Some(Dropped),
    ]);
    let one = (
        said,
        vec(0..12usize, 0..4),
        proptest::option::weighted(0.4, 0..9usize),
        0..3u8,
        0..3i64,
        proptest::option::weighted(0.3, select(vec!["m", "n"])),
    );
    vec(one, 0..9).prop_map(move |all| {
        let name = |n: usize| format!("task {n}");
        let tasks = all.into_iter().enumerate();
        tasks
            .map(
                |(n, (claimed, needs, parent, priority, second, milestone))| {
                    let needs = needs
                        .into_iter()
                        .filter(|need| !tame || *need < n || *need > 8);
                    let parent = parent.filter(|parent| !tame || *parent > n);
                    let task = Task {
                        needs: needs.map(|need| id(&name(need))).collect(),
                        parent: parent.map(|parent| id(&name(parent))),
                        priority,
                        created_at: at(second),
                        milestone: milestone.map(str::to_owned),
                        claims: claimed.map(claim).into_iter().collect(),
                        ..task(&name(n))
                    };
                    (task.id.clone(), task)
                },
            )
            .collect()
    })
}

/// The backlog once somebody has said that these are done.
fn after(tasks: &Tasks, done: &Names) -> Tasks {
    let mut tasks = tasks.clone();
    for id in done {
        let said = Claim {
            at: at(1_000),
            ..claim(ClaimState::Done)
        };
        tasks.get_mut(id).unwrap().claims.push(said);
    }
    tasks
}

fn named(tasks: &[&Task]) -> Names {
    tasks.iter().map(|task| task.id.clone()).collect()
}

/// Parents that are done by their parts alone; nobody does them.
fn nobodys(tasks: &Tasks, statuses: &Statuses) -> Names {
    tasks
        .keys()
        .filter(|id| statuses.is_by_parts(id) && statuses.has_open_parts(id))
        .cloned()
        .collect()
}

fn can_be_done(tasks: &Tasks) -> Names {
    let statuses = judged(tasks);
    let active = tasks
        .keys()
        .filter(|id| statuses.of(id) == TaskStatus::Active)
        .cloned();
    let nobodys = nobodys(tasks, &statuses);
    let ready = named(&ready(tasks, &statuses));
    active
        .chain(ready)
        .filter(|id| !nobodys.contains(id))
        .collect()
}

/// What an open task waits for directly, said once more and plainly.
fn before(tasks: &Tasks, statuses: &Statuses, task: &Task) -> Names {
    let parts = tasks
        .values()
        .filter(|part| part.parent.as_ref() == Some(&task.id))
        .filter(|part| statuses.of(&part.id).is_open())
        .map(|part| part.id.clone());
    let unmet = task
        .needs
        .iter()
        .filter(|need| tasks.contains_key(need) && statuses.of(need) != TaskStatus::Done)
        .cloned();
    if !statuses.of(&task.id).is_open() {
        Names::new()
    } else if nobodys(tasks, statuses).contains(&task.id) {
        parts.collect()
    } else if statuses.of(&task.id) == TaskStatus::Active {
        Names::new()
    } else {
        parts.chain(unmet).collect()
    }
}

fn reached(from: &TaskId, step: &dyn Fn(&TaskId) -> Names) -> Names {
    let mut reached = Names::new();
    let mut open: Vec<TaskId> = step(from).into_iter().collect();
    while let Some(at) = open.pop() {
        if reached.insert(at.clone()) {
            open.extend(step(&at));
        }
    }
    reached
}

/// Every chain of open tasks that ends in `last`, tried one by one.
fn longest(tasks: &Tasks, statuses: &Statuses, last: &TaskId) -> usize {
    if !statuses.of(last).is_open() {
        return 0;
    }
    let own = usize::from(!nobodys(tasks, statuses).contains(last));
    let before = before(tasks, statuses, &tasks[last]);
    let most = before.iter().map(|id| longest(tasks, statuses, id)).max();
    own + most.unwrap_or(0)
}

/// Needs, and parts: what a command counts as waiting.
fn waits_for(tasks: &Tasks, id: &TaskId) -> Names {
    let parts = tasks
        .values()
        .filter(|part| part.parent.as_ref() == Some(id));
    let needs = tasks.get(id).map(|task| task.needs.clone());
    let parts = parts.map(|part| part.id.clone());
    parts.chain(needs.into_iter().flatten()).collect()
}

fn leaves(tasks: &Tasks, of: &TaskId) -> Names {
    let parts = |id: &TaskId| -> Names {
        tasks
            .values()
            .filter(|part| part.parent.as_ref() == Some(id))
            .map(|part| part.id.clone())
            .collect()
    };
    let mut below = reached(of, &parts);
    below.insert(of.clone());
    below.retain(|id| parts(id).is_empty());
    below
}

fn counted(tasks: &Names, statuses: &Statuses) -> Progress {
    let mut found = Progress::default();
    tasks.iter().for_each(|id| found.count(statuses.of(id)));
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn waves_are_what_people_would_do(tasks in backlog(true)) {
        let statuses = judged(&tasks);
        let found = waves(&tasks, &statuses);
        let mut world = tasks.clone();
        for wave in &found.waves {
            let wave = named(wave);
            prop_assert_eq!(&wave, &can_be_done(&world));
            world = after(&world, &wave);
        }
        prop_assert_eq!(can_be_done(&world), Names::new());
        let left = judged(&world);
        let nobodys = nobodys(&world, &left);
        let open: Names = world
            .keys()
            .filter(|id| left.of(id).is_open() && !nobodys.contains(*id))
            .cloned()
            .collect();
        prop_assert_eq!(named(&found.stuck), open);
    }

    #[test]
    fn what_a_task_frees_is_what_becomes_ready(tasks in backlog(true)) {
        let statuses = judged(&tasks);
        let ready_now = named(&ready(&tasks, &statuses));
        for (id, task) in &tasks {
            let found = unblocks(&tasks, &statuses, id);
            let next = named(&found.next);
            if statuses.of(id) != TaskStatus::Done {
                let world = after(&tasks, &Names::from([id.clone()]));
                let then = named(&ready(&world, &judged(&world)));
                let new: Names = then.difference(&ready_now).cloned().collect();
                prop_assert_eq!(&next, &new, "{}", task.title);
            }
            let downstream = named(&found.downstream);
            let waiting: Names = tasks
                .keys()
                .filter(|other| *other != id)
                .filter(|other| {
                    let mut waits = reached(other, &|id| before(&tasks, &statuses, &tasks[id]));
                    waits.insert((*other).clone());
                    waits.contains(id) || !waits.is_disjoint(&next)
                })
                .cloned()
                .collect();
            prop_assert_eq!(&downstream, &waiting, "{}", task.title);
            prop_assert!(next.is_subset(&downstream), "{}", task.title);
        }
    }

    #[test]
    fn what_holds_up_is_reached_by_walking(tasks in backlog(false)) {
        let statuses = judged(&tasks);
        let step = |id: &TaskId| before(&tasks, &statuses, &tasks[id]);
        for (id, task) in &tasks {
            let found = blocked_by(&tasks, &statuses, id);
            let mut first = reached(id, &step);
            first.remove(id);
            first.retain(|id| step(id).is_empty());
            prop_assert_eq!(named(&found.first), first, "{}", task.title);
            let unmet: Names = task
                .needs
                .iter()
                .filter(|need| tasks.contains_key(need) && statuses.of(need) != TaskStatus::Done)
                .cloned()
                .collect();
            prop_assert_eq!(named(&found.needs), unmet, "{}", task.title);
        }
    }

    #[test]
    fn no_chain_is_longer_than_the_critical_path(tasks in backlog(true)) {
        let statuses = judged(&tasks);
        let path = critical_path(&tasks, &statuses);
        let most = tasks.keys().map(|id| longest(&tasks, &statuses, id)).max();
        prop_assert_eq!(path.len(), most.unwrap_or(0));
        for pair in path.windows(2) {
            let behind = reached(&pair[1].id, &|id| before(&tasks, &statuses, &tasks[id]));
            prop_assert!(behind.contains(&pair[0].id));
        }
        if let Some(last) = path.last() {
            let key = |task: &Task| (task.priority, task.created_at, task.id.clone());
            for (id, task) in &tasks {
                let as_long = longest(&tasks, &statuses, id) == path.len();
                let nobodys = nobodys(&tasks, &statuses).contains(id);
                prop_assert!(!as_long || nobodys || key(last) <= key(task));
            }
        }
    }

    #[test]
    fn a_reduction_says_the_same_with_as_few_needs_as_can_be(tasks in backlog(false)) {
        let whole = |id: &TaskId| -> Names {
            let needs = tasks.get(id).into_iter().flat_map(|task| &task.needs);
            needs.filter(|need| tasks.contains_key(need)).cloned().collect()
        };
        let drawn = reduced(&tasks, |_| true);
        let few = |id: &TaskId| -> Names { drawn[id].iter().map(|id| (*id).clone()).collect() };
        let acyclic = is_acyclic(&tasks);
        for id in tasks.keys() {
            prop_assert!(few(id).is_subset(&whole(id)));
            prop_assert_eq!(reached(id, &few), reached(id, &whole));
            for need in few(id) {
                let over_others = |at: &TaskId| -> Names {
                    let mut to = few(at);
                    if at == id {
                        to.remove(&need);
                    }
                    to
                };
                prop_assert!(!acyclic || !reached(id, &over_others).contains(&need));
            }
        }
    }

    #[test]
    fn a_cycle_is_refused_exactly_when_there_would_be_one(tasks in backlog(false)) {
        for (one, other) in tasks.keys().flat_map(|a| tasks.keys().map(move |b| (a, b))) {
            let step = |id: &TaskId| waits_for(&tasks, id);
            let closes = one == other || reached(other, &step).contains(one);
            let found = wait_closed_by(&tasks, one, other);
            prop_assert_eq!(found.is_some(), closes);
            prop_assert_eq!(cycle_closed_by_parent(&tasks, other, one), found.clone());
            if let Some(way) = found {
                prop_assert_eq!((way.first(), way.get(1), way.last()), (Some(one), Some(other), Some(one)));
                for pair in way[1..].windows(2) {
                    prop_assert!(step(&pair[0]).contains(&pair[1]));
                }
            }
        }
    }

    #[test]
    fn progress_and_tree_count_everybody_once(tasks in backlog(false)) {
        let statuses = judged(&tasks);
        for (id, found) in progress(&tasks, &statuses) {
            prop_assert_eq!(found, counted(&leaves(&tasks, id), &statuses));
        }
        let of_m: Names = tasks
            .values()
            .filter(|task| task.milestone.as_deref() == Some("m"))
            .flat_map(|task| leaves(&tasks, &task.id))
            .collect();
        let found = milestones(&tasks, &statuses).remove("m").unwrap_or_default();
        prop_assert_eq!(found, counted(&of_m, &statuses));
        let rows = tree(&tasks, &statuses, usize::MAX, |_| true);
        prop_assert_eq!(rows.len(), tasks.len());
        let mut above: Vec<&TaskId> = Vec::new();
        for row in &rows {
            prop_assert!(row.depth <= above.len());
            above.truncate(row.depth);
            if let Some(parent) = above.last() {
                prop_assert_eq!(row.task.parent.as_ref(), Some(*parent));
            }
            above.push(&row.task.id);
        }
        let names: Names = rows.iter().map(|row| row.task.id.clone()).collect();
        prop_assert_eq!(names.len(), tasks.len());
        // Cut at depth one, what is hidden is told.
        let cut = tree(&tasks, &statuses, 1, |_| true);
        let roots = rows.iter().filter(|row| row.depth == 0).count();
        prop_assert_eq!(cut.len(), roots);
        let hidden: usize = cut.iter().map(|row| row.hidden).sum();
        prop_assert_eq!(hidden, rows.iter().filter(|row| row.depth == 1).count());
    }

    #[test]
    fn a_wild_backlog_is_borne(tasks in backlog(false)) {
        let statuses = judged(&tasks);
        let found = waves(&tasks, &statuses);
        let first: Names = found.waves.first().map(|wave| named(wave)).unwrap_or_default();
        prop_assert_eq!(first, can_be_done(&tasks));
        let _ = critical_path(&tasks, &statuses);
    }
}
