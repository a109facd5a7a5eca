//! Finds the engine, or gets it: for whoever can't go on without one (the demo, the tests). It decides nothing else.

use crate::check::check;
use crate::error::EngineError;
use crate::find::{Search, find};
use crate::install::{Install, Progress, install};
use std::path::PathBuf;

/// The engine that `search` finds, if it fits; else the pinned one, installed as `plan` says. An engine that was named
/// explicitly and can't be used is an error, never replaced in silence.
///
/// # Errors
/// Those of [`find`] for an explicit source, of [`check`], and of [`install`].
pub async fn obtain(
    search: &Search,
    plan: &Install,
    report: impl FnMut(Progress),
) -> Result<PathBuf, EngineError> {
    let explicit = search.flag.is_some()
        || search.config.is_some()
        || search.env.as_ref().is_some_and(|value| !value.is_empty());
    match find(search) {
        Ok(found) => match check(&found.program, &plan.cache_dir).await {
            Ok(_) => return Ok(found.program),
            Err(error) if explicit => return Err(error),
            Err(error) => {
                tracing::info!(%error, program = %found.program.display(), "passed over");
            }
        },
        Err(error) if explicit => return Err(error),
        Err(error) => tracing::info!(%error, "no engine yet"),
    }
    Ok(install(plan, report).await?.program)
}
