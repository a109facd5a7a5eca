//! The envelope of the app-server wire: JSON-RPC 2.0 without its `jsonrpc` field, one object a line.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The id of a request: a number or a string, as its sender likes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A number.
    Number(i64),
    /// A string.
    Text(String),
}

/// A frame, read only as far as routing needs.
#[derive(Debug, Deserialize)]
pub struct Envelope<'a> {
    /// Present on requests and answers.
    pub id: Option<RequestId>,
    /// Present on requests and notifications.
    pub method: Option<String>,
    /// Parameters, unread.
    #[serde(borrow)]
    pub params: Option<&'a RawValue>,
    /// Present on successful answers.
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
    /// Present on failed answers.
    pub error: Option<RpcError>,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcError {
    /// JSON-RPC's code.
    pub code: i64,
    /// The engine's words.
    pub message: String,
}
