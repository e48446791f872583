//! Parquet files, made by the crate that reads them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use llm_data::{ByteSize, DataConfig};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::{Folder, fails_as, field, read_as, skipping};

const SCHEMA: &str = "message rows {
    required int64 id;
    optional binary text (utf8);
    required group meta { optional binary body (string); }
    required binary picture (bson);
    repeated binary tags (utf8);
    required binary raw;
}";

/// Groups of rows with the given texts; none is a null.
fn write(path: &Path, groups: &[&[Option<&[u8]>]], compression: Compression) {
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_data_page_row_count_limit(3)
        .set_write_batch_size(2)
        .build();
    let file = File::create(path).expect("a file");
    let mut file = SerializedFileWriter::new(file, schema, properties.into()).expect("a writer");
    for texts in groups {
        let mut group = file.next_row_group().expect("a group");
        let n = texts.len();
        let present: Vec<i16> = texts.iter().map(|text| text.is_some() as i16).collect();
        let some: Vec<ByteArray> = texts
            .iter()
            .flatten()
            .map(|text| text.to_vec().into())
            .collect();
        let all: Vec<ByteArray> = texts
            .iter()
            .map(|text| text.unwrap_or(b"nothing").to_vec().into())
            .collect();
        let mut index = 0;
        while let Some(mut column) = group.next_column().expect("a column") {
            match index {
                0 => {
                    let ids: Vec<_> = (0..n as i64).collect();
                    column.typed::<Int64Type>().write_batch(&ids, None, None)
                }
                1 | 2 => column
                    .typed::<ByteArrayType>()
                    .write_batch(&some, Some(&present), None),
                4 => column.typed::<ByteArrayType>().write_batch(
                    &all,
                    Some(&vec![1; n]),
                    Some(&vec![0; n]),
                ),
                _ => column
                    .typed::<ByteArrayType>()
                    .write_batch(&all, None, None),
            }
            .expect("written");
            column.close().expect("written");
            index += 1;
        }
        group.close().expect("written");
    }
    file.close().expect("written");
}

fn good(folder: &Folder) -> PathBuf {
    let path = folder.path().join("good.parquet");
    let texts: Vec<_> = (0..200)
        .map(|i| format!("text {i} \u{e9}").into_bytes())
        .collect();
    let texts: Vec<_> = texts.iter().map(|text| Some(text.as_slice())).collect();
    write(
        &path,
        &[&texts[..150], &[], &texts[150..]],
        Compression::ZSTD(ZstdLevel::default()),
    );
    path
}

#[test]
fn a_column_of_text_is_read() {
    let folder = Folder::new();
    let expected: Vec<_> = (0..200).map(|i| format!("text {i} \u{e9}")).collect();
    for name in ["text", "meta.body", "raw"] {
        let read = read_as(good(&folder), &field(name)).expect("a good column");
        assert_eq!(read, expected, "{name}");
    }
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        Compression::BROTLI(Default::default()),
    ] {
        let path = folder.path().join("packed.parquet");
        write(&path, &[&[Some(b"one"), Some(b"two")]], compression);
        assert_eq!(
            read_as(path, &field("text")).expect("a good column"),
            ["one", "two"]
        );
    }
}

#[test]
fn a_wrong_column_is_named() {
    let folder = Folder::new();
    let path = good(&folder);
    let columns = "only `id`, `text`, `meta.body`, `picture`, `tags`, `raw`";
    fails_as(&path, &field("body"), &["no column `body`", columns]);
    fails_as(&path, &field("id"), &["`id` holds INT64, not text"]);
    fails_as(&path, &field("tags"), &["`tags` holds lists"]);
    fails_as(&path, &field("picture"), &["`picture` holds BSON"]);
}

#[test]
fn bad_rows_are_named() {
    let folder = Folder::new();
    let path = folder.path().join("a.parquet");
    let long = vec![b'x'; 200];
    write(
        &path,
        &[
            &[Some(b"one"), None],
            &[Some(b"\xff"), Some(&long), Some(b"two")],
        ],
        Compression::UNCOMPRESSED,
    );
    let data = DataConfig {
        max_document_bytes: ByteSize(100),
        ..DataConfig::default()
    };
    fails_as(
        &path,
        &data,
        &["a.parquet:2: `text` must be a string, found null"],
    );
    let (texts, skipped) = skipping(&path, &data);
    assert_eq!(texts, ["one", "two"]);
    let places: Vec<_> = skipped.iter().map(|(place, _)| &**place).collect();
    assert_eq!(places, ["a.parquet:2", "a.parquet:3", "a.parquet:4"]);
    assert!(
        skipped[1].1.contains("byte 0") && skipped[2].1.contains("longer"),
        "{skipped:?}"
    );
}

#[test]
fn damage_never_panics() {
    let folder = Folder::new();
    let whole = std::fs::read(good(&folder)).expect("a file");
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("short", b"PAR1"),
        ("text", b"some text, not Parquet"),
        ("cut", &whole[..whole.len() - 10]),
    ] {
        let path = folder.file(&format!("{name}.parquet"), bytes);
        fails_as(&path, &field("text"), &["not a whole Parquet file"]);
        let (texts, skipped) = skipping(&path, &field("text"));
        assert_eq!((texts.len(), skipped.len()), (0, 1));
    }
    // A page that is damaged spoils what follows.
    let mut late = whole.clone();
    let page = whole.len() / 2;
    late[page..page + 400].fill(0xAA);
    let (texts, _) = skipping(&folder.file("late.parquet", late), &field("raw"));
    assert!(texts.len() < 200, "{}", texts.len());
    for at in (0..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        let _ = read_as(folder.file("flipped.parquet", flipped), &field("text"));
    }
}
