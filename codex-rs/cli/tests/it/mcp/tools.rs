//! What the tools do: each once as it is meant, then what they refuse.

use serde_json::{Value, json};

use super::client::{Stand, THREAD, TURN};

#[test]
fn the_tools_are_listed() {
    let stand = Stand::new();
    let mut client = stand.client();
    let listed = client.request("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let line = |tool: &Value| {
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert!(tool["description"].is_string(), "{tool}");
        let reads = match tool["annotations"]["readOnlyHint"].as_bool() {
            Some(true) => "reads",
            Some(false) => "writes",
            None => "?",
        };
        format!("{} {reads}", tool["name"].as_str().unwrap())
    };
    let lines: Vec<String> = tools.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "tasks_list reads",
            "tasks_ready reads",
            "tasks_show reads",
            "tasks_add writes",
            "tasks_update writes",
            "tasks_link writes",
            "journal_search reads",
        ]
    );
    assert!(client.close().success());
    assert!(
        !stand.repo().join(".git/codex-orch").exists(),
        "who only looks leaves nothing"
    );
}

#[test]
fn the_backlog_is_kept() {
    let stand = Stand::new();
    let mut client = stand.client();
    let lexer = client.add("Write the lexer");
    let parser = client.call(
        "tasks_add",
        json!({"title": "Write the parser", "owner": "agent", "priority": 1, "acceptance": "Tests pass", "needs": [lexer]}),
    );
    let parser = parser["id"].as_str().unwrap();
    let part = client.call("tasks_add", json!({"title": "Errors", "parent": parser}));
    client.call(
        "tasks_link",
        json!({"task": parser, "need": part["id"], "commit": null}),
    );

    let ids = |listed: &Value| -> Vec<String> {
        let tasks = listed["tasks"].as_array().unwrap().iter();
        tasks
            .map(|task| task["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let listed = client.call("tasks_list", json!({}));
    assert_eq!(
        ids(&listed),
        ["Write the parser", "Write the lexer", "Errors"]
    );
    assert_eq!(listed["more"], 0);
    let found = client.call("tasks_list", json!({"text": "PASS tests", "limit": 1}));
    assert_eq!(ids(&found), ["Write the parser"]);
    let first = client.call("tasks_list", json!({"limit": 1}));
    assert_eq!(first["more"], 2);
    let ready = client.call("tasks_ready", json!({}));
    assert_eq!(ids(&ready), ["Write the lexer", "Errors"]);

    client.call(
        "tasks_update",
        json!({"id": lexer, "status": "done", "reason": "It lexes", "note": "Look at strings", "title": "Wrote the lexer"}),
    );
    let head = stand.git(&["rev-parse", "HEAD"]);
    client.call("tasks_link", json!({"task": lexer, "commit": head}));
    let shown = client.call("tasks_show", json!({"task": lexer.to_uppercase()}));
    assert_eq!(shown["title"], "Wrote the lexer");
    assert_eq!(shown["status"], "done");
    assert_eq!(shown["said"]["by"], "main agent");
    assert_eq!(shown["said"]["reason"], "It lexes");
    assert_eq!(
        shown["said"]["commits"],
        json!([]),
        "a link verifies nothing"
    );
    assert_eq!(shown["target_commit"], *head);
    assert_eq!(shown["notes"], json!(["Look at strings"]));
    assert_eq!(shown["needed_by"][0]["id"], parser);
    let done = client.call("tasks_list", json!({"status": "done"}));
    assert_eq!(ids(&done), ["Wrote the lexer"]);
    let none = client.call("journal_search", json!({"words": "lexer"}));
    assert_eq!(none, json!({"entries": [], "more": 0}));

    // Acknowledged is durable and seen by everybody, while the server lives and after.
    assert_eq!(stand.tasks().len(), 3);
    assert!(client.close().success());
    let logs = std::fs::read_dir(stand.repo().join(".git/codex-orch/log")).unwrap();
    assert_eq!(logs.count(), 0, "its log is folded and gone");
    let tasks = stand.tasks();
    assert_eq!(tasks.len(), 3);
    for task in tasks {
        assert_eq!(
            task["origin"],
            json!({"from": "agent", "branch": "main", "thread": THREAD, "turn": TURN})
        );
    }
    assert!(stand.repo().join(".codex-orch/project_tasks.yaml").exists());
}

#[test]
fn what_is_wrong_is_refused_with_a_hint() {
    let stand = Stand::new();
    let mut client = stand.client();
    let [a, b, c] = ["a", "b", "c"].map(|title| client.add(title));
    client.call("tasks_link", json!({"task": a, "need": b}));
    client.call("tasks_link", json!({"task": b, "need": c}));
    let before = stand.tasks();
    let cycle = format!("that need would close a cycle: {c} (c) → {a} (a) → {b} (b) → {c} (c)\n");
    let table = [
        ("tasks_lsit", json!({}), "there is no tool \"tasks_lsit\""),
        ("tasks_add", json!({}), "missing field `title`"),
        (
            "tasks_add",
            json!({"title": 7}),
            "invalid type: integer `7`",
        ),
        (
            "tasks_add",
            json!({"title": " \u{7} "}),
            "a task needs a title",
        ),
        (
            "tasks_add",
            json!({"title": "x", "color": "red"}),
            "unknown field `color`",
        ),
        (
            "tasks_add",
            json!({"title": "x", "priority": 7}),
            "priority 7 is not between",
        ),
        (
            "tasks_add",
            json!({"title": "x", "parent": "zzzz"}),
            "there is no task \"zzzz\"",
        ),
        (
            "tasks_add",
            json!({"title": "x", "needs": ["../.."]}),
            "there is no task \"../..\"",
        ),
        (
            "tasks_list",
            json!({"status": "verified"}),
            "unknown variant `verified`",
        ),
        (
            "tasks_list",
            json!({"limit": -1}),
            "invalid value: integer `-1`",
        ),
        ("tasks_show", json!({"task": ""}), "there is no task \"\""),
        (
            "tasks_update",
            json!({"task": a}),
            "nothing to change was given",
        ),
        (
            "tasks_update",
            json!({"task": a, "reason": "why"}),
            "a reason was given without a status",
        ),
        (
            "tasks_update",
            json!({"task": "zzzz", "status": "done"}),
            "status \"all\" shows every id",
        ),
        (
            "tasks_update",
            json!({"task": a, "status": "done", "priority": 9}),
            "priority 9",
        ),
        (
            "tasks_link",
            json!({"task": a}),
            "either a need or a commit",
        ),
        (
            "tasks_link",
            json!({"task": a, "need": b, "commit": "HEAD"}),
            "either a need or a commit",
        ),
        (
            "tasks_link",
            json!({"task": a, "commit": "HEAD"}),
            "no commit that HEAD reaches",
        ),
        (
            "tasks_link",
            json!({"task": a, "commit": "0123456789012345678901234567890123456789"}),
            "no commit that HEAD",
        ),
        ("tasks_link", json!({"task": c, "need": a}), cycle.as_str()),
        ("tasks_link", json!({"task": a, "need": a}), "close a cycle"),
        (
            "journal_search",
            json!({"words": " \t"}),
            "no words were given",
        ),
    ];
    for (tool, arguments, expect) in table {
        let text = client.refused(tool, arguments);
        assert!(text.contains(expect), "{text}");
    }
    assert_eq!(stand.tasks(), before, "a refusal changes nothing");
}

#[test]
fn a_call_that_comes_again_is_carried_out_once() {
    let stand = Stand::new();
    let mut client = stand.client();
    let (same, other) = (json!({"title": "Once"}), json!({"title": "Twice"}));
    let first = client.call_as("call_0", "tasks_add", same.clone());
    assert_eq!(client.call_as("call_0", "tasks_add", same.clone()), first);
    assert_eq!(stand.tasks().len(), 1);
    // Some models count their calls anew in each turn.
    client.call_as("call_0", "tasks_add", other);
    client.call_as("call_1", "tasks_add", same);
    assert_eq!(stand.tasks().len(), 3);
    // What reads is always read anew.
    let listed = client.call_as("call_2", "tasks_list", json!({}));
    client.add("More");
    assert_ne!(client.call_as("call_2", "tasks_list", json!({})), listed);
}

#[test]
fn a_listing_is_bounded_and_says_what_is_left_out() {
    let stand = Stand::new();
    let mut client = stand.client();
    let title = "🦀".repeat(1_000);
    let note = "\"\\\u{202e}é".repeat(5_000);
    let mut last = String::new();
    for n in 0..40 {
        last = client.add(&format!("{n} {title}"));
    }
    for _ in 0..12 {
        client.call("tasks_update", json!({"task": last, "note": note}));
    }
    let listed = client.call("tasks_list", json!({}));
    let shown = listed["tasks"].as_array().unwrap().len() as u64;
    assert!(shown > 5, "{shown}");
    assert_eq!(listed["more"], 40 - shown);
    let whole = client.call("tasks_show", json!({"task": last}));
    assert_eq!(whole["notes"].as_array().unwrap().len(), 10);
    assert_eq!(whole["notes_in_all"], 12);
    assert!(!whole.to_string().contains('\u{202e}'));
}
