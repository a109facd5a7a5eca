//! Bytes of the app-server's stdio to frames and back: one JSON object a line. No IO, and nothing is parsed here.

/// The longest frame accepted. A thread's whole history in one answer stays below it by far.
pub const MAX_FRAME: usize = 64 * 1024 * 1024;

/// A line was longer than the limit. It was dropped; what follows it is read as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Failed to read a frame: longer than {limit} bytes")]
pub struct TooLong {
    /// The limit, in bytes.
    pub limit: usize,
}

/// Cuts a stream of bytes into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    partial: Vec<u8>,
    limit: usize,
    /// The rest of the present line is being dropped.
    dropping: bool,
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::with_limit(MAX_FRAME)
    }
}

impl FrameDecoder {
    /// A decoder for frames of at most `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            partial: Vec::new(),
            limit,
            dropping: false,
        }
    }

    /// Takes in `bytes` and appends each frame they complete to `frames`, without its line end. Empty lines are no frames.
    ///
    /// # Errors
    /// [`TooLong`] when a line exceeded the limit; all other frames of `bytes` are still appended.
    pub fn feed(&mut self, mut bytes: &[u8], frames: &mut Vec<Vec<u8>>) -> Result<(), TooLong> {
        let mut outcome = Ok(());
        while !bytes.is_empty() {
            let (line, rest, complete) = match memchr::memchr(b'\n', bytes) {
                Some(at) => {
                    let (line, rest) = bytes.split_at(at);
                    (line, rest.get(1..).unwrap_or_default(), true)
                }
                None => (bytes, &[][..], false),
            };
            bytes = rest;
            if !self.dropping && self.partial.len() + line.len() > self.limit {
                self.dropping = true;
                self.partial = Vec::new();
                outcome = Err(TooLong { limit: self.limit });
            }
            if !self.dropping {
                self.partial.extend_from_slice(line);
            }
            if complete {
                self.dropping = false;
                let mut frame = std::mem::take(&mut self.partial);
                if frame.last() == Some(&b'\r') {
                    frame.pop();
                }
                if !frame.is_empty() {
                    frames.push(frame);
                }
            }
        }
        outcome
    }

    /// The bytes left after the last line end, when the stream has ended there.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        self.dropping = false;
        let mut frame = std::mem::take(&mut self.partial);
        if frame.last() == Some(&b'\r') {
            frame.pop();
        }
        (!frame.is_empty()).then_some(frame)
    }

    /// Bytes held of a frame that is not complete.
    pub fn pending(&self) -> usize {
        self.partial.len()
    }
}

/// Appends `frame` (JSON on one line) and its line end to `out`.
pub fn encode(frame: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(frame);
    out.push(b'\n');
}
