//! Any bytes are read as a backlog of every format without a panic; what is read is a graph without cycles and goes out in
//! every format. `just fuzzed orchestrator/runtime exchange_bytes`
#![no_main]

use orch_protocol::tasks::Tasks;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use orch_core::graph::is_acyclic;
use orch_protocol::Timestamp;
use orch_protocol::task::{Task, TaskStatus};
use orch_runtime::exchange::export::{ExportFormat, ExportTask, export};
use orch_runtime::exchange::settle::{Importer, to_tasks};
use orch_runtime::exchange::{Format, Given, parse};

fuzz_target!(|bytes: &[u8]| {
    let _ = Format::guess(Path::new("given"), bytes);
    let by = Importer {
        now: Timestamp::UNIX_EPOCH,
        branch: None,
        worktree: None,
    };
    for format in Format::ALL {
        let given = Given {
            name: "given",
            bytes,
        };
        let Ok(imported) = parse(format, "given", &[given]) else {
            continue;
        };
        let mut tasks = Tasks::new();
        for (task, _) in to_tasks(&imported, &by) {
            assert!(task.title.chars().count() <= Task::MAX_TITLE);
            tasks.insert(task.id.clone(), task);
        }
        assert_eq!(tasks.len(), imported.tasks.len());
        assert!(is_acyclic(&tasks));
        let out: Vec<ExportTask<'_>> = tasks
            .values()
            .map(|task| ExportTask {
                task,
                status: TaskStatus::Pending,
                done_on: None,
            })
            .collect();
        for to in ExportFormat::ALL {
            assert!(export(to, &out).is_ok());
        }
        let Ok(again) = export(ExportFormat::Beads, &out) else {
            continue;
        };
        let given = Given {
            name: "again",
            bytes: again.text.as_bytes(),
        };
        let read = parse(Format::Beads, "again", &[given]);
        assert_eq!(read.map(|read| read.tasks.len()), Ok(tasks.len()));
    }
});
