//! Each format as its tool writes it. `tasks.json` and `backlog/` were made by Task Master 0.43.1 and Backlog.md 1.52.0.

use std::path::Path;

use orch_protocol::ids::TaskId;
use orch_protocol::task::{Actor, ClaimState, Origin};
use orch_runtime::exchange::{Format, Given, parse};

use super::{ISSUES, ours, read, the, told};

#[test]
fn beads_issues_arrive_with_everything_they_say() {
    let imported = read(Format::Beads, "issues.jsonl", ISSUES);
    assert_eq!(imported.tasks.len(), 4, "all but the tombstone");

    let epic = the(&imported, "demo-1");
    assert_eq!((epic.state, epic.priority), (ClaimState::Active, 0));
    assert_eq!(epic.owner.as_deref(), Some("ana"));
    assert_eq!(epic.acceptance.as_deref(), Some("cargo test passes"));
    assert_eq!(
        epic.created_at.unwrap().to_string(),
        "2026-03-01T16:00:00.5Z"
    );
    assert_eq!(
        epic.notes,
        [
            "description: All of it.\n\n## Why\nUsers wait.",
            "type: epic"
        ]
    );

    let lexer = the(&imported, "demo-1.1");
    assert_eq!(lexer.state, ClaimState::Done);
    assert_eq!(lexer.reason.as_deref(), Some("merged in #12"));
    assert_eq!(lexer.stated_at.unwrap().to_string(), "2026-03-03T09:00:00Z");
    assert_eq!(lexer.parent.as_deref(), Some("demo-1"));
    assert_eq!(lexer.notes, ["design: One pass.", "seen twice"]);

    let grammar = the(&imported, "demo-1.2");
    assert_eq!(grammar.needs, ["demo-1.1"]);
    assert_eq!(grammar.milestone.as_deref(), Some("1.0"));
    for note in [
        "labels: parser, hot",
        "related: demo-7",
        "estimated minutes: 90",
        "external ref: gh-9",
        "type: feature",
    ] {
        assert!(
            grammar.notes.iter().any(|kept| kept == note),
            "{note} in {:?}",
            grammar.notes
        );
    }

    let later = the(&imported, "demo-7");
    assert_eq!(
        (later.state, later.reason.as_deref()),
        (ClaimState::Blocked, Some("deferred"))
    );
    assert!(later.needs.is_empty(), "what was deleted holds nothing up");
    for note in [
        "needed, but deleted there: demo-9",
        "frobnicate: {\"a\":1}",
        "comment (bo, 2026-03-01T10:00:00Z): not now",
    ] {
        assert!(
            later.notes.iter().any(|kept| kept == note),
            "{note} in {:?}",
            later.notes
        );
    }
    told(&imported, &["frobnicate"]);
    told(&imported, &["demo-9", "deleted"]);
}

#[test]
fn a_task_of_ours_says_where_it_came_from_and_is_claimed_by_a_person() {
    let tasks = ours(&read(Format::Beads, "issues.jsonl", ISSUES));
    let lexer = TaskId::from_seed(&["import", "beads", "issues.jsonl", "demo-1.1"]);
    let grammar = TaskId::from_seed(&["import", "beads", "issues.jsonl", "demo-1.2"]);
    let place = |id: &TaskId| tasks.iter().position(|(task, _)| task.id == *id).unwrap();
    assert!(
        place(&grammar) < place(&lexer),
        "a task stands before those it needs"
    );

    let (task, claim) = &tasks[place(&lexer)];
    let claim = claim.as_ref().unwrap();
    assert_eq!((claim.state, claim.by), (ClaimState::Done, Actor::Person));
    assert!(claim.commits.is_empty());
    let origin = Origin::Import {
        format: "beads".into(),
        id: "demo-1.1".into(),
    };
    assert_eq!(task.origin, origin);
    let (task, claim) = &tasks[place(&grammar)];
    assert_eq!(task.needs, [lexer]);
    assert!(claim.is_none(), "a pending task needs no word");
}

#[test]
fn importing_twice_gives_the_same_ids_and_claims() {
    let once = ours(&read(Format::Beads, "issues.jsonl", ISSUES));
    assert_eq!(once, ours(&read(Format::Beads, "issues.jsonl", ISSUES)));
    let elsewhere = ours(&read(Format::Beads, "sub/issues.jsonl", ISSUES));
    assert!(
        once.iter()
            .zip(&elsewhere)
            .all(|(one, other)| one.0.id != other.0.id)
    );
}

#[test]
fn a_real_file_of_task_master() {
    let imported = read(
        Format::Taskmaster,
        "tasks.json",
        include_str!("fixtures/tasks.json"),
    );
    let ids: Vec<&str> = imported.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, ["feature/1", "1", "1.1", "1.2", "2"]);
    let parser = the(&imported, "1");
    assert_eq!((parser.state, parser.priority), (ClaimState::Active, 1));
    assert_eq!(
        parser.notes,
        ["description: Reads every line", "details: With care"]
    );
    let lexer = the(&imported, "1.1");
    assert_eq!(
        (lexer.state, lexer.parent.as_deref()),
        (ClaimState::Done, Some("1"))
    );
    assert_eq!(the(&imported, "1.2").needs, ["1.1"]);
    assert_eq!(the(&imported, "2").needs, ["1"]);
    assert_eq!(
        the(&imported, "feature/1").notes,
        ["tag: feature", "description: other tag"]
    );
}

#[test]
fn the_old_form_of_task_master_has_the_same_ids_as_the_first_tag() {
    let list = r#"[{"id":5,"title":"Five","status":"deferred","priority":"low","testStrategy":"by hand",
        "subtasks":[{"id":1,"title":"a","status":"review"},{"id":2,"title":"b","dependencies":[1,"6"],"acceptanceCriteria":["x","y"]}]},
        {"id":"6","title":"Six","status":"cancelled","dependencies":["5.2",77],"shiny":true}]"#;
    let old = read(
        Format::Taskmaster,
        "tasks.json",
        &format!(r#"{{"tasks":{list}}}"#),
    );
    let tagged = read(
        Format::Taskmaster,
        "tasks.json",
        &format!(r#"{{"master":{{"tasks":{list}}}}}"#),
    );
    assert_eq!(old.tasks, tagged.tasks);
    assert_eq!(
        the(&old, "5.2").needs,
        ["5.1"],
        "a bare number is a sibling"
    );
    assert_eq!(the(&old, "5.2").notes, ["needs: 5.6"]);
    assert_eq!(the(&old, "5.2").acceptance.as_deref(), Some("- x\n- y"));
    assert_eq!(the(&old, "6").needs, ["5.2"]);
    assert_eq!(the(&old, "6").state, ClaimState::Dropped);
    assert_eq!(the(&old, "5").state, ClaimState::Blocked);
    assert_eq!(the(&old, "5").notes, ["test strategy: by hand"]);
    told(&old, &["77", "isn't in there"]);
    told(&old, &["shiny"]);
}

#[test]
fn a_real_folder_of_backlog_md() {
    let files = [
        (
            "tasks/task-1 - Write-the-parser.md",
            include_str!("fixtures/backlog/tasks/task-1 - Write-the-parser.md"),
        ),
        (
            "tasks/task-1.1 - A-part-of-it.md",
            include_str!("fixtures/backlog/tasks/task-1.1 - A-part-of-it.md"),
        ),
        (
            "tasks/task-2 - Test-it.md",
            include_str!("fixtures/backlog/tasks/task-2 - Test-it.md"),
        ),
    ];
    let given = files.map(|(name, text)| Given {
        name,
        bytes: text.as_bytes(),
    });
    let imported = parse(Format::BacklogMd, "backlog", &given).unwrap();
    let parser = the(&imported, "TASK-1");
    assert_eq!((parser.state, parser.priority), (ClaimState::Active, 1));
    assert_eq!(parser.owner.as_deref(), Some("@ana"));
    assert_eq!(
        parser.acceptance.as_deref(),
        Some("- [ ] #1 It parses\n- [ ] #2 It refuses `bombs`")
    );
    assert_eq!(
        parser.notes,
        [
            "labels: parser, core",
            "description: Reads every line: and more",
            "ordinal: 1000"
        ]
    );
    assert_eq!(
        parser.created_at.unwrap().to_string(),
        "2026-11-26T12:46:00Z"
    );
    let part = the(&imported, "TASK-1.1");
    assert_eq!(
        (part.title.as_str(), part.state),
        ("A part: of it", ClaimState::Done)
    );
    assert_eq!(part.parent.as_deref(), Some("TASK-1"));
    let test = the(&imported, "TASK-2");
    assert_eq!(test.needs, ["TASK-1"]);
    assert!(
        test.notes.contains(&"assignees: @bo, @cy".to_owned()),
        "{:?}",
        test.notes
    );
    assert!(
        test.notes
            .contains(&"implementation notes: some notes".to_owned())
    );
}

#[test]
fn backlog_md_as_it_once_was() {
    let files = [
        (
            "archive/tasks/task-3 - Old.md",
            "---\r\nid: task-3\r\ntitle: Old\r\nstatus: To Do\r\nassignee: @ana\r\ndependencies: [TASK-4]\r\n---\r\nwords\r\n",
        ),
        (
            "tasks/task-4.md",
            "---\nid: task-4\ntitle: Whole\nassignee: [@bo, 'cy']\nsubtasks: [task-3]\nmilestone: m-1\n---\n",
        ),
        (
            "milestones/m-1 - first.md",
            "---\nid: m-1\ntitle: First release\n---\n",
        ),
        ("docs/doc-1.md", "no task"),
    ];
    let given = files.map(|(name, text)| Given {
        name,
        bytes: text.as_bytes(),
    });
    let imported = parse(Format::BacklogMd, "backlog", &given).unwrap();
    let old = the(&imported, "task-3");
    assert_eq!(
        (old.state, old.reason.as_deref()),
        (ClaimState::Dropped, Some("archived"))
    );
    assert_eq!(
        (old.owner.as_deref(), old.parent.as_deref()),
        (Some("@ana"), Some("task-4"))
    );
    assert_eq!(
        old.needs,
        ["task-4"],
        "ids are told apart without regard to case"
    );
    assert_eq!(
        the(&imported, "task-4").milestone.as_deref(),
        Some("First release")
    );
    told(&imported, &["docs/doc-1.md", "left out"]);
}

const LIST: &str = "\
# Plan

Some words.

## Release 1.0

- [x] Write the `lexer`
- [ ] Write the [grammar](http://x.y)
  1. [ ] Expressions
     * [X] Literals
  2. [ ] Statements

     More about them.
  - a remark
* A group
  * [ ] inside

### Docs

- [ ] Guide
- no task

## Later
- [ ] Write the `lexer`
";

#[test]
fn a_checklist_nests_and_its_headings_say_where_it_belongs() {
    let imported = read(Format::Markdown, "TODO.md", LIST);
    let titles: Vec<&str> = imported
        .tasks
        .iter()
        .map(|task| task.title.as_str())
        .collect();
    assert_eq!(
        titles,
        [
            "Write the `lexer`",
            "Write the grammar (http://x.y)",
            "Expressions",
            "Literals",
            "Statements",
            "A group",
            "inside",
            "Docs",
            "Guide",
            "Write the `lexer`"
        ]
    );
    assert_eq!(the(&imported, "TODO.md:7").state, ClaimState::Done);
    assert_eq!(
        the(&imported, "TODO.md:7").milestone.as_deref(),
        Some("Release 1.0")
    );
    let grammar = the(&imported, "TODO.md:8");
    assert_eq!(grammar.notes, ["a remark"]);
    assert_eq!(
        the(&imported, "TODO.md:10").parent.as_deref(),
        Some("TODO.md:9")
    );
    assert_eq!(the(&imported, "TODO.md:10").state, ClaimState::Done);
    assert_eq!(
        the(&imported, "TODO.md:11").parent.as_deref(),
        Some("TODO.md:8")
    );
    assert_eq!(the(&imported, "TODO.md:11").notes, ["More about them."]);
    assert_eq!(
        the(&imported, "TODO.md:16").parent.as_deref(),
        Some("TODO.md:15")
    );
    let guide = the(&imported, "TODO.md:20");
    assert_eq!(
        guide.parent.as_deref(),
        Some("TODO.md:18"),
        "a heading below a heading is a parent"
    );
    assert_eq!(guide.milestone.as_deref(), Some("Release 1.0"));
    assert_eq!(
        the(&imported, "TODO.md:24").milestone.as_deref(),
        Some("Later")
    );
    told(&imported, &["no task", "left out"]);
    told(&imported, &["paragraphs outside of lists"]);
}

#[test]
fn lines_that_move_make_no_new_tasks() {
    let before = read(Format::Markdown, "TODO.md", LIST);
    let moved = LIST.replace("## Release 1.0\n", "## Release 1.0\n\n- [ ] First of all\n");
    let after = read(Format::Markdown, "TODO.md", &moved);
    let new: Vec<&str> = after
        .tasks
        .iter()
        .filter(|task| !before.tasks.iter().any(|known| known.task == task.task))
        .map(|task| task.title.as_str())
        .collect();
    assert_eq!(new, ["First of all"]);
}

#[test]
fn ids_of_ours_in_brackets_are_taken_for_what_they_are() {
    let text = "- [ ] [0123456789] Mine\n- [x] Also mine [zzzzzzzzz9]\n- [ ] [javascript] is a word\n- [ ] see [0123456789] and more\n";
    let imported = read(Format::Markdown, "TODO.md", text);
    let ids: Vec<(&str, &str)> = imported
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task.title.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("0123456789", "Mine"),
            ("zzzzzzzzz9", "Also mine"),
            ("TODO.md:3", "[javascript] is a word"),
            ("TODO.md:4", "see [0123456789] and more"),
        ]
    );
    assert_eq!(imported.tasks[0].task, TaskId::new("0123456789"));
}

#[test]
fn a_list_without_boxes_is_taken_whole_and_told() {
    let imported = read(Format::Markdown, "TODO.md", "* one\n* two\n  * three\n");
    assert_eq!(imported.tasks.len(), 3);
    told(&imported, &["has no boxes"]);
    told(
        &read(Format::Markdown, "x.md", "nothing"),
        &["no task was found"],
    );
}

#[test]
fn formats_are_guessed() {
    let guess = |name: &str, text: &str| Format::guess(Path::new(name), text.as_bytes());
    assert_eq!(guess(".beads/issues.jsonl", ""), Some(Format::Beads));
    assert_eq!(
        guess("x", "{\"id\":\"a-1\",\"title\":\"t\"}\n"),
        Some(Format::Beads)
    );
    assert_eq!(guess("tasks.json", "{"), Some(Format::Taskmaster));
    assert_eq!(guess("x", "{\n \"tasks\": []}"), Some(Format::Taskmaster));
    assert_eq!(
        guess("task-1 - a.md", "---\nid: task-1\n---\n"),
        Some(Format::BacklogMd)
    );
    assert_eq!(guess("TODO.md", "- [ ] a"), Some(Format::Markdown));
    assert_eq!(guess("x.bin", "\u{0}\u{1}"), None);
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
    }
}
