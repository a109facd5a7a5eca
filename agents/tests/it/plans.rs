//! Plans against plans: which steps of a sequence of plans end up as which tasks. What is given are plans; what is
//! expected is the backlog as titles (a task's first wording) with their statuses. Each case runs three ways: all plans in
//! one turn, a turn a plan, and a thread a plan where the case says that this gives the same.

use crate::given::{World, plan};

#[track_caller]
fn check(plans: &[&[&str]], expect: &[&str]) {
    let mut one = World::new();
    one.apply_all = true;
    one.turn(plans.iter().map(|steps| plan(steps)).collect(), vec![], &[]);
    assert_eq!(one.backlog(), expect, "in one turn");
    let mut many = World::new();
    many.apply_all = true;
    for steps in plans {
        many.turn(vec![plan(steps)], vec![], &[]);
    }
    assert_eq!(many.backlog(), expect, "in turns of their own");
}

#[test]
fn steps_are_followed_through_rewordings() {
    check(
        &[
            &[
                "> Review code and requirements",
                "Draft a proposal for the change",
                "Apply approved changes",
            ],
            &[
                "x Review requirements and code",
                "> Draft change proposal; await approval",
                "Apply the approved changes and verify",
            ],
            &[
                "x Review requirements and code",
                "x Draft change proposal; await approval",
                "> Implement what was approved",
            ],
        ],
        &[
            "Apply approved changes: active",
            "Draft a proposal for the change: done",
            "Review code and requirements: done",
        ],
    );
    // By elimination: all others stand where they stood.
    check(
        &[
            &[
                "x Inspect scheduler",
                "> Rework queue locking",
                "Run benchmarks",
            ],
            &[
                "x Inspect scheduler",
                "> Replace mutex by channel in queue",
                "Run benchmarks",
            ],
        ],
        &[
            "Inspect scheduler: done",
            "Rework queue locking: active",
            "Run benchmarks: pending",
        ],
    );
    // An inserted step is new, and takes nobody's place.
    check(
        &[
            &["x Execute Group 3 specs", "Report results"],
            &[
                "x Execute Group 3 specs",
                "> Execute Group 4 specs",
                "Report results",
            ],
        ],
        &[
            "Execute Group 3 specs: done",
            "Execute Group 4 specs: active",
            "Report results: pending",
        ],
    );
    // Reordered, renumbered.
    check(
        &[
            &["1. Add parser", "2. Add lexer", "3. Write docs"],
            &["1. Write docs", "2. Add lexer", "3. > no", "4. Add parser"],
        ],
        &[
            "1. Add parser: pending",
            "2. Add lexer: pending",
            "3. > no: pending",
            "3. Write docs: pending",
        ],
    );
}

#[test]
fn what_differs_stays_apart() {
    check(
        &[
            &["Add tests for parser", "Add tests for lexer"],
            &[
                "Add tests for lexer",
                "Add tests for parser",
                "Add tests for printer",
            ],
        ],
        &[
            "Add tests for lexer: pending",
            "Add tests for parser: pending",
            "Add tests for printer: pending",
        ],
    );
    check(
        &[
            &["x Implement US1 with tests", "> Implement US2 with tests"],
            &["x Implement US2 with tests", "> Implement US3 with tests"],
        ],
        &[
            "Implement US1 with tests: done",
            "Implement US2 with tests: done",
            "Implement US3 with tests: active",
        ],
    );
    // The same words twice are two tasks.
    check(
        &[
            &["Run tests", "Fix foo.rs", "Run tests"],
            &["x Run tests", "> Fix foo.rs", "Run tests"],
        ],
        &[
            "Fix foo.rs: active",
            "Run tests: done",
            "Run tests: pending",
        ],
    );
    // A finished task isn't renamed into the next piece of work.
    check(
        &[
            &["x Review importer", "x Draft fix for importer"],
            &["> Review exporter", "Draft fix for exporter"],
        ],
        &[
            "Draft fix for exporter: pending",
            "Draft fix for importer: done",
            "Review exporter: active",
            "Review importer: done",
        ],
    );
}

#[test]
fn nothing_is_lost() {
    // A wholly replaced plan leaves the old tasks open.
    check(
        &[
            &["Add dark mode", "Translate menus"],
            &["> Profile startup", "Cache icons"],
        ],
        &[
            "Add dark mode: pending",
            "Cache icons: pending",
            "Profile startup: active",
            "Translate menus: pending",
        ],
    );
    // Split: one part is the task, the other new. Merged: one is the task, the other stays open.
    check(
        &[
            &["Implement parser and write its docs"],
            &["> Implement parser", "Publish package"],
        ],
        &[
            "Implement parser and write its docs: active",
            "Publish package: pending",
        ],
    );
    // Done, and back again with the same words.
    check(
        &[&["x Add cache layer"], &["Add cache layer"]],
        &["Add cache layer: pending"],
    );
    check(&[&["", "\u{200b}", "  "], &["> Go on"]], &["Go on: active"]);
}

#[test]
fn another_thread_takes_up_what_it_saw() {
    let mut world = World::new();
    world.turn(
        vec![plan(&[
            "> Add rate limiting to gateway",
            "Run tests",
            "Update README",
        ])],
        vec![],
        &[],
    );
    let id = world.task("Update README").id.clone();
    world.open("t2");
    world.turn(
        vec![plan(&[
            "x Implement gateway rate limiting",
            "Run tests",
            &format!("> [{id}] Readme, new flags"),
        ])],
        vec![],
        &[],
    );
    world.turn(
        vec![plan(&[
            "x Implement gateway rate limiting",
            "x Run tests",
            "x Readme, new flags",
            "Ship it",
        ])],
        vec![],
        &[],
    );
    let titles: Vec<&str> = world
        .state
        .tasks
        .values()
        .filter(|task| task.parent.is_some())
        .map(|task| task.title.as_str())
        .collect();
    assert_eq!(titles.len(), 4, "{titles:?}");
    // Unrelated work that happens to run tests, too, does not.
    world.open("t3");
    world.turn(vec![plan(&["> Translate menus", "Run tests"])], vec![], &[]);
    let tests = world
        .state
        .tasks
        .values()
        .filter(|task| task.title == "Run tests")
        .count();
    assert_eq!(tests, 2);
    // One goal a thread that added something.
    let goals = world
        .state
        .tasks
        .values()
        .filter(|task| task.parent.is_none())
        .count();
    assert_eq!(goals, 3);
}
