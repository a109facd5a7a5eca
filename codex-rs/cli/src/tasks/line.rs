//! The command line of `codex-orch tasks`: what may be said, and its help. What is done about it stands elsewhere. What
//! reads and writes files stands in `files.rs`.

mod files;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use orch_protocol::Timestamp;
use orch_protocol::task::Task;

use super::{completion, when};
use crate::screen::Look;

pub(crate) use files::{Export, Graph, Import, Target};

const EXAMPLES: &str = "\
Examples:
  codex-orch tasks                                  what is open, what concerns you now first
  codex-orch tasks add \"Write the parser\" -p 1      a new task; its id is printed
  codex-orch tasks ready                            what can be begun now
  codex-orch tasks start 4k2                        any unambiguous beginning of an id names a task
  codex-orch tasks done 4k2 --commit HEAD           done wherever that commit is
  codex-orch tasks show 4k2                         all of it, and why it has its status here

docs/tasks.md is the guide.";

/// The backlog, judged by git
#[derive(Debug, Parser)]
#[command(
    name = "codex-orch tasks",
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Without a command, tasks are listed.
    #[command(flatten)]
    pub(crate) list: List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists tasks, the open ones unless more is asked for
    #[command(after_help = "\
Examples:
  codex-orch tasks list --status ready,active --priority 0-1
  codex-orch tasks list --owner ada --since '2 weeks ago' --sort -created
  codex-orch tasks list --all --tree --milestone \"First release\"")]
    List(List),
    /// Lists what can be begun now, the most urgent first
    Ready(Ready),
    /// Shows tasks whole, and why they have their status here
    Show(Show),
    /// Lists tasks, closed ones too, that hold all the words
    Search(Search),
    /// Tells what was said and seen of a task, oldest first
    Log(Log),
    /// Draws what waits for what: a tree or a graph here, or a picture in a file
    #[command(after_help = "\
Examples:
  codex-orch tasks graph --format graph --focus 4k2
  codex-orch tasks graph --all -o backlog.html
  codex-orch tasks graph --format dot | dot -Tpdf -o graph.pdf")]
    Graph(Graph),
    /// Takes over the backlog of another tool: beads, Task Master, Backlog.md, a checklist
    #[command(after_help = "\
Examples:
  codex-orch tasks import TODO.md --dry-run
  codex-orch tasks import .beads
  codex-orch tasks import backlog --format backlog-md")]
    Import(Import),
    /// Writes tasks for other tools: yaml, json, a checklist, beads
    #[command(after_help = "\
Examples:
  codex-orch tasks export --format markdown > TODO.md
  codex-orch tasks export --all -o issues.jsonl --format beads")]
    Export(Export),
    /// Adds a task, or several at once
    #[command(after_help = "\
Examples:
  codex-orch tasks add \"Write the parser\" --priority 1 --owner ada
  codex-orch tasks add \"Publish\" --need 4k2 --need 9zq --milestone \"First release\"
  git log -1 --format=%s | codex-orch tasks add -
  codex-orch tasks add --stdin --parent 4k2 < steps.txt")]
    Add(Add),
    /// Changes fields of tasks; without any named, all of them in $EDITOR
    #[command(after_help = "\
An empty text clears a field:
  codex-orch tasks edit 4k2 --owner \"\" --title \"Write the whole parser\"")]
    Edit(Edit),
    /// Says that somebody works on tasks
    Start(Said),
    /// Says that tasks are done: wherever --commit is, or without one everywhere
    Done(Done),
    /// Says that tasks can't go on
    Block(Said),
    /// Says that tasks will not be done
    Drop(Said),
    /// Takes back what was said: tasks are pending again
    Reopen(Said),
    /// Says that a task can't be done before others
    Need(Need),
    /// Says that a task can be done without others after all
    Unneed(Need),
    /// Adds a remark; without words, in $EDITOR
    Note(Note),
    /// Lists milestones with their progress, sets and removes them
    Milestone(Milestone),
    /// Prints what completes task ids and options in a shell
    #[command(after_help = "\
To have it in every shell:
  echo 'source <(codex-orch tasks completion bash)' >> ~/.bashrc
  echo 'source <(codex-orch tasks completion zsh)'  >> ~/.zshrc
  codex-orch tasks completion fish > ~/.config/fish/completions/codex-orch.fish")]
    Completion {
        /// The shell
        shell: completion::Shell,
    },
}

/// A status as one asks for it: open is neither done nor dropped, ready is pending with nothing to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Standing {
    Open,
    Ready,
    Pending,
    Active,
    Blocked,
    Done,
    Dropped,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Status,
    Priority,
    Created,
    Title,
    Owner,
}

/// A key, and whether its order is turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) key: Key,
    pub(crate) reversed: bool,
}

fn sort(given: &str) -> Result<Sort, String> {
    let key = match given.trim_start_matches('-') {
        "status" => Key::Status,
        "priority" => Key::Priority,
        "created" => Key::Created,
        "title" => Key::Title,
        "owner" => Key::Owner,
        _ => return Err("use status, priority, created, title or owner".to_owned()),
    };
    Ok(Sort {
        key,
        reversed: given.starts_with('-'),
    })
}

/// Priorities from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Priorities(pub(crate) u8, pub(crate) u8);

fn priorities(given: &str) -> Result<Priorities, String> {
    let (low, high) = given.split_once('-').unwrap_or((given, given));
    let one = |text: &str| {
        let number: Option<u8> = text.trim().parse().ok();
        number.filter(|number| *number <= Task::MAX_PRIORITY)
    };
    match (one(low), one(high)) {
        (Some(low), Some(high)) if low <= high => Ok(Priorities(low, high)),
        _ => Err("use a number from 0 to 4, or two as in 0-1".to_owned()),
    }
}

/// Which tasks, in which order.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct List {
    /// Only those that are open, ready, pending, active, blocked, done or dropped; several with commas
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) status: Vec<Standing>,
    /// Only of these owners; an empty text: of nobody
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Vec<String>,
    /// Only of these priorities, as 2 or 0-1
    #[arg(long, short, value_name = "N|N-N", value_parser = priorities)]
    pub(crate) priority: Option<Priorities>,
    /// Only what is a part of this task, at any depth
    #[arg(long, value_name = "TASK", add = completion::ids())]
    pub(crate) parent: Option<String>,
    /// Only what counts towards this milestone
    #[arg(long, value_name = "NAME", add = completion::milestones())]
    pub(crate) milestone: Option<String>,
    /// Only what holds all these words
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
    /// Only what something was said of on this branch
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// Only what was added since: a day, a time, yesterday, 3 days ago
    #[arg(long, value_name = "TIME", value_parser = when::since)]
    pub(crate) since: Option<Timestamp>,
    /// Only what was added until then, that day included
    #[arg(long, value_name = "TIME", value_parser = when::until)]
    pub(crate) until: Option<Timestamp>,
    /// Also those that are done or dropped
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Those that were archived, and no others
    #[arg(long)]
    pub(crate) archived: bool,
    /// What was archived is looked at as well.
    #[arg(skip)]
    pub(crate) with_archive: bool,
    /// By status, priority, created, title or owner; several with commas, - turns one round
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = sort, allow_hyphen_values = true)]
    pub(crate) sort: Vec<Sort>,
    /// Parts below what they are parts of
    #[arg(long)]
    pub(crate) tree: bool,
    #[command(flatten)]
    pub(crate) listing: Listing,
}

/// How much of a listing comes out, and how.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Listing {
    /// At most so many
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// How what is asked for comes out.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Shown {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) look: Look,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Ready {
    #[command(flatten)]
    pub(crate) listing: Listing,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Show {
    /// Their ids, or unambiguous beginnings of them
    #[arg(required = true, value_name = "TASK", add = completion::ids())]
    pub(crate) tasks: Vec<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    /// What titles, owners, acceptance, notes and reasons have to hold
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) listing: Listing,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Log {
    /// Its id, or an unambiguous beginning of it
    #[arg(add = completion::ids())]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Add {
    /// One line; - reads it from stdin
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
    pub(crate) title: Option<String>,
    /// Reads titles from stdin, one a line: all are added, or none
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Who is to do it
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// From 0, the most urgent, to 4
    #[arg(long, short, value_name = "N")]
    pub(crate) priority: Option<u8>,
    /// The task it is a part of
    #[arg(long, value_name = "TASK", add = completion::ids())]
    pub(crate) parent: Option<String>,
    /// A task that must be done before it
    #[arg(long, value_name = "TASK", add = completion::ids())]
    pub(crate) need: Vec<String>,
    /// The milestone it counts towards
    #[arg(long, value_name = "NAME", add = completion::milestones())]
    pub(crate) milestone: Option<String>,
    /// How one tells that it is done
    #[arg(long, value_name = "TEXT")]
    pub(crate) acceptance: Option<String>,
    /// A remark
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Edit {
    /// Their ids, or unambiguous beginnings of them
    #[arg(required = true, value_name = "TASK", add = completion::ids())]
    pub(crate) tasks: Vec<String>,
    /// One line
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Who is to do it
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// From 0, the most urgent, to 4
    #[arg(long, short, value_name = "N")]
    pub(crate) priority: Option<u8>,
    /// The task it is a part of
    #[arg(long, value_name = "TASK", add = completion::ids())]
    pub(crate) parent: Option<String>,
    /// The milestone it counts towards
    #[arg(long, value_name = "NAME", add = completion::milestones())]
    pub(crate) milestone: Option<String>,
    /// How one tells that it is done
    #[arg(long, value_name = "TEXT")]
    pub(crate) acceptance: Option<String>,
    /// A remark to add
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// The commit that brings it, as any revision git understands
    #[arg(long, value_name = "REV")]
    pub(crate) target_commit: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Said {
    /// Their ids, or unambiguous beginnings of them: all are changed, or none
    #[arg(required = true, value_name = "TASK", add = completion::ids())]
    pub(crate) tasks: Vec<String>,
    /// Why
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Done {
    #[command(flatten)]
    pub(crate) said: Said,
    /// A commit that holds the work, as any revision git understands; may be given again
    #[arg(long, short, value_name = "REV")]
    pub(crate) commit: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Need {
    /// The task that waits
    #[arg(add = completion::ids())]
    pub(crate) task: String,
    /// What it waits for
    #[arg(required = true, value_name = "NEED", add = completion::ids())]
    pub(crate) needs: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Note {
    /// Its id, or an unambiguous beginning of it
    #[arg(add = completion::ids())]
    pub(crate) task: String,
    /// The remark; - reads it from stdin
    pub(crate) words: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Milestone {
    #[command(subcommand)]
    pub(crate) command: Option<MilestoneCommand>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MilestoneCommand {
    /// Lists milestones with their progress
    List(Shown),
    /// Makes a milestone, or changes one
    Set {
        /// Its name
        #[arg(add = completion::milestones())]
        name: String,
        /// What it is for, in one line
        #[arg(long)]
        text: Option<String>,
        /// The day it is due, as 2027-01-31
        #[arg(long, value_name = "DAY")]
        due: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Removes a milestone: its tasks count towards none
    Remove {
        /// Its name
        #[arg(add = completion::milestones())]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
