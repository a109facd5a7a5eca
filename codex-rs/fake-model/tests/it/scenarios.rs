//! Scenario files: what is taken, and what a writer is told about a mistake.

use std::error::Error;
use std::path::Path;

use orch_fake_model::scenario::Scenario;

/// Parses `text` and compares the complaint.
fn check(text: &str, complaint: &str) {
    let error = text.parse::<Scenario>().unwrap_err();
    assert!(
        error.to_string().contains(complaint),
        "{error}\n  lacks: {complaint}"
    );
}

#[test]
fn mistakes_are_told_with_their_line() {
    check(
        "{\n \"replies\": [\n  {\"step\": []}\n ]\n}",
        "unknown field `step`",
    );
    check(
        "{\n \"replies\": [\n  {\"step\": []}\n ]\n}",
        "at line 3 column 9",
    );
    check(
        "{\"replies\": [{\"steps\": [{\"shout\": \"x\"}]}]}",
        "unknown variant `shout`, expected one of `say`",
    );
    check(
        "{\"replies\": [{\"steps\": [{\"plan\": [[\"A\", \"doing\"]]}]}]}",
        "unknown variant `doing`",
    );
    check(
        "{\"replies\": [{\"fault\": \"sulk\"}]}",
        "unknown variant `sulk`",
    );
    check(
        "{\"replies\": [{\"capture\": {\"id\": \"(\"}}]}",
        "unclosed group",
    );
    check(
        "{\"replies\": [{\"capture\": {\"id\": \"id\"}}]}",
        "`id` has 0 groups, not one at line 1",
    );
    check("{}", "missing field `replies`");
}

#[test]
fn what_cannot_be_played_is_told_with_its_place() {
    check(
        r#"{"replies": [{}, {"when": {}}]}"#,
        "replies[1] of the scenario: `when` needs `input` or `user`",
    );
    check(
        r#"{"replies": [{"fault": {"status": {"code": 200}}}]}"#,
        "status 200 is not between 400 and 599",
    );
    check(
        r#"{"replies": [{"headers": {"a b": "c"}}]}"#,
        "`a b` is no possible header",
    );
    check(
        r#"{"replies": [{"steps": [{"say": "{{capture id}}"}]}]}"#,
        "`{{capture id}}` is used, but `capture` has no `id`",
    );
    check(
        r#"{"replies": [], "fallback": {"when": {}}}"#,
        "fallback of the scenario",
    );
}

#[test]
fn files_are_named_in_errors() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("broken.json");
    assert_eq!(
        Scenario::load(&path).unwrap_err().to_string(),
        format!("Failed to read the scenario {}", path.display())
    );
    std::fs::write(&path, "[]").unwrap();
    let error = Scenario::load(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Failed to understand the scenario {}", path.display())
    );
    assert!(error.source().unwrap().to_string().contains("line 1"));
}

#[test]
fn the_examples_are_scenarios() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(crate_folder.join("examples/scenarios")).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        Scenario::load(&file).unwrap();
    }
    let readme = std::fs::read_to_string(crate_folder.join("README.md")).unwrap();
    let (_, example) = readme.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    example.parse::<Scenario>().unwrap();
}
