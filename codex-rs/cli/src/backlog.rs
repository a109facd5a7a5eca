//! Changes of the backlog, for the command line and for the main agent's tools: one way in, checked and recorded alike.

use std::collections::BTreeSet;

use orch_core::command::{Asker, Refusal, TaskCommand};
use orch_protocol::ids::{CommitId, TaskId, ThreadId, TurnId};
use orch_protocol::task::{Actor, Origin};
use orch_runtime::ports::{Clock, Git, SystemClock};
use orch_runtime::upstream::RolloutsOnly;

use crate::out;
use crate::session::Project;
use crate::trouble::Trouble;

/// Who changes the backlog.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    Person,
    Agent {
        thread: Option<ThreadId>,
        turn: Option<TurnId>,
    },
}

/// Carries out a command. When this returns, it is durable and everybody sees it; folding it is the caller's, later.
pub(crate) async fn change(
    project: &mut Project,
    who: Who,
    command: TaskCommand,
) -> Result<Vec<TaskId>, Trouble> {
    Ok(try_change(project, who, command).await??)
}

/// As [`change`], for callers who have their own words for a refusal.
pub(crate) async fn try_change(
    project: &mut Project,
    who: Who,
    command: TaskCommand,
) -> Result<Result<Vec<TaskId>, Refusal>, Trouble> {
    project.take_in().await;
    let snapshot = project.git.look().await?;
    let branch = snapshot
        .as_ref()
        .and_then(|seen| seen.head.branch())
        .map(str::to_owned);
    let (by, origin) = match who {
        Who::Person => (
            Actor::Person,
            Origin::Person {
                branch: branch.clone(),
            },
        ),
        Who::Agent { thread, turn } => (
            Actor::MainAgent,
            Origin::Agent {
                branch: branch.clone(),
                thread,
                turn,
            },
        ),
    };
    let head = snapshot
        .as_ref()
        .and_then(|seen| seen.head.commit().cloned());
    let worktree = snapshot.map(|seen| seen.worktree);
    let asker = Asker {
        by,
        origin,
        branch,
        worktree,
        head,
        now: SystemClock.now(),
        nonce: String::new(),
    };
    let (mut engine, mut tell) = (RolloutsOnly, out::note);
    Ok(project
        .driver(&mut engine, &mut tell)
        .command(asker, command)
        .await?)
}

/// Finds a commit that somebody named, among those HEAD reaches.
pub(crate) async fn commit(project: &Project, given: &str) -> Result<CommitId, Trouble> {
    let unknown = || {
        let given = orch_protocol::text::one_line(given, 60);
        Trouble::usage(
            format!("{given:?} is no commit that HEAD reaches"),
            "give a whole commit id, as git rev-parse prints it",
        )
    };
    let commit = CommitId::new(given.trim().to_ascii_lowercase());
    let reached = project
        .git
        .reachable(BTreeSet::from([commit.clone()]))
        .await?;
    if reached.contains(&commit) {
        Ok(commit)
    } else {
        Err(unknown())
    }
}
