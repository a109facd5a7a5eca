//! `codex-orch state path|gc|export|forget`: where the state is kept, and what becomes of it there.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use orch_runtime::ports::{Clock as _, StateStore as _, SystemClock, Wanted};
use orch_runtime::store::files::SCHEMA;
use orch_runtime::store::keep::{bring_back, forgotten};
use serde_json::json;

use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

pub(super) fn path(project: &Project, json: bool) -> Result<(), Trouble> {
    let (store, checkout) = (&project.place.store, &project.place.checkout);
    if !json {
        return out::line(&store.display().to_string());
    }
    out::json(&json!({
        "schema": "codex-orch.paths/1",
        "paths": [{
            "store": store,
            "repository": store.join("store.git"),
            "checkout": checkout,
            "cache": project.store.cache_dir(),
            "bytes": project.store.size(),
            "set_aside": forgotten(store),
        }],
    }))
}

pub(super) async fn pack(mut project: Project) -> Result<(), Trouble> {
    let before = project.store.size();
    project.store.fold().await?;
    project.store.pack()?;
    let after = project.store.size();
    out::line(&format!("{} → {}", in_words(before), in_words(after)))
}

/// Bytes for people.
fn in_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

pub(super) async fn export(mut project: Project, output: Option<&Path>) -> Result<(), Trouble> {
    project.store.fold().await?;
    let state = project.store.load(&Wanted::default()).await?;
    let mut journal = Vec::new();
    for name in state.journal.keys() {
        let text = project.store.journal(&state, name)?;
        journal.push(json!({"name": name, "text": text}));
    }
    let sessions = project.store.all_sessions()?;
    let document = json!({
        "schema": "codex-orch.export/1",
        "state_schema": SCHEMA,
        "commit": project.store.head()?,
        "project": state.project,
        "tasks": state.tasks.values().collect::<Vec<_>>(),
        "archive": state.archive.values().collect::<Vec<_>>(),
        "sessions": sessions,
        "journal": journal,
    });
    let Some(path) = output else {
        return out::json(&document);
    };
    let failed = |error: io::Error| {
        Trouble::new(
            format!("Failed to write {}: {error}", path.display()),
            "name a file that isn't there yet, in a folder that can be written",
        )
    };
    // What a person worked on is theirs alone to read.
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let mut file = io::BufWriter::new(file);
    serde_json::to_writer_pretty(&mut file, &document)
        .map_err(io::Error::from)
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.into_inner().map_err(io::IntoInnerError::into_error))
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    out::line(&format!("exported {}", path.display()))
}

pub(super) async fn forget(mut project: Project, yes: bool) -> Result<(), Trouble> {
    let store = project.place.store.clone();
    if !store.exists() {
        return Err(Trouble::new(
            "nothing is kept of this project",
            "codex-orch state path tells where it would be",
        ));
    }
    if project.store.is_in_use() {
        return Err(Trouble::new(
            "another codex-orch is at work on this project",
            "end it first: what it records would be lost to you",
        ));
    }
    project.store.fold().await?;
    let tasks = project.store.load(&Wanted::default()).await?.tasks.len();
    let what = format!("{tasks} tasks and every session and journal entry of this project");
    if !yes && !asked(&format!("Set aside {what}, and begin anew?"))? {
        return out::line("nothing was changed");
    }
    let checkout = project.place.checkout.clone();
    let aside = project.store.forget(SystemClock.now())?;
    if let Some(checkout) = checkout.filter(|checkout| checkout.exists()) {
        // On another file system it stays, and is written anew by the next session.
        let _ = std::fs::rename(checkout, aside.join("checkout"));
    }
    out::line(&format!("set aside in {}", aside.display()))?;
    out::note("codex-orch state forget --restore brings it back");
    Ok(())
}

pub(super) fn restore(project: &Project) -> Result<(), Trouble> {
    let store = &project.place.store;
    let Some(aside) = forgotten(store).pop() else {
        return Err(Trouble::new(
            "nothing was set aside here",
            "codex-orch state path tells where the state is kept",
        ));
    };
    if store.exists() {
        return Err(Trouble::new(
            format!("there is a newer state in {}", store.display()),
            format!(
                "codex-orch state forget sets that one aside; the older one stays in {}",
                aside.display()
            ),
        ));
    }
    bring_back(&aside, store)?;
    let kept = store.join("checkout");
    if let Some(checkout) = &project.place.checkout
        && kept.exists()
        && !checkout.exists()
    {
        let _ = std::fs::rename(kept, checkout);
    }
    out::line(&format!("brought back from {}", aside.display()))
}

/// Asks on the terminal; without one there is nobody to say yes.
fn asked(question: &str) -> Result<bool, Trouble> {
    if !io::stdin().is_terminal() {
        return Err(Trouble::usage(
            "this asks before it does anything, and there is no terminal",
            "say --yes",
        ));
    }
    out::question(&format!("{question} [y/N] "));
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    Ok(read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes"))
}
