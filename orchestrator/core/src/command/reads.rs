//! What of the backlog a command looks at: a store need not read more.

use orch_protocol::ids::TaskId;

use super::TaskCommand;

/// The part of a backlog that has to be there for a command to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// Tasks whose ids begin so; none at all when it is empty.
    Named(Vec<String>),
    /// All of it, as far as graph and names go, for an edge could close a circle; and those archived tasks whose ids
    /// begin so.
    All(Vec<String>),
    /// All of it, and the whole archive.
    Whole,
}

impl TaskCommand {
    /// What has to be read for this command.
    pub fn reads(&self) -> Reads {
        match self {
            TaskCommand::Add(new) => {
                let names = names(new.needs.iter().chain(&new.parent));
                match new.parent.is_some() && !new.needs.is_empty() {
                    true => Reads::All(names),
                    false => Reads::Named(names),
                }
            }
            TaskCommand::Claim { task, .. } | TaskCommand::Link { task, .. } => {
                Reads::Named(names([task]))
            }
            TaskCommand::Edit { task, edit } | TaskCommand::Update { task, edit, .. } => {
                match &edit.parent {
                    Some(parent) if !parent.is_empty() => Reads::All(names([task, parent])),
                    Some(_) | None => Reads::Named(names([task])),
                }
            }
            TaskCommand::Unneed { task, need } => Reads::Named(names([task, need])),
            TaskCommand::Need { task, need } => Reads::All(names([task, need])),
            TaskCommand::Milestone { .. } => Reads::Named(Vec::new()),
            TaskCommand::RemoveMilestone { .. } => Reads::All(Vec::new()),
            TaskCommand::Import(_) => Reads::Whole,
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
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
            (Self::Named(mut names), Self::Named(more)) => {
                names.extend(more);
                Self::Named(names)
            }
            (Self::All(mut names), Self::All(more) | Self::Named(more))
            | (Self::Named(mut names), Self::All(more)) => {
                names.extend(more);
                Self::All(names)
            }
        }
    }
}

fn names<'a>(given: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let prefixes = given.into_iter().filter_map(|given| TaskId::prefix(given));
    prefixes.collect()
}
