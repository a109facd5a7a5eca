//! Tasks as YAML: what is written is read back, whatever stands in it, and a person's own way of writing is kept.

use orch_protocol::ids::{ClaimId, CommitId, TaskId};
use orch_protocol::task::{
    Actor, Claim, ClaimState, Evidence, EvidenceKind, Origin, Task, TaskStatus,
};
use orch_runtime::checkout::parse::{self, Entry};
use orch_runtime::checkout::{Judged, TaskView, edits, render_task};
use proptest::prelude::*;

use crate::make::{at, task};

/// Texts that YAML reads as something else, or not at all, where they aren't quoted.
const TRICKY: [&str; 26] = [
    "yes",
    "no",
    "null",
    "~",
    "on",
    "1e3",
    "0x1f",
    "2026-01-01",
    "12:30:45",
    "---",
    "...",
    "- x",
    "? x",
    "a: b",
    "a # b",
    "# a",
    "&a",
    "*a",
    "!t",
    "|",
    ">-",
    "@x",
    "`x`",
    "{a: 1}",
    "[a]",
    "<<",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(&TRICKY[..]).prop_map(str::to_owned),
        2 => "[ -~]{0,20}",
        2 => "\\PC{0,12}",
        1 => ".{0,8}",
        1 => Just("\n".to_owned()),
        1 => Just("\n\n".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("  ".to_owned()),
        1 => Just("\r\n\u{85}\u{2028}\u{feff}".to_owned()),
        1 => Just("long ".repeat(60)),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn any_task() -> impl Strategy<Value = Task> {
    let id = |seed: u32| TaskId::from_seed(&[&seed.to_string()]);
    let seen = (text(), any::<Option<bool>>()).prop_map(|(reference, ok)| Evidence {
        kind: EvidenceKind::Command,
        reference,
        ok,
        tree: None,
        at: at(3),
        session: None,
    });
    let claim = (text(), prop::option::of(text())).prop_map(|(branch, reason)| Claim {
        id: ClaimId::from_seed(&[&branch]),
        state: ClaimState::Done,
        by: Actor::MainAgent,
        at: at(2),
        branch: Some(branch),
        worktree: None,
        commits: vec![CommitId::new("1234567890123456789012345678901234567890")],
        files: Vec::new(),
        reason,
    });
    (
        (any::<u32>(), text(), prop::option::of(text()), 0u8..5),
        (prop::option::of(text()), prop::option::of(text()), text()),
        prop::collection::vec(any::<u32>(), 0..3),
        prop::collection::vec(seen, 0..3),
        prop::collection::vec(claim, 0..2),
        prop::collection::vec(text(), 0..3),
    )
        .prop_map(
            move |(
                (seed, title, owner, priority),
                (milestone, acceptance, branch),
                needs,
                evidence,
                claims,
                notes,
            )| {
                Task {
                    owner,
                    priority,
                    parent: needs.first().map(|seed| id(seed / 2)),
                    needs: needs.into_iter().map(id).collect(),
                    milestone,
                    acceptance,
                    evidence,
                    claims,
                    notes,
                    ..Task::new(
                        id(seed),
                        title,
                        Origin::Person {
                            branch: Some(branch),
                        },
                        at(1),
                    )
                }
            },
        )
}

fn judged() -> impl Strategy<Value = Judged> {
    let status =
        prop::sample::select(&[TaskStatus::Pending, TaskStatus::Done, TaskStatus::Dropped][..]);
    (status, any::<bool>(), prop::option::of(text())).prop_map(|(status, ready, done_on)| Judged {
        status,
        ready,
        done_on,
    })
}

fn check(entry: &Entry, task: &Task, judged: &Judged) {
    let text = |held: &Option<parse::At<String>>| held.as_ref().map(|held| held.value.clone());
    let json = |value: &dyn Fn() -> serde_json::Result<serde_json::Value>| value().unwrap();
    assert_eq!(text(&entry.id).as_deref(), Some(task.id.as_str()));
    assert_eq!(text(&entry.title).as_deref(), Some(task.title.as_str()));
    assert_eq!(text(&entry.status).as_deref(), Some(judged.status.name()));
    assert_eq!(
        entry.ready.as_ref().is_some_and(|ready| ready.value),
        judged.ready
    );
    assert_eq!(text(&entry.done_on), judged.done_on);
    assert_eq!(text(&entry.owner), task.owner);
    assert_eq!(
        entry.priority.as_ref().map_or(2, |held| held.value),
        i64::from(task.priority)
    );
    assert_eq!(text(&entry.parent).map(TaskId::new), task.parent);
    let needs: Vec<TaskId> = entry
        .needs
        .iter()
        .map(|need| TaskId::new(&need.value))
        .collect();
    assert_eq!(needs, task.needs);
    assert_eq!(text(&entry.milestone), task.milestone);
    assert_eq!(text(&entry.acceptance), task.acceptance);
    let notes: Vec<&String> = entry.notes.iter().map(|note| &note.value).collect();
    assert_eq!(notes, task.notes.iter().collect::<Vec<_>>());
    let evidence: Vec<_> = entry
        .evidence
        .iter()
        .map(|seen| seen.value.clone())
        .collect();
    assert_eq!(
        serde_json::Value::from(evidence),
        json(&|| serde_json::to_value(&task.evidence))
    );
    let claims = serde_json::Value::from(entry.claims.clone());
    assert_eq!(claims, json(&|| serde_json::to_value(&task.claims)));
    assert_eq!(
        entry.origin,
        Some(json(&|| serde_json::to_value(&task.origin)))
    );
    assert_eq!(entry.created_at, Some(task.created_at.to_string()));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tasks in prop::collection::vec((any_task(), judged()), 1..4)) {
        let views: Vec<TaskView<'_>> = tasks.iter().map(|(task, judged)| TaskView::new(task, judged)).collect();
        let text = edits::document(&views).unwrap();
        let parsed = parse::read(&text).unwrap_or_else(|refused| panic!("{refused}\n{text}"));
        prop_assert_eq!(parsed.entries.len(), tasks.len());
        for ((entry, (task, judged)), view) in parsed.entries.iter().zip(&tasks).zip(&views) {
            check(entry, task, judged);
            // Each block by itself is what was written: it can be copied.
            prop_assert_eq!(entry.block.clone(), render_task(view, None).ok());
        }
    }

    /// One task's own way of writing, laid over what another one says: what is written is the other one.
    #[test]
    fn a_layout_never_says_something_else(
        (mine, seen) in (any_task(), judged()),
        (other, now) in (any_task(), judged()),
        comment in "#[ -~]{0,20}",
        cut in any::<prop::sample::Index>(),
    ) {
        let written = render_task(&TaskView::new(&mine, &seen), None).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        let cut = cut.index(lines.len());
        // A comment, an unknown key, a key less, somewhere: it may even fall into the middle of a text.
        let layout = format!("{comment}\n{}\n  {comment}\n  mine: 1\n{}\n", lines[..cut].join("\n"), lines[cut..].join("\n"));
        for layout in [layout, written.replace("owner:", "\"owner\":"), comment] {
            let text = render_task(&TaskView::new(&other, &now), Some(&layout)).unwrap();
            let parsed = parse::read(&format!("tasks:\n{text}")).unwrap_or_else(|refused| panic!("{refused}\n{text}"));
            check(&parsed.entries[0], &other, &now);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in text(), cut in any::<prop::sample::Index>(), task in any_task()) {
        let judged = Judged { status: TaskStatus::Pending, ready: false, done_on: None };
        let mut written = edits::document(&[TaskView::new(&task, &judged)]).unwrap();
        let mut at = cut.index(written.len());
        while !written.is_char_boundary(at) {
            at -= 1;
        }
        written.insert_str(at, &text);
        let _ = parse::read(&written);
    }
}

fn pending() -> Judged {
    Judged {
        status: TaskStatus::Pending,
        ready: true,
        done_on: None,
    }
}

#[test]
fn comments_order_and_quotes_stay_where_nothing_changed() {
    let layout = "\
# Ask Kim first.
- title: 'write it'   # in single quotes
  id: ID
  status: pending
  ready: true
  # Not before May.
  priority: 1

  estimate: 3d
";
    let mut task = task("write it");
    let layout = layout.replace("ID", task.id.as_str());
    (task.priority, task.owner) = (3, Some("kim".to_owned()));
    let text = render_task(&TaskView::new(&task, &pending()), Some(&layout)).unwrap();
    let origin = "  owner: kim\n  origin:\n    from: person\n    branch: null\n";
    let expect = format!(
        "{}{origin}  created_at: \"{}\"\n",
        layout.replace("priority: 1", "priority: 3"),
        task.created_at
    );
    assert_eq!(text, expect);
}

#[test]
fn a_layout_that_is_no_task_is_passed_over() {
    let task = task("one");
    let (judged, own) = (pending(), "- id: x\n  evil: *all\n");
    let view = TaskView::new(&task, &judged);
    let plain = render_task(&view, None).unwrap();
    for layout in [own, "", "- - a", "tasks: 1", "\u{0}", "- {id: 1, title: a}"] {
        assert_eq!(
            render_task(&view, Some(layout)).unwrap(),
            plain,
            "{layout:?}"
        );
    }
}
