//! Exports: other readers can read them, and what we read of them again is what they can say.

use std::collections::HashMap;

use orch_protocol::ids::{ClaimId, TaskId};
use orch_protocol::task::{Actor, Claim, ClaimState, Task, TaskStatus};
use orch_protocol::text::{clean, one_line};
use orch_runtime::exchange::export::{ExportFormat, ExportTask, Exported, export};
use orch_runtime::exchange::{Format, ImportedTask};
use proptest::prelude::*;

use super::{ISSUES, ours, read, the};
use crate::make::{at, task};

fn written(format: ExportFormat, tasks: &[(Task, TaskStatus)]) -> Exported {
    let given: Vec<ExportTask<'_>> = tasks
        .iter()
        .map(|(task, status)| ExportTask {
            task,
            status: *status,
            done_on: None,
        })
        .collect();
    export(format, &given).unwrap()
}

fn claim(state: ClaimState, reason: Option<&str>) -> Claim {
    Claim {
        id: ClaimId::from_seed(&["test"]),
        state,
        by: Actor::Person,
        at: at(50),
        branch: Some("main".into()),
        worktree: None,
        commits: Vec::new(),
        files: Vec::new(),
        reason: reason.map(str::to_owned),
    }
}

fn sample() -> Vec<(Task, TaskStatus)> {
    let mut parser = task("Write the *parser* [now]");
    parser.milestone = Some("1.0".into());
    parser.owner = Some("ana".into());
    parser.notes = vec!["description: all of it".into(), "ask bo".into()];
    let mut lexer = task("1. lexer");
    lexer.parent = Some(parser.id.clone());
    lexer.claims = vec![claim(ClaimState::Done, Some("merged"))];
    let mut test = task("# test");
    test.needs = vec![lexer.id.clone()];
    test.priority = 0;
    let mut gone = task("gone");
    gone.claims = vec![claim(ClaimState::Dropped, Some("not wanted"))];
    gone.needs = vec![TaskId::new("0000000000")];
    vec![
        (parser, TaskStatus::Active),
        (lexer, TaskStatus::Done),
        (test, TaskStatus::Blocked),
        (gone, TaskStatus::Dropped),
    ]
}

#[test]
fn a_checklist_reads_well() {
    let tasks = sample();
    let id = |at: usize| tasks[at].0.id.as_str();
    let exported = written(ExportFormat::Markdown, &tasks);
    let expected = format!(
        "<!-- codex-orch tasks -->\n\n# Tasks\n\n- [ ] \\# test [{}] · blocked · P0 · needs {}\n- [ ] gone [{}] · dropped · needs 0000000000\n\n## 1.0\n\n- [ ] Write the \\*parser\\* \\[now\\] [{}] · active · owner ana\n  - [x] 1\\. lexer [{}]\n",
        id(2),
        id(1),
        id(3),
        id(0),
        id(1)
    );
    assert_eq!(exported.text, expected);
    assert!(
        exported
            .remarks
            .iter()
            .any(|line| line.contains("no claims") && line.contains("2 tasks")),
        "{:?}",
        exported.remarks
    );
}

#[test]
fn beads_says_what_it_can_and_the_rest_is_told() {
    let tasks = sample();
    let exported = written(ExportFormat::Beads, &tasks);
    let lines: Vec<serde_json::Value> = exported
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["status"], "in_progress");
    assert_eq!(lines[0]["description"], "all of it");
    assert_eq!(lines[0]["notes"], "ask bo");
    assert_eq!(lines[0]["labels"][0], "milestone:1.0");
    assert_eq!(lines[1]["status"], "closed");
    assert_eq!(lines[1]["closed_at"], at(50).to_string());
    assert_eq!(lines[1]["close_reason"], "merged");
    assert_eq!(lines[1]["dependencies"][0]["type"], "parent-child");
    assert_eq!(lines[2]["dependencies"][0]["depends_on_id"], lines[1]["id"]);
    assert_eq!(lines[3]["close_reason"], "dropped: not wanted");
    for told in ["no claims by branch", "outside of what is exported"] {
        assert!(
            exported.remarks.iter().any(|line| line.contains(told)),
            "{told} in {:?}",
            exported.remarks
        );
    }
}

#[test]
fn what_came_from_beads_goes_back_as_it_was() {
    let imported = read(Format::Beads, "issues.jsonl", ISSUES);
    let tasks: Vec<(Task, TaskStatus)> = ours(&imported)
        .into_iter()
        .map(|(mut task, claim)| {
            let status = match claim.as_ref().map(|claim| claim.state) {
                None | Some(ClaimState::Pending) => TaskStatus::Pending,
                Some(ClaimState::Active) => TaskStatus::Active,
                Some(ClaimState::Blocked) => TaskStatus::Blocked,
                Some(ClaimState::Done) => TaskStatus::Done,
                Some(ClaimState::Dropped) => TaskStatus::Dropped,
            };
            task.claims.extend(claim);
            (task, status)
        })
        .collect();
    let text = written(ExportFormat::Beads, &tasks).text;
    let given = |text: &str| -> HashMap<String, serde_json::Value> {
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .map(|line| (line["id"].as_str().unwrap().to_owned(), line))
            .collect()
    };
    let (before, after) = (given(ISSUES), given(&text));
    for id in ["demo-1", "demo-1.1", "demo-1.2"] {
        for field in [
            "title",
            "description",
            "design",
            "acceptance_criteria",
            "status",
            "priority",
            "issue_type",
            "assignee",
            "closed_at",
            "close_reason",
        ] {
            assert_eq!(
                before[id].get(field),
                after[id].get(field),
                "{field} of {id}"
            );
        }
    }
    assert_eq!(
        after["demo-1.2"]["labels"],
        serde_json::json!(["milestone:1.0", "parser", "hot"])
    );
}

#[test]
fn json_and_yaml_hold_the_tasks_whole() {
    let tasks = sample();
    let json: serde_json::Value =
        serde_json::from_str(&written(ExportFormat::Json, &tasks).text).unwrap();
    assert_eq!(json["schema"], "codex-orch.tasks/1");
    let yaml = written(ExportFormat::Yaml, &tasks);
    let read: serde_json::Value = serde_saphyr::from_str(&yaml.text).unwrap();
    assert_eq!(read["tasks"], json["tasks"]);
    assert!(yaml.remarks.is_empty());
    for (at, (task, status)) in tasks.iter().enumerate() {
        let shown = &json["tasks"][at];
        assert_eq!(shown["status"], status.name());
        let back: Task = serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(&back, task);
    }
}

fn any_tasks() -> impl Strategy<Value = Vec<(Task, TaskStatus)>> {
    let text = "[\\PC\n\t]{1,60}|- \\[ \\] x|[0-9]{1,3}[.)] x|[#>*_`~&<|\\\\\\[\\] a1;]{1,20}|\\PC{150,260}";
    let one = (
        text,
        proptest::option::of("\\PC{1,90}"),
        0u8..=4,
        proptest::option::of("[A-C· \\]\\[]{1,5}"),
        proptest::option::of("[\\PC\n]{1,80}"),
        prop::collection::vec(
            prop_oneof![
                Just("design: one\ntwo".to_owned()),
                "\\PC{1,40}".prop_map(String::from)
            ],
            0..3,
        ),
        prop::sample::select(vec![
            TaskStatus::Pending,
            TaskStatus::Active,
            TaskStatus::Blocked,
            TaskStatus::Done,
            TaskStatus::Dropped,
        ]),
        (any::<bool>(), any::<bool>(), 0usize..100),
    );
    prop::collection::vec(one, 1..10).prop_map(|given| {
        let mut tasks: Vec<(Task, TaskStatus)> = Vec::new();
        for (
            at_,
            (title, owner, priority, milestone, acceptance, notes, status, (needs, below, of)),
        ) in given.into_iter().enumerate()
        {
            let mut made = task(&format!("{at_}"));
            let title = one_line(&title, Task::MAX_TITLE);
            made.title = if title.is_empty() { "t".into() } else { title };
            let name = |name: String| {
                Some(one_line(&name, Task::MAX_NAME)).filter(|name| !name.is_empty())
            };
            made.owner = owner.and_then(name);
            made.milestone = milestone.and_then(name);
            made.priority = priority;
            let words =
                |text: String| Some(clean(&text).trim().to_owned()).filter(|text| !text.is_empty());
            made.acceptance = acceptance.and_then(words);
            made.notes = notes.into_iter().filter_map(words).collect();
            if let Some((other, _)) = tasks.get(of % (at_ + 1)) {
                made.needs = if needs {
                    vec![other.id.clone()]
                } else {
                    Vec::new()
                };
                made.parent = below.then(|| other.id.clone());
            }
            let state = match status {
                TaskStatus::Done => Some(ClaimState::Done),
                TaskStatus::Dropped => Some(ClaimState::Dropped),
                _ => None,
            };
            made.claims
                .extend(state.map(|state| claim(state, Some("so it is"))));
            tasks.push((made, status));
        }
        tasks
    })
}

fn state(status: TaskStatus) -> ClaimState {
    match status {
        TaskStatus::Pending => ClaimState::Pending,
        TaskStatus::Active => ClaimState::Active,
        TaskStatus::Blocked => ClaimState::Blocked,
        TaskStatus::Done => ClaimState::Done,
        TaskStatus::Dropped => ClaimState::Dropped,
    }
}

proptest! {
    #[test]
    fn beads_read_again_is_what_beads_can_express(tasks in any_tasks()) {
        let imported = read(Format::Beads, "elsewhere.jsonl", &written(ExportFormat::Beads, &tasks).text);
        prop_assert_eq!(imported.tasks.len(), tasks.len());
        for (task, status) in &tasks {
            let back: &ImportedTask = the(&imported, &format!("orch-{}", task.id));
            prop_assert_eq!(&back.task, &task.id);
            prop_assert_eq!(&back.title, &task.title);
            prop_assert_eq!(back.state, state(*status));
            if !status.is_open() {
                prop_assert_eq!(back.reason.as_deref(), Some("so it is"));
                prop_assert_eq!(back.stated_at, Some(at(50)));
            }
            prop_assert_eq!(&back.owner, &task.owner);
            prop_assert_eq!(back.priority, task.priority);
            prop_assert_eq!(&back.milestone, &task.milestone);
            prop_assert_eq!(&back.acceptance, &task.acceptance);
            prop_assert_eq!(back.created_at, Some(task.created_at));
            let id = |id: &TaskId| format!("orch-{id}");
            prop_assert_eq!(&back.parent, &task.parent.as_ref().map(id));
            prop_assert_eq!(&back.needs, &task.needs.iter().map(id).collect::<Vec<_>>());
            // One text of notes, and one of design.
            let kept = |label: &str, notes: &[String]| -> Vec<String> {
                let of = notes.iter().filter(|note| note.starts_with("design: ") == (label == "design: "));
                of.map(|note| note.trim_start_matches(label).to_owned()).collect()
            };
            prop_assert_eq!(kept("", &back.notes).join("\n\n"), kept("", &task.notes).join("\n\n"));
            prop_assert_eq!(kept("design: ", &back.notes).join("\n\n"), kept("design: ", &task.notes).join("\n\n"));
        }
    }

    #[test]
    fn a_checklist_read_again_is_what_it_can_express(tasks in any_tasks()) {
        let text = written(ExportFormat::Markdown, &tasks).text;
        let imported = read(Format::Markdown, "elsewhere.md", &text);
        prop_assert_eq!(imported.tasks.len(), tasks.len(), "{}", text);
        for (task, status) in &tasks {
            let back = the(&imported, task.id.as_str());
            prop_assert_eq!(&back.title, &task.title, "{}", text);
            prop_assert_eq!(back.state, state(*status));
            prop_assert_eq!(back.priority, task.priority);
            let parent = task.parent.as_ref().map(ToString::to_string);
            prop_assert_eq!(&back.parent, &parent, "{}", text);
            prop_assert_eq!(&back.needs, &task.needs.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }
}
