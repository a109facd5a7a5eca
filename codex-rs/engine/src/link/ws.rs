//! Frames over a WebSocket, on a byte stream that is there already. Pings are answered, fragments put together; compression
//! and other extensions are declined. The only file besides `frame` that knows the library.

use std::fmt;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as Piece;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

use crate::link::frame::Frame;
use crate::link::{Link, LinkError, MAX_FRAME, Stream};

/// Frames up to this size are sent whole. Upstream's app-server takes no more than 16 MiB in one piece (and 64 MiB in all).
const WHOLE: usize = 4 * 1024 * 1024;
/// The size of the pieces of larger ones: the library moves all that is unsent for every write, so pieces are also faster.
const PIECE: usize = 1024 * 1024;
/// Bytes read at once. The library clears as many before each read.
const READ: usize = 64 * 1024;
/// How long the peer may take to shake hands.
const PATIENCE: Duration = Duration::from_secs(10);
/// Upstream's server tells its clients so what it takes in one piece; they shall send us what they'd send it.
const UNFRAGMENTED: (&str, &str) = (
    "x-codex-websocket-max-unfragmented-message-bytes",
    "16777216",
);

/// Accepts a client on `stream`, whatever path it asks for.
///
/// # Errors
/// [`LinkError`], when it isn't a WebSocket client or takes too long.
pub async fn accept(stream: impl Stream) -> Result<Link, LinkError> {
    let (name, value) = UNFRAGMENTED;
    // The type of the error is the library's, which boxes it no more than it does in its own examples.
    #[allow(clippy::result_large_err)]
    let greet = |_: &Request, mut response: Response| {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
        Ok(response)
    };
    let stream: Box<dyn Stream> = Box::new(stream);
    let handshake = accept_hdr_async_with_config(stream, greet, Some(config()));
    match tokio::time::timeout(PATIENCE, handshake).await {
        Ok(accepted) => accepted.map(link).map_err(link_error),
        Err(_) => Err(late()),
    }
}

/// Connects to the server at the other end of `stream`, as upstream's own clients do, but without compression.
///
/// # Errors
/// [`LinkError`], when it isn't a WebSocket server or takes too long.
pub async fn connect(stream: impl Stream) -> Result<Link, LinkError> {
    let stream: Box<dyn Stream> = Box::new(stream);
    let handshake = client_async_with_config("ws://localhost/rpc", stream, Some(config()));
    match tokio::time::timeout(PATIENCE, handshake).await {
        Ok(connected) => connected
            .map(|(stream, _)| link(stream))
            .map_err(link_error),
        Err(_) => Err(late()),
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .max_frame_size(Some(MAX_FRAME))
        .max_message_size(Some(MAX_FRAME))
}

fn link(stream: WebSocketStream<Box<dyn Stream>>) -> Link {
    let (sink, stream) = stream.split();
    Link {
        sender: super::Sender::Ws(Sender(sink)),
        receiver: super::Receiver::Ws(Receiver {
            stream,
            ended: false,
        }),
    }
}

/// Sends messages.
pub struct Sender(SplitSink<WebSocketStream<Box<dyn Stream>>, Message>);

impl Sender {
    pub(super) async fn feed(&mut self, frame: &Frame) -> Result<(), LinkError> {
        let (first, bytes) = match frame {
            Frame::Text(text) if text.len() <= WHOLE => {
                return self.put(Message::Text(text.clone())).await;
            }
            Frame::Binary(bytes) if bytes.len() <= WHOLE => {
                return self.put(Message::Binary(bytes.clone())).await;
            }
            Frame::Text(text) => (Data::Text, <Utf8Bytes as AsRef<bytes::Bytes>>::as_ref(text)),
            Frame::Binary(bytes) => (Data::Binary, bytes),
        };
        for start in (0..bytes.len()).step_by(PIECE) {
            let end = bytes.len().min(start + PIECE);
            let kind = if start == 0 { first } else { Data::Continue };
            let last = end == bytes.len();
            let piece = Piece::message(bytes.slice(start..end), OpCode::Data(kind), last);
            self.put(Message::Frame(piece)).await?;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        self.0.flush().await.map_err(link_error)
    }

    pub(super) async fn close(&mut self) -> Result<(), LinkError> {
        self.0.close().await.map_err(link_error)
    }

    async fn put(&mut self, message: Message) -> Result<(), LinkError> {
        self.0.feed(message).await.map_err(link_error)
    }
}

/// Receives messages.
pub struct Receiver {
    stream: SplitStream<WebSocketStream<Box<dyn Stream>>>,
    ended: bool,
}

impl Receiver {
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, LinkError> {
        while !self.ended {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Some(Frame::Text(text))),
                Some(Ok(Message::Binary(bytes))) => return Ok(Some(Frame::Binary(bytes))),
                // The library answers a ping by itself; whole messages are never given in pieces.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    match link_error(error) {
                        LinkError::Gone => {}
                        error @ (LinkError::Protocol { .. } | LinkError::Io(_)) => {
                            return Err(error);
                        }
                    }
                }
            }
        }
        Ok(None)
    }
}

fn late() -> LinkError {
    LinkError::Protocol {
        words: format!("no WebSocket handshake within {PATIENCE:?}"),
    }
}

fn link_error(error: Error) -> LinkError {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => LinkError::Gone,
        Error::Io(error) => LinkError::of(error),
        error => LinkError::Protocol {
            words: error.to_string(),
        },
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ws::Sender").finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ws::Receiver").finish_non_exhaustive()
    }
}
