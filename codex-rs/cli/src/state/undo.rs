//! `codex-orch state undo`: takes operations back, each by an operation of its own.

use orch_core::command::Asker;
use orch_protocol::task::{Actor, Origin};
use orch_protocol::text::one_line;
use orch_runtime::ports::{Clock as _, Git as _, StateStore as _, SystemClock};
use orch_runtime::store::words::Operation;
use orch_runtime::upstream::RolloutsOnly;
use serde_json::json;

use super::log::{is_of_interest, undone};
use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

/// The most operations that are taken back at once.
const MOST: usize = 1_000;
/// How far back the newest ones are looked for.
const DEPTH: usize = 100_000;

pub(super) async fn run(
    mut project: Project,
    which: Option<&str>,
    json: bool,
) -> Result<(), Trouble> {
    project.store.fold().await?;
    let wanted = wanted(&project, which)?;
    let mut rows = Vec::new();
    for operation in wanted {
        let versions = project.store.versions(&operation.id)?;
        let asker = asker(&project).await?;
        let (mut engine, mut tell) = (RolloutsOnly, out::note);
        let mut driver = project.driver(&mut engine, &mut tell);
        let has_changed = driver.undo(asker, &operation, versions).await?;
        let (id, what) = (operation.id.short(), &operation.what);
        if !has_changed {
            out::note(&format!(
                "{id} changed nothing that can be taken back: {what}"
            ));
            continue;
        }
        project.store.fold().await?;
        let by = project.store.operations(1)?.into_iter().next();
        let by = by.map(|by| by.id);
        if json {
            rows.push(json!({"id": operation.id, "what": what, "by": by}));
        } else {
            out::line(&format!("undone {id}  {what}"))?;
            if let Some(by) = by {
                out::note(&format!(
                    "codex-orch state undo {} brings it back",
                    by.short()
                ));
            }
        }
    }
    if json {
        out::json(&json!({"schema": "codex-orch.undone/1", "undone": rows}))?;
    }
    project.settle().await;
    Ok(())
}

async fn asker(project: &Project) -> Result<Asker, Trouble> {
    let seen = project.git.look().await?;
    let branch = seen
        .as_ref()
        .and_then(|seen| seen.head.branch())
        .map(str::to_owned);
    Ok(Asker {
        by: Actor::Person,
        origin: Origin::Person {
            branch: branch.clone(),
        },
        branch,
        head: seen.as_ref().and_then(|seen| seen.head.commit().cloned()),
        worktree: seen.map(|seen| seen.worktree),
        now: SystemClock.now(),
        nonce: String::new(),
    })
}

/// The operations that are meant, the newest first.
fn wanted(project: &Project, which: Option<&str>) -> Result<Vec<Operation>, Trouble> {
    let which = which.unwrap_or("1").trim();
    // An id has at least seven digits: so many operations are never taken back at once.
    let count = match which.len() < 7 {
        true => which.parse::<usize>().ok(),
        false => None,
    };
    let Some(count) = count else {
        let unknown = || {
            Trouble::usage(
                format!("there is no operation {:?}", one_line(which, 60)),
                "codex-orch state log --all shows every id",
            )
        };
        let operation = project.store.operation(which)?.ok_or_else(unknown)?;
        return Ok(vec![operation]);
    };
    if count == 0 || count > MOST {
        return Err(Trouble::usage(
            format!("{count} operations can't be taken back at once"),
            format!("name a number from 1 to {MOST}, or an id of codex-orch state log"),
        ));
    }
    let operations = project.store.operations(DEPTH)?;
    let undone = undone(&operations);
    let mut wanted = operations;
    wanted.retain(|operation| is_of_interest(operation, &undone));
    wanted.truncate(count);
    if wanted.is_empty() {
        return Err(Trouble::new(
            "there is nothing to undo",
            "codex-orch state log --all shows everything that was recorded",
        ));
    }
    Ok(wanted)
}
