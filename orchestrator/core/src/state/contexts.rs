//! How branch contexts are renamed, put away and brought back. When, is not decided here.

use orch_protocol::Timestamp;
use orch_protocol::git::Head;
use orch_protocol::project::{ArchivedContext, BranchContext, Project};

/// The context goes along with its branch; what it says of the branch's name too.
pub(super) fn rename(project: &mut Project, from: &str, to: &str, at: Timestamp) {
    if from == to {
        return;
    }
    let Some(mut context) = project.branches.remove(from) else {
        return;
    };
    if let Some(Head::Branch { name, .. }) = context.snapshot.as_mut().map(|seen| &mut seen.head)
        && name == from
    {
        *name = to.to_owned();
    }
    for other in project.branches.values_mut() {
        if other.forked_from.as_deref() == Some(from) {
            other.forked_from = Some(to.to_owned());
        }
    }
    if let Some(displaced) = project.branches.insert(to.to_owned(), context) {
        put_away(project, to, displaced, at);
    }
}

/// Out of the contexts that are looked at.
pub(super) fn archive(project: &mut Project, branch: &str, at: Timestamp) {
    if let Some(context) = project.branches.remove(branch) {
        put_away(project, branch, context, at);
    }
}

/// Among them again; a context that stands there meanwhile stays.
pub(super) fn restore(project: &mut Project, branch: &str) {
    if !project.branches.contains_key(branch)
        && let Some(archived) = project.archived.remove(branch)
    {
        project.branches.insert(branch.to_owned(), archived.context);
    }
}

/// Of what was put away, the oldest goes first.
pub(super) fn bound(project: &mut Project) {
    while project.archived.len() > Project::MAX_ARCHIVED {
        let oldest = project
            .archived
            .iter()
            .min_by_key(|(name, archived)| (archived.at, (*name).clone()))
            .map(|(name, _)| name.clone());
        match oldest {
            Some(name) => project.archived.remove(&name),
            None => return,
        };
    }
}

fn put_away(project: &mut Project, branch: &str, context: BranchContext, at: Timestamp) {
    let archived = ArchivedContext { at, context };
    project.archived.insert(branch.to_owned(), archived);
    bound(project);
}
