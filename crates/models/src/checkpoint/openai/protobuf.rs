//! Messages of protobuf: numbered fields, each a number or bytes, which may be a message again.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding>.

use super::Fault;
use super::cursor::Cursor;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A whole number; negative ones stand in two's complement.
    Number(u64),
    /// A number of 4 bytes.
    Fixed32(u32),
    /// A number of 8 bytes.
    Fixed64(u64),
    /// A text, or a message.
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers, in the order of the file.
///
/// # Errors
/// The bytes are not a message.
pub(super) fn fields(message: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Fault> {
    let mut cursor = Cursor::new(message);
    let mut fields = Vec::new();
    while !cursor.is_at_end() {
        let tag = cursor.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(cursor.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(cursor.array()?)),
            2 => {
                let len = cursor.varint()?;
                Value::Bytes(cursor.take(len)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(cursor.array()?)),
            other => return Err(format!("a field has the unknown type {other}")),
        };
        fields.push((tag >> 3, value));
    }
    Ok(fields)
}
