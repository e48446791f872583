//! The unpacked and decoded content of a file, as bytes that should be UTF-8, in lines of bounded length.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};

use super::fault::{Fault, FileError, FileFault, RecordError, RecordFault};
use super::packing::{self, Packing};
use crate::size::ByteSize;

/// What a buffer keeps of its memory from one record to the next, in bytes.
const KEPT: usize = 1 << 20;

/// An open file.
pub(super) struct Content {
    bytes: Box<dyn BufRead + Send>,
    /// For messages.
    name: PathBuf,
    packing: Option<Packing>,
    encoding: &'static Encoding,
    /// Bytes in a record at most.
    limit: u64,
    /// The line last read.
    buffer: Vec<u8>,
    /// How many line ends were passed.
    line_ends: u64,
    /// Bytes read so far.
    offset: u64,
}

impl Content {
    pub(super) fn new(
        bytes: Box<dyn BufRead + Send>,
        name: PathBuf,
        packing: Option<Packing>,
        encoding: &'static Encoding,
        limit: ByteSize,
    ) -> Self {
        Self {
            bytes,
            name,
            packing,
            encoding,
            limit: limit.0,
            buffer: Vec::new(),
            line_ends: 0,
            offset: 0,
        }
    }

    /// The line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line_ends + 1
    }

    /// How many bytes of the decoded text were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a record of so many bytes is too long.
    pub(super) fn exceeds(&self, bytes: usize) -> bool {
        bytes as u64 > self.limit
    }

    /// Bytes to look at; none at the end.
    pub(super) fn look(&mut self) -> Result<&[u8], Fault> {
        let (name, packing) = (&self.name, self.packing);
        self.bytes
            .fill_buf()
            .map_err(|error| read_fault(name, packing, error))
    }

    /// Passes over some of the bytes last looked at, in which there are so many line ends.
    pub(super) fn pass(&mut self, n: usize, line_ends: usize) {
        self.bytes.consume(n);
        self.offset += n as u64;
        self.line_ends += line_ends as u64;
    }

    /// The next line with its line end, and its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &str)>, Fault> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        let (start, line) = (self.offset, self.line());
        // One more for the line end.
        let most = self.limit.saturating_add(1);
        let read = (&mut self.bytes)
            .take(most)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| read_fault(&self.name, self.packing, error))?;
        self.offset += read as u64;
        if read == 0 {
            return Ok(None);
        }
        let ended = self.buffer.last() == Some(&b'\n');
        if read as u64 == most && !ended {
            let rest = self.bytes.skip_until(b'\n');
            self.offset +=
                rest.map_err(|error| read_fault(&self.name, self.packing, error))? as u64;
            self.line_ends += 1;
            return Err(self.fault(line, self.too_long()));
        }
        self.line_ends += u64::from(ended);
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some((line, text))),
            Err(error) => Err(self.not_text(line, start, error)),
        }
    }

    /// All that is left, of at most the limit.
    pub(super) fn rest(&mut self) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        (&mut self.bytes)
            .take(self.limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| read_fault(&self.name, self.packing, error))?;
        if self.exceeds(bytes.len()) {
            return Err(Fault::LastRecord(self.record_error(1, self.too_long())));
        }
        String::from_utf8(bytes).map_err(|error| {
            let bytes = error.as_bytes();
            let good = &bytes[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.not_text(line, 0, error.utf8_error())
        })
    }

    /// A fault in the record that begins in `line`.
    pub(super) fn fault(&self, line: u64, fault: RecordFault) -> Fault {
        Fault::Record(self.record_error(line, fault))
    }

    pub(super) fn record_error(&self, line: u64, fault: RecordFault) -> RecordError {
        RecordError {
            path: self.name.clone(),
            line: line + fault.line_inside(),
            fault,
        }
    }

    /// A fault that spoils the file from here on.
    pub(super) fn file_fault(&self, fault: FileFault) -> Fault {
        Fault::File(FileError {
            path: self.name.clone(),
            fault,
        })
    }

    pub(super) fn too_long(&self) -> RecordFault {
        RecordFault::TooLong {
            limit: ByteSize(self.limit),
        }
    }

    /// What it means that a text is no UTF-8 which begins in `line` at `start`.
    pub(super) fn not_text(&self, line: u64, start: u64, error: std::str::Utf8Error) -> Fault {
        let fault = if self.encoding == UTF_8 {
            RecordFault::Utf8 {
                offset: start + error.valid_up_to() as u64,
            }
        } else {
            RecordFault::Undecodable {
                encoding: self.encoding.name(),
            }
        };
        self.fault(line, fault)
    }
}

/// What an error means that came while reading.
pub(super) fn read_fault(name: &Path, packing: Option<Packing>, source: io::Error) -> Fault {
    let error = |fault| FileError {
        path: name.to_owned(),
        fault,
    };
    match packing {
        Some(packing) if packing::is_damage(&source) => Fault::File(error(FileFault::Damaged {
            packing: packing.name(),
            source,
        })),
        _ => Fault::Setting(error(FileFault::Read { source }).into()),
    }
}
