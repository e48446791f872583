//! Indexes of checkpoints that are altered, or made to harm.

use proptest::prelude::*;

use super::super::bundle::{Tensor, read};
use super::super::gpt2;
use super::super::protobuf::{Value, fields};
use super::super::table;
use super::golden;
use super::write::{self, Entry, append, append_compressed, block, end, message, place, varint};

/// What TensorFlow wrote.
fn good() -> Vec<u8> {
    std::fs::read(golden("gpt2").join(gpt2::INDEX)).expect("golden file")
}

#[track_caller]
fn refused(index: &[u8], expected: &str) {
    let fault = read(index).expect_err("refused");
    assert!(fault.contains(expected), "{fault}");
}

#[test]
fn tables_of_any_number_of_blocks_are_read() {
    let key = |i: u64| format!("model/h{}/{}", i / 7, i % 7).into_bytes();
    let mut entries: Vec<Entry> = (0..200).map(|i| (key(i), varint(i * i * i))).collect();
    entries.push((Vec::new(), b"first".to_vec()));
    entries.sort();
    for in_block in [1, 2, 50, 1000] {
        let table = write::table(entries.clone(), in_block);
        assert_eq!(write::entries(&table), entries, "{in_block} in a block");
    }
}

#[test]
fn what_is_written_again_is_read_the_same() {
    let before = read(&good()).expect("whole");
    assert_eq!(before.len(), 2 + 2 * 12 + 2);
    assert_eq!(before[0].name, "model/h0/attn/c_attn/b");
    assert_eq!(before[0].bytes, 0..4 * 96);
    assert_eq!(before[1].shape, [1, 32, 96]);
    let again = write::table(write::entries(&good()), 4);
    assert_eq!(read(&again).expect("whole"), before);
}

#[test]
fn no_altered_byte_changes_what_is_read() {
    let good = good();
    let before = read(&good).expect("whole");
    let mut refused = 0;
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            match read(&bytes) {
                Ok(after) => assert_eq!(after, before, "bit {bit} of byte {at}"),
                Err(_) => refused += 1,
            }
        }
    }
    // All but the block that is not read, and what fills up the end.
    assert!(
        refused > 8 * (good.len() - 60),
        "{refused} of {}",
        8 * good.len()
    );
}

#[test]
fn indexes_that_are_cut_short_are_refused() {
    let good = good();
    for len in 0..good.len() {
        assert!(read(&good[..len]).is_err(), "cut to {len} bytes");
        assert!(read(&good[len + 1..]).is_err(), "without {} bytes", len + 1);
    }
}

#[test]
fn tables_made_to_harm_are_refused() {
    let whole = block(&[(b"a".to_vec(), b"1".to_vec())]);
    let with_index = |places: &[Vec<u8>]| {
        let mut bytes = Vec::new();
        append(&mut bytes, &whole);
        let second = append(&mut bytes, &whole);
        let entries: Vec<Entry> = (0..)
            .zip(places)
            .map(|(i, p)| (vec![i], p.clone()))
            .collect();
        let index = append(&mut bytes, &block(&entries));
        end(bytes, &[second, index].concat())
    };
    let len = whole.len() as u64;
    for (start, len) in [
        (1 << 40, len),
        (u64::MAX, len),
        (0, u64::MAX),
        (0, u64::MAX - 4),
        (0, 1 << 40),
        (u64::MAX, u64::MAX),
    ] {
        let beyond = end(vec![0; 64], &[place(0, 0), place(start, len)].concat());
        refused(&beyond, "does not lie within");
        refused(&with_index(&[place(start, len)]), "does not lie within");
    }
    let behind = whole.len() as u64 + 5;
    refused(
        &with_index(&[place(0, len), place(0, len)]),
        "a block begins at 0, within another",
    );
    refused(
        &with_index(&[place(behind, len), place(0, len)]),
        "within another",
    );
    refused(
        &with_index(&[place(0, len), place(behind, len)]),
        "\"a\" is out of order",
    );
    refused(&with_index(&[vec![0x80]]), "should go on for 1 bytes");
    refused(&end(vec![0; 64], &[0xff; 40]), "more than 64 bits");

    let raw = |content: &[u8]| write::table_of(vec![content.to_vec()]);
    refused(&raw(&[]), "too short for its list of keys");
    refused(&raw(&1u32.to_le_bytes()), "too short for its list of keys");
    refused(
        &raw(&u32::MAX.to_le_bytes()),
        "too short for its list of keys",
    );
    refused(&raw(&[1, 1, 0, b'a', 0, 0, 0, 0]), "shares more bytes");
    refused(
        &raw(&[0, 9, 0, b'a', 0, 0, 0, 0]),
        "should go on for 9 bytes",
    );
    refused(
        &raw(&[0, 1, 9, b'a', 0, 0, 0, 0]),
        "should go on for 9 bytes",
    );
    let twice = [0, 1, 0, b'a', 1, 0, 0, 0, 0, 0, 0];
    refused(&raw(&twice), "\"a\" is out of order");
    let descending = vec![(b"b".to_vec(), vec![]), (b"a".to_vec(), vec![])];
    refused(&raw(&block(&descending)), "\"a\" is out of order");
    refused(
        &raw(&block(&[(vec![b'a'; 1025], vec![])])),
        "longer than 1024 bytes",
    );
    assert!(table::entries(&raw(&block(&[(vec![b'a'; 1024], vec![])]))).is_ok());
    let mut nearly = vec![(Vec::new(), Vec::new()), (vec![b'a'; 1020], vec![])];
    nearly.push((vec![b'a'; 1030], vec![]));
    refused(&raw(&block(&nearly)), "longer than 1024 bytes");

    for (kind, expected) in [(1, "snappy"), (2, "the unknown way 2")] {
        let mut bytes = Vec::new();
        let place = append_compressed(&mut bytes, &whole, kind);
        refused(&end(bytes, &[place.clone(), place].concat()), expected);
    }
}

/// The good index with another message in the place of one.
fn with(name: &str, fields: &[(u64, Value<'_>)]) -> Vec<u8> {
    let mut entries = write::entries(&good());
    let (_, value) = entries
        .iter_mut()
        .find(|(key, _)| key == name.as_bytes())
        .expect(name);
    *value = message(fields);
    write::table(entries, 100)
}

#[test]
fn headers_that_are_not_supported_are_refused() {
    use Value::{Bytes, Number};
    let header = |fields: &[(u64, Value<'_>)]| with("", fields);
    assert!(read(&header(&[(1, Number(1))])).is_ok());
    refused(&header(&[]), "0 files of tensors");
    refused(
        &header(&[(1, Number(2))]),
        "2 files of tensors; only one is supported",
    );
    refused(&header(&[(1, Number(u64::MAX))]), "files of tensors");
    refused(&header(&[(1, Number(1)), (2, Number(1))]), "big-endian");
    let version = |oldest| message(&[(1, Number(9)), (2, Number(oldest))]);
    assert!(read(&header(&[(1, Number(1)), (3, Bytes(&version(1)))])).is_ok());
    refused(
        &header(&[(1, Number(1)), (3, Bytes(&version(2)))]),
        "from version 2 on",
    );
    let without = write::entries(&good()).split_off(1);
    refused(
        &write::table(without, 100),
        "its first entry is not about the files",
    );
    refused(&write::table(Vec::new(), 100), "it is empty");
}

#[test]
fn tensors_that_cannot_be_are_refused() {
    use Value::{Bytes, Fixed32, Number};
    let axis = |size| message(&[(1, Number(size))]);
    let shape = |size| message(&[(2, Bytes(&axis(size)))]);
    let tensor = |start, len| {
        let fields = [
            (1, Number(1)),
            (2, Bytes(&shape(32))),
            (4, Number(start)),
            (5, Number(len)),
        ];
        with("model/wte", &fields)
    };
    let of = |fields: &[(u64, Value<'_>)]| with("model/wte", fields);
    let end = read(&good())
        .expect("whole")
        .iter()
        .map(|t| t.bytes.end)
        .max()
        .expect("some");
    assert!(read(&tensor(end, 128)).is_ok());
    refused(&tensor(0, 128), "overlap");
    refused(&tensor(100, 1), "overlap");
    assert!(read(&tensor(100, 0)).is_ok(), "nothing overlaps nothing");
    refused(
        &tensor(u64::MAX, 1),
        "tensor model/wte: 1 bytes from 18446744073709551615 on",
    );
    refused(&tensor(1, u64::MAX), "have no end");
    refused(&of(&[(3, Number(1))]), "is in file 1");
    refused(&of(&[(7, Bytes(&[]))]), "slices");
    refused(&of(&[(2, Bytes(&shape(u64::MAX)))]), "negative");
    refused(
        &of(&[(2, Bytes(&message(&[(3, Number(1))])))]),
        "has no shape",
    );
    refused(
        &of(&[(2, Bytes(&[0x12]))]),
        "tensor model/wte: something should go on",
    );
    refused(&of(&[(2, Bytes(&[0x0b]))]), "unknown type 3");

    let read_one = |fields: &[(u64, Value<'_>)]| -> Tensor {
        read(&of(fields)).expect("read").pop().expect("some")
    };
    let scalar = read_one(&[(1, Number(2)), (6, Fixed32(7)), (9, Value::Fixed64(1))]);
    assert_eq!((scalar.shape.len(), scalar.checksum), (0, 7));
    assert_eq!(scalar.encoding, Err("F64".to_owned()));
    let kind = |kind| read_one(&[(1, Number(kind))]).encoding;
    assert!(kind(14).is_ok() && kind(19).is_ok());
    assert_eq!(kind(23), Err("number 23 of TensorFlow's list".to_owned()));
    let empty = read_one(&[(1, Number(1)), (2, Bytes(&shape(0)))]);
    assert_eq!(empty.shape, [0]);
}

proptest! {
    #[test]
    fn altered_blocks_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut content = block(&write::entries(&good()));
        for (at, value) in changes {
            *at.get_mut(&mut content) = value;
        }
        if cut {
            content.truncate(keep.index(content.len()));
        }
        let _ = read(&write::table_of(vec![content]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = table::entries(&bytes);
        let _ = fields(&bytes);
        let _ = read(&write::table_of(vec![bytes]));
    }
}
