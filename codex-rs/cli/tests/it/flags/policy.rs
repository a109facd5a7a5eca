//! What the agent may do: sandbox, approvals, model, tools.

use serde_json::json;

use super::{Pair, setting, tools};
use crate::world::World;

/// Lets the configuration say the opposite of what flags will.
fn strictly(world: &World) {
    let config = std::fs::read_to_string(world.home.join("config.toml")).unwrap();
    let config = config.replace("danger-full-access", "read-only");
    world.write_home(
        "config.toml",
        &config.replace("\"never\"", "\"on-request\""),
    );
    world.plain(&["exec", "Before"]).ok();
}

#[test]
fn model_sandbox_and_approvals_hold_for_every_way_in() {
    let flags = ["-m", "other", "-s", "read-only", "-a", "on-request"];
    Pair::begun().every_way(&flags, |seen| {
        assert_eq!(seen.request["model"], "other");
        assert_eq!(seen.context["sandbox_policy"]["type"], "read-only");
        assert_eq!(seen.context["approval_policy"], "on-request");
        assert!(
            seen.request["input"]
                .to_string()
                .contains("`sandbox_mode` is `read-only`")
        );
    });
}

#[test]
fn approve_for_me_is_a_reviewer_and_a_sandbox() {
    Pair::begun().every_way(&["--approve-for-me"], |seen| {
        assert_eq!(seen.context["approvals_reviewer"], "auto_review");
        assert_eq!(seen.context["sandbox_policy"]["type"], "workspace-write");
        assert_eq!(seen.context["approval_policy"], "on-request");
    });
}

#[test]
fn the_bypass_switches_both_off() {
    let pair = Pair::of(setting, strictly);
    pair.every_way(&["--dangerously-bypass-approvals-and-sandbox"], |seen| {
        assert_eq!(seen.context["sandbox_policy"]["type"], "danger-full-access");
        assert_eq!(seen.context["approval_policy"], "never");
    });
    let [seen, _] = pair.turn(&["Go"]);
    assert_eq!(seen.context["sandbox_policy"]["type"], "read-only");
}

#[test]
fn search_and_features_reach_the_tools_of_every_way_in() {
    let flags = [
        "--search",
        "--disable",
        "goals",
        "--enable",
        "request_permissions_tool",
    ];
    let pair = Pair::begun();
    pair.every_way(&flags, |seen| {
        let search = json!({"type": "web_search", "external_web_access": true});
        assert!(seen.request["tools"].as_array().unwrap().contains(&search));
        let tools = tools(&seen.request);
        assert!(
            !tools.contains(&"get_goal") && tools.contains(&"request_permissions"),
            "{tools:?}"
        );
    });
    let [seen, _] = pair.turn(&["Go"]);
    let tools = tools(&seen.request);
    assert!(
        tools.contains(&"get_goal") && !tools.contains(&"request_permissions"),
        "{tools:?}"
    );
}
