//! What of the backlog a command looks at: a store need not read more.

use orch_protocol::ids::TaskId;

use super::TaskCommand;

/// The part of a backlog that has to be there for a command to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// Tasks whose ids begin so; none at all when it is empty.
    Named(Vec<String>),
    /// All of it, as far as graph and names go: an edge could close a circle.
    All,
}

impl TaskCommand {
    /// What has to be read for this command.
    pub fn reads(&self) -> Reads {
        match self {
            TaskCommand::Add(new) => named(new.needs.iter().chain(&new.parent)),
            TaskCommand::Claim { task, .. } | TaskCommand::Link { task, .. } => named([task]),
            TaskCommand::Edit { task, edit } | TaskCommand::Update { task, edit, .. } => {
                match &edit.parent {
                    Some(parent) if !parent.is_empty() => Reads::All,
                    Some(_) | None => named([task]),
                }
            }
            TaskCommand::Unneed { task, need } => named([task, need]),
            TaskCommand::Milestone { .. } => Reads::Named(Vec::new()),
            TaskCommand::Need { .. }
            | TaskCommand::RemoveMilestone { .. }
            | TaskCommand::Import(_) => Reads::All,
            TaskCommand::All(commands) => {
                let all = commands.iter().map(TaskCommand::reads);
                all.fold(Reads::Named(Vec::new()), Reads::and)
            }
        }
    }
}

impl Reads {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Named(mut names), Self::Named(more)) => {
                names.extend(more);
                Self::Named(names)
            }
            (Self::All, _) | (_, Self::All) => Self::All,
        }
    }
}

fn named<'a>(given: impl IntoIterator<Item = &'a String>) -> Reads {
    let prefixes = given.into_iter().filter_map(|given| TaskId::prefix(given));
    Reads::Named(prefixes.collect())
}
