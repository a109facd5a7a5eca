//! Command lines as people write them, and as they are written again.

use super::*;
use orch_protocol::ids::ThreadId;

fn line(text: &str) -> ExecLine {
    ExecLine::parse(
        Vec::new(),
        text.split_whitespace().map(OsString::from).collect(),
    )
    .unwrap()
}

fn check(given: &str, kind: RunKind, expect: &str) {
    let args = line(given).for_run(&kind, &["k=v".to_owned()]);
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    assert_eq!(words.join(" "), expect, "{given}");
}

#[test]
fn a_resume_is_told_its_thread_and_keeps_everything_else() {
    let resume = || RunKind::Resume {
        thread: ThreadId::new("ID"),
    };
    check(
        "-m o3 resume --last go",
        resume(),
        "exec -c k=v -m o3 resume ID go",
    );
    check("resume --last --all", resume(), "exec -c k=v resume ID");
    check(
        "resume name go --json",
        resume(),
        "exec -c k=v resume ID go --json",
    );
    check(
        "resume --last -i a.png go",
        resume(),
        "exec -c k=v resume -i a.png ID go",
    );
    check(
        "--on-drift fork resume x -",
        resume(),
        "exec -c k=v resume ID -",
    );
    check(
        "fork x -m o3 go",
        resume(),
        "exec -c k=v resume ID -m o3 go",
    );
    check("resume x -- -go", resume(), "exec -c k=v resume ID -- -go");
    check(
        "resume --last -- -go",
        resume(),
        "exec -c k=v resume -- ID -go",
    );
}

#[test]
fn a_rebuild_keeps_prompt_and_options() {
    check(
        "--json resume name -m o3 go",
        RunKind::Fresh,
        "exec -c k=v --json -m o3 go",
    );
    check("resume --last go", RunKind::Fresh, "exec -c k=v go");
    check(
        "--no-orch -s read-only go on",
        RunKind::Fresh,
        "exec -c k=v -s read-only go on",
    );
}

#[test]
fn the_users_instructions_are_said_once_within_ours() {
    let line = ExecLine::parse(
        vec!["-c".into(), "developer_instructions=a".into()],
        [
            "-cdeveloper_instructions=b",
            "-c",
            "model=m",
            "--config=developer_instructions=c",
            "--config",
            "developer_instructions = d",
            "--",
            "-c",
            "developer_instructions=e",
        ]
        .map(OsString::from)
        .to_vec(),
    )
    .unwrap();
    let args = |configured: &str| {
        let args = line.for_run(&RunKind::Fresh, &[configured.to_owned()]);
        let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
        words.join(" ")
    };
    assert_eq!(
        args("developer_instructions=o"),
        "exec -c developer_instructions=o -c model=m -- -c developer_instructions=e"
    );
    assert!(args("k=v").starts_with("-c developer_instructions=a exec -c k=v -cdev"));
}

#[test]
fn options_are_seen_as_upstream_sees_them() {
    let seen = line("-C/x -c model_provider=\"a\" --profile=p -i a.png b.png --ephemeral resume");
    assert_eq!(seen.verb, Verb::Resume);
    assert_eq!(
        (seen.cd().unwrap().to_str(), seen.profile()),
        (Some("/x"), Some("p"))
    );
    assert_eq!(seen.override_of("model_provider"), Some("\"a\""));
    assert!(seen.ephemeral() && seen.names_provider());
    assert_eq!(line("fix resume").verb, Verb::New);
    assert_eq!(line("resume --help").verb, Verb::Info);
    assert!(ExecLine::parse(Vec::new(), vec!["--on-drift".into(), "maybe".into()]).is_err());
}
