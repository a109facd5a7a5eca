//! Every form that a version wrote, in small rollouts made here.

use orch_protocol::turn::{TokenUsage, TurnKind, TurnStatus};
use orch_rollout::reader::read_thread;
use serde_json::json;

use crate::rollout::{Lines, PARENT, PARENT_TURN, THREAD, TURN, TURN_2, meta, shown};

const PATCH: &str = "*** Begin Patch\n*** Add File: a\n+x\n*** Update File: b\n*** End Patch\n";

#[test]
fn a_thread_tells_where_it_began() {
    let meta = Lines::new().read().meta.unwrap();
    assert_eq!(
        (meta.thread.as_str(), meta.cwd.as_deref()),
        (THREAD, Some("/w"))
    );
    assert_eq!(meta.commit.unwrap().as_str(), "c0ffee");
    assert_eq!(
        (meta.branch.as_deref(), meta.source.as_deref()),
        (Some("main"), Some("cli"))
    );
    assert_eq!(
        (meta.parent, meta.is_subagent, meta.is_approval_review),
        (None, false, false)
    );
}

/// 0.34 to 0.58: argv in `shell`, the exit code in JSON, turns counted by messages.
#[test]
fn shell_with_argv() {
    let rollout = Lines::new()
        .user("<environment_context>\n<cwd>/w</cwd></environment_context>")
        .user("# AGENTS.md instructions for /w\n")
        .user("first")
        .context("/w/a")
        .call("c1", "shell", json!({"command": ["bash", "-lc", "cargo test"], "workdir": "/w"}))
        .output("c1", json!({"output": "ok\nexit_code", "metadata": {"exit_code": 101, "duration_seconds": 0.8}}).to_string())
        .call("c2", "shell", json!({"command": ["git", "commit", "-m", "a b"]}))
        .output("c2", "exec command rejected by user")
        .call("c3", "shell", json!({"command": ["apply_patch", PATCH]}))
        .output("c3", json!({"output": "Success.", "metadata": {"exit_code": 0}}).to_string())
        .event(json!({"type": "turn_aborted", "reason": "interrupted"}))
        .user("# Context from my IDE setup:\n\n## Open tabs:\n- x\n\n## My request for Codex:\nsecond\n")
        .context("/w/b")
        .agent("done")
        .user("third")
        .read();
    assert_eq!(rollout.turns.len(), 3);
    let [first, second, third] = &rollout.turns[..] else {
        panic!()
    };
    assert_eq!(first.turn.as_str(), format!("{THREAD}.1"));
    assert_eq!(
        (first.request.as_str(), second.request.as_str()),
        ("first", "second")
    );
    assert_eq!(
        (first.status, second.status),
        (TurnStatus::Interrupted, TurnStatus::Completed)
    );
    assert_eq!(
        (third.status, third.ended_at),
        (TurnStatus::Interrupted, None)
    );
    assert_eq!(
        (first.cwd.as_deref(), second.cwd.as_deref()),
        (Some("/w/a"), Some("/w/b"))
    );
    assert_eq!(first.model.as_deref(), Some("m1"));
    assert_eq!(
        shown(first),
        [
            "Test `cargo test` Some(101)",
            "Commit `git commit -m 'a b'` None",
            "Added a true",
            "Modified b true"
        ]
    );
    let own = rollout.tally.own;
    assert_eq!((own.user_messages, own.shell_calls, own.patches), (3, 3, 1));
    assert_eq!((own.test_commands, own.commit_commands), (1, 1));
}

/// 0.70 to 0.94: a string in `shell_command`, `Exit code:`, `apply_patch` as a tool of its own.
#[test]
fn shell_command_and_custom_patch() {
    let rollout = Lines::new()
        .user("go")
        .call("c1", "shell_command", json!({"command": "npm test", "workdir": "/w"}))
        .output("c1", "Exit code: 1\nWall time: 0 seconds\nOutput:\nExit code: 0")
        .custom("c2", "apply_patch", PATCH)
        .response(json!({"type": "custom_tool_call_output", "call_id": "c2",
            "output": "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess."}))
        .custom("c3", "apply_patch", PATCH)
        .response(json!({"type": "custom_tool_call_output", "call_id": "c3", "output": "apply_patch verification failed: b"}))
        .call("c4", "shell_command", json!({"command": format!("apply_patch <<'EOF'\n{PATCH}EOF")}))
        .output("c4", "Exit code: 0\nOutput:\nSuccess.")
        .call("c5", "shell_command", json!("not what it should be"))
        .call("c6", "local_shell_call", json!({}))
        .response(json!({"type": "local_shell_call", "call_id": "c7", "action": {"type": "exec", "command": ["ls"]}}))
        .read();
    assert_eq!(
        shown(&rollout.turns[0]),
        [
            "Test `npm test` Some(1)",
            "Added a true",
            "Modified b true",
            "Added a false",
            "Modified b false",
            "Added a true",
            "Modified b true",
            "Other `ls` None",
        ]
    );
    assert_eq!(
        (rollout.tally.own.patches, rollout.tally.own.shell_calls),
        (3, 4)
    );
}

/// 0.104 on: turn ids, `exec_command`, `write_stdin`, engine events for commands and patches.
#[test]
fn exec_command_and_announced_turns() {
    let rollout = Lines::new()
        .started(TURN)
        .user("go")
        .exec("c1", "cargo test")
        .exec("c2", "sleep 9")
        .output("c1", "Chunk ID: 1\nWall time: 1 seconds\nProcess running with session ID 77\nOutput:\n")
        .call("w1", "write_stdin", json!({"session_id": 77, "chars": ""}))
        .output("w1", "Chunk ID: 2\nProcess running with session ID 77\nOutput:\n")
        .call("w2", "write_stdin", json!({"session_id": 77, "chars": ""}))
        .output("w2", "Chunk ID: 3\nProcess exited with code 101\nOutput:\n")
        .event(json!({"type": "exec_command_end", "call_id": "c2", "command": ["/bin/zsh", "-lc", "sleep 9"],
            "exit_code": 0, "aggregated_output": "x", "source": "unified_exec_startup"}))
        .output("c2", "Chunk ID: 4\nProcess exited with code 0\nOutput:\n")
        .event(json!({"type": "exec_command_end", "call_id": "u1", "command": ["bash", "-lc", "ls"], "exit_code": 0,
            "source": "user_shell"}))
        .user("and this")
        .event(json!({"type": "patch_apply_end", "call_id": "p1", "success": true,
            "changes": {"/w/x": {"type": "update", "unified_diff": "d", "move_path": "/w/y"}}}))
        .agent("done")
        .complete(TURN)
        .started(TURN_2)
        .user("again")
        .event(json!({"type": "error", "message": "no\u{1b}[31m quota"}))
        .complete(TURN_2)
        .read();
    let [first, second] = &rollout.turns[..] else {
        panic!()
    };
    assert_eq!(
        (first.turn.as_str(), first.status),
        (TURN, TurnStatus::Completed)
    );
    assert_eq!(first.request, "go\n\nand this");
    assert_eq!(
        shown(first),
        [
            "Test `cargo test` Some(101)",
            "Other `sleep 9` Some(0)",
            "Deleted /w/x true",
            "Added /w/y true",
            "says done"
        ]
    );
    assert!(first.ended_at > first.started_at);
    assert_eq!(
        (second.status, shown(second)),
        (TurnStatus::Failed, vec!["error no[31m quota".to_owned()])
    );
    assert_eq!(rollout.tally.own.user_messages, 3);
}

/// 0.145 on: JavaScript in `exec`; what it really ran comes from the engine's events, if at all.
#[test]
fn scripts() {
    let script = "const r = await tools.exec_command({cmd: 'cargo test'});\n\
                  await tools.exec_command({cmd: `git commit -m x`});\n\
                  for (const c of more) await tools.exec_command({cmd: c});\n\
                  await tools.apply_patch(\"*** Begin Patch\\n*** Add File: n\\n+x\\n*** End Patch\");\n\
                  await tools.update_plan({plan: [{step: 'one', status: 'in_progress'}]});";
    let with_events = Lines::new()
        .started(TURN)
        .user("go")
        .custom("s1", "exec", script)
        .event(json!({"type": "exec_command_end", "call_id": "n1", "command": ["bash", "-lc", "cargo test"], "exit_code": 0}))
        .event(json!({"type": "exec_command_end", "call_id": "n2", "command": ["bash", "-lc", "ls"], "exit_code": 2}))
        .event(json!({"type": "patch_apply_end", "call_id": "n3", "success": true, "changes": {"/w/n": {"type": "add"}}}))
        .response(json!({"type": "custom_tool_call_output", "call_id": "s1",
            "output": [{"type": "input_text", "text": "Script completed\nOutput:\n"}]}))
        .complete(TURN)
        .read();
    assert_eq!(
        shown(&with_events.turns[0]),
        [
            "Test `cargo test` Some(0)",
            "Commit `git commit -m x` None",
            "Added n true",
            "plan: one InProgress",
            "Other `ls` Some(2)",
        ]
    );
    let printed = Lines::new()
        .user("go")
        .custom("s1", "exec", "text(JSON.stringify(await tools.exec_command({cmd: 'cargo test'})))")
        .response(json!({"type": "custom_tool_call_output", "call_id": "s1", "output": [
            {"type": "input_text", "text": "Script completed\nOutput:\n"},
            {"type": "input_text", "text": "{\"wall_time_seconds\":0.1,\"exit_code\":3,\"output\":\"\"}"}]}))
        .read();
    assert_eq!(shown(&printed.turns[0]), ["Test `cargo test` Some(3)"]);
}

#[test]
fn plans() {
    let rollout = Lines::new()
        .user("go")
        .call("c1", "update_plan", json!({"explanation": "why", "plan": [
            {"step": "a", "status": "completed"}, {"step": "b\u{202e}", "status": "in_progress"}, {"step": "c"}]}))
        .output("c1", "Plan updated")
        .call("c2", "update_plan", json!({"plan": "no list"}))
        .read();
    assert_eq!(
        shown(&rollout.turns[0]),
        ["plan: a Completed, b InProgress, c Pending"]
    );
    assert_eq!(rollout.tally.own.plans, 1);
}

/// 0.152 on: messages only as items, commands and patches as items beside the calls, exact token records.
#[test]
fn paginated() {
    let text = |kind: &str, text: &str| json!({"type": kind, "id": "i", "content": [{"type": "text", "text": text}]});
    let usage = |n: u64| json!({"input_tokens": n, "cached_input_tokens": 1, "output_tokens": 2});
    let rollout = Lines::paginated()
        .started(TURN)
        .item(TURN, text("UserMessage", "go"))
        .exec("c1", "cargo test")
        .line("token_usage_record", json!({"thread_id": THREAD, "turn_id": TURN, "usage": usage(10)}))
        .item(TURN, json!({"type": "CommandExecution", "id": "c1", "command": ["/bin/bash", "-lc", "cargo test"],
            "source": "unified_exec_startup", "status": "failed", "aggregated_output": "x", "exit_code": 1}))
        .output("c1", "Chunk ID: 1\nProcess exited with code 1\nOutput:\n")
        .tokens(999, 999)
        .custom("c2", "apply_patch", PATCH)
        .item(TURN, json!({"type": "FileChange", "id": "c2", "status": "completed", "changes": {"/w/a": {"type": "add"}}}))
        .item(TURN, json!({"type": "McpToolCall", "id": "m1", "server": "s", "tool": "t", "arguments": {}}))
        .item(TURN, json!({"type": "Reasoning", "id": "r", "content": ["no part"]}))
        .line("token_usage_record", json!({"thread_id": "other", "turn_id": TURN, "usage": usage(1000)}))
        .line("token_usage_record", json!({"thread_id": THREAD, "turn_id": TURN, "usage": usage(20)}))
        .item(TURN, text("AgentMessage", "done"))
        .response(json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]}))
        .complete(TURN)
        .read();
    let [turn] = &rollout.turns[..] else { panic!() };
    assert_eq!(
        (turn.request.as_str(), turn.status),
        ("go", TurnStatus::Completed)
    );
    assert_eq!(
        shown(turn),
        [
            "Test `cargo test` Some(1)",
            "Added a true",
            "Modified b true",
            "says done"
        ]
    );
    let expected = TokenUsage {
        input: 30,
        cached_input: 2,
        output: 4,
    };
    assert_eq!(turn.usage, expected);
    assert_eq!(
        (rollout.tally.own.shell_calls, rollout.tally.own.patches),
        (1, 1)
    );
}

#[test]
fn a_message_in_two_forms_counts_once() {
    let rollout = Lines::new()
        .started(TURN)
        .user("go")
        .item(
            TURN,
            json!({"type": "UserMessage", "content": [{"type": "text", "text": "go"}]}),
        )
        .item(
            TURN,
            json!({"type": "AgentMessage", "content": [{"type": "Text", "text": "done"}]}),
        )
        .agent("done")
        .complete(TURN)
        .read();
    assert_eq!(
        (
            rollout.turns[0].request.as_str(),
            rollout.tally.own.user_messages
        ),
        ("go", 1)
    );
    assert_eq!(shown(&rollout.turns[0]), ["says done"]);
}

/// Up to 0.15x a fork begins with its parent's first line and history.
#[test]
fn a_copied_history_is_not_the_threads_own() {
    let rollout = Lines::new()
        .line("session_meta", meta(PARENT))
        .started(PARENT_TURN)
        .user("the parent's")
        .exec("c1", "cargo test")
        .tokens(1000, 1000)
        .started(TURN)
        .user("mine")
        .exec("c2", "ls")
        .tokens(1100, 100)
        .complete(TURN)
        .read();
    let [turn] = &rollout.turns[..] else { panic!() };
    assert_eq!((turn.request.as_str(), turn.usage.input), ("mine", 100));
    assert_eq!(shown(turn), ["Other `ls` None"]);
    assert_eq!(rollout.meta.unwrap().parent.unwrap().as_str(), PARENT);
    assert_eq!(
        (
            rollout.tally.own.shell_calls,
            rollout.tally.inherited.shell_calls
        ),
        (1, 1)
    );
    assert_eq!(
        (
            rollout.tally.own.user_messages,
            rollout.tally.inherited.test_commands
        ),
        (1, 1)
    );
}

/// Without turn ids the copy is told by its lines' times: it was written in one go.
#[test]
fn an_old_copied_history_is_told_by_its_times() {
    let mut lines = Lines::new()
        .line("session_meta", meta(PARENT))
        .user("the parent's")
        .agent("done");
    for line in &mut lines.lines {
        let (_, rest) = line.split_once(',').unwrap();
        *line = format!("{{\"timestamp\":\"2026-01-01T00:00:00.100Z\",{rest}");
    }
    let rollout = lines.user("mine").agent("done").read();
    assert_eq!(rollout.turns.len(), 1);
    assert_eq!(rollout.turns[0].request, "mine");
    assert_eq!(rollout.tally.inherited.user_messages, 1);
}

/// 0.169: a fork refers to its parent's history, and copies nothing.
#[test]
fn a_fork_by_reference() {
    let mut fork = meta(THREAD);
    fork["forked_from_id"] = PARENT.into();
    let rollout = Lines::default()
        .line("session_meta", fork)
        .started(TURN)
        .user("mine")
        .complete(TURN)
        .read();
    assert_eq!(rollout.turns.len(), 1);
    assert_eq!(rollout.meta.unwrap().parent.unwrap().as_str(), PARENT);
}

#[test]
fn sub_agents_and_approval_reviews_are_marked() {
    let mut spawned = meta(THREAD);
    spawned["source"] =
        json!({"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}});
    let rollout = Lines::default()
        .line("session_meta", spawned)
        .started(TURN)
        .user("work")
        .read();
    let meta = rollout.meta.unwrap();
    assert!(meta.is_subagent);
    assert_eq!(
        (meta.parent.unwrap().as_str(), meta.source.as_deref()),
        (PARENT, Some("subagent"))
    );
    assert_eq!(rollout.turns.len(), 1);
    let review = Lines::new()
        .started(TURN)
        .user(">>> TRANSCRIPT START\n[1] user: hi")
        .read();
    assert!(review.meta.unwrap().is_approval_review);
}

/// 0.169: a review's turn is entered by an item; the helper thread below it leaves traces that are not this thread's.
#[test]
fn a_review_is_one_turn() {
    let helper = "01a00000-0003-7000-8000-000000000003";
    let rollout = Lines::paginated()
        .item(TURN, json!({"type": "EnteredReviewMode", "id": "r", "target": {"type": "uncommittedChanges"}}))
        .event(json!({"type": "task_started", "turn_id": helper, "root_turn_id": TURN}))
        .event(json!({"type": "item_completed", "thread_id": "helper", "turn_id": helper,
            "item": {"type": "UserMessage", "content": [{"type": "text", "text": "Review the changes"}]}}))
        .item(TURN, json!({"type": "AgentMessage", "content": [{"type": "Text", "text": "Fine."}]}))
        .event(json!({"type": "task_complete", "turn_id": TURN, "root_turn_id": TURN}))
        .read();
    let [turn] = &rollout.turns[..] else { panic!() };
    assert_eq!(
        (turn.turn.as_str(), turn.kind, turn.status),
        (TURN, TurnKind::Review, TurnStatus::Completed)
    );
    assert_eq!(
        (turn.request.as_str(), shown(turn)),
        ("", vec!["says Fine.".to_owned()])
    );
}

/// 0.169: a turn's end says that it failed; there is no event for the error itself.
#[test]
fn a_failure_stands_in_the_turns_end() {
    let end = json!({"type": "task_complete", "turn_id": TURN, "root_turn_id": TURN, "last_agent_message": null,
        "error": {"message": "exceeded retry limit", "codex_error_info": {"http_status_code": 429}}});
    let rollout = Lines::paginated()
        .event(json!({"type": "task_started", "turn_id": TURN, "root_turn_id": TURN}))
        .item(
            TURN,
            json!({"type": "UserMessage", "content": [{"type": "text", "text": "Ship it"}]}),
        )
        .item(
            TURN,
            json!({"type": "AgentMessage", "content": [{"type": "Text", "text": "Shipping."}]}),
        )
        .event(end)
        .read();
    let [turn] = &rollout.turns[..] else { panic!() };
    assert_eq!(turn.status, TurnStatus::Failed);
    let expect = ["says Shipping.", "error exceeded retry limit"];
    assert_eq!(shown(turn), expect);
}

#[test]
fn what_a_turn_costs_is_what_the_total_grew_by() {
    let rollout = Lines::new()
        .user("a")
        .tokens(100, 100)
        .tokens(100, 100)
        .tokens(300, 200)
        .agent("x")
        .user("b")
        .tokens(350, 50)
        // A new process counts anew.
        .tokens(40, 40)
        .agent("y")
        .read();
    let inputs: Vec<u64> = rollout.turns.iter().map(|turn| turn.usage.input).collect();
    assert_eq!(inputs, [300, 90]);
}

#[test]
fn turns_without_a_question_or_work_are_no_turns() {
    let rollout = Lines::new()
        .started(TURN)
        .line(
            "compacted",
            json!({"message": "", "replacement_history": []}),
        )
        .event(json!({"type": "context_compacted"}))
        .complete(TURN)
        .read();
    assert!(rollout.turns.is_empty());
}

#[test]
fn windows_are_joined_in_order_and_overlaps_read_once() {
    let whole = Lines::paginated()
        .started(TURN)
        .item(
            TURN,
            json!({"type": "UserMessage", "content": [{"type": "text", "text": "go"}]}),
        )
        .exec("c1", "ls")
        .output("c1", "Chunk ID: 1\nProcess exited with code 0\nOutput:\n")
        .complete(TURN);
    let folder = tempfile::tempdir().unwrap();
    // The later window's name sorts first, it begins without a session_meta, and the first one has no line feed at its end.
    let (second, first) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    std::fs::write(&first, whole.lines[..4].join("\n")).unwrap();
    std::fs::write(&second, whole.lines[3..].join("\n")).unwrap();
    let joined = read_thread(&[second, first]).unwrap();
    assert_eq!(joined.turns, whole.read().turns);
    assert_eq!(joined.turns[0].status, TurnStatus::Completed);
    assert_eq!(
        (joined.tally.bad_lines, joined.tally.own.shell_calls),
        (0, 1)
    );
}
