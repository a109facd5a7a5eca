//! What a link carries: text as a rule, bytes if a peer sends such. Cheap to clone; large ones are never copied on their way.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// One frame, whole, as its peer sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes: a binary frame of a WebSocket, or a line that isn't UTF-8.
    Binary(Bytes),
}

impl Frame {
    /// The frame as text, if it is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// All its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// Text if it is UTF-8.
impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::from(text),
            Err(error) => Self::Binary(error.into_bytes().into()),
        }
    }
}
