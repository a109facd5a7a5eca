//! Backlogs of other tools: what they say arrives, what can't be said is told, and nothing hostile gets further than an error.

mod formats;
mod hostile;
mod out;

use orch_protocol::task::{Claim, Task};
use orch_runtime::exchange::settle::{Importer, to_tasks};
use orch_runtime::exchange::{Format, Given, Imported, ImportedTask, parse};

use crate::make::at;

pub(crate) const ISSUES: &str = include_str!("fixtures/issues.jsonl");

pub(crate) fn read(format: Format, name: &str, text: &str) -> Imported {
    let given = Given {
        name,
        bytes: text.as_bytes(),
    };
    parse(format, name, &[given]).unwrap()
}

pub(crate) fn the<'a>(imported: &'a Imported, id: &str) -> &'a ImportedTask {
    let found = imported.tasks.iter().find(|task| task.id == id);
    found.unwrap_or_else(|| panic!("no {id} among {:#?}", imported.tasks))
}

pub(crate) fn told(imported: &Imported, words: &[&str]) {
    let found = imported
        .remarks
        .iter()
        .any(|line| words.iter().all(|word| line.contains(word)));
    assert!(found, "nothing says {words:?} in {:#?}", imported.remarks);
}

pub(crate) fn ours(imported: &Imported) -> Vec<(Task, Option<Claim>)> {
    let by = Importer {
        now: at(0),
        branch: Some("main".into()),
        worktree: None,
    };
    to_tasks(imported, &by)
}
