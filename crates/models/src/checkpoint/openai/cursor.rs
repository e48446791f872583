//! Numbers and bytes of a file, one after the other, as LevelDB and protobuf write them.

use super::Fault;

/// Where reading has got to.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The bytes that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next bytes.
    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], Fault> {
        let rest = self.rest();
        let taken = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let taken = taken.ok_or_else(|| {
            let have = rest.len();
            format!("something should go on for {len} bytes where {have} are left")
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("as many as asked for"))
    }

    /// A number in groups of seven bits, the lowest first; the eighth bit says that more follow.
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for group in 0..10 {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * group);
            if shifted >> (7 * group) != bits {
                break;
            }
            value |= shifted;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("it holds a number of more than 64 bits".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_they_say() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Option<u64>) {
            let read = Cursor::new(bytes).varint();
            assert_eq!(read.ok(), expected, "{bytes:x?}");
        }
        check(&[0], Some(0));
        check(&[0x7f, 0xff], Some(127));
        check(&[0x80, 0x01], Some(128));
        check(&[0xac, 0x02], Some(300));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        check(&largest, Some(u64::MAX));
        largest[9] = 2;
        check(&largest, None);
        check(&[0xff; 11], None);
        check(&[0x80], None);
        check(&[], None);
    }
}
