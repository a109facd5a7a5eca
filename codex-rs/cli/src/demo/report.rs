//! The closing report: the backlog, the journal, the drift that was met, and how to look around. It tells what codex-orch
//! itself lists, and checks nothing.

use std::path::Path;

use orch_protocol::text::one_line;
use serde_json::json;

use super::backlog::{commits, status, text};
use super::screen::{Screen, rows};
use super::stand::Stand;
use super::story::End;
use super::telling::short;
use crate::config::own_exe;
use crate::journal::goal;
use crate::out;
use crate::trouble::Trouble;

pub(crate) fn as_json(stand: &Stand, end: &End) -> Result<(), Trouble> {
    out::json(&json!({
        "schema": "codex-orch.demo/1",
        "tasks": end.backlog.0,
        "journal": end.journal,
        "drift": end.known.drift(),
        "folder": stand.folder.display().to_string(),
    }))
}

pub(crate) fn as_text(stand: &Stand, end: &End, screen: &Screen) -> Result<(), Trouble> {
    out::line(&format!(
        "\nReport, as seen from main at {}",
        short(&end.head)
    ))?;
    let mut label = "backlog";
    for task in end.backlog.steps() {
        let commit = commits(task).last().map_or("", |commit| short(commit));
        let (id, title) = (text(&task["id"]), text(&task["title"]));
        rows(label, &format!("{id}  {}  {commit}  {title}", status(task)))?;
        label = "";
    }
    label = "journal";
    for entry in &end.journal {
        let (name, page) = (text(&entry["name"]), text(&entry["text"]));
        let goal = goal(page).unwrap_or_default();
        rows(label, &format!("{name}  {goal}"))?;
        for commit in section(page, "Commits") {
            rows("", &format!("- {commit}"))?;
        }
        label = "";
    }
    let met = end.known.drift();
    if let Some(last) = met.last() {
        rows("drift", &one_line(text(&last["text"]), 300))?;
        let choices: Vec<&str> = met.iter().map(|met| text(&met["choice"])).collect();
        rows(
            "",
            &format!("answered with {}", choices.join(", then with ")),
        )?;
    }
    rows(
        "checked",
        &format!(
            "{} claims of {} steps, against git, exit codes, the engine's records and the model's input",
            screen.checked, screen.steps
        ),
    )?;
    look_around(stand)
}

fn look_around(stand: &Stand) -> Result<(), Trouble> {
    out::line("\nEverything is kept. To look around:")?;
    let mut lines = vec![
        format!("cd {}", quoted(&stand.project)),
        format!("export CODEX_HOME={}", quoted(&stand.home)),
    ];
    if !on_path("codex-orch") {
        lines.push(format!("alias codex-orch={}", quoted(&own_exe()?)));
    }
    lines.extend(
        [
            "codex-orch tasks list --all",
            "codex-orch journal show",
            "codex-orch state show",
            "less .codex-orch/project_tasks.yaml",
        ]
        .map(str::to_owned),
    );
    for line in lines {
        out::line(&format!("   {line}"))?;
    }
    Ok(())
}

/// The entries of a section of a journal page, without what markdown needs and with commits shortened.
fn section<'a>(page: &'a str, title: &'a str) -> impl Iterator<Item = String> + 'a {
    page.lines()
        .skip_while(move |line| line.strip_prefix("## ") != Some(title))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("- "))
        .map(|entry| {
            let plain = entry.replace(['\\', '`'], "");
            let words = plain.split(' ').map(|word| match word.split_once(',') {
                Some((commit, rest)) if is_commit(commit) => format!("{},{rest}", short(commit)),
                _ => word.to_owned(),
            });
            one_line(&words.collect::<Vec<_>>().join(" "), 200)
        })
}

fn is_commit(word: &str) -> bool {
    word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
