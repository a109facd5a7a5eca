//! Which processes are below the guard, read from /proc, and which of them are the engine's own to end: those in a session
//! that the engine is in or has given to a direct child. Upstream starts each command in a session of its own, and MCP
//! servers in a process group within its own session. It reads; killing is the guard's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

/// A process as /proc tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// Its process group and its session; 0 when that was begun outside our pid namespace (a container's entry).
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// Of its state only this counts: stopped, and ended but not waited for.
    pub(crate) is_stopped: bool,
    pub(crate) has_ended: bool,
    /// With the pid, it names a process for ever.
    pub(crate) started: u64,
}

/// Reads one process; `None` when it is gone.
pub(crate) fn read(pid: i32) -> Option<Process> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads ourselves. rustix's `getpgrp` and `getsid` don't take the 0 of a group or session outside our pid namespace.
pub(crate) fn own() -> Option<Process> {
    read(rustix::process::getpid().as_raw_pid())
}

/// Reads all processes there are.
pub(crate) fn all() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        found.extend(pid.and_then(read));
    }
    Ok(found)
}

fn parse(stat: &[u8]) -> Option<Process> {
    // The name in the middle may hold spaces and brackets; after its last bracket all is plain.
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let (head, tail) = stat.split_at_checked(name_end)?;
    let pid = std::str::from_utf8(head.split(|byte| *byte == b' ').next()?).ok()?;
    let fields: Vec<&str> = std::str::from_utf8(tail.get(2..)?)
        .ok()?
        .split(' ')
        .collect();
    let state = *fields.first()?;
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        is_stopped: matches!(state, "T" | "t"),
        has_ended: matches!(state, "Z" | "X"),
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The sessions whose members are the engine's to end.
#[derive(Debug)]
pub(crate) struct Owned {
    guard: i32,
    engine: i32,
    sessions: BTreeSet<i32>,
}

impl Owned {
    /// What is known before looking: the engine is in `session`.
    pub(crate) fn new(guard: i32, engine: i32, session: i32) -> Self {
        Self {
            guard,
            engine,
            sessions: BTreeSet::from([session]),
        }
    }

    /// Learns the sessions of the engine's direct children, and tells whether the engine was there to have any. When it
    /// has ended unseen, they are the guard's to wait for, and the kernel ends them with it: what leads a session and has
    /// ended was one of them, what leads a session and lives was detached.
    pub(crate) fn learn(&mut self, all: &[Process]) -> bool {
        let is_there = all.iter().any(|process| {
            process.pid == self.engine && process.parent == self.guard && !process.has_ended
        });
        let direct = all.iter().filter(|process| {
            if is_there {
                process.parent == self.engine
            } else {
                process.parent == self.guard && process.has_ended && process.session == process.pid
            }
        });
        self.sessions.extend(direct.map(|process| process.session));
        is_there
    }

    /// Whom to end, the engine itself aside.
    pub(crate) fn targets(&self, all: &[Process]) -> Vec<Process> {
        let parents: BTreeMap<i32, i32> = all
            .iter()
            .map(|process| (process.pid, process.parent))
            .collect();
        let is_below = |pid: i32| {
            let mut at = pid;
            // Parents read at different moments may form a ring.
            for _ in 0..parents.len() {
                match parents.get(&at) {
                    Some(parent) if *parent == self.guard => return true,
                    Some(parent) => at = *parent,
                    None => return false,
                }
            }
            false
        };
        all.iter()
            .filter(|process| !process.has_ended && process.pid != self.engine)
            .filter(|process| self.sessions.contains(&process.session) && is_below(process.pid))
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, session: i32) -> Process {
        Process {
            pid,
            parent,
            group: pid,
            session,
            is_stopped: false,
            has_ended: false,
            started: 1,
        }
    }

    fn pids(found: &[Process]) -> Vec<i32> {
        found.iter().map(|process| process.pid).collect()
    }

    #[test]
    fn a_name_with_spaces_and_brackets_is_no_hindrance() {
        let stat = b"12 (a) T 7 (b)) Z 3 4 5 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 777 9 9\n";
        let parsed = parse(stat).unwrap();
        assert_eq!(
            (parsed.pid, parsed.parent, parsed.group, parsed.started),
            (12, 3, 4, 777)
        );
        assert!(parsed.session == 5 && parsed.has_ended && !parsed.is_stopped);
        for cut in 0..stat.len() {
            // Whatever is cut off, it is no panic.
            let _ = parse(&stat[..cut]);
        }
        let own = read(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(all().unwrap().contains(&own));
    }

    #[test]
    fn sessions_given_by_the_engine_are_its_own_and_detached_ones_are_not() {
        // 1 shell of the user, 10 codex-orch, 20 guard, 30 engine.
        let all = [
            process(1, 0, 1),
            process(10, 1, 1),
            process(20, 10, 20),
            process(30, 20, 1),
            process(40, 30, 40), // a command's shell
            process(41, 40, 40), // its child
            process(42, 40, 42), // detached by setsid
            process(43, 42, 42), // a child of that
            process(44, 20, 40), // a job whose shell has ended
            process(45, 20, 45), // detached, its shell has ended
            process(50, 30, 1),  // an MCP server
            process(51, 50, 1),
            process(60, 1, 1), // a neighbour in the user's session
        ];
        let mut owned = Owned::new(20, 30, 1);
        assert!(owned.learn(&all));
        assert_eq!(pids(&owned.targets(&all)), [40, 41, 44, 50, 51]);
    }

    #[test]
    fn an_engine_that_ended_unseen_leaves_its_dead_to_tell() {
        let ended = |process: Process| Process {
            has_ended: true,
            ..process
        };
        let all = [
            process(20, 10, 20),
            ended(process(40, 20, 40)), // a command's shell, ended with the engine
            process(41, 20, 40),
            process(42, 20, 42), // detached by setsid
            process(50, 20, 1),  // an MCP server
        ];
        let mut owned = Owned::new(20, 30, 1);
        assert!(!owned.learn(&all));
        assert_eq!(pids(&owned.targets(&all)), [41, 50]);
    }

    #[test]
    fn a_ring_of_parents_ends() {
        let all = [process(5, 6, 1), process(6, 5, 1)];
        assert!(Owned::new(20, 30, 1).targets(&all).is_empty());
    }
}
