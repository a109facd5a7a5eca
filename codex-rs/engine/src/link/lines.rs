//! Frames over two byte streams, one a line. A line's end is no part of its frame (`\r\n` is one, too), and an empty line is
//! no frame. A line break inside a frame, which JSON allows between its tokens, is sent as a space.

use std::collections::VecDeque;
use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::codec::FrameDecoder;
use crate::link::frame::Frame;
use crate::link::{Link, LinkError, MAX_FRAME};

/// Bytes read at once, and bytes that may wait for a flush.
const CHUNK: usize = 64 * 1024;

/// A link that reads `input` and writes `output`.
pub fn link(
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> Link {
    Link {
        sender: super::Sender::Lines(Sender {
            output: Box::new(output),
            waiting: Vec::new(),
        }),
        receiver: super::Receiver::Lines(Receiver {
            input: Box::new(input),
            chunk: vec![0; CHUNK],
            decoder: FrameDecoder::with_limit(MAX_FRAME),
            ready: VecDeque::new(),
            end: None,
        }),
    }
}

/// Writes lines.
pub struct Sender {
    output: Box<dyn AsyncWrite + Send + Unpin>,
    waiting: Vec<u8>,
}

impl Sender {
    pub(super) async fn feed(&mut self, frame: &Frame) -> Result<(), LinkError> {
        let bytes = frame.as_bytes();
        let broken = memchr::memchr(b'\n', bytes).is_some();
        if bytes.len() < CHUNK || broken {
            let start = self.waiting.len();
            self.waiting.extend_from_slice(bytes);
            let added = self.waiting.get_mut(start..).unwrap_or_default();
            for byte in added.iter_mut().filter(|byte| broken && **byte == b'\n') {
                *byte = b' ';
            }
        } else {
            self.write().await?;
            self.output.write_all(bytes).await.map_err(LinkError::of)?;
        }
        self.waiting.push(b'\n');
        if self.waiting.len() >= CHUNK {
            self.write().await?;
        }
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        self.write().await?;
        self.output.flush().await.map_err(LinkError::of)
    }

    pub(super) async fn close(&mut self) -> Result<(), LinkError> {
        self.flush().await?;
        self.output.shutdown().await.map_err(LinkError::of)
    }

    async fn write(&mut self) -> Result<(), LinkError> {
        let written = self.output.write_all(&self.waiting).await;
        self.waiting.clear();
        self.waiting.shrink_to(2 * CHUNK);
        written.map_err(LinkError::of)
    }
}

/// Reads lines.
pub struct Receiver {
    input: Box<dyn AsyncRead + Send + Unpin>,
    chunk: Vec<u8>,
    decoder: FrameDecoder,
    ready: VecDeque<Frame>,
    /// What is told when `ready` is empty.
    end: Option<Result<(), LinkError>>,
}

impl Receiver {
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, LinkError> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            if let Some(end) = &mut self.end {
                return std::mem::replace(end, Ok(())).map(|()| None);
            }
            let read = self.input.read(&mut self.chunk).await;
            self.take(read);
        }
    }

    fn take(&mut self, read: std::io::Result<usize>) {
        let mut frames = Vec::new();
        match read.map_err(LinkError::of) {
            Ok(0) | Err(LinkError::Gone) => {
                // A last line without its end is a frame, too.
                frames.extend(self.decoder.finish());
                self.end = Some(Ok(()));
            }
            Ok(n) => {
                let bytes = self.chunk.get(..n).unwrap_or_default();
                if let Err(error) = self.decoder.feed(bytes, &mut frames) {
                    let words = error.to_string();
                    self.end = Some(Err(LinkError::Protocol { words }));
                }
            }
            Err(error) => self.end = Some(Err(error)),
        }
        self.ready.extend(frames.into_iter().map(Frame::from));
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("lines::Sender").finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("lines::Receiver").finish_non_exhaustive()
    }
}
