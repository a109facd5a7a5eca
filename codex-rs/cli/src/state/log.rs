//! `codex-orch state log`: the operations, readable at a glance.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use orch_protocol::ids::CommitId;
use orch_runtime::ports::StateStore as _;
use orch_runtime::store::words::Operation;
use serde_json::json;

use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

/// Looked through for what was undone, whatever is shown.
const MOST: usize = 100_000;

pub(super) async fn run(
    mut project: Project,
    limit: usize,
    all: bool,
    json: bool,
) -> Result<(), Trouble> {
    // What isn't folded has no id yet.
    project.store.fold().await?;
    let operations = project.store.operations(MOST)?;
    let undone = undone(&operations);
    let shown: Vec<&Operation> = operations
        .iter()
        .filter(|operation| all || is_of_interest(operation, &undone))
        .take(limit)
        .collect();
    if json {
        let rows: Vec<_> = shown
            .iter()
            .map(|operation| {
                json!({
                    "id": operation.id,
                    "at": operation.at,
                    "who": operation.who,
                    "what": operation.what,
                    "facts": operation.lines,
                    "code": operation.code,
                    "undoes": operation.undoes,
                    "undone": undone.contains(&operation.id),
                })
            })
            .collect();
        return out::json(&json!({"schema": "codex-orch.operations/1", "operations": rows}));
    }
    if shown.is_empty() {
        out::note("nothing has been recorded here yet");
        return Ok(());
    }
    let zone = TimeZone::system();
    let widest = |of: fn(&Operation) -> usize| shown.iter().map(|shown| of(shown)).max();
    let who = widest(|operation| operation.who.len()).unwrap_or(0);
    for operation in shown {
        let at = operation
            .at
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M");
        let code = operation.code.as_ref().map(|code| code.short());
        let mark = match undone.contains(&operation.id) {
            true => "  (undone)",
            false => "",
        };
        out::line(&format!(
            "{}  {at}  {:who$}  {:10}  {}{mark}",
            operation.id.short(),
            operation.who,
            code.unwrap_or("-"),
            operation.what,
        ))?;
    }
    Ok(())
}

/// Operations that were undone, and whose undoing was not.
pub(super) fn undone(operations: &[Operation]) -> BTreeSet<CommitId> {
    let mut undone = BTreeSet::new();
    for operation in operations {
        if let Some(undoes) = &operation.undoes
            && !undone.contains(&operation.id)
        {
            undone.insert(undoes.clone());
        }
    }
    undone
}

/// What stands, and was no bookkeeping.
pub(super) fn is_of_interest(operation: &Operation, undone: &BTreeSet<CommitId>) -> bool {
    !operation.quiet && operation.undoes.is_none() && !undone.contains(&operation.id)
}
