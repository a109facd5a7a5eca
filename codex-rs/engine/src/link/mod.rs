//! A connection that carries frames, whatever it runs over: a half that sends and a half that receives. It knows nothing of
//! what is in a frame, and starts no task.

pub mod frame;
pub mod lines;
pub mod listen;
pub mod ws;

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::link::frame::Frame;

/// The longest frame taken from a peer, put together from all its fragments.
pub const MAX_FRAME: usize = 1024 * 1024 * 1024;

/// A byte stream a link can run over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Why frames can't be exchanged any longer. A peer that closes, or dies, isn't an error of the receiving half.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A frame couldn't be sent: nobody is there to take it.
    #[error("Failed to send a frame: the other side has gone")]
    Gone,
    /// What came can't be taken for frames, or too long a frame came.
    #[error("Failed to read a frame: {words}")]
    Protocol {
        /// What was wrong.
        words: String,
    },
    /// The system's error.
    #[error("Failed to exchange frames")]
    Io(#[source] io::Error),
}

impl LinkError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

/// Both halves of a connection.
#[derive(Debug)]
pub struct Link {
    /// The half that sends.
    pub sender: Sender,
    /// The half that receives.
    pub receiver: Receiver,
}

/// The half that sends.
#[derive(Debug)]
pub enum Sender {
    /// WebSocket.
    Ws(ws::Sender),
    /// One frame a line.
    Lines(lines::Sender),
}

impl Sender {
    /// Takes a frame for sending. It may stay in a buffer until [`Sender::flush`]; waits while the peer is slow. A call that
    /// is given up may have sent a part of it: nothing can be sent after that.
    ///
    /// # Errors
    /// [`LinkError::Gone`], [`LinkError::Io`].
    pub async fn feed(&mut self, frame: &Frame) -> Result<(), LinkError> {
        match self {
            Self::Ws(sender) => sender.feed(frame).await,
            Self::Lines(sender) => sender.feed(frame).await,
        }
    }

    /// Sends what waits in the buffer.
    ///
    /// # Errors
    /// [`LinkError::Gone`], [`LinkError::Io`].
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Ws(sender) => sender.flush().await,
            Self::Lines(sender) => sender.flush().await,
        }
    }

    /// Sends what waits, and tells the peer that nothing follows.
    ///
    /// # Errors
    /// [`LinkError::Gone`], [`LinkError::Io`].
    pub async fn close(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Ws(sender) => sender.close().await,
            Self::Lines(sender) => sender.close().await,
        }
    }
}

/// The half that receives.
#[derive(Debug)]
pub enum Receiver {
    /// WebSocket.
    Ws(ws::Receiver),
    /// One frame a line.
    Lines(lines::Receiver),
}

impl Receiver {
    /// The next frame; `None` when the peer has closed or is gone. A call may be given up and made again: nothing is lost.
    ///
    /// # Errors
    /// [`LinkError::Protocol`], [`LinkError::Io`]; nothing comes after one.
    pub async fn next(&mut self) -> Result<Option<Frame>, LinkError> {
        match self {
            Self::Ws(receiver) => receiver.next().await,
            Self::Lines(receiver) => receiver.next().await,
        }
    }
}
