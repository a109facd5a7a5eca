//! Tells our own commands from upstream's. Everything that isn't ours goes on unchanged and in order.

use std::ffi::{OsStr, OsString};

use crate::tui_line::surface;

/// Options of upstream's top level that take a value (codex-cli 0.169; `codex --help`).
const ROOT_VALUES: [&str; 24] = [
    "-c",
    "--config",
    "--enable",
    "--disable",
    "--remote",
    "--remote-auth-token-env",
    "-m",
    "--model",
    "--local-provider",
    "-p",
    "--profile",
    "-s",
    "--sandbox",
    "-C",
    "--cd",
    "--add-dir",
    "-a",
    "--ask-for-approval",
    "--thread-source",
    "--cyber-access-program",
    "--output-schema",
    "--color",
    "-o",
    "--output-last-message",
];

/// Where a command line goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Upstream, as it is.
    Pass {
        engine: Option<OsString>,
        args: Vec<OsString>,
    },
    /// Upstream's help, and ours below it.
    Help {
        engine: Option<OsString>,
        args: Vec<OsString>,
    },
    /// The stock TUI, interposed.
    Tui {
        engine: Option<OsString>,
        args: Vec<OsString>,
    },
    /// Upstream's app-server, interposed: what stood before `app-server`, and what stands behind it.
    AppServer {
        engine: Option<OsString>,
        root: Vec<OsString>,
        args: Vec<OsString>,
    },
    /// Upstream's exec, orchestrated: what stood before `exec`, and what stands behind it.
    Exec {
        engine: Option<OsString>,
        root: Vec<OsString>,
        args: Vec<OsString>,
    },
    /// Our own commands with what stands behind them.
    Tasks(Vec<OsString>),
    Journal(Vec<OsString>),
    State(Vec<OsString>),
    Drift(Vec<OsString>),
    Engine {
        engine: Option<OsString>,
        args: Vec<OsString>,
    },
    McpOrch(Vec<OsString>),
    Demo {
        engine: Option<OsString>,
        args: Vec<OsString>,
    },
}

/// Finds the command word: the first argument that is no option and no option's value.
pub(crate) fn route(args: Vec<OsString>) -> Route {
    let (engine, args) = take_engine(args);
    let at = command_at(&args);
    let word = at
        .and_then(|at| args.get(at))
        .and_then(|word| word.to_str())
        .unwrap_or_default()
        .to_owned();
    let split = |mut args: Vec<OsString>, at: Option<usize>| {
        let rest = args.split_off(at.map_or(args.len(), |at| at + 1));
        args.pop();
        (args, rest)
    };
    // Our commands take no options of upstream's: with one before the word, it is upstream's prompt.
    let alone = at == Some(0);
    match word.as_str() {
        "exec" | "e" => {
            let (root, args) = split(args, at);
            Route::Exec { engine, root, args }
        }
        "app-server" => {
            let (root, args) = split(args, at);
            Route::AppServer { engine, root, args }
        }
        "tasks" if alone => Route::Tasks(split(args, at).1),
        "journal" if alone => Route::Journal(split(args, at).1),
        "state" if alone => Route::State(split(args, at).1),
        "drift" if alone => Route::Drift(split(args, at).1),
        "engine" if alone => Route::Engine {
            engine,
            args: split(args, at).1,
        },
        "mcp-orch" if alone => Route::McpOrch(split(args, at).1),
        "demo" if alone => Route::Demo {
            engine,
            args: split(args, at).1,
        },
        "help" if alone && args.len() == 1 => Route::Help { engine, args },
        "" if args.len() == 1
            && (args.contains(&"--help".into()) || args.contains(&"-h".into())) =>
        {
            Route::Help { engine, args }
        }
        _ => match surface(&args) {
            Some(_) => Route::Tui { engine, args },
            None => Route::Pass { engine, args },
        },
    }
}

/// Takes `--no-orch` out, which is ours before a `--`; tells whether it was there.
pub(crate) fn take_no_orch(args: &mut Vec<OsString>) -> bool {
    let end = args
        .iter()
        .position(|arg| arg == "--")
        .unwrap_or(args.len());
    let before = args.len();
    let mut at = 0;
    args.retain(|arg| {
        at += 1;
        at > end || arg != "--no-orch"
    });
    args.len() < before
}

/// `--engine PATH` is ours wherever it stands before a `--`.
fn take_engine(args: Vec<OsString>) -> (Option<OsString>, Vec<OsString>) {
    let mut engine = None;
    let mut kept = Vec::with_capacity(args.len());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--") => {
                kept.push(arg);
                kept.extend(args.by_ref());
            }
            Some("--engine") => engine = args.next(),
            Some(text) if text.starts_with("--engine=") => {
                engine = text.strip_prefix("--engine=").map(OsString::from);
            }
            _ => kept.push(arg),
        }
    }
    (engine, kept)
}

pub(crate) fn command_at(args: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        match Shape::of(arg) {
            Shape::Positional => return Some(at),
            Shape::End => return None,
            Shape::Flag { takes_next } => at += 1 + usize::from(takes_next),
            // `-i` takes every word up to the next option, so what follows is never a command.
            Shape::Images => {
                at += 1;
                while args
                    .get(at)
                    .is_some_and(|next| Shape::of(next) == Shape::Positional)
                {
                    at += 1;
                }
            }
        }
    }
    None
}

/// What an argument is by its look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A word.
    Positional,
    /// An option, and whether the next argument is its value.
    Flag { takes_next: bool },
    /// `-i`/`--image` without `=`: takes one or more words.
    Images,
    /// `--`.
    End,
}

impl Shape {
    pub(crate) fn of(arg: &OsStr) -> Self {
        let Some(text) = arg.to_str() else {
            return Shape::Positional;
        };
        match text {
            "--" => Shape::End,
            // A lone dash is a prompt: "read it from stdin".
            "-" => Shape::Positional,
            "-i" | "--image" => Shape::Images,
            text if text.starts_with('-') => Shape::Flag {
                takes_next: ROOT_VALUES.contains(&text),
            },
            _ => Shape::Positional,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let route = route(line.split_whitespace().map(OsString::from).collect());
        assert_eq!(format!("{route:?}").replace('"', ""), expect, "{line}");
    }

    #[test]
    fn our_words_are_ours_and_all_others_upstreams() {
        check("", "Tui { engine: None, args: [] }");
        check(
            "fix the tests",
            "Tui { engine: None, args: [fix, the, tests] }",
        );
        check(
            "exec do it",
            "Exec { engine: None, root: [], args: [do, it] }",
        );
        check(
            "-m o3 e -s read-only x",
            "Exec { engine: None, root: [-m, o3], args: [-s, read-only, x] }",
        );
        check(
            "-c a=b --search exec x",
            "Exec { engine: None, root: [-c, a=b, --search], args: [x] }",
        );
        check(
            "--engine /x/codex login --with-api-key",
            "Pass { engine: Some(/x/codex), args: [login, --with-api-key] }",
        );
        check("tasks list --json", "Tasks([list, --json])");
        check(
            "-m exec tasks",
            "Tui { engine: None, args: [-m, exec, tasks] }",
        );
        check(
            "-i a.png exec",
            "Tui { engine: None, args: [-i, a.png, exec] }",
        );
        check("-- exec", "Tui { engine: None, args: [--, exec] }");
        check(
            "resume -- --engine",
            "Tui { engine: None, args: [resume, --, --engine] }",
        );
        check("--help", "Help { engine: None, args: [--help] }");
        check(
            "login --help",
            "Pass { engine: None, args: [login, --help] }",
        );
    }
}
