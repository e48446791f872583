//! Numbers and texts of a file, one after the other; nothing is reserved for what a file only claims to hold.

use super::metadata::{ARRAY, MetadataValue};

/// Arrays within arrays that we follow.
const DEEPEST: usize = 4;

/// Where reading has got to.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

/// What is wrong with a file, in a few words.
pub(super) type Fault = String;

impl<'a> Cursor<'a> {
    fn take(&mut self, len: u64) -> Result<&'a [u8], Fault> {
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| self.at.checked_add(len))
            .filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            let (at, have) = (self.at, self.bytes.len());
            return Err(format!(
                "it should go on for {len} bytes at byte {at}, but ends at {have}"
            ));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("as many as asked for"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length in bytes, then so many of UTF-8.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        let len = self.u64()?;
        let at = self.at;
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(bytes);
        text.map(str::to_owned)
            .map_err(|_| format!("the text at byte {at} is not UTF-8"))
    }

    pub(super) fn value(&mut self, kind: u32) -> Result<MetadataValue, Fault> {
        self.nested(kind, 0)
    }

    fn nested(&mut self, kind: u32, depth: usize) -> Result<MetadataValue, Fault> {
        use MetadataValue as V;
        Ok(match kind {
            0 => V::U8(u8::from_le_bytes(self.array()?)),
            1 => V::I8(i8::from_le_bytes(self.array()?)),
            2 => V::U16(u16::from_le_bytes(self.array()?)),
            3 => V::I16(i16::from_le_bytes(self.array()?)),
            4 => V::U32(self.u32()?),
            5 => V::I32(i32::from_le_bytes(self.array()?)),
            6 => V::F32(f32::from_le_bytes(self.array()?)),
            7 => V::Bool(self.array::<1>()? != [0]),
            8 => V::String(self.text()?),
            ARRAY => {
                let of = self.u32()?;
                let len = self.u64()?;
                if depth == DEEPEST {
                    return Err(format!(
                        "arrays stand more than {DEEPEST} deep in each other"
                    ));
                }
                // Every value takes at least one byte, so that the file's end bounds the list.
                let mut values = Vec::new();
                for _ in 0..len {
                    values.push(self.nested(of, depth + 1)?);
                }
                V::Array(values)
            }
            10 => V::U64(self.u64()?),
            11 => V::I64(i64::from_le_bytes(self.array()?)),
            12 => V::F64(f64::from_le_bytes(self.array()?)),
            other => {
                let at = self.at;
                return Err(format!(
                    "the value at byte {at} has the unknown type {other}"
                ));
            }
        })
    }
}
