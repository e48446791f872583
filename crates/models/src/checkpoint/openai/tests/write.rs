//! A writer of sorted tables and of protobuf messages, to make what TensorFlow would not write.

use super::super::protobuf::Value;
use super::super::table;

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// What a table holds.
pub(super) fn entries(bytes: &[u8]) -> Vec<Entry> {
    let entries = table::entries(bytes).expect("a table");
    let owned = |(key, value): (Vec<u8>, &[u8])| (key, value.to_vec());
    entries.into_iter().map(owned).collect()
}

/// A table with so many entries in a block, after sorting them.
pub(super) fn table(mut entries: Vec<Entry>, in_block: usize) -> Vec<u8> {
    entries.sort();
    let blocks = entries.chunks(in_block).map(block).collect();
    table_of(blocks)
}

/// A table of blocks with this content.
pub(super) fn table_of(blocks: Vec<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut index = Vec::new();
    for (i, content) in blocks.into_iter().enumerate() {
        // Any key from the last of a block to the first of the next would do; the reader has no use for it.
        let key = (i as u64).to_be_bytes().to_vec();
        index.push((key, append(&mut bytes, &content)));
    }
    let about = append(&mut bytes, &block(&[]));
    let index = append(&mut bytes, &block(&index));
    end(bytes, &[about, index].concat())
}

/// What stands at the end of a table: two places, and that it is one.
pub(super) fn end(mut bytes: Vec<u8>, places: &[u8]) -> Vec<u8> {
    let mut footer = places.to_vec();
    footer.resize(40, 0);
    bytes.extend(footer);
    bytes.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
    bytes
}

/// Appends a block with its checksum, and tells its place.
pub(super) fn append(bytes: &mut Vec<u8>, content: &[u8]) -> Vec<u8> {
    append_compressed(bytes, content, 0)
}

/// The same, as if it were compressed in this way.
pub(super) fn append_compressed(bytes: &mut Vec<u8>, content: &[u8], kind: u8) -> Vec<u8> {
    let place = place(bytes.len() as u64, content.len() as u64);
    let summed = [content, &[kind]].concat();
    bytes.extend(&summed);
    bytes.extend(table::masked(crc32c::crc32c(&summed)).to_le_bytes());
    place
}

/// Where a block is, as an index says it.
pub(super) fn place(start: u64, len: u64) -> Vec<u8> {
    [varint(start), varint(len)].concat()
}

/// The content of a block: every third key is whole.
pub(super) fn block(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut restarts = Vec::new();
    let mut before = &[][..];
    for (i, (key, value)) in entries.iter().enumerate() {
        let same = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        let shared = if i.is_multiple_of(3) { 0 } else { same };
        if shared == 0 {
            restarts.push(bytes.len() as u32);
        }
        for len in [shared, key.len() - shared, value.len()] {
            bytes.extend(varint(len as u64));
        }
        bytes.extend(&key[shared..]);
        bytes.extend(value);
        before = key;
    }
    bytes.extend(restarts.iter().flat_map(|at| at.to_le_bytes()));
    bytes.extend((restarts.len() as u32).to_le_bytes());
    bytes
}

/// A message of these fields.
pub(super) fn message(fields: &[(u64, Value<'_>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in fields {
        let mut tag = |kind| bytes.extend(varint(number << 3 | kind));
        match value {
            Value::Number(value) => {
                tag(0);
                bytes.extend(varint(*value));
            }
            Value::Fixed64(value) => {
                tag(1);
                bytes.extend(value.to_le_bytes());
            }
            Value::Bytes(value) => {
                tag(2);
                bytes.extend(varint(value.len() as u64));
                bytes.extend(*value);
            }
            Value::Fixed32(value) => {
                tag(5);
                bytes.extend(value.to_le_bytes());
            }
        }
    }
    bytes
}

/// A number in groups of seven bits.
pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
