//! JSON files: a list of values with a document each, single values, or several of both one after the other.
//!
//! Only brackets and quotes are followed here, to find where a value ends; each value is then parsed on its own. So a file of any size
//! is read with one value in memory, and a bad value can be passed over.

use super::content::Content;
use super::documents::{Record, Records};
use super::fault::{Fault, RecordFault};
use super::field;

/// What a buffer keeps of its memory from one value to the next, in bytes.
const KEPT: usize = 1 << 20;

/// Reads the values of a file.
pub(super) struct Json {
    content: Content,
    text_field: String,
    /// Where in a list the reader stands.
    place: Place,
    /// The value last read.
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// After the bracket that opens a list.
    Opened,
    /// After a value of a list.
    AfterValue,
}

impl Json {
    pub(super) fn new(content: Content, text_field: &str) -> Self {
        Self {
            content,
            text_field: text_field.to_owned(),
            place: Place::Outside,
            value: Vec::new(),
        }
    }

    /// Passes over space; the next byte, which is not passed over.
    fn next_visible(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let bytes = self.content.look()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let n = bytes.iter().take_while(|byte| is_space(byte)).count();
            let next = bytes.get(n).copied();
            let line_ends = count_line_ends(&bytes[..n]);
            self.content.pass(n, line_ends);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Goes to the start of the next value; false at the end of the file.
    fn find_value(&mut self) -> Result<bool, Fault> {
        loop {
            let Some(byte) = self.next_visible()? else {
                return match self.place {
                    Place::Outside => Ok(false),
                    _ => Err(self.last_fault(RecordFault::JsonOpen)),
                };
            };
            match (self.place, byte) {
                (Place::Outside, b'[') => {
                    self.content.pass(1, 0);
                    self.place = Place::Opened;
                }
                (Place::Opened | Place::AfterValue, b']') => {
                    self.content.pass(1, 0);
                    self.place = Place::Outside;
                }
                (Place::AfterValue, b',') => {
                    self.content.pass(1, 0);
                    return match self.next_visible()? {
                        Some(b']') => Err(self.list_fault("a value", b']')),
                        Some(_) => Ok(true),
                        None => Err(self.last_fault(RecordFault::JsonOpen)),
                    };
                }
                (Place::AfterValue, other) => return Err(self.list_fault("`,` or `]`", other)),
                (Place::Outside | Place::Opened, _) => return Ok(true),
            }
        }
    }

    /// Reads one value into the buffer; false when it is too long to be kept.
    fn read_value(&mut self) -> Result<bool, Fault> {
        self.value.clear();
        self.value.shrink_to(KEPT);
        let start = self.content.line();
        let mut scan = Scan::default();
        let mut fits = true;
        loop {
            let bytes = self.content.look()?;
            if bytes.is_empty() {
                return match scan.ends_with_file() {
                    true => Ok(fits),
                    false => {
                        let error = self.content.record_error(start, RecordFault::JsonOpen);
                        Err(Fault::LastRecord(error))
                    }
                };
            }
            let (n, ended) = scan.value_bytes(bytes);
            let line_ends = count_line_ends(&bytes[..n]);
            if fits {
                self.value.extend_from_slice(&bytes[..n]);
            }
            self.content.pass(n, line_ends);
            if fits && self.content.exceeds(self.value.len()) {
                fits = false;
                self.value = Vec::new();
            }
            if ended {
                return Ok(fits);
            }
        }
    }

    fn last_fault(&self, fault: RecordFault) -> Fault {
        Fault::LastRecord(self.content.record_error(self.content.line(), fault))
    }

    fn list_fault(&self, expected: &'static str, found: u8) -> Fault {
        let found = char::from(found);
        self.last_fault(RecordFault::JsonList { expected, found })
    }
}

impl Records for Json {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        if !self.find_value()? {
            return Ok(None);
        }
        let (line, start) = (self.content.line(), self.content.offset());
        let fits = self.read_value()?;
        if self.place != Place::Outside {
            self.place = Place::AfterValue;
        }
        if !fits {
            return Err(self.content.fault(line, self.content.too_long()));
        }
        let json = std::str::from_utf8(&self.value)
            .map_err(|error| self.content.not_text(line, start, error))?;
        match field::text_of(json, &self.text_field) {
            Ok(text) => Ok(Some(Record {
                text,
                line,
                continues: false,
            })),
            Err(fault) => Err(self.content.fault(line, fault)),
        }
    }
}

/// Follows the brackets and quotes of one value.
#[derive(Default)]
struct Scan {
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Before the first byte.
    #[default]
    Start,
    /// In a number, `true`, `false`, `null`, or what is none of these.
    Word,
    /// Between the parts of a list or object.
    Between,
    String,
    Escape,
}

impl Scan {
    /// How many of `bytes` belong to the value, and whether it ends with them.
    fn value_bytes(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            match (self.state, byte) {
                (State::String, b'"') if self.depth == 0 => return (at + 1, true),
                (State::String, b'"') => self.state = State::Between,
                (State::String, b'\\') => self.state = State::Escape,
                (State::String, _) => {}
                (State::Escape, _) => self.state = State::String,
                (State::Start | State::Between, b'"') => self.state = State::String,
                (State::Start | State::Between, b'{' | b'[') => {
                    self.depth += 1;
                    self.state = State::Between;
                }
                (State::Between, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                (State::Between, _) => {}
                (State::Word, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') => {
                    return (at, true);
                }
                // Whatever it is, it must be passed over.
                (State::Start | State::Word, _) => self.state = State::Word,
            }
        }
        (bytes.len(), false)
    }

    /// Whether a value may end with the file here.
    fn ends_with_file(&self) -> bool {
        self.state == State::Word
    }
}

fn count_line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
