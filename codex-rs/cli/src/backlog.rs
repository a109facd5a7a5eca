//! Changes of the backlog, for the command line and for the main agent's tools: one way in, checked and recorded alike.

use orch_core::command::{Asker, Named, Refusal, TaskCommand};
use orch_protocol::ids::{CommitId, ThreadId, TurnId};
use orch_protocol::task::{Actor, Origin};
use orch_protocol::text::one_line;
use orch_runtime::git::Called;
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
) -> Result<Vec<Named>, Trouble> {
    Ok(try_change(project, who, command).await??)
}

/// As [`change`], for callers who have their own words for a refusal.
pub(crate) async fn try_change(
    project: &mut Project,
    who: Who,
    command: TaskCommand,
) -> Result<Result<Vec<Named>, Refusal>, Trouble> {
    project.take_in().await;
    let stand = project.git.stand().await?;
    let branch = stand
        .as_ref()
        .and_then(|stand| stand.head.branch())
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
    let head = stand
        .as_ref()
        .and_then(|stand| stand.head.commit().cloned());
    let worktree = stand.map(|stand| stand.worktree);
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

/// Finds the commit that a person named, by any revision git understands, among those HEAD reaches.
pub(crate) async fn commit(project: &Project, given: &str) -> Result<CommitId, Trouble> {
    let hint = "git log shows those it reaches; git merge brings in others";
    reached(project, given, hint).await
}

/// As [`commit`], by a whole id alone: what an agent calls `HEAD` may be another commit by the time it is asked about.
pub(crate) async fn whole_commit(project: &Project, given: &str) -> Result<CommitId, Trouble> {
    let hint = "give a whole commit id, as git rev-parse prints it";
    let id = given.trim();
    match matches!(id.len(), 40 | 64) && id.chars().all(|c| c.is_ascii_hexdigit()) {
        true => reached(project, id, hint).await,
        false => Err(unreached(given, hint)),
    }
}

async fn reached(project: &Project, given: &str, hint: &str) -> Result<CommitId, Trouble> {
    match project.git.called(given.to_owned()).await? {
        Called::Here(commit) => Ok(commit),
        Called::Elsewhere(_) | Called::Unknown => Err(unreached(given, hint)),
    }
}

fn unreached(given: &str, hint: &str) -> Trouble {
    let given = one_line(given, 60);
    Trouble::usage(format!("{given:?} is no commit that HEAD reaches"), hint)
}
