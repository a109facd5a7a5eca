//! What is done in each run: what the model says, and what the client asks. Nothing is expected here.

use serde_json::{Value, json};

use crate::observers::client::Client;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// More of `config.toml`.
    pub(crate) config: &'static str,
    pub(crate) replies: Value,
    pub(crate) play: fn(&mut Client<'_>),
    /// How many records both observers make, sub-agents' included.
    pub(crate) records: usize,
}

impl Scenario {
    fn new(name: &'static str, records: usize, replies: Value, play: fn(&mut Client<'_>)) -> Self {
        let config = "tools.update_plan.enabled = true\n";
        Self {
            name,
            config,
            replies,
            play,
            records,
        }
    }
}

fn patch(files: &str) -> String {
    format!("apply_patch <<'EOF'\n*** Begin Patch\n{files}\n*** End Patch\nEOF")
}

fn exec(command: &str, more: Value) -> Value {
    let mut arguments = json!({"cmd": command});
    if let (Value::Object(arguments), Value::Object(more)) = (&mut arguments, more) {
        arguments.extend(more);
    }
    json!({"call": {"name": "exec_command", "arguments": arguments}})
}

pub(crate) fn all() -> Vec<Scenario> {
    let mut all = turns();
    all.extend(ends());
    all.extend(others());
    all
}

/// What may happen in a turn of the user's.
fn turns() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a message",
            1,
            json!([{"steps": [{"say": "Hello."}]}]),
            |client| {
                client.turn("hello");
            },
        ),
        Scenario::new(
            "messages, images and mentions",
            1,
            json!([{"steps": [{"say": "First."}, {"run": "true"}]}, {"steps": [{"stream": ["Sec", "ond."]}]}]),
            |client| {
                let readme = client.world().repo.join("README.md");
                client.begin_with(json!([
                    {"type": "text", "text": "look at this"},
                    {"type": "image", "url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="},
                    {"type": "text", "text": "and this"},
                    {"type": "mention", "name": "README", "path": readme},
                ]));
                client.ended();
            },
        ),
        Scenario::new(
            "plans",
            1,
            json!([
                {"steps": [{"plan": [["Write", "in_progress"], ["Test", "pending"]]}]},
                {"steps": [{"call": {"name": "update_plan", "arguments": {"explanation": "Written.",
                    "plan": [{"step": "Write", "status": "completed"}, {"step": "Test", "status": "in_progress"}]}}}]},
            ]),
            |client| {
                client.turn("plan it");
            },
        ),
        Scenario::new(
            "commands",
            1,
            json!([
                {"steps": [{"run": "echo hi | tail -1"}]},
                {"steps": [{"run": "cargo test --no-such-flag"}]},
                {"steps": [{"run": "printf '%s' \"it's\" > 'a b.txt'; ls *.txt\n# a comment"}]},
                {"steps": [{"run": "cat <<'EOF'\n$HOME \"quoted\"\nEOF\nexit 3"}]},
                {"steps": [{"run": "git commit --allow-empty -qm 'one thing'"}]},
                {"steps": [exec("pwd", json!({"workdir": ".."}))]},
            ]),
            |client| {
                client.turn("run these");
            },
        ),
        Scenario::new(
            "commands at once",
            1,
            json!([{"steps": [{"run": "true"}, {"run": "false"}, {"run": "git commit --allow-empty -qm x"}]}]),
            |client| {
                client.turn("run these");
            },
        ),
        Scenario::new(
            "patches",
            1,
            json!([
                {"steps": [{"run": patch("*** Add File: z.txt\n+z\n*** Add File: a/b.txt\n+b\n*** Update File: README.md\n*** Move to: READ.md\n@@\n-hello\n+hi")}]},
                {"steps": [{"run": format!("cd a && {}", patch("*** Update File: b.txt\n@@\n-b\n+c"))}]},
                {"steps": [exec(&patch("*** Add File: c.txt\n+c"), json!({"workdir": "a"}))]},
                {"steps": [{"run": patch("*** Delete File: z.txt")}]},
                {"steps": [{"run": patch("*** Update File: missing.txt\n@@\n-b\n+c")}]},
                {"steps": [{"run": "touch file"}]},
                {"steps": [{"run": patch("*** Add File: file/below.txt\n+c")}]},
                {"steps": [{"custom": {"name": "apply_patch", "input": "*** Begin Patch\n*** Add File: m.txt\n+m\n*** End Patch\n"}}]},
            ]),
            |client| {
                client.turn("patch these");
            },
        ),
        script(),
        Scenario::new(
            "the patch tool",
            1,
            json!([
                {"steps": [{"custom": {"name": "apply_patch", "input": "*** Begin Patch\n*** Add File: m.txt\n+m\n*** End Patch\n"}}]},
                {"steps": [{"custom": {"name": "apply_patch", "input": "*** Begin Patch\n*** Delete File: missing.txt\n*** End Patch\n"}}]},
            ]),
            |client| {
                // A model that the engine gives this tool.
                client.start(json!({"model": "gpt-5.5"}));
                client.turn("patch these");
            },
        ),
        Scenario::new(
            "refusals",
            1,
            json!([
                {"steps": [exec("touch x", json!({"sandbox_permissions": "require_escalated", "justification": "x"}))]},
                {"steps": [{"run": patch("*** Add File: ../outside.txt\n+x")}]},
            ]),
            |client| {
                client.start(json!({"approvalPolicy": "untrusted", "sandbox": "read-only"}));
                client.turn("may I?");
            },
        ),
        Scenario::new(
            "a long command that ends in its turn",
            1,
            json!([
                {"steps": [exec("echo $$ > pid; until test -e go; do sleep 0.05; done; exit 4", json!({"yield_time_ms": 250}))]},
                {"steps": [{"run": "touch go; while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done"}]},
                {"steps": [{"run": "true"}]},
            ]),
            |client| {
                client.turn("ask me");
            },
        ),
        Scenario::new(
            "a command that outlives its turn",
            2,
            json!([
                {"steps": [exec("until test -e go; do sleep 0.05; done; exit 5", json!({"yield_time_ms": 250}))]},
                {"steps": [{"say": "It runs."}]},
                {"steps": [{"run": "touch go"}]},
                {"steps": [exec("sleep 0.3", json!({"yield_time_ms": 5000}))]},
            ]),
            |client| {
                client.turn("start it");
                client.turn("let it go");
            },
        ),
        Scenario::new(
            "a steer",
            1,
            json!([
                {"steps": [exec("until test -e go; do sleep 0.05; done", json!({"yield_time_ms": 20000}))]},
                {"steps": [{"say": "Both."}]},
            ]),
            |client| {
                let turn = client.begin("first");
                client.until_begun("commandExecution");
                let input = json!([{"type": "text", "text": "and second"}]);
                client.ask(
                    "turn/steer",
                    json!({"expectedTurnId": turn, "input": input}),
                );
                client.begin("and third");
                std::fs::write(client.world().repo.join("go"), "").unwrap();
                client.ended();
            },
        ),
        Scenario::new("two turns in another folder", 2, json!([]), |client| {
            client.turn("here");
            let folder = client.world().repo.join("sub");
            std::fs::create_dir(&folder).unwrap();
            let input = json!([{"type": "text", "text": "there"}]);
            client.ask(
                "turn/start",
                json!({"input": input, "cwd": folder, "model": "another"}),
            );
            client.ended();
        }),
    ]
}

/// Newer models write JavaScript that calls the tools.
fn script() -> Scenario {
    let one = r#"
        const one = await tools.exec_command({cmd: "echo one; exit 2"});
        await tools.exec_command({cmd: "until test -e go; do sleep 0.05; done; exit 5", yield_time_ms: 250});
        await tools.update_plan({plan: [{step: "a", status: "in_progress"}]});
        for (const c of ["echo computed"]) await tools.exec_command({cmd: c});
        await tools.apply_patch("*** Begin Patch\n*** Add File: js.txt\n+hi\n*** End Patch\n");
        text(JSON.stringify(one));"#;
    let two = r#"await tools.exec_command({cmd: "touch go; sleep 0.3"});"#;
    let mut script = Scenario::new(
        "scripts",
        2,
        json!([
            {"steps": [{"custom": {"name": "exec", "input": one}}]},
            {"steps": [{"say": "ok"}]},
            {"steps": [{"custom": {"name": "exec", "input": two}}]},
        ]),
        |client| {
            client.start(json!({"model": "gpt-5.5"}));
            client.turn("run this");
            client.turn("and this");
        },
    );
    script.config = "tools.update_plan.enabled = true\nfeatures.code_mode = true\nfeatures.code_mode_only = true\n";
    script
}

/// How turns may end.
fn ends() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an interrupt",
            2,
            json!([{"when": {"user": "wait"}, "steps": [{"say": "I wait."}, exec("sleep 60", json!({"yield_time_ms": 20000}))]}]),
            |client| {
                let turn = client.begin("wait");
                client.until_begun("commandExecution");
                client.ask("turn/interrupt", json!({"turnId": turn}));
                client.ended();
                client.turn("go on");
            },
        ),
        Scenario::new(
            "failed turns",
            4,
            json!([
                {"fault": {"status": {"code": 400, "body": {"error": {"message": "no such thing"}}}}},
                {"steps": [{"run": "true"}], "fault": {"failed": {"code": "rate_limit_exceeded", "message": "slow"}}},
                {"fault": "unfinished", "steps": [{"say": "cut of"}]},
                {"steps": [{"say": "Fine."}]},
            ]),
            |client| {
                for n in ["one", "two", "three", "four"] {
                    client.turn(n);
                }
            },
        ),
        Scenario::new(
            "the end of the engine",
            2,
            json!([{"when": {"user": "first"}, "steps": [{"run": "true"}]}, {"when": {"user": "second"}, "fault": "hang"}]),
            |client| {
                client.turn("first");
                client.begin("second");
                client.world().asked(3);
                client.kill();
            },
        ),
    ]
}

/// Turns that are not the user's, and threads that are not root.
fn others() -> Vec<Scenario> {
    let findings = json!({"findings": [], "overall_correctness": "patch is correct", "overall_explanation": "Fine.", "overall_confidence_score": 0.9});
    let mut goal = Scenario::new("a goal", 2, json!([]), |client| {
        client.turn("hello");
        client.ask("thread/goal/set", json!({"objective": "Reach the moon"}));
        client.until(|message| message["method"] == "turn/started");
        client.ask("thread/goal/set", json!({"status": "paused"}));
        client.ended();
    });
    goal.config = "tools.update_plan.enabled = true\nfeatures.goals = true\n";
    // The engine starts turns of its own accord until it hears that the goal is paused.
    goal.records = usize::MAX;
    let mut second = Scenario::new(
        "a sub-agent of the second kind",
        3,
        json!([
            {"when": {"user": "delegate"}, "steps": [{"run": "echo mine"},
                {"call": {"namespace": "collaboration", "name": "spawn_agent", "arguments": {"message": "work below", "task_name": "kid"}}}]},
            {"when": {"input": "work below"}, "steps": [{"run": "echo below; false"}, {"run": patch("*** Add File: below.txt\n+b")}]},
        ]),
        |client| {
            client.begin("delegate this");
            for _ in 0..2 {
                client.until(|message| message["method"] == "turn/completed");
            }
            client.turn("thanks");
        },
    );
    second.config = "tools.update_plan.enabled = true\nfeatures.multi_agent_v2 = true\n";
    vec![
        goal,
        second,
        Scenario::new("a command of the user's", 1, json!([]), |client| {
            client.turn("hello");
            client.ask(
                "thread/shellCommand",
                json!({"command": "echo mine; git status"}),
            );
            client.ended();
        }),
        Scenario::new("a compaction", 3, json!([]), |client| {
            client.turn("one");
            client.turn("two");
            client.ask("thread/compact/start", json!({}));
            client.ended();
            client.turn("three");
        }),
        Scenario::new(
            "a review",
            3,
            json!([
                {"when": {"user": "Review the"}, "steps": [{"run": "git log -1"}]},
                {"when": {"user": "Review the"}, "steps": [{"say": findings.to_string()}]},
            ]),
            |client| {
                client.turn("hello");
                let target = json!({"type": "commit", "sha": "HEAD"});
                client.ask("review/start", json!({"target": target}));
                client.ended();
                client.turn("thanks");
            },
        ),
        Scenario::new(
            "reverts",
            8,
            json!([{"when": {"user": "wait"}, "steps": [exec("sleep 60", json!({"yield_time_ms": 20000}))]}]),
            |client| {
                client.turn("one");
                let two = client.turn("two");
                client.turn("three");
                client.ask("thread/revert", json!({"beforeTurnId": two}));
                client.turn("four");
                let five = client.turn("five");
                client.ask("thread/revert", json!({"beforeTurnId": five}));
                // The file says so only when it goes on.
                client.turn("six");
                let turn = client.begin("wait");
                client.until_begun("commandExecution");
                client.ask("thread/revert", json!({"beforeTurnId": turn}));
                client.turn("eight");
            },
        ),
        Scenario::new("a revert to the beginning", 4, json!([]), |client| {
            let one = client.turn("one");
            let two = client.turn("two");
            client.ask("thread/revert", json!({"beforeTurnId": two}));
            client.turn("three");
            client.ask("thread/revert", json!({"beforeTurnId": one}));
            client.turn("four");
        }),
        Scenario::new("a fork", 3, json!([]), |client| {
            client.turn("one");
            let answer = client.ask("thread/fork", json!({"excludeTurns": true}));
            client.turn("two");
            client.live_in(&answer);
            client.turn("in the fork");
        }),
        Scenario::new("a thread that is kept nowhere", 1, json!([]), |client| {
            client.turn("hello");
            client.start(json!({"ephemeral": true}));
            client.turn("name this");
        }),
        Scenario::new(
            "a sub-agent",
            3,
            json!([
                {"when": {"user": "delegate"}, "steps": [{"run": "echo mine"},
                    {"call": {"namespace": "multi_agent_v1", "name": "spawn_agent", "arguments": {"message": "work below"}}}]},
                {"when": {"user": "work below"}, "steps": [{"run": "echo below; false"}, {"plan": [["Below", "in_progress"]]},
                    {"run": patch("*** Add File: below.txt\n+b")}]},
                {"when": {"user": "work below"}, "steps": [{"say": "Done below."}]},
            ]),
            |client| {
                client.begin("delegate this");
                // Its own turn and the one below, in whatever order.
                for _ in 0..2 {
                    client.until(|message| message["method"] == "turn/completed");
                }
                client.turn("thanks");
            },
        ),
    ]
}
