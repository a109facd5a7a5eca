//! `codex-orch tasks` as a person uses it. What listings say is normalised: an id becomes the first letter of its task's
//! title.

mod files;
mod judged;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::places::listing;
use crate::screen::Screen;
use crate::world::{Output, Running, World, text};

/// A backlog of five tasks: Base, Alpha (needs Base), Goal with the parts Charlie and Delta.
fn filled() -> World {
    let world = World::new(json!([]));
    run(
        &world,
        &[
            "add",
            "Base",
            "-p",
            "0",
            "--owner",
            "ada",
            "--note",
            "Mind the tabs",
        ],
    );
    run(
        &world,
        &[
            "add",
            "Alpha",
            "--need",
            &id(&world, "Base"),
            "--milestone",
            "First",
        ],
    );
    run(&world, &["add", "Goal", "-p", "1"]);
    let goal = id(&world, "Goal");
    let parts = ["add", "--stdin", "--parent", &goal, "--owner", "Ben"];
    fed(&world, &parts, "Charlie\n\n  Delta \n").ok();
    world
}

fn tasks(world: &World, args: &[&str]) -> Output {
    world.run(&[&["tasks"], args].concat())
}

/// A command that must succeed; what it printed, normalised.
#[track_caller]
fn run(world: &World, args: &[&str]) -> String {
    normal(world, &tasks(world, args).ok().stdout)
}

/// A command that reads `stdin`.
fn fed(world: &World, args: &[&str], stdin: &str) -> Output {
    let mut command = world.command(&[&["tasks"], args].concat());
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut pipe = running.child().stdin.take().unwrap();
    pipe.write_all(stdin.as_bytes()).unwrap();
    drop(pipe);
    running.finish()
}

fn id(world: &World, title: &str) -> String {
    text(&world.task(title)["id"]).to_owned()
}

fn normal(world: &World, printed: &str) -> String {
    let mut printed = printed.to_owned();
    for task in world.tasks() {
        let title = text(&task["title"]);
        printed = printed.replace(text(&task["id"]), &title[..1]);
    }
    printed
}

/// The titles that a listing with `args` shows, in its order, as their first letters.
#[track_caller]
fn listed(world: &World, args: &[&str]) -> String {
    let rows = run(world, &[&["list"], args].concat());
    let rows = rows.lines().filter(|row| !row.starts_with(' '));
    rows.map(|row| &row[..1]).collect()
}

#[test]
fn what_concerns_one_now_comes_first() {
    let world = filled();
    let [base, delta] = ["Base", "Delta"].map(|title| id(&world, title));
    assert_eq!(run(&world, &["start", &delta]), "started D  Delta\n");
    assert_eq!(
        run(&world, &[]),
        "\
G  active   p1  Goal  0/2
D  active   p2  Delta  @Ben
B  ready    p0  Base  @ada
C  ready    p2  Charlie  @Ben
A  pending  p2  Alpha  #First  (needs 1)
"
    );
    assert_eq!(
        run(&world, &["ready"]),
        "B  ready    p0  Base  @ada\nC  ready    p2  Charlie  @Ben\n"
    );
    assert_eq!(
        run(&world, &["done", &base, &delta]),
        "done B  Base\ndone D  Delta\n"
    );
    assert_eq!(
        run(&world, &["list", "--all", "--tree", "--sort", "title"]),
        "\
A  ready    p2  Alpha  #First
B  done     p0  Base  @ada
G  active   p1  Goal  1/2
C  ready    p2  ├─ Charlie  @Ben
D  done     p2  └─ Delta  @Ben
"
    );
}

#[test]
fn filters_and_orders_are_what_they_say() {
    let world = filled();
    run(
        &world,
        &[
            "drop",
            &id(&world, "Charlie"),
            "--reason",
            "nobody asked for it",
        ],
    );
    for (args, expect) in [
        (&["--sort", "title"][..], "ABDG"),
        (&["--sort", "-title"], "GDBA"),
        (&["--sort", "owner,-created"], "DBGA"),
        (&["--all", "--sort", "created"], "BAGCD"),
        (&["--owner", "ben"], "D"),
        (&["--owner", "", "--sort", "title"], "AG"),
        (&["--priority", "0-1"], "BG"),
        (&["--status", "dropped"], "C"),
        (&["--status", "pending,dropped", "--sort", "title"], "ABCDG"),
        (&["--status", "ready", "--sort", "title"], "BD"),
        (&["--milestone", "first"], "A"),
        (&["--text", "TABS mind"], "B"),
        (&["--branch", "main", "--all"], "C"),
        (
            &["--since", "yesterday", "--sort", "title", "-n", "2"],
            "AB",
        ),
        (
            &["--until", "today", "--since", "1 hour ago", "-p", "0"],
            "B",
        ),
    ] {
        assert_eq!(listed(&world, args), expect, "{args:?}");
    }
    let goal = id(&world, "Goal");
    assert_eq!(
        listed(&world, &["--parent", &goal, "--all", "--sort", "title"]),
        "CD"
    );
    for args in [
        &["list", "--until", "2020-01-01"][..],
        &["list", "--text", "nowhere", "--all"],
        &["search", "nowhere"],
    ] {
        let output = tasks(&world, args).ok();
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("no tasks match"), "{output:#?}");
    }
    let found = run(&world, &["search", "asked", "charlie"]);
    assert!(found.starts_with("C  dropped"), "{found}");
    assert!(
        found.contains("\n            nobody asked for it\n"),
        "{found}"
    );
}

#[test]
fn of_several_all_are_changed_or_none() {
    let world = filled();
    let before = world.tasks();
    let [base, alpha, goal, delta] = ["Base", "Alpha", "Goal", "Delta"].map(|it| id(&world, it));
    let refused = |args: &[&str], what: &str| {
        let output = tasks(&world, args).exits(2);
        assert!(normal(&world, &output.stderr).contains(what), "{output:#?}");
    };
    refused(&["done", &base, "nosuch"], "there is no task \"nosuch\"");
    refused(
        &["need", &base, &delta, &alpha],
        "a cycle: B (Base) → A (Alpha) → B (Base)",
    );
    refused(
        &["edit", &goal, "--parent", &delta],
        "itself: D (Delta) → G (Goal) → D (Delta)",
    );
    refused(
        &["edit", &goal, "--title", "x", "--priority", "7"],
        "priority 7",
    );
    refused(
        &["done", &base, "--commit", "HEAD", "--commit", "nosuch"],
        "no commit that HEAD",
    );
    let output = fed(&world, &["add", "--stdin", "--parent", "nosuch"], "x\ny\n").exits(2);
    output.is_trouble("there is no task \"nosuch\"", "list --all");
    assert_eq!(world.tasks(), before);
    // Every id begins with nothing: an error that names some of them with their titles.
    let long = world.tasks().len();
    fed(&world, &["add", "--stdin"], &"Many\n".repeat(40)).ok();
    assert_eq!(world.tasks().len(), long + 40);
    let first = |task: &Value| text(&task["id"])[..1].to_owned();
    let firsts: Vec<String> = world.tasks().iter().map(first).collect();
    let twice = firsts
        .iter()
        .find(|one| firsts.iter().filter(|other| other == one).count() > 1);
    let output = tasks(&world, &["show", twice.unwrap()]).exits(2);
    output.is_trouble("begins more than one id", "more characters");
    let is_named = |task: &Value| {
        output
            .stderr
            .contains(&format!("({})", text(&task["title"])))
    };
    assert!(world.tasks().iter().any(is_named), "{output:#?}");
}

#[test]
fn fields_are_changed_and_cleared() {
    let world = filled();
    let [base, alpha, goal] = ["Base", "Alpha", "Goal"].map(|title| id(&world, title));
    let edit = [
        "edit",
        &alpha,
        "--owner",
        "eve",
        "--parent",
        &goal,
        "--target-commit",
        "HEAD",
    ];
    run(&world, &edit);
    run(
        &world,
        &[
            "edit",
            &alpha,
            &base,
            "--acceptance",
            "It is seen",
            "-p",
            "3",
        ],
    );
    run(&world, &["note", &alpha, "two", "words"]);
    let (a, b) = (world.task("Alpha"), world.task("Base"));
    assert_eq!([&a["owner"], &a["parent"]], ["eve", &goal]);
    assert_eq!(a["target_commit"], world.head());
    assert_eq!(a["notes"], json!(["two words"]));
    for task in [&a, &b] {
        assert_eq!(
            (&task["acceptance"], &task["priority"]),
            (&json!("It is seen"), &json!(3))
        );
    }
    run(
        &world,
        &[
            "edit",
            &alpha,
            "--owner",
            "",
            "--parent",
            "",
            "--target-commit",
            "",
            "--acceptance",
            "",
        ],
    );
    run(&world, &["unneed", &alpha, &base]);
    let a = world.task("Alpha");
    for cleared in ["owner", "parent", "target_commit", "acceptance"] {
        assert_eq!(a[cleared], Value::Null, "{cleared}");
    }
    assert_eq!(a["needs"], json!([]));
}

#[test]
fn a_commit_is_named_as_git_names_it_and_decides_where() {
    let world = filled();
    let [base, goal] = ["Base", "Goal"].map(|title| id(&world, title));
    world.git(&["switch", "-qc", "feature"]);
    let made = world.commit("a.txt", "a", "a");
    world.commit("b.txt", "b", "b");
    run(
        &world,
        &["done", &base, "--commit", "HEAD~1", "--reason", "it works"],
    );
    assert_eq!(world.task("Base")["claims"][0]["commits"], json!([made]));
    world.git(&["switch", "-q", "main"]);
    tasks(&world, &["done", &goal, "--commit", "feature"])
        .exits(2)
        .is_trouble("\"feature\" is no commit that HEAD reaches", "git merge");
    let row = run(&world, &["list", "--text", "base"]);
    assert_eq!(row, "B  ready    p0  Base  @ada  (done on feature)\n");

    let shown = run(&world, &["show", &base]);
    let short = &made[..10];
    for line in [
        "status      ready\n            nothing that was said of it holds here\n",
        "            not here: done, says a person on feature, just now (",
        "            done on feature, not here\n",
        &format!("              in {short}: HEAD doesn't reach it; feature does\n"),
        "note        Mind the tabs\n",
        "unblocks    A  pending  p2  Alpha",
        "created     just now (",
        "origin      added by a person on main\n",
    ] {
        assert!(shown.contains(line), "{line:?} is missing in {shown}");
    }
    let why = &world.run(&["tasks", "show", &base, "--json"]).ok().stdout;
    let why: Value = serde_json::from_str(why).unwrap();
    assert_eq!(why["tasks"][0]["why"]["decides"], Value::Null);
    assert_eq!(
        why["tasks"][0]["why"]["claims"][0]["commits"],
        json!([{"commit": made, "here": false, "branches": ["feature"]}])
    );

    world.git(&["merge", "-q", "feature"]);
    let shown = run(&world, &["show", &base]);
    assert!(
        shown.contains(&format!("in {short}: HEAD reaches it\n")),
        "{shown}"
    );
    let log = run(&world, &["log", &base]);
    let told: Vec<&str> = log
        .lines()
        .map(|line| line.get(34..).unwrap_or(line))
        .collect();
    let done = format!("done on feature, in {short}: it works");
    assert_eq!(
        told[1..],
        ["added by a person on main", &done, "note: Mind the tabs"]
    );
    run(&world, &["reopen", &base]);
    assert_eq!(world.task("Base")["status"], "pending");
}

#[test]
fn milestones_show_how_far_they_are() {
    let world = filled();
    let base = id(&world, "Base");
    run(
        &world,
        &[
            "milestone",
            "set",
            "First",
            "--text",
            "To be shown",
            "--due",
            "2020-01-31",
        ],
    );
    run(&world, &["edit", &base, "--milestone", "FIRST"]);
    run(&world, &["done", &base]);
    let shown = run(&world, &["milestone"]);
    assert!(
        shown.starts_with("First  █████░░░░░      1/2  due 2020-01-31, "),
        "{shown}"
    );
    assert!(shown.ends_with(" days late  To be shown\n"), "{shown}");
    let json = world.run(&["tasks", "milestone", "--json"]).ok().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["milestones"],
        json!([{"name": "First", "text": "To be shown", "due": "2020-01-31", "done": 1, "total": 2}])
    );
    run(&world, &["milestone", "remove", "first"]);
    assert!(
        tasks(&world, &["milestone"])
            .ok()
            .stderr
            .contains("no milestones")
    );
    assert_eq!(listed(&world, &["--all", "--milestone", "First"]), "");
}

#[test]
fn a_remark_is_written_in_the_editor_and_never_lost() {
    let world = filled();
    let base = id(&world, "Base");
    let edited = |script: &str| {
        let mut command = world.command(&["tasks", "note", &base]);
        command.env("EDITOR", format!("sh -c '{script}' editor"));
        command.env("TMPDIR", world.root());
        Running::start(&mut command).finish()
    };
    edited("echo \"from the editor\" >> \"$1\"").ok();
    // Editors write a new file and rename it.
    edited("echo replaced > \"$1.new\" && mv \"$1.new\" \"$1\"").ok();
    assert_eq!(
        world.task("Base")["notes"],
        json!(["Mind the tabs", "from the editor", "replaced"])
    );
    assert!(edited("true").ok().stderr.contains("nothing was changed"));
    edited("exit 3")
        .exits(1)
        .is_trouble("ended with exit status: 3", "EDITOR");
    let kept = |output: Output| {
        let path = output
            .stderr
            .split("kept in ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        std::fs::read(path).unwrap()
    };
    let long = "head -c 9000 /dev/zero | tr \"\\\\0\" x > \"$1\"";
    assert_eq!(kept(edited(long).exits(1)), vec![b'x'; 9_000]);
    assert_eq!(
        kept(edited("printf \"\\\\377\" > \"$1\"").exits(1)),
        b"\xff"
    );
    assert_eq!(
        kept(edited("echo half > \"$1\"; exit 1").exits(1)),
        b"half\n"
    );
    assert_eq!(world.task("Base")["notes"].as_array().unwrap().len(), 3);
}

#[test]
fn a_shell_is_answered_at_once_and_nothing_is_written() {
    let world = filled();
    let base = id(&world, "Base");
    run(&world, &["done", &id(&world, "Charlie")]);
    // An outline of the backlog is cached by whoever reads it first.
    run(&world, &["ready"]);
    let answer = |words: &[&str]| {
        let line = [&["--", "codex-orch"], words].concat();
        let mut command = world.command(&line);
        command.env("CODEX_ORCH_COMPLETE", "fish");
        let output = Running::start(&mut command).finish().ok();
        assert_eq!(output.stderr, "");
        output.stdout
    };
    let (home, repo) = (listing(&world.home), listing(&world.repo));
    let offered = normal(&world, &answer(&["tasks", "done", ""]));
    assert!(
        offered.starts_with("B\tBase\nG\tGoal\nA\tAlpha\nD\tDelta\n"),
        "{offered}"
    );
    let upper = base[..6].to_uppercase();
    assert_eq!(
        answer(&["tasks", "show", &upper]),
        format!("{upper}{}\tBase\n", &base[6..])
    );
    assert_eq!(answer(&["tasks", "list", "--milestone", "F"]), "First\n");
    assert_eq!(answer(&["tasks", "show", "../x"]), "");
    assert_eq!(answer(&["exec", ""]), "");
    assert!(
        (home, repo) == (listing(&world.home), listing(&world.repo)),
        "nothing is written"
    );
    std::fs::remove_dir_all(world.store().join("store.git/objects")).unwrap();
    assert!(!answer(&["tasks", "done", ""]).contains("Base"));
    for shell in ["bash", "zsh", "fish"] {
        let script = tasks(&world, &["completion", shell]).ok().stdout;
        assert!(script.contains("CODEX_ORCH_COMPLETE"), "{script}");
    }
}

#[test]
fn colour_is_for_those_who_take_it_and_titles_bring_none() {
    let world = World::new(json!([]));
    run(
        &world,
        &["add", "Red \u{1b}[31malert\u{1b}[0m \u{202e}gnp.exe"],
    );
    let colours = |args: &[&str], name: &str, value: &str| {
        let mut command = world.command(&[&["tasks", "list"], args].concat());
        let output = Running::start(command.env(name, value)).finish().ok();
        assert!(!output.stdout.contains("\u{1b}[31ma"), "{output:?}");
        output.stdout.contains('\u{1b}')
    };
    assert!(!colours(&[], "TERM", "xterm-256color"), "a pipe takes none");
    assert!(colours(&["--color", "always"], "NO_COLOR", "1"));
    assert!(colours(&[], "CLICOLOR_FORCE", "1"));
    assert!(!colours(&["--color", "never"], "CLICOLOR_FORCE", "1"));
    let wide = |columns: &str| {
        let mut command = world.command(&["tasks", "list"]);
        Running::start(command.env("COLUMNS", columns))
            .finish()
            .ok()
            .stdout
    };
    assert!(
        wide("40").ends_with("p2  Red [31malert[…\n"),
        "{}",
        wide("40")
    );
    assert!(wide("400").ends_with("p2  Red [31malert[0m gnp.exe\n"));
}

#[test]
fn long_listings_go_through_the_pager_and_a_reader_may_leave() {
    let world = World::new(json!([]));
    let titles: String = (0..3_000).map(|n| format!("Task {n}\n")).collect();
    fed(&world, &["add", "--stdin"], &titles).ok();
    let mut command = world.command(&["tasks", "list", "--sort", "created"]);
    command
        .env("PAGER", "sh -c 'cat > paged'")
        .env("TERM", "xterm-256color");
    assert_eq!(Screen::of(&command).exit_code(), 0);
    let paged = std::fs::read_to_string(world.repo.join("paged")).unwrap();
    assert_eq!(paged.lines().count(), 3_000);
    assert!(paged.contains('\u{1b}'), "a terminal takes colour");
    assert!(paged.lines().last().unwrap().contains("Task 2999"));
    let mut command = world.command(&["tasks", "list", "--sort", "created", "-n", "3"]);
    command
        .env("PAGER", "sh -c 'cat > short'")
        .env("TERM", "xterm-256color");
    Screen::of(&command).until("Task 2").exit();
    assert!(
        !world.repo.join("short").exists(),
        "what fits needs no pager"
    );

    let mut running = world.start(&["tasks", "list"]);
    drop(running.child().stdout.take());
    let output = running.finish().ok();
    assert_eq!(output.stderr, "");
}
