//! What a tool call of the model asks for, whichever tool and version wrote it. Told by the tool's name, never by the CLI's
//! version. What came of it is `output`'s to tell.

use orch_protocol::text::{bounded, clean};
use orch_protocol::turn::{PlanStep, StepStatus, TurnRecord};
use serde::Deserialize;
use serde_json::Value;

use crate::command::shell_script;
use crate::line::Call;
use crate::loose::Argv;
use crate::script;

#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    /// A shell command; none when its text can't be told.
    Command(Option<String>),
    /// A patch in the `*** Begin Patch` format.
    Patch(String),
    Plan {
        explanation: Option<String>,
        steps: Vec<PlanStep>,
    },
    /// More of a running process's output, by its number.
    Wait(i64),
    Other,
}

/// What the call asks for; a script may ask for several things.
pub(crate) fn asked(call: &Call<'_>) -> Vec<Asked> {
    let name = call.name.as_str();
    if let Some(action) = &call.action {
        return vec![Asked::Command(Some(for_people(&action.command)))];
    }
    match name {
        "apply_patch" if !call.input.as_str().is_empty() => {
            vec![Asked::Patch(call.input.as_str().to_owned())]
        }
        "exec" if !call.input.as_str().is_empty() => script::calls(call.input.as_str())
            .into_iter()
            .map(|call| of_tool(&call.tool, call.argument))
            .collect(),
        // Arguments may hold a large patch or file: only tools we know are looked into.
        name if is_known(name) => vec![of_tool(
            name,
            serde_json::from_str(call.arguments.as_str()).ok(),
        )],
        _ => Vec::new(),
    }
}

fn is_known(tool: &str) -> bool {
    !matches!(of_tool(tool, None), Asked::Other)
        || matches!(tool, "write_stdin" | "apply_patch" | "update_plan")
}

fn of_tool(tool: &str, argument: Option<Value>) -> Asked {
    match tool {
        "shell" | "shell_command" | "exec_command" | "container.exec" | "local_shell"
        | "unified_exec" => {
            let arguments: Option<ShellArguments> = read(argument);
            Asked::Command(
                arguments
                    .and_then(|arguments| arguments.cmd.or(arguments.command))
                    .map(|argv| for_people(&argv))
                    .filter(|command| !command.is_empty()),
            )
        }
        "apply_patch" => match argument {
            Some(Value::String(patch)) => Asked::Patch(patch),
            argument => {
                read(argument).map_or(Asked::Other, |PatchArguments { input }| Asked::Patch(input))
            }
        },
        "update_plan" => read(argument).map_or(Asked::Other, asked_plan),
        "write_stdin" => read(argument).map_or(Asked::Other, |WaitArguments { session_id }| {
            Asked::Wait(session_id)
        }),
        _ => Asked::Other,
    }
}

fn read<T: for<'de> Deserialize<'de>>(argument: Option<Value>) -> Option<T> {
    serde_json::from_value(argument?).ok()
}

#[derive(Deserialize)]
struct ShellArguments {
    cmd: Option<Argv>,
    command: Option<Argv>,
}

#[derive(Deserialize)]
struct PatchArguments {
    input: String,
}

#[derive(Deserialize)]
struct WaitArguments {
    session_id: i64,
}

#[derive(Deserialize)]
struct PlanArguments {
    #[serde(default)]
    explanation: Option<String>,
    plan: Vec<StepArguments>,
}

#[derive(Deserialize)]
struct StepArguments {
    step: String,
    #[serde(default)]
    status: Option<String>,
}

/// The longest step kept, in characters.
const MAX_STEP: usize = 500;

fn asked_plan(arguments: PlanArguments) -> Asked {
    let steps = arguments.plan.iter();
    let steps = steps.map(|step| (step.step.as_str(), step.status.as_deref().unwrap_or("")));
    let (explanation, steps) = plan(arguments.explanation.as_deref().unwrap_or(""), steps);
    Asked::Plan { explanation, steps }
}

/// A plan as it is kept: bounded, cleaned, an empty explanation left out.
pub(crate) fn plan<'a>(
    explanation: &str,
    steps: impl Iterator<Item = (&'a str, &'a str)>,
) -> (Option<String>, Vec<PlanStep>) {
    let explanation = kept(explanation, TurnRecord::MAX_COMMAND);
    let steps = steps
        .take(TurnRecord::MAX_STEPS)
        .map(|(step, status)| PlanStep {
            step: kept(step, MAX_STEP),
            status: match status {
                "completed" => StepStatus::Completed,
                "in_progress" | "inProgress" => StepStatus::InProgress,
                _ => StepStatus::Pending,
            },
        });
    (
        Some(explanation).filter(|text| !text.is_empty()),
        steps.collect(),
    )
}

/// Text of a stranger, cleaned and cut to `max` characters; costs the same however long it is.
pub(crate) fn kept(text: &str, max: usize) -> String {
    bounded(&clean(&bounded(text, max * 2)), max)
}

/// A command as people write it: `["bash", "-lc", X]` is X, other words are joined with the quotes they need.
pub(crate) fn for_people(argv: &Argv) -> String {
    match argv {
        Argv::Line(line) => line.clone(),
        Argv::Words(words) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let is_shell = words.len() > 1 && words[1].starts_with(['-', '/']);
            match shell_script(&words).filter(|_| is_shell) {
                Some(script) => script.to_owned(),
                None => words
                    .iter()
                    .map(|word| quoted(word))
                    .collect::<Vec<String>>()
                    .join(" "),
            }
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
