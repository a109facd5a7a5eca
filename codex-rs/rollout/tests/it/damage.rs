//! Rollouts that are torn, hostile or no rollouts at all.

use std::io::Read;

use orch_protocol::turn::{CommandKind, TurnEvent, TurnRecord};
use orch_rollout::command::{command_kind, exit_code_vouches};
use orch_rollout::reader::{MAX_LINE, Reader};
use proptest::prelude::*;
use serde_json::json;

use crate::rollout::{Lines, THREAD, TURN, TURN_2, read};

/// A rollout of announced turns and one of the older kind, without repeated lines.
fn sample() -> Lines {
    Lines::new()
        .started(TURN)
        .user("eins ä")
        .exec("c1", "cargo test")
        .output("c1", "Chunk ID: 1\nProcess exited with code 0\nOutput:\nok")
        .custom("c2", "exec", "tools.exec_command({cmd: 'ls'}); tools.apply_patch(`*** Begin Patch\n*** Add File: q`)")
        .agent("done")
        .complete(TURN)
        .user("zwei")
        .call("c3", "update_plan", json!({"plan": [{"step": "s", "status": "pending"}]}))
        .agent("done")
        .started(TURN_2)
        .user("drei")
        .event(json!({"type": "exec_command_end", "call_id": "c9", "command": ["ls"], "exit_code": 0}))
        .complete(TURN_2)
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        read(&bytes);
    }

    #[test]
    fn lines_of_json_never_panic(lines in proptest::collection::vec(
        (proptest::sample::select(vec!["session_meta", "event_msg", "response_item", "turn_context", "x"]),
         proptest::sample::select(vec!["item_completed", "token_count", "function_call", "custom_tool_call_output", "user_message",
             "task_started", "exec_command_end", "patch_apply_end"]),
         proptest::sample::select(vec!["item", "call_id", "output", "arguments", "message", "info", "changes", "command"]),
         proptest::sample::select(vec![json!(null), json!(1e300), json!([[{}]]), json!({"type": "UserMessage"}), json!(""),
             json!("{\"cmd\":\"a\"}"), json!(true), json!({"a": {"type": []}})])), 0..12)) {
        let text: String = lines.iter()
            .map(|(top, inner, key, value)| format!("{}\n", json!({"type": top, "payload": {"type": inner, *key: value}})))
            .collect();
        read(text.as_bytes());
    }

    #[test]
    fn commands_never_panic(command in "([a-z ]|[$`'\"\\\\(){};&|<>#=\n-]|cargo test|git commit|bash -c |é){0,60}") {
        command_kind(&command);
        exit_code_vouches(&command);
    }

    #[test]
    fn scripts_never_panic(script in "([a-z ]|[$`'\"\\\\(){}\\[\\];:,+/*#=\n-]|tools\\.exec_command\\(|\\{cmd: |const |\\\\u00|é){0,60}") {
        Lines::new().user("x").custom("c", "exec", &script).read();
    }

    #[test]
    fn garbage_between_lines_loses_nothing(at in 0usize..18, garbage in "[^\n\r]{1,80}") {
        let whole = sample();
        prop_assume!(!garbage.trim().is_empty());
        let mut damaged = whole.clone();
        damaged.lines.insert(at.min(whole.lines.len()), garbage);
        let (whole, damaged) = (whole.read(), damaged.read());
        prop_assert_eq!(whole.turns, damaged.turns);
        prop_assert_eq!(damaged.tally.bad_lines, 1);
    }

    #[test]
    fn a_torn_rollout_is_a_prefix(cut in any::<proptest::sample::Index>()) {
        let text = sample().text();
        let whole = read(text.as_bytes());
        let torn = read(&text.as_bytes()[..cut.index(text.len())]);
        prop_assert_eq!(torn.tally.bad_lines, 0);
        prop_assert!(torn.turns.len() <= whole.turns.len());
        for (at, turn) in torn.turns.iter().enumerate() {
            if at + 1 < torn.turns.len() {
                prop_assert_eq!(turn, &whole.turns[at]);
            } else {
                // The last one lacks what was cut off: later events, and codes of commands.
                prop_assert_eq!(&turn.turn, &whole.turns[at].turn);
                prop_assert!(turn.events.len() <= whole.turns[at].events.len());
            }
        }
    }
}

#[test]
fn keys_in_another_order_are_understood() {
    let mut lines = sample();
    let whole = lines.read();
    for line in &mut lines.lines {
        // serde_json sorts keys: the payload comes first, its type last.
        *line = serde_json::from_str::<serde_json::Value>(line)
            .unwrap()
            .to_string();
    }
    assert_eq!(lines.read(), whole);
}

#[test]
fn a_torn_tail_is_told_and_is_not_bad() {
    let text = sample().text();
    let torn = read(&text.as_bytes()[..text.len() - 20]);
    assert!(torn.tally.torn_tail);
    assert_eq!(torn.tally.bad_lines, 0);
    assert!(!read(text.trim_end().as_bytes()).tally.torn_tail);
}

#[test]
fn a_line_beyond_the_limit_is_skipped() {
    let lines = sample();
    let (before, after) = lines.lines.split_at(4);
    let huge = std::io::repeat(b'x').take(MAX_LINE as u64 + 1);
    let text = (
        before.join("\n") + "\n",
        "\n".to_owned() + &after.join("\n"),
    );
    let mut reader = Reader::new(text.0.as_bytes().chain(huge).chain(text.1.as_bytes()));
    let mut turns = Vec::new();
    while let Some(turn) = reader.next_turn().unwrap() {
        turns.push(turn);
    }
    assert_eq!(turns, lines.read().turns);
    assert_eq!(reader.tally().bad_lines, 1);
}

#[test]
fn a_turn_is_bounded_and_keeps_plans_and_commits() {
    let mut lines = Lines::new().started(TURN).user(&"ä".repeat(100_000));
    for n in 0..TurnRecord::MAX_EVENTS + 100 {
        lines = lines.exec(&format!("c{n}"), &"x".repeat(5_000));
    }
    let lines = lines
        .exec("last", "git commit -m x")
        .output("last", "Chunk ID: 1\nProcess exited with code 0\nOutput:\n")
        .call(
            "plan",
            "update_plan",
            json!({"plan": (0..1_000).map(|n| json!({"step": n.to_string()})).collect::<Vec<_>>()}),
        );
    let rollout = lines.read();
    let turn = &rollout.turns[0];
    assert_eq!(turn.request.chars().count(), TurnRecord::MAX_MESSAGE);
    assert_eq!(turn.events.len(), TurnRecord::MAX_EVENTS);
    assert_eq!(turn.events_dropped, 102);
    let TurnEvent::Command {
        kind, exit_code, ..
    } = &turn.events[TurnRecord::MAX_EVENTS - 2]
    else {
        panic!()
    };
    assert_eq!((*kind, *exit_code), (CommandKind::Commit, Some(0)));
    assert_eq!(turn.last_plan().unwrap().len(), TurnRecord::MAX_STEPS);
    let longest = turn.events.iter().filter_map(|event| match event {
        TurnEvent::Command { command, .. } => Some(command.chars().count()),
        _ => None,
    });
    assert_eq!(longest.max(), Some(TurnRecord::MAX_COMMAND));
}

#[test]
fn what_is_cut_off_a_command_still_counts() {
    let long = "x".repeat(TurnRecord::MAX_COMMAND);
    let lines = Lines::new()
        .started(TURN)
        .user("go")
        .exec("a", &format!("A={long} cargo test; echo done"))
        .exec("b", &format!("A={long} cargo test"));
    let vouches: Vec<bool> = lines.read().turns[0]
        .events
        .iter()
        .filter_map(|event| match event {
            TurnEvent::Command { vouches, .. } => Some(*vouches),
            _ => None,
        })
        .collect();
    assert_eq!(vouches, [false, true]);
}

#[test]
fn a_rollout_without_a_first_line_still_has_turns() {
    let lines = sample();
    let rollout = read(lines.lines[1..].join("\n").as_bytes());
    assert_eq!((rollout.meta, rollout.turns.len()), (None, 3));
    assert_eq!(lines.read().turns[0].thread.as_str(), THREAD);
}
