//! The parameters of the notifications that are looked at, and of them only the fields that matter. A field that is missing
//! or of another kind is empty, or at worst the notification is passed over; it is never an error.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::loose::Text;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ThreadOnly<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ThreadStarted<'a> {
    #[serde(borrow)]
    pub(crate) thread: Thread<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Thread<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) cwd: Text<'a>,
    #[serde(borrow)]
    pub(crate) path: Text<'a>,
    #[serde(borrow)]
    pub(crate) model: Text<'a>,
    #[serde(borrow)]
    pub(crate) forked_from_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) parent_thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) attached_to_thread_id: Text<'a>,
    pub(crate) ephemeral: bool,
    /// A word, or an object that says whose sub-agent it is. Small.
    pub(crate) source: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SettingsUpdated<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) thread_settings: Settings<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings<'a> {
    #[serde(borrow)]
    pub(crate) cwd: Text<'a>,
    #[serde(borrow)]
    pub(crate) model: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TurnParams<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) turn: Turn<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Turn<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) root_turn_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    #[serde(borrow)]
    pub(crate) error: Option<TurnError<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TurnError<'a> {
    #[serde(borrow)]
    pub(crate) message: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ErrorParams<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) turn_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) error: TurnError<'a>,
    pub(crate) will_retry: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PlanParams<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) turn_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) explanation: Text<'a>,
    #[serde(borrow)]
    pub(crate) plan: Vec<Step<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Step<'a> {
    #[serde(borrow)]
    pub(crate) step: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UsageParams<'a> {
    #[serde(borrow)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) turn_id: Text<'a>,
    pub(crate) token_usage: Usage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    pub(crate) total: Option<Breakdown>,
    pub(crate) last: Option<Breakdown>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Breakdown {
    pub(crate) input_tokens: u64,
    pub(crate) cached_input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// Of `item/started` and `item/completed`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ItemParams<'a> {
    #[serde(borrow, default)]
    pub(crate) thread_id: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) turn_id: Text<'a>,
    #[serde(default)]
    pub(crate) started_at_ms: Option<i64>,
    #[serde(default)]
    pub(crate) completed_at_ms: Option<i64>,
    #[serde(borrow)]
    pub(crate) item: &'a RawValue,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ItemHead<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AgentMessage<'a> {
    #[serde(borrow)]
    pub(crate) text: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Command<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    /// The words of the call to the shell, quoted and joined.
    #[serde(borrow)]
    pub(crate) command: Text<'a>,
    #[serde(borrow)]
    pub(crate) source: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    pub(crate) exit_code: Option<i32>,
    /// Also in the completed item, whose notification lacks it.
    pub(crate) started_at_ms: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Patch<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
    #[serde(borrow)]
    pub(crate) changes: Vec<Change<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Change<'a> {
    #[serde(borrow)]
    pub(crate) path: Text<'a>,
    #[serde(borrow)]
    pub(crate) kind: ChangeKind<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChangeKind<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) move_path: Text<'a>,
}

/// Of `collabAgentToolCall` and `subAgentActivity`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Collaboration<'a> {
    #[serde(borrow)]
    pub(crate) receiver_thread_ids: Vec<Text<'a>>,
    #[serde(borrow)]
    pub(crate) agent_thread_id: Text<'a>,
    #[serde(borrow)]
    pub(crate) model: Text<'a>,
}
