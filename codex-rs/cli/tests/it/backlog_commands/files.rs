//! What is drawn, taken over and handed out, and tasks as documents in an editor. The oracles are git, and what was given.

use serde_json::Value;

use super::{filled, id, run, tasks};
use crate::screen::Screen;
use crate::world::{Output, Running, World, text};

#[test]
fn the_graph_is_drawn_where_it_is_wanted() {
    let world = filled();
    assert_eq!(
        run(&world, &["graph"]),
        "\
B  ○ ready    Base  p0  @ada
G  ◌ pending  Goal  0/2  p1
C  ○ ready    ├─ Charlie  @Ben
D  ○ ready    └─ Delta  @Ben
A  ◌ pending  Alpha
"
    );
    assert_eq!(
        run(
            &world,
            &["graph", "--ascii", "--focus", &id(&world, "Alpha")]
        ),
        "B  o ready    Base  p0  @ada\nA  . pending  Alpha\n"
    );
    let waves = run(&world, &["graph", "--format", "graph"]);
    assert!(waves.contains("wave 2"), "{waves}");
    for (format, begins) in [
        ("dot", "digraph tasks {"),
        ("mermaid", "flowchart LR"),
        ("svg", "<?xml "),
        ("html", "<!doctype html>"),
    ] {
        let drawn = tasks(&world, &["graph", "--format", format]).ok().stdout;
        let head = drawn.trim_start().to_lowercase();
        assert!(head.starts_with(&begins.to_lowercase()), "{drawn}");
    }

    // By the name of the file, and never over another one.
    let file = world.root().join("graph.svg");
    let file = file.to_str().unwrap();
    tasks(&world, &["graph", "-o", file]).ok();
    let svg = std::fs::read_to_string(file).unwrap();
    assert!(svg.contains("<svg "), "{svg}");
    std::fs::write(file, "mine").unwrap();
    tasks(&world, &["graph", "-o", file])
        .exits(2)
        .is_trouble("is there already", "--force");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    tasks(&world, &["graph", "--all", "-o", file, "--force"]).ok();
    assert_eq!(std::fs::read_to_string(file).unwrap(), svg);
    tasks(&world, &["graph", "-o", "no/such/folder.svg"])
        .exits(1)
        .is_trouble("Failed to write no/such/folder.svg", "folder");

    let mut command = world.command(&["tasks", "graph", "--format", "svg"]);
    let screen = Screen::of(command.env("TERM", "xterm-256color"));
    screen.until("-o backlog.svg");
    assert_eq!(screen.exit_code(), 2);
}

const LIST: &str = "# Release\n\n- [x] Write it\n- [ ] Ship it\n  - [ ] Tell everybody\n";

#[test]
fn what_is_taken_over_twice_is_there_once() {
    let world = filled();
    let before = world.tasks();
    let import = |args: &[&str]| tasks(&world, &[&["import", "TODO.md"], args].concat());
    std::fs::write(world.repo.join("TODO.md"), LIST).unwrap();
    let told = import(&["--dry-run"]).ok().stdout;
    assert_eq!(told.matches("would add").count(), 3, "{told}");
    assert_eq!(world.tasks(), before, "nothing has changed");

    assert_eq!(
        run(&world, &["import", "TODO.md"]),
        "added W  Write it\nadded S  Ship it\nadded T  Tell everybody\n"
    );
    assert_eq!(world.task("Write it")["status"], "done");
    assert_eq!(
        world.task("Tell everybody")["parent"],
        world.task("Ship it")["id"]
    );
    assert_eq!(world.task("Ship it")["milestone"], "Release");
    let after = world.tasks();
    let again = import(&[]).ok();
    assert_eq!(again.stdout, "");
    assert!(
        again
            .stderr
            .contains("nothing was added: all 3 are there already"),
        "{again:#?}"
    );
    // It stands somewhere else in the file, and is the same; what is new comes in alone.
    std::fs::write(
        world.repo.join("TODO.md"),
        LIST.to_owned() + "- [ ] Begin again\n",
    )
    .unwrap();
    let more = import(&["--json"]).ok();
    let more_json: Value = serde_json::from_str(&more.stdout).unwrap();
    assert_eq!(more_json["tasks"].as_array().unwrap().len(), 1);
    assert!(
        more.stderr.contains("3 more are there already"),
        "{more:#?}"
    );
    assert_eq!(world.tasks().len(), after.len() + 1);
    // Each import is one operation.
    for _ in 0..2 {
        world.run(&["state", "undo"]).ok();
    }
    assert_eq!(world.tasks(), before);

    std::fs::create_dir(world.repo.join(".beads")).unwrap();
    let broken = "{\"id\": \"a-1\", \"title\": \"One\"}\n{\"id\": \n";
    std::fs::write(world.repo.join(".beads/issues.jsonl"), broken).unwrap();
    tasks(&world, &["import", "."])
        .exits(2)
        .is_trouble(":2:", "mend that line");
    tasks(&world, &["import", "nowhere.md"])
        .exits(2)
        .is_trouble("nowhere.md", "name the file");
    assert_eq!(world.tasks(), before);
}

#[test]
fn what_is_handed_out_says_what_is_listed() {
    let world = filled();
    run(&world, &["done", &id(&world, "Base")]);
    let out = |args: &[&str]| tasks(&world, &[&["export"], args].concat()).ok().stdout;
    let titles = |json: &str| -> Vec<String> {
        let json: Value = serde_json::from_str(json).unwrap();
        let tasks = json["tasks"].as_array().unwrap();
        tasks
            .iter()
            .map(|task| text(&task["title"]).to_owned())
            .collect()
    };
    assert_eq!(
        titles(&out(&["--format", "json"])),
        ["Alpha", "Goal", "Charlie", "Delta"]
    );
    assert_eq!(titles(&out(&["--format", "json", "--all"])).len(), 5);
    assert!(out(&[]).contains("title: Alpha"));
    // Our own checklist names our own tasks: taken over again, it adds nothing.
    let file = world.repo.join("list.md");
    let to_file = ["export", "--all", "--format", "markdown", "-o"];
    tasks(&world, &[&to_file[..], &[file.to_str().unwrap()]].concat()).ok();
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("- [x] Base")
    );
    let again = tasks(&world, &["import", "list.md"]).ok();
    assert!(
        again.stderr.contains("all 5 are there already"),
        "{again:#?}"
    );
    let lines = out(&["--format", "beads", "--all"]);
    assert_eq!(lines.lines().count(), 5);
    for line in lines.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

fn edited(world: &World, names: &[&str], script: &str) -> Output {
    let mut command = world.command(&[&["tasks", "edit"], names].concat());
    command.env("EDITOR", format!("sh -c '{script}' editor"));
    command.env("TMPDIR", world.root());
    Running::start(&mut command).finish()
}

#[test]
fn tasks_are_edited_as_a_document_and_nothing_of_it_is_lost() {
    let world = filled();
    let [base, alpha] = ["Base", "Alpha"].map(|title| id(&world, title));
    let others = world.tasks().len();
    let output = edited(
        &world,
        &[&base, &alpha],
        "sed -i -e \"s/title: Alpha/title: Alfa/\" -e \"0,/status: pending/s//status: done/\" \
         -e \"s/owner: ada/owner: eve/\" \"$1\"",
    )
    .ok();
    assert!(output.stdout.contains("changed"), "{output:#?}");
    let (a, b) = (world.task("Alfa"), world.task("Base"));
    assert_eq!((&b["status"], &b["owner"]), (&"done".into(), &"eve".into()));
    assert_eq!(a["status"], "pending");
    assert_eq!(world.tasks().len(), others, "the others stay");

    assert!(
        edited(&world, &[&base], "true")
            .ok()
            .stderr
            .contains("nothing was changed")
    );
    // To take a task out of the document says nothing of it.
    edited(&world, &[&base], "echo \"tasks: []\" > \"$1\"").ok();
    assert_eq!(world.task("Base")["status"], "done");

    let before = world.tasks();
    let output = edited(
        &world,
        &[&alpha],
        "sed -i \"s/status: pending/status: finished/\" \"$1\"",
    )
    .exits(1);
    assert!(
        output.stderr.contains("\"finished\" is no status"),
        "{output:#?}"
    );
    let kept = output.stderr.split("kept in ").nth(1).unwrap();
    let kept = std::fs::read_to_string(kept.lines().next().unwrap()).unwrap();
    assert!(kept.contains("status: finished") && kept.contains("title: Alfa"));
    assert_eq!(world.tasks(), before);
}
