//! `codex-orch state show`: what is known here, in a few lines.

use orch_core::drift::head_text;
use orch_core::graph::{Statuses, ready};
use orch_protocol::text::one_line;
use serde_json::json;

use crate::out;
use crate::session::{Project, Seen};
use crate::trouble::Trouble;

pub(super) async fn run(mut project: Project, json: bool) -> Result<(), Trouble> {
    let seen = project.see().await?;
    if json {
        as_json(&project, &seen)?;
    } else {
        as_text(&project, &seen)?;
    }
    project.finish().await;
    Ok(())
}

fn as_json(project: &Project, seen: &Seen) -> Result<(), Trouble> {
    out::json(&json!({
        "schema": "codex-orch.state/1",
        "state": [{
            "store": project.place.store.display().to_string(),
            "checkout": project.place.checkout.as_ref().map(|path| path.display().to_string()),
            "commit": project.store.head()?,
            "head": seen.stand.as_ref().map(|stand| &stand.head),
            "project": seen.state.project,
            "sessions": project.store.sessions()?,
            "journal": seen.state.journal.keys().collect::<Vec<_>>(),
            "tasks": seen.state.tasks.len(),
        }],
    }))
}

fn as_text(project: &Project, Seen { state, stand, here }: &Seen) -> Result<(), Trouble> {
    let statuses = Statuses::judge(&state.tasks, here);
    let count = |wanted: &str| {
        state
            .tasks
            .keys()
            .filter(|id| statuses.of(id).name() == wanted)
            .count()
    };
    let head = stand.as_ref().map_or_else(
        || "no repository".to_owned(),
        |stand| head_text(&stand.head),
    );
    out::line(&format!("seen from   {head}"))?;
    let context = state.context(here.branch.as_deref());
    if let Some(objective) = &context.objective {
        out::line(&format!("objective   {}", one_line(objective, 200)))?;
    }
    let counts: Vec<String> = ["active", "pending", "blocked", "done", "dropped"]
        .iter()
        .map(|status| format!("{} {status}", count(status)))
        .collect();
    out::line(&format!(
        "tasks       {}; {} ready",
        counts.join(", "),
        ready(&state.tasks, &statuses).len()
    ))?;
    out::line(&format!("sessions    {}", project.store.sessions()?.len()))?;
    if let Some(checkpoint) = state.project.checkpoints.last() {
        let at = checkpoint.at.strftime("%Y-%m-%d %H:%M UTC");
        out::line(&format!(
            "last        {at}: {}",
            one_line(&checkpoint.text, 200)
        ))?;
    }
    for proposal in state.project.proposals.values() {
        out::line(&format!(
            "to review   {} {}",
            proposal.id,
            one_line(&proposal.reason, 200)
        ))?;
    }
    out::line(&format!("kept in     {}", project.place.store.display()))
}
