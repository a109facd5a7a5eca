//! `codex-orch state verify`: every file against its schema, every id against what it names.

use std::collections::BTreeSet;

use orch_core::verify::{Finding, Known, Weight, findings, named_commits, named_threads};
use orch_protocol::ids::ThreadId;
use orch_rollout::find::find_by_thread;
use orch_runtime::ports::{Git as _, StateStore as _};
use serde_json::json;

use crate::out;
use crate::session::Project;
use crate::trouble::{Trouble, code};

pub(super) async fn run(mut project: Project, json: bool) -> Result<u8, Trouble> {
    // What can't be folded is told by what follows.
    if let Err(error) = project.store.fold().await {
        out::note(&crate::trouble::chain(&error));
    }
    let checked = project.store.check()?;
    let commits = match &project.place.repo {
        Some(_) => Some(project.git.existing(named_commits(&checked.state)).await?),
        None => None,
    };
    let rollouts = project.config.home.join("sessions");
    let has_rollout = |thread: &ThreadId| !find_by_thread(&rollouts, thread.as_str()).is_empty();
    let threads: BTreeSet<ThreadId> = named_threads(&checked.state)
        .into_iter()
        .filter(has_rollout)
        .collect();
    let known = Known {
        sessions: checked.sessions,
        commits,
        threads: Some(threads),
    };
    let mut found: Vec<Finding> = checked.findings;
    found.extend(findings(&checked.state, &known));
    let broken = found
        .iter()
        .filter(|finding| finding.weight == Weight::Broken)
        .count();
    if json {
        let rows: Vec<_> = found
            .iter()
            .map(|finding| {
                json!({"weight": word(finding.weight), "place": finding.place, "what": finding.what, "mend": finding.mend})
            })
            .collect();
        out::json(
            &json!({"schema": "codex-orch.findings/1", "files": checked.files, "findings": rows}),
        )?;
    } else {
        for finding in &found {
            out::line(&format!(
                "{}: {}: {}\n    {}",
                word(finding.weight),
                finding.place,
                finding.what,
                finding.mend
            ))?;
        }
        out::line(&format!(
            "{} files, {} tasks, {} archived, {} sessions: {}",
            checked.files,
            checked.state.tasks.len(),
            checked.state.archive.len(),
            known.sessions.len(),
            match (broken, found.len()) {
                (0, 0) => "all is well".to_owned(),
                (0, notes) => format!("all is well; {notes} to know"),
                (broken, _) => format!("{broken} broken"),
            }
        ))?;
    }
    project.finish().await;
    Ok(if broken > 0 { code::FAILED } else { 0 })
}

fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Broken => "broken",
        Weight::Loose => "note",
    }
}
