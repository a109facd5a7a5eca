//! What a shell command was for, told from its text: does it run tests, does it make a commit.
//!
//! Told from the programs that it runs, never from words in it: `grep "cargo test"` and `echo git commit` are neither. In
//! doubt the answer is [`CommandKind::Other`]. Whether the tests passed is another question: see [`exit_code_vouches`].

use orch_protocol::turn::CommandKind;

use crate::shell::{Simple, Then, simple_commands};

/// Tells what `command` was for. A command that does both, tests and commits, is a commit.
pub fn command_kind(command: &str) -> CommandKind {
    match purposes(command) {
        Purposes { commit: true, .. } => CommandKind::Commit,
        Purposes { test: true, .. } => CommandKind::Test,
        Purposes { .. } => CommandKind::Other,
    }
}

/// Tells whether exit code 0 of `command` means that what it did succeeded: the tests it runs and the commits it makes, or
/// else everything in it that does more than move about and look. It doesn't for `cargo test | tail`, `make; echo done`,
/// `cargo test || true` or `cargo test &`.
pub fn exit_code_vouches(command: &str) -> bool {
    line_vouches(command, 0)
}

fn line_vouches(line: &str, depth: usize) -> bool {
    let found = simple_commands(line);
    let stops_at_failure = found.iter().any(|simple| sets(simple, "-e"));
    let pipes_fail = found.iter().any(|simple| sets(simple, "pipefail"));
    let has_purpose = |simple: &Simple| {
        let Purposes { test, commit } = words_purposes(&simple.words, depth);
        test || commit
    };
    let any_purpose = found.iter().any(has_purpose);
    let counts = |simple: &Simple| {
        if any_purpose {
            has_purpose(simple)
        } else {
            !only_looks(&simple.words)
        }
    };
    let is_heard = |at: usize, simple: &Simple| {
        let inside = nested_script(&simple.words);
        !simple.substituted
            && inside.is_none_or(|script| depth < MAX_DEPTH && line_vouches(script, depth + 1))
            && (at..found.len()).all(|later| match found[later].then {
                Then::Succeeded => true,
                Then::Pipe => pipes_fail,
                Then::Anyway => stops_at_failure || later + 1 == found.len(),
                Then::Failed | Then::Background => false,
            })
    };
    !found.is_empty()
        && found
            .iter()
            .enumerate()
            .filter(|(_, simple)| counts(simple))
            .all(|(at, simple)| is_heard(at, simple))
}

/// It moves about, looks or prints: nobody asks whether that succeeded.
fn only_looks(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((program, args)) = unwrapped(&words).split_first() else {
        return true;
    };
    match program_name(program) {
        "cd" | "pushd" | "popd" | "pwd" | "echo" | "printf" | "export" | "unset" | "set"
        | "shopt" | "source" | "." | ":" | "true" | "sleep" | "date" | "clear" | "umask"
        | "ulimit" | "fi" | "done" | "esac" | "}" => true,
        "cat" | "ls" | "rg" | "grep" | "find" | "fd" | "tree" | "head" | "tail" | "less" | "wc"
        | "sort" | "uniq" | "cut" | "tr" | "nl" | "awk" | "jq" | "stat" | "file" | "which" => true,
        "sed" => !args
            .iter()
            .any(|arg| arg.starts_with("-i") || arg.starts_with("--in-place")),
        "git" => {
            let sub = positional(args, &["-C", "-c"]).next();
            matches!(
                sub,
                Some(
                    "log"
                        | "show"
                        | "diff"
                        | "status"
                        | "grep"
                        | "blame"
                        | "ls-files"
                        | "rev-parse"
                )
            )
        }
        _ => false,
    }
}

/// What a command does, both at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Purposes {
    pub(crate) test: bool,
    pub(crate) commit: bool,
}

impl Purposes {
    fn or(self, other: Purposes) -> Purposes {
        Purposes {
            test: self.test || other.test,
            commit: self.commit || other.commit,
        }
    }
}

pub(crate) fn purposes(command: &str) -> Purposes {
    line_purposes(command, 0)
}

/// How many shells in shells are looked into.
const MAX_DEPTH: usize = 4;

fn line_purposes(line: &str, depth: usize) -> Purposes {
    simple_commands(line)
        .iter()
        .map(|simple| words_purposes(&simple.words, depth))
        .fold(Purposes::default(), Purposes::or)
}

fn words_purposes(words: &[String], depth: usize) -> Purposes {
    if depth > MAX_DEPTH {
        return Purposes::default();
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = unwrapped(&words);
    if let Some(script) = shell_script(words) {
        return line_purposes(script, depth + 1);
    }
    Purposes {
        test: runs_tests(words),
        commit: makes_commit(words),
    }
}

fn nested_script(words: &[String]) -> Option<&str> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    shell_script(unwrapped(&words))
}

fn sets(simple: &Simple, option: &str) -> bool {
    simple.words.first().is_some_and(|word| word == "set")
        && simple.words.iter().skip(1).any(|word| {
            word == option
                || (option == "-e"
                    && word.starts_with('-')
                    && !word.starts_with("--")
                    && word.contains('e'))
        })
}

/// The script of `bash -lc SCRIPT`, `powershell -Command SCRIPT`, `eval SCRIPT`.
pub(crate) fn shell_script<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (program, args) = words.split_first()?;
    let takes_script = |flag: &str| match program_name(program) {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" => {
            flag.starts_with('-') && !flag.starts_with("--") && flag.ends_with('c')
        }
        "powershell" | "pwsh" => {
            flag.eq_ignore_ascii_case("-command") || flag.eq_ignore_ascii_case("-c")
        }
        "cmd" => flag.eq_ignore_ascii_case("/c"),
        _ => false,
    };
    if program_name(program) == "eval" {
        return args.first().copied();
    }
    let flag = args.iter().position(|arg| takes_script(arg))?;
    args.get(flag + 1).copied()
}

/// `git commit`, with git's own options before it; not `git commit-tree`, and not a dry run.
fn makes_commit(words: &[&str]) -> bool {
    let Some((&program, args)) = words.split_first() else {
        return false;
    };
    let valued = [
        "-C",
        "-c",
        "--git-dir",
        "--work-tree",
        "--namespace",
        "--exec-path",
    ];
    program_name(program) == "git"
        && positional(args, &valued).next() == Some("commit")
        && !args
            .iter()
            .any(|arg| ["--dry-run", "--help", "-h"].contains(arg))
}

fn runs_tests(words: &[&str]) -> bool {
    let Some((&program, args)) = words.split_first() else {
        return false;
    };
    if args.iter().any(|arg| ONLY_ASKS.contains(arg)) {
        return false;
    }
    let program = program_name(program);
    let sub = |valued: &[&str]| positional(args, valued).next().unwrap_or("");
    match program {
        "pytest" | "py.test" | "tox" | "nox" | "ctest" | "rspec" | "phpunit" | "pest" | "jest"
        | "mocha" | "ava" | "behave" | "bats" | "busted" | "gotestsum" | "ginkgo" | "nosetests"
        | "nose2" | "prove" | "karma" => true,
        "vitest" => !matches!(sub(&[]), "list" | "init" | "bench"),
        "playwright" => sub(&[]) == "test",
        "cypress" => sub(&[]) == "run",
        "cargo" => cargo_tests(args),
        "go" | "swift" | "mix" | "deno" | "dotnet" | "bazel" | "bazelisk" | "buck2" | "meson"
        | "flutter" | "dart" | "zig" | "stack" | "cabal" | "lein" | "hatch" | "rails" | "forge"
        | "nx" | "ng" | "pixi" => {
            let mut positional =
                positional(args, &["--package-path", "-C", "--cwd", "--configuration"]);
            match positional.next() {
                Some("test") => true,
                Some("run" | "build") => positional.next() == Some("test"),
                _ => false,
            }
        }
        "mvn" | "mvnw" => {
            let skipped =
                |arg: &&str| arg.starts_with("-DskipTests") || arg.starts_with("-Dmaven.test.skip");
            !args.iter().any(skipped)
                && positional(args, &["-pl", "-f", "-P"]).any(|goal| {
                    matches!(
                        goal,
                        "test" | "verify" | "integration-test" | "surefire:test"
                    )
                })
        }
        "gradle" | "gradlew" | "sbt" => {
            positional(args, &["-x", "-p", "--exclude-task", "--tests"]).any(|task| {
                let task = task.rsplit([':', '/']).next().unwrap_or(task);
                task == "check" || task.starts_with("test") || task.ends_with("Test")
            })
        }
        "make" | "gmake" => positional(args, &["-C", "-f", "-j", "-l", "-o"])
            .any(|target| target == "check" || is_test_script(target)),
        "just" | "task" | "rake" | "invoke" | "inv" => {
            positional(args, &["-f", "--justfile", "-d", "--working-directory"])
                .any(|target| target == "spec" || is_test_script(target))
        }
        "xcodebuild" => args.contains(&"test") || args.contains(&"test-without-building"),
        "npm" | "pnpm" | "yarn" | "bun" | "turbo" | "lerna" | "composer" => script_tests(args),
        "python" | "py" | "pypy" | "python2" | "python3" | "pypy3" => python_tests(args),
        "php" => {
            args.windows(2)
                .any(|pair| program_name(pair[0]) == "artisan" && pair[1] == "test")
                || {
                    let script = positional(args, &["-d", "-c"]).next().unwrap_or("");
                    matches!(program_name(script), "phpunit" | "pest")
                }
        }
        "coverage" => args.first() == Some(&"run") && python_tests(&args[1..]),
        "sh" | "bash" | "zsh" | "dash" | "ksh" => positional(args, &["-o", "+o"])
            .next()
            .is_some_and(is_test_file),
        file if is_shell_file(file) => is_test_file(words[0]),
        versioned if versioned.starts_with("python3.") => python_tests(args),
        _ => false,
    }
}

/// Arguments with which a test runner runs no test.
const ONLY_ASKS: [&str; 9] = [
    "--version",
    "--help",
    "-h",
    "--no-run",
    "--collect-only",
    "--co",
    "--listTests",
    "--dry-run",
    "--list-tests",
];

fn cargo_tests(args: &[&str]) -> bool {
    let args = args.strip_prefix(&["--"]).unwrap_or(args);
    let mut positional = positional(
        args,
        &[
            "-p",
            "--package",
            "--manifest-path",
            "--config",
            "-Z",
            "--color",
        ],
    )
    .filter(|arg| !arg.starts_with('+'));
    match positional.next() {
        Some("test" | "t" | "tarpaulin" | "llvm-cov") => true,
        Some("nextest" | "miri" | "hack" | "xtask") => {
            matches!(positional.next(), Some("run" | "test" | "r"))
        }
        _ => false,
    }
}

/// `npm test`, `pnpm --filter web run test:unit`, `yarn workspace web test`, `bun x vitest`, `turbo run test`.
fn script_tests(args: &[&str]) -> bool {
    const VALUED: [&str; 11] = [
        "--filter",
        "-F",
        "-C",
        "--dir",
        "--prefix",
        "--workspace",
        "-w",
        "--cwd",
        "--scope",
        "--config",
        "-d",
    ];
    let Some(at) = positional_at(args, &VALUED) else {
        return false;
    };
    let rest = &args[at + 1..];
    match args[at] {
        "run" | "run-script" => positional(rest, &VALUED).next().is_some_and(is_test_script),
        "exec" | "x" | "dlx" => runs_tests(unwrapped(rest)),
        "workspace" => rest.get(1..).is_some_and(script_tests),
        "t" | "tst" => true,
        script if is_test_script(script) => true,
        // `yarn jest`, `pnpm vitest run`
        _ => {
            at == 0
                && matches!(
                    args[0],
                    "vitest" | "jest" | "playwright" | "mocha" | "cypress"
                )
                && runs_tests(args)
        }
    }
}

fn python_tests(args: &[&str]) -> bool {
    const RUNNERS: [&str; 7] = [
        "pytest",
        "unittest",
        "tox",
        "nox",
        "nose2",
        "behave",
        "twisted.trial",
    ];
    match args.iter().position(|arg| *arg == "-m") {
        Some(at) => match args.get(at + 1) {
            Some(&"coverage") => python_tests(&args[at + 2..]),
            Some(module) => RUNNERS.contains(module),
            None => false,
        },
        None => {
            let mut positional = positional(args, &["-W", "-X"]);
            positional
                .next()
                .is_some_and(|script| program_name(script) == "manage.py")
                && positional.next() == Some("test")
        }
    }
}

/// The name that projects give a script or target that runs tests.
fn is_test_script(name: &str) -> bool {
    matches!(name, "test" | "tests" | "unittest" | "unit-test")
        || ["test:", "test-", "test_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// `test.sh`, `tests/run.sh`, `scripts/run-tests`: a file that a shell runs, named for the tests it holds.
fn is_test_file(path: &str) -> bool {
    let name = program_name(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let folder = path.rsplit(['/', '\\']).nth(1).unwrap_or_default();
    is_test_script(stem)
        || matches!(stem, "runtests" | "run-tests" | "run_tests")
        || (stem == "run" && is_test_script(folder))
}

fn is_shell_file(name: &str) -> bool {
    [".sh", ".bash", ".zsh"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The command inside of what only surrounds it: keywords, assignments, `timeout 60`, `sudo -u x`, `uv run`, `npx -y`.
fn unwrapped<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let mut words = words;
    while let Some((&first, rest)) = words.split_first() {
        let name = program_name(first);
        words = match name {
            "if" | "then" | "else" | "elif" | "do" | "while" | "until" | "!" | "{" | "time" => rest,
            "env" | "command" | "exec" | "nohup" | "setsid" | "rtk" | "cross-env" | "dotenv"
            | "caffeinate" | "sudo" | "doas" | "nice" | "ionice" | "stdbuf" | "xvfb-run"
            | "unbuffer" => after_options(rest, &["-u", "-n", "-c", "-C", "-s", "--chdir"]),
            "timeout" | "gtimeout" => {
                let rest = after_options(rest, &["-k", "-s", "--kill-after", "--signal"]);
                rest.get(1..).unwrap_or(&[])
            }
            "npx" | "bunx" | "pnpx" => after_options(rest, &["-p", "--package", "-c"]),
            "bundle" | "uv" | "poetry" | "pipenv" | "pdm" | "rye" | "hatch" | "mise" | "direnv"
                if matches!(rest.first(), Some(&"run" | &"exec")) =>
            {
                after_options(
                    &rest[1..],
                    &[
                        "--with",
                        "--python",
                        "-p",
                        "--extra",
                        "--group",
                        "--package",
                        "--directory",
                        "--env-file",
                    ],
                )
            }
            _ if is_assignment(first) => rest,
            _ => return words,
        };
    }
    words
}

fn after_options<'a, 'b>(args: &'b [&'a str], valued: &[&str]) -> &'b [&'a str] {
    let mut args = args;
    while let Some((&first, rest)) = args.split_first() {
        args = match first {
            "--" => return rest,
            _ if valued.contains(&first) => rest.get(1..).unwrap_or(&[]),
            _ if first.starts_with('-') || is_assignment(first) => rest,
            _ => return args,
        };
    }
    args
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// The arguments that are no options, up to `--`; the options in `valued` take the argument after them.
fn positional<'a>(args: &[&'a str], valued: &[&str]) -> impl Iterator<Item = &'a str> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = args
        .get(from..)
        .and_then(|rest| positional_at(rest, valued))
    {
        found.push(args[from + at]);
        from += at + 1;
    }
    found.into_iter()
}

fn positional_at(args: &[&str], valued: &[&str]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *args.get(at)? {
            "--" => return None,
            option if valued.contains(&option) => at += 2,
            option if option.starts_with('-') => at += 1,
            _ => return Some(at),
        }
    }
}

/// A program's name without its folder, `.exe`, `.cmd`, `.sh` and `@version`.
fn program_name(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    [".exe", ".cmd", ".bat"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}
