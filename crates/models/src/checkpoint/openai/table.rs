//! Sorted tables, the file format of LevelDB, in which TensorFlow keeps the index of a checkpoint.
//!
//! A table is blocks of keys and values, keys in ascending order. The end of the file says where the block is that says where the others
//! are. A key is written without the bytes that it shares with the one before, and each block has a checksum behind it.
//!
//! Source: LevelDB, `doc/table_format.md`, `table/block_builder.cc`.

use super::Fault;
use super::cursor::Cursor;

/// Last bytes of every table, as a little-endian number.
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
/// Bytes at the end of the file: two places of blocks, filled up, and the magic number.
const FOOTER: usize = 48;
/// Bytes behind a block: how it is compressed, and its checksum.
const TRAILER: usize = 5;
/// Longest key. Names of tensors are shorter; without a bound, keys that share most of their bytes would make a small file a large list.
const LONGEST_KEY: usize = 1024;

/// A key and its value.
pub(super) type Entry<'a> = (Vec<u8>, &'a [u8]);

/// Every key with its value, in ascending order.
///
/// # Errors
/// What is damaged or not supported.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, Fault> {
    let Some((blocks, footer)) = bytes.split_last_chunk::<FOOTER>() else {
        let len = bytes.len();
        return Err(format!("it has {len} bytes, its end alone takes {FOOTER}"));
    };
    let (places, magic) = footer.split_last_chunk().expect("longer than a number");
    if u64::from_le_bytes(*magic) != MAGIC {
        return Err("it does not end as an index does".into());
    }
    let mut places = Cursor::new(places);
    // The first place is that of a block about the table, which is empty.
    Place::read(&mut places)?;
    let index = block(blocks, &Place::read(&mut places)?)?;
    let mut entries = Vec::new();
    let mut end = 0;
    for (_, place) in entries_of(index)? {
        let place = Place::read(&mut Cursor::new(place))?;
        // In the order of the file, none is read twice.
        if place.start < end {
            return Err(format!("a block begins at {}, within another", place.start));
        }
        let block = block(blocks, &place)?;
        end = place.start + place.len;
        entries.append(&mut entries_of(block)?);
    }
    match entries.array_windows().find(|[(a, _), (b, _)]| a >= b) {
        Some([_, (key, _)]) => {
            let key = String::from_utf8_lossy(key);
            Err(format!("the key {key:?} is out of order"))
        }
        None => Ok(entries),
    }
}

/// Where a block is.
struct Place {
    start: u64,
    /// Without what stands behind it.
    len: u64,
}

impl Place {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
        let (start, len) = (cursor.varint()?, cursor.varint()?);
        Ok(Self { start, len })
    }
}

/// The bytes of a block, found to be those that were written.
fn block<'a>(bytes: &'a [u8], place: &Place) -> Result<&'a [u8], Fault> {
    let Place { start, len } = *place;
    let from_start = usize::try_from(start).ok().and_then(|at| bytes.get(at..));
    let whole = from_start.and_then(|rest| {
        let end = usize::try_from(len).ok()?.checked_add(TRAILER)?;
        rest.get(..end)
    });
    let whole = whole.ok_or_else(|| {
        let have = bytes.len();
        format!("a block of {len} bytes at {start} does not lie within the {have} there are")
    })?;
    let (summed, checksum) = whole.split_last_chunk().expect("a trailer");
    if u32::from_le_bytes(*checksum) != masked(crc32c::crc32c(summed)) {
        return Err(format!("the block at {start} has another checksum"));
    }
    let (compression, content) = summed.split_last().expect("a trailer");
    match compression {
        0 => Ok(content),
        1 => Err(format!(
            "the block at {start} is compressed with snappy, which is not supported"
        )),
        other => Err(format!(
            "the block at {start} is compressed in the unknown way {other}"
        )),
    }
}

/// The keys and values of a block.
fn entries_of(block: &[u8]) -> Result<Vec<Entry<'_>>, Fault> {
    // Behind the entries stand the places of keys that are written whole, for searching, and the number of them.
    let cut = block.split_last_chunk().and_then(|(rest, restarts)| {
        let restarts = usize::try_from(u32::from_le_bytes(*restarts)).ok()?;
        let len = rest.len().checked_sub(restarts.checked_mul(4)?)?;
        Some(&rest[..len])
    });
    let mut cursor = Cursor::new(cut.ok_or("a block is too short for its list of keys")?);
    let mut entries: Vec<Entry<'_>> = Vec::new();
    while !cursor.is_at_end() {
        let [shared, own, value] = [cursor.varint()?, cursor.varint()?, cursor.varint()?];
        let before = entries.last().map_or(&[][..], |(key, _)| key);
        let shared = usize::try_from(shared).ok();
        let shared = shared.and_then(|shared| before.get(..shared));
        let shared = shared.ok_or("a key shares more bytes than the one before has")?;
        let own = cursor.take(own)?;
        if shared.len() + own.len() > LONGEST_KEY {
            return Err(format!("a key is longer than {LONGEST_KEY} bytes"));
        }
        entries.push(([shared, own].concat(), cursor.take(value)?));
    }
    Ok(entries)
}

/// A checksum as it is written: of bytes that hold checksums themselves, a plain one would be a poor sum.
pub(super) fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}
