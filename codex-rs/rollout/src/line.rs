//! One line of a rollout, typed. Knows the shapes that every CLI version wrote; not what lines mean together.
//!
//! Three quarters of a rollout are lines nobody needs (reasoning, world state, copies of messages). What a line is stands
//! in its first bytes, so those are told by a look at the head and never parsed; and of the lines that are parsed only
//! the fields named here are kept, so the bulk (outputs, instructions, diffs) is skipped over, not copied.

use std::collections::BTreeMap;

use orch_protocol::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::loose::{Argv, Text};
use crate::sniff::sniff;

/// A line that isn't a rollout's: torn, not JSON, or without a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine;

#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) at: Option<Timestamp>,
    pub(crate) ordinal: Option<u64>,
    pub(crate) entry: Entry<'a>,
}

#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Ignored,
    Meta(Box<Meta<'a>>),
    Context(Context<'a>),
    Usage(UsageRecord<'a>),
    Call(Call<'a>),
    Output(Output<'a>),
    Started(TurnRef<'a>),
    Completed(TurnEnd<'a>),
    Aborted(TurnRef<'a>),
    UserMessage(Message<'a>),
    AgentMessage(Message<'a>),
    Error(Message<'a>),
    ReviewEntered,
    TokenCount(TokenCount),
    CommandEnd(CommandEnd<'a>),
    PatchEnd(PatchEnd<'a>),
    Below(Below<'a>),
    /// An item of a paginated rollout, and what it amounts to.
    Item(TurnRef<'a>, Box<Entry<'a>>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Meta<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) cwd: Text<'a>,
    #[serde(borrow)]
    pub(crate) cli_version: Text<'a>,
    #[serde(borrow)]
    pub(crate) originator: Text<'a>,
    /// A word (`cli`, `exec`, `vscode`), or an object that says whose sub-agent it is. Small.
    pub(crate) source: serde_json::Value,
    #[serde(borrow)]
    pub(crate) thread_source: Text<'a>,
    #[serde(borrow)]
    pub(crate) forked_from_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) parent_thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) git: Option<Git<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Git<'a> {
    #[serde(borrow)]
    pub(crate) commit_hash: Text<'a>,
    #[serde(borrow)]
    pub(crate) branch: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Context<'a> {
    #[serde(borrow)]
    pub(crate) cwd: Text<'a>,
    #[serde(borrow)]
    pub(crate) model: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UsageRecord<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) turn_id: Text<'a>,
    pub(crate) usage: Tokens,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TokenCount {
    pub(crate) info: Option<TokenInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TokenInfo {
    pub(crate) total_token_usage: Option<Tokens>,
    pub(crate) last_token_usage: Option<Tokens>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tokens {
    pub(crate) input_tokens: u64,
    pub(crate) cached_input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// A tool call of the model; which of `arguments` (JSON), `input` (text) and `action` is filled depends on the tool.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Call<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) call_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) arguments: Text<'a>,
    #[serde(borrow)]
    pub(crate) input: Text<'a>,
    pub(crate) action: Option<ShellAction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ShellAction {
    pub(crate) command: Argv,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Output<'a> {
    #[serde(borrow)]
    pub(crate) call_id: Text<'a>,
    /// As it stands in the line, still escaped: it may be large, and only its head or tail tells the exit code.
    #[serde(borrow)]
    pub(crate) output: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TurnRef<'a> {
    #[serde(borrow)]
    pub(crate) turn_id: Text<'a>,
    /// The turn that caused this one, and itself for most: a review runs in a turn below the one that asked for it.
    #[serde(borrow)]
    pub(crate) root_turn_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
}

/// An announced end. From about 0.16x this is where a failure stands; before, it was an event of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TurnEnd<'a> {
    #[serde(borrow)]
    pub(crate) turn_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) error: Option<Message<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message<'a> {
    #[serde(borrow)]
    pub(crate) message: Text<'a>,
    /// Some versions mark the user messages that they made themselves.
    #[serde(borrow)]
    pub(crate) kind: Text<'a>,
    /// In items a message is a list of parts.
    #[serde(borrow)]
    pub(crate) content: Vec<Part<'a>>,
}

impl Message<'_> {
    /// The whole text, whichever field it came in.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self.content.as_slice() {
            [] => self.message.as_str().into(),
            [part] => part.text.as_str().into(),
            parts => {
                let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
                texts.join("\n").into()
            }
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Part<'a> {
    #[serde(borrow)]
    pub(crate) text: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CommandEnd<'a> {
    #[serde(borrow, alias = "id")]
    pub(crate) call_id: Text<'a>,
    pub(crate) command: Argv,
    pub(crate) exit_code: Option<i32>,
    /// `agent`, `unified_exec_startup`, `user_shell`, ...
    #[serde(borrow)]
    pub(crate) source: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PatchEnd<'a> {
    #[serde(borrow, alias = "id")]
    pub(crate) call_id: Text<'a>,
    pub(crate) success: Option<bool>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    #[serde(borrow)]
    pub(crate) changes: BTreeMap<Text<'a>, FileChange<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FileChange<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) move_path: Text<'a>,
}

/// Sub-agents that were spoken to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Below<'a> {
    #[serde(borrow)]
    pub(crate) receiver_thread_ids: Vec<Text<'a>>,
    #[serde(borrow)]
    pub(crate) agent_thread_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    payload: InnerHead<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InnerHead<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct ItemCompleted<'a> {
    #[serde(borrow, default)]
    thread_id: Text<'a>,
    #[serde(borrow, default)]
    turn_id: Text<'a>,
    #[serde(borrow)]
    item: &'a RawValue,
}

/// Types one line. Lines that nobody needs are `Ignored` without being parsed.
pub(crate) fn parse(line: &[u8]) -> Result<Line<'_>, BadLine> {
    if !line.starts_with(b"{") || !line.ends_with(b"}") {
        return Err(BadLine);
    }
    match sniff(line) {
        Some((top, inner)) => dispatch(line, top, inner),
        None => {
            let head: Head<'_> = serde_json::from_slice(line).map_err(|_| BadLine)?;
            dispatch(line, head.kind.as_str(), head.payload.kind.as_str())
        }
    }
}

fn dispatch<'a>(line: &'a [u8], top: &str, inner: &str) -> Result<Line<'a>, BadLine> {
    match (top, inner) {
        ("", _) => Err(BadLine),
        ("session_meta", _) => typed(line, |meta| Entry::Meta(Box::new(meta))),
        ("turn_context", _) => typed(line, Entry::Context),
        ("token_usage_record", _) => typed(line, Entry::Usage),
        ("response_item", "function_call" | "custom_tool_call" | "local_shell_call") => {
            typed(line, Entry::Call)
        }
        ("response_item", "function_call_output" | "custom_tool_call_output") => {
            typed(line, Entry::Output)
        }
        ("event_msg", "task_started" | "turn_started") => typed(line, Entry::Started),
        ("event_msg", "task_complete" | "turn_complete") => typed(line, Entry::Completed),
        ("event_msg", "turn_aborted") => typed(line, Entry::Aborted),
        ("event_msg", "user_message") => typed(line, Entry::UserMessage),
        ("event_msg", "agent_message") => typed(line, Entry::AgentMessage),
        ("event_msg", "error") => typed(line, Entry::Error),
        ("event_msg", "entered_review_mode") => typed(line, |_: TurnRef<'_>| Entry::ReviewEntered),
        ("event_msg", "token_count") => typed(line, Entry::TokenCount),
        ("event_msg", "exec_command_end") => typed(line, Entry::CommandEnd),
        ("event_msg", "patch_apply_end") => typed(line, Entry::PatchEnd),
        ("event_msg", "item_completed") => {
            let raw: Raw<'a, ItemCompleted<'a>> = read(line)?;
            Ok(Line {
                at: raw.timestamp.as_str().parse().ok(),
                ordinal: raw.ordinal,
                entry: item(raw.payload)?,
            })
        }
        _ => Ok(Line {
            at: None,
            ordinal: None,
            entry: Entry::Ignored,
        }),
    }
}

/// An item of a paginated rollout. It holds what an older version's event of the same meaning holds.
fn item(completed: ItemCompleted<'_>) -> Result<Entry<'_>, BadLine> {
    let item = completed.item.get().as_bytes();
    let kind: InnerHead<'_> = read(item)?;
    let entry = match kind.kind.as_str() {
        "UserMessage" => Entry::UserMessage(read(item)?),
        "AgentMessage" => Entry::AgentMessage(read(item)?),
        "Error" => Entry::Error(read(item)?),
        "EnteredReviewMode" => Entry::ReviewEntered,
        "CommandExecution" => Entry::CommandEnd(read(item)?),
        "FileChange" => Entry::PatchEnd(read(item)?),
        "CollabAgentToolCall" | "SubAgentActivity" => Entry::Below(read(item)?),
        _ => return Ok(Entry::Ignored),
    };
    let turn = TurnRef {
        turn_id: completed.turn_id,
        thread_id: completed.thread_id,
        ..TurnRef::default()
    };
    Ok(Entry::Item(turn, Box::new(entry)))
}

#[derive(Deserialize)]
struct Raw<'a, P> {
    #[serde(borrow, default)]
    timestamp: Text<'a>,
    #[serde(default)]
    ordinal: Option<u64>,
    payload: P,
}

fn typed<'a, P: Deserialize<'a>>(
    line: &'a [u8],
    wrap: impl FnOnce(P) -> Entry<'a>,
) -> Result<Line<'a>, BadLine> {
    let raw: Raw<'a, P> = read(line)?;
    Ok(Line {
        at: raw.timestamp.as_str().parse().ok(),
        ordinal: raw.ordinal,
        entry: wrap(raw.payload),
    })
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, BadLine> {
    serde_json::from_slice(json).map_err(|_| BadLine)
}
