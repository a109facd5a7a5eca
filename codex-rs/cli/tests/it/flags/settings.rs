//! Settings: `-c`, profiles, strictness.

use super::{Pair, setting};
use crate::world::World;

/// What the line below the composer says unless it is told otherwise.
const STATUS: &str = "default · ~/repo";

#[test]
fn a_setting_reaches_the_model_and_the_screen() {
    let flags = [
        "-c",
        "model_reasoning_effort=high",
        "-c",
        "tui.status_line=[\"current-dir\"]",
    ];
    let pair = Pair::begun();
    pair.every_way(&flags, |seen| {
        assert_eq!(seen.context["effort"], "high");
        assert!(!seen.screen.contains("· ~/repo"), "{}", seen.screen);
    });
    for seen in pair.turn(&["Go"]) {
        assert!(seen.screen.contains(STATUS), "{}", seen.screen);
    }
    // It was for that time alone.
    let config = std::fs::read_to_string(pair.ours.home.join("config.toml")).unwrap();
    assert!(!config.contains("status_line"), "{config}");
}

#[test]
fn a_profile_ranks_above_the_configuration_and_below_what_is_said() {
    let profile = |world: &World| {
        let text = "model = \"profiled\"\nmodel_reasoning_effort = \"low\"\n[tui]\nstatus_line = [\"current-dir\"]\n";
        world.write_home("work.config.toml", text);
        world.plain(&["exec", "Before"]).ok();
    };
    let pair = Pair::of(setting, profile);
    pair.every_way(
        &["-p", "work", "-c", "model_reasoning_effort=high"],
        |seen| {
            assert_eq!(seen.context["effort"], "high");
            assert!(!seen.screen.contains("· ~/repo"), "{}", seen.screen);
        },
    );
    let [seen, _] = pair.turn(&["Go", "--profile=work"]);
    assert_eq!(seen.request["model"], "profiled");
    assert_eq!(seen.context["effort"], "low");
}

#[test]
fn a_good_configuration_passes_the_strict_look() {
    Pair::begun().every_way(&["--strict-config", "-c", "model=strict"], |seen| {
        assert_eq!(seen.request["model"], "strict");
    });
}

#[test]
fn a_project_may_say_what_nobody_else_says() {
    let pair = Pair::of(setting, |world| {
        std::fs::create_dir(world.repo.join(".codex")).unwrap();
        let text = "model_reasoning_effort = \"low\"\nmodel = \"project\"\n";
        std::fs::write(world.repo.join(".codex/config.toml"), text).unwrap();
    });
    let [seen, _] = pair.turn(&["Go", "-c", "model_reasoning_effort=high"]);
    assert_eq!(seen.context["effort"], "high");
    assert_eq!(seen.request["model"], "project");
}
