//! Caches that know whether they are whole: a checksum (CRC-32) stands at their end. It tells a damaged file, not a
//! forged one.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::os::unix::fs::FileExt as _;

use crc32fast::Hasher;

/// The bytes that the checksum takes.
const LEN: u64 = 4;

/// Passes on what is written, and knows its checksum.
pub(crate) struct Summing<W> {
    to: W,
    sum: Hasher,
}

impl<W: Write> Summing<W> {
    pub(crate) fn new(to: W) -> Self {
        Self {
            to,
            sum: Hasher::new(),
        }
    }

    /// Writes the checksum of all that was written.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.to.write_all(&self.sum.finalize().to_le_bytes())?;
        self.to.flush()
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// How many bytes stand above the checksum of a file; none where it isn't theirs.
pub(crate) fn whole(file: &File) -> Option<u64> {
    let end = file.metadata().ok()?.len().checked_sub(LEN)?;
    let mut told = [0; LEN as usize];
    file.read_exact_at(&mut told, end).ok()?;
    (u32::from_le_bytes(told) == sum(file, end).ok()?).then_some(end)
}

fn sum(file: &File, end: u64) -> io::Result<u32> {
    let mut sum = Hasher::new();
    let mut from = BufReader::with_capacity(64 * 1024, file).take(end);
    loop {
        let part = from.fill_buf()?;
        if part.is_empty() {
            return Ok(sum.finalize());
        }
        sum.update(part);
        let len = part.len();
        from.consume(len);
    }
}
