//! A turn: what is said to the model, what the user sees of it, what is recorded.

use serde_json::json;

use super::{WORKED, asked, field, is_for_title, turn, world};
use crate::screen::{Key, Screen};
use crate::world::told;

#[test]
fn a_turn_with_a_plan_a_tool_of_ours_a_command_and_a_commit() {
    let commit =
        "echo p > parser.txt && git add -A && git commit -qm 'Add the parser' && echo committed";
    let world = world(json!([
        {"when": {"user": "parser"}, "steps": [
            {"plan": [["Write the parser", "in_progress"], ["Test it", "pending"]]},
            {"call": {"namespace": "codex_orch", "name": "tasks_add", "arguments": {"title": "Clean up later"}}},
            {"run": commit},
        ]},
        {"when": {"user": "parser"}, "steps": [{"plan": [["Write the parser", "completed"], ["Test it", "pending"]]}]},
        {"when": {"user": "parser"}, "steps": [{"say": "Parser written."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "Build me a parser", "Parser written.");
    let text = screen.text();
    for shown in [
        "› Build me a parser",
        "• Updated Plan · 0/2 complete\n  └ □ Write the parser\n    □ Test it",
        "• Called codex_orch.tasks_add",
        "\"result\":\"added\"",
        "• Ran echo p > parser.txt",
        "└ committed",
        "• Updated Plan · 1/2 complete",
        "✔ Write the parser",
    ] {
        assert!(text.contains(shown), "no {shown:?} in\n{text}");
    }
    assert!(!text.contains("codex_orch_brief"), "{text}");
    assert_eq!(screen.quit().code, 0);

    let first = &asked(&world)[0];
    let brief = told(first);
    assert_eq!(brief.matches("<codex_orch_brief_1>").count(), 1, "{brief}");
    let tools = first.tool_names();
    for tool in [
        "codex_orch.tasks_add",
        "codex_orch.journal_search",
        "update_plan",
        "mcp__codex_tui.list_threads",
    ] {
        assert!(tools.iter().any(|known| known == tool), "{tools:?}");
    }
    // The TUI's own thread for a title is no conversation of the user's.
    for request in world.requests().iter().filter(|one| is_for_title(one)) {
        assert!(!told(request).contains("codex_orch"), "{request:?}");
    }
    assert_eq!(world.turns(), ["completed"]);
    assert_eq!(field(&world, "request"), ["Build me a parser"]);
    let commits = &field(&world, "commits")[0];
    assert!(commits.to_string().contains(&world.head()), "{commits}");
    assert_eq!(
        world.statuses(),
        [
            "Build me a parser: active",
            "Write the parser: done",
            "Test it: pending",
            "Clean up later: pending"
        ]
    );
}

#[test]
fn what_is_typed_by_hand_arrives_and_a_status_is_no_turn() {
    let world = world(json!([{"steps": [{"say": "Hello back."}]}]));
    let screen = Screen::start(&world, &[]);
    screen.until_empty();
    screen.type_text("Hello you").key(Key::Enter);
    screen.until("Hello back.").until(WORKED);
    screen.type_text("/status").key(Key::Enter);
    screen.until("Session:").until("~/repo");
    assert_eq!(screen.quit().code, 0);
    assert_eq!(asked(&world).len(), 1);
    assert_eq!(field(&world, "request"), ["Hello you"]);
}

#[test]
fn another_model_is_used_and_kept_in_the_users_configuration() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    screen.submit("/model").until("Select Model and Effort");
    screen.key(Key::Char('1')).until("Reasoning");
    screen.key(Key::Enter).until("Model changed to");
    turn(&screen, "Second thing", "Two.");
    screen.quit();
    let models: Vec<_> = asked(&world)
        .iter()
        .map(|request| request.body["model"].clone())
        .collect();
    assert_eq!(models[0], "scripted");
    assert_ne!(models[1], "scripted");
    assert_eq!(field(&world, "model"), models);
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    assert!(
        config.contains(&format!("model = {}\n", models[1])),
        "{config}"
    );
}

#[test]
fn after_a_compaction_the_model_is_told_the_brief_again() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "CONTEXT CHECKPOINT COMPACTION"}, "steps": [{"say": "They said hello."}]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    turn(&screen, "/compact", "Context compacted");
    turn(&screen, "Second thing", "Two.");
    screen.quit();
    let asked = asked(&world);
    let second = told(asked.last().unwrap());
    assert_eq!(asked.len(), 3);
    assert_eq!(
        second.matches("<codex_orch_brief_1>").count(),
        1,
        "{second}"
    );
    assert_eq!(field(&world, "request"), ["First thing", "Second thing"]);
}

#[test]
fn a_command_of_the_users_own_is_no_turn_and_a_checkout_by_it_no_drift() {
    let world = world(json!([
        {"when": {"user": "First"}, "steps": [{"say": "One."}]},
        {"when": {"user": "Second"}, "steps": [{"say": "Two."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    turn(&screen, "First thing", "One.");
    turn(
        &screen,
        "!git checkout -q -b side && echo on side",
        "└ on side",
    );
    turn(&screen, "Second thing", "Two.");
    screen.quit();
    assert_eq!(field(&world, "request"), ["First thing", "Second thing"]);
    let branches: Vec<_> = world
        .sessions()
        .iter()
        .map(|session| session["branch"].clone())
        .collect();
    assert_eq!(branches, ["main", "side"]);
    assert_eq!(world.state()["project"]["drift"], json!([]));
}

#[test]
fn a_plan_is_made_in_plan_mode_and_carried_out() {
    let plan = "<proposed_plan>\n# Greet\n\n- Write hello.txt\n</proposed_plan>";
    let world = world(json!([
        {"when": {"user": "Plan a greeting"}, "steps": [{"say": plan}]},
        {"when": {"user": "Implement the plan"}, "steps": [{"run": "echo hello > hello.txt"}]},
        {"when": {"user": "Implement the plan"}, "steps": [{"say": "Greeted."}]},
    ]));
    let screen = Screen::start(&world, &[]);
    screen.submit("/plan").until("Plan mode");
    screen
        .submit("Plan a greeting")
        .until("Implement this plan?");
    assert!(
        screen.text().contains("Write hello.txt"),
        "{}",
        screen.text()
    );
    screen
        .key(Key::Enter)
        .until("Greeted.")
        .until_more(WORKED, 1);
    screen.quit();
    let asked = asked(&world);
    assert!(told(&asked[0]).contains("<codex_orch_brief_1>"));
    assert_eq!(world.turns(), ["completed", "completed"]);
    assert_eq!(field(&world, "request")[0], "Plan a greeting");
    assert!(world.repo.join("hello.txt").exists());
}
