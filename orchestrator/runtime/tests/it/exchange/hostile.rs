//! Input that is broken, or meant to break something: a clear error or a bounded task, never a panic, never a loss unsaid.

use std::collections::{HashMap, HashSet};

use orch_core::graph::is_acyclic;
use orch_protocol::ids::TaskId;
use orch_protocol::task::Task;
use orch_protocol::tasks::Tasks;
use orch_runtime::exchange::error::ExchangeError;
use orch_runtime::exchange::{Format, Given, Imported, ImportedTask, MAX_DEPTH, parse};
use proptest::prelude::*;

use super::{ISSUES, ours, read, the, told};

fn refused(format: Format, text: &str) -> String {
    let given = Given {
        name: "given",
        bytes: text.as_bytes(),
    };
    let error = parse(format, "given", &[given]).unwrap_err();
    assert!(!error.hint().is_empty());
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn errors_name_the_place() {
    let broken = format!("{}\n{{\"id\": \"x\",\n", ISSUES.trim_end());
    assert!(refused(Format::Beads, &broken).starts_with("given:6:11: this is not JSON"));
    let unmerged = format!("{ISSUES}<<<<<<< HEAD\n");
    assert!(
        refused(Format::Beads, &unmerged).starts_with("given:6: these are the marks of a merge")
    );
    assert!(refused(Format::Beads, "{\"title\":\"x\"}").contains("no id"));
    assert!(
        refused(Format::Taskmaster, "{\"tasks\": [\n {\"id\": 1,,}]}").starts_with("given:2:11")
    );
    assert!(refused(Format::Taskmaster, "{\"a\": 1}").contains("no tasks"));
    assert!(refused(Format::Taskmaster, "{\"tasks\":[3]}").contains("no object"));
    assert!(refused(Format::BacklogMd, "---\nid: a\ntitle: [b\n---\n").starts_with("given:"));
    assert!(refused(Format::BacklogMd, "---\ntitle: b\n---\n").contains("no id"));
    let latin = Given {
        name: "TODO.md",
        bytes: b"- [ ] a\n- [ ] \xe4\n",
    };
    let error = parse(Format::Markdown, "TODO.md", &[latin]).unwrap_err();
    assert_eq!(
        error,
        ExchangeError::NotText {
            file: "TODO.md".into(),
            line: 2
        }
    );
}

#[test]
fn bombs_are_refused() {
    let mut yaml = String::from("---\nid: a\na0: &a0 [x, x]\n");
    for n in 1..30 {
        yaml.push_str(&format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
    }
    yaml.push_str("---\n");
    assert!(refused(Format::BacklogMd, &yaml).contains("YAML"));
    let deep = format!("---\nid: a\nx: {}\n---\n", "[".repeat(5_000));
    assert!(refused(Format::BacklogMd, &deep).contains("YAML"));
    let long = format!("---\nid: a\nx: {}\n---\n", "y".repeat(70_000));
    assert!(refused(Format::BacklogMd, &long).contains("front matter"));
    let json = format!("{{\"tasks\":{}", "[".repeat(100_000));
    assert!(refused(Format::Taskmaster, &json).contains("recursion"));
    assert!(
        refused(
            Format::Beads,
            &format!("{{\"id\":\"a\",\"x\":{}", "[".repeat(100_000))
        )
        .contains("recursion")
    );
    let many = "{\"id\":\"a\"}\n".repeat(200_002);
    assert!(refused(Format::Beads, &many).contains("more than 200000 tasks"));
    let large = vec![b' '; 64 * 1024 * 1024 + 1];
    let given = Given {
        name: "big",
        bytes: &large,
    };
    assert!(matches!(
        parse(Format::Beads, "big", &[given]),
        Err(ExchangeError::TooLarge { .. })
    ));
}

#[test]
fn ids_are_words_and_never_paths() {
    let text = "{\"id\":\"../../x\",\"title\":\"up\\u001b[31m\\u202e\\nand away\"}\n{\"id\":\"-rf\",\"title\":\"\"}\n";
    let imported = read(Format::Beads, "issues.jsonl", text);
    let tasks = ours(&imported);
    for (task, _) in &tasks {
        assert_eq!(TaskId::parse(task.id.as_str()).as_ref(), Some(&task.id));
    }
    assert_eq!(the(&imported, "../../x").title, "up[31m and away");
    assert_eq!(the(&imported, "-rf").title, "-rf");
    told(&imported, &["-rf", "no title"]);
}

#[test]
fn an_id_that_stands_twice_is_told_with_both() {
    let text = "{\"id\":\"a\",\"title\":\"one\"}\n{\"id\":\"a\",\"title\":\"two\"}\n{\"id\":\"a~2\",\"title\":\"three\"}\n{\"id\":\"b\",\"title\":\"four\",\"dependencies\":[{\"issue_id\":\"b\",\"depends_on_id\":\"a\",\"type\":\"blocks\"}]}\n{\"id\":\"a\",\"title\":\"one\"}\n";
    let imported = read(Format::Beads, "issues.jsonl", text);
    let ids: Vec<(&str, &str)> = imported
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task.title.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("a", "one"),
            ("a~3", "two"),
            ("a~2", "three"),
            ("b", "four")
        ]
    );
    assert_eq!(the(&imported, "b").needs, ["a"]);
    told(&imported, &["\"one\" (line 1)", "\"two\" (line 2)", "a~3"]);
    told(&imported, &["line 1 and line 5", "taken once"]);
}

#[test]
fn edges_that_close_cycles_are_left_out_and_told() {
    let edge = |of: &str, on: &str, kind: &str| {
        format!("{{\"issue_id\":\"{of}\",\"depends_on_id\":\"{on}\",\"type\":\"{kind}\"}}")
    };
    let issue = |id: &str, edges: &[String]| {
        format!(
            "{{\"id\":\"{id}\",\"title\":\"{id}\",\"dependencies\":[{}]}}\n",
            edges.join(",")
        )
    };
    let text = [
        issue(
            "a",
            &[
                edge("a", "b", "blocks"),
                edge("a", "a", "blocks"),
                edge("a", "c", "parent-child"),
            ],
        ),
        issue(
            "b",
            &[edge("b", "c", "blocks"), edge("b", "a", "parent-child")],
        ),
        issue(
            "c",
            &[
                edge("c", "a", "blocks"),
                edge("c", "b", "parent-child"),
                edge("c", "gone", "blocks"),
            ],
        ),
    ]
    .concat();
    let imported = read(Format::Beads, "issues.jsonl", &text);
    told(&imported, &["need of c on a", "a → b → c → a"]);
    told(&imported, &["need of a on a", "a → a"]);
    told(&imported, &["loop of parents"]);
    told(&imported, &["c names \"gone\""]);
    assert_eq!(the(&imported, "a").needs, ["b"]);
    assert!(the(&imported, "c").needs.is_empty());
    assert!(
        the(&imported, "c")
            .notes
            .contains(&"needs, left out for it closes a cycle: a".to_owned())
    );
    stands(&imported);
}

#[test]
fn what_lies_too_deep_is_hung_up_and_told() {
    let list: String = (0..MAX_DEPTH + 10)
        .map(|depth| format!("{}- [ ] level {depth}\n", "  ".repeat(depth)))
        .collect();
    let imported = read(Format::Markdown, "TODO.md", &list);
    assert_eq!(imported.tasks.len(), MAX_DEPTH + 10);
    told(&imported, &["lies deeper"]);
    stands(&imported);
}

#[test]
fn items_that_say_the_same_are_all_kept() {
    let imported = read(Format::Markdown, "TODO.md", &"- [ ] again\n".repeat(20_000));
    assert_eq!(imported.tasks.len(), 20_000);
    stands(&imported);
}

#[test]
fn a_line_without_an_end_is_refused() {
    let text = format!("- [ ] a\n{}", "1. ".repeat(30_000));
    assert!(refused(Format::Markdown, &text).starts_with("given:2: the line is longer"));
}

#[test]
fn long_texts_are_kept_whole() {
    let text: String = (0..900).map(|n| format!("line {n} ü\n")).collect();
    let issue = serde_json::json!({"id": "a", "title": "t".repeat(400), "description": text, "acceptance_criteria": text});
    let imported = read(Format::Beads, "issues.jsonl", &issue.to_string());
    let task = the(&imported, "a");
    stands(&imported);
    for label in ["description", "acceptance"] {
        let pieces = task.notes.iter().filter(|note| note.starts_with(label));
        let joined: String = pieces
            .map(|note| note.split_once(": ").unwrap().1)
            .collect();
        assert_eq!(joined, text.trim_end());
    }
    assert!(task.notes.contains(&format!("title: {}", "t".repeat(400))));
}

#[test]
fn remarks_are_bounded() {
    let many: String = (0..5_000)
        .map(|n| format!("{{\"id\":\"a{n}\",\"status\":\"odd{n}\",\"f{n}\":1}}\n"))
        .collect();
    let imported = read(Format::Beads, "issues.jsonl", &many);
    assert_eq!(imported.tasks.len(), 5_000);
    assert!(imported.remarks.len() < 150, "{}", imported.remarks.len());
    told(&imported, &["… and 4988 more"]);
}

/// What must hold of everything that was imported.
fn stands(imported: &Imported) {
    let index: HashMap<&str, &ImportedTask> = imported
        .tasks
        .iter()
        .map(|task| (task.id.as_str(), task))
        .collect();
    assert_eq!(index.len(), imported.tasks.len(), "ids are unique");
    let own: HashSet<&TaskId> = imported.tasks.iter().map(|task| &task.task).collect();
    assert_eq!(own.len(), imported.tasks.len());
    for task in &imported.tasks {
        assert!(
            task.needs
                .iter()
                .chain(&task.parent)
                .all(|id| index.contains_key(id.as_str()))
        );
        let mut depth = 0;
        let mut above = task.parent.as_deref();
        while let Some(id) = above {
            depth += 1;
            assert!(
                depth <= MAX_DEPTH,
                "{} lies too deep, or in a loop",
                task.id
            );
            above = index[id].parent.as_deref();
        }
    }
    let mut tasks = Tasks::new();
    for (task, _) in ours(imported) {
        assert!(!task.title.is_empty() && task.title.chars().count() <= Task::MAX_TITLE);
        assert!(!task.title.chars().any(char::is_control));
        assert!(task.priority <= Task::MAX_PRIORITY);
        for text in task.notes.iter().chain(&task.acceptance) {
            assert!(text.chars().count() <= Task::MAX_TEXT);
            assert!(
                !text
                    .chars()
                    .any(|c| c.is_control() && c != '\n' && c != '\t')
            );
        }
        for name in task.owner.iter().chain(&task.milestone) {
            assert!(!name.is_empty() && name.chars().count() <= Task::MAX_NAME);
        }
        tasks.insert(task.id.clone(), task);
    }
    assert!(is_acyclic(&tasks));
    assert!(imported.remarks.iter().all(|line| !line.contains('\n')));
}

fn shaped() -> impl Strategy<Value = (Format, String)> {
    let word = prop_oneof!["[a-d]", "\\PC{0,12}", "-?[0-9]{1,3}(\\.[0-9])?"];
    let value = word.clone().prop_map(|word| serde_json::json!(word));
    let edge = (
        word.clone(),
        word.clone(),
        prop_oneof![Just("blocks"), Just("parent-child"), Just("x")],
    )
        .prop_map(
            |(of, on, kind)| serde_json::json!({"issue_id": of, "depends_on_id": on, "type": kind}),
        );
    let field = prop_oneof![
        Just("id"),
        Just("title"),
        Just("status"),
        Just("priority"),
        Just("description"),
        Just("labels"),
        Just("subtasks"),
        Just("dependencies"),
        Just("assignee"),
        Just("notes"),
        Just("created_at"),
        Just("parent_task_id"),
        Just("odd"),
    ];
    let any = prop_oneof![
        value.clone(),
        Just(serde_json::Value::Null),
        prop::collection::vec(prop_oneof![edge, value], 0..4).prop_map(serde_json::Value::Array),
    ];
    let record = prop::collection::vec((field, any), 0..8).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<serde_json::Map<_, _>>()
    });
    let records = prop::collection::vec((record, "[a-d]"), 0..8).prop_map(|records| {
        let with_id = records.into_iter().map(|(mut record, id)| {
            record.insert("id".to_owned(), id.into());
            record
        });
        with_id.collect::<Vec<_>>()
    });
    prop_oneof![
        records.clone().prop_map(|records| {
            let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
            (Format::Beads, lines.join("\n"))
        }),
        records.clone().prop_map(|records| (Format::Taskmaster, serde_json::json!({"tasks": records}).to_string())),
        records.prop_map(|records| {
            let head = records.first().map(|record| serde_json::to_string(record).unwrap()).unwrap_or_default();
            (Format::BacklogMd, format!("---\n{head}\n---\n## Description\nx\n"))
        }),
        "([ ]{0,6}([-*]|1\\.) (\\[[ x]\\] )?[a-c\\[\\]`*_# ]{0,12}\n|#{1,4} [ab]\n|\n|    x\n|> - [ ] q\n){0,20}".prop_map(|text| (Format::Markdown, text)),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in Format::ALL {
            let given = Given { name: "x", bytes: &bytes };
            if let Ok(imported) = parse(format, "x", &[given]) {
                stands(&imported);
            }
            let _ = Format::guess(std::path::Path::new("x"), &bytes);
        }
    }

    #[test]
    fn whatever_has_the_right_shape_stands((format, text) in shaped()) {
        let given = Given { name: "x", bytes: text.as_bytes() };
        match parse(format, "x", &[given]) {
            Ok(imported) => stands(&imported),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
