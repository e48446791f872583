//! Apache Parquet files: a document in one column of each row.

use std::io::{self, BufReader, Read};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::documents::{Record, Records};
use super::fault::{Fault, FileError, FileFault, RecordError, RecordFault};
use super::field::listed;
use super::find::SourceFile;
use crate::positioned::PositionedFile;
use crate::size::ByteSize;

/// Rows that are decoded at a time. They share the memory of their page.
const BATCH: usize = 64;

/// Reads a column, one row group after the other.
pub(super) struct Parquet {
    source: SourceFile,
    limit: ByteSize,
    file: Arc<SerializedFileReader<PositionedFile>>,
    column: usize,
    /// The row group to be opened next.
    next_group: usize,
    group: Option<ColumnReaderImpl<ByteArrayType>>,
    /// The rows last decoded, from the last one on; none for a null.
    rows: Vec<Option<ByteArray>>,
    /// Rows handed on so far.
    n_rows: u64,
}

impl Parquet {
    pub(super) fn open(source: &SourceFile, limit: ByteSize) -> Result<Self, Fault> {
        let file = source.open_raw().map_err(Fault::Setting)?;
        let file = guarded(|| SerializedFileReader::new(file));
        let file = file.map_err(|error| damaged(source, &error))?;
        Ok(Self {
            column: find_column(source, &file)?,
            source: source.clone(),
            limit,
            file: Arc::new(file),
            next_group: 0,
            group: None,
            rows: Vec::new(),
            n_rows: 0,
        })
    }

    /// Decodes more rows; false at the end.
    fn decode(&mut self) -> Result<bool, ParquetError> {
        loop {
            let group = match &mut self.group {
                Some(group) => group,
                None => {
                    if self.next_group == self.file.num_row_groups() {
                        return Ok(false);
                    }
                    let group = self.file.get_row_group(self.next_group)?;
                    self.next_group += 1;
                    let pages = group.get_column_page_reader(self.column)?;
                    let column = group.metadata().column(self.column).column_descr_ptr();
                    let reader = get_typed_column_reader(get_column_reader(column, pages));
                    self.group.insert(reader)
                }
            };
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let (n, _, _) = group.read_records(BATCH, Some(&mut levels), None, &mut values)?;
            if n == 0 {
                self.group = None;
                continue;
            }
            let most = self
                .file
                .metadata()
                .file_metadata()
                .schema_descr()
                .column(self.column)
                .max_def_level();
            let mut values = values.into_iter();
            self.rows = match most {
                0 => values.map(Some).collect(),
                _ => levels
                    .iter()
                    .map(|level| if *level == most { values.next() } else { None })
                    .collect(),
            };
            self.rows.reverse();
            return Ok(true);
        }
    }

    fn fault(&self, fault: RecordFault) -> Fault {
        Fault::Record(RecordError {
            path: self.source.name.clone(),
            line: self.n_rows,
            fault,
        })
    }
}

impl Records for Parquet {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        while self.rows.is_empty() {
            match guarded(|| self.decode()) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Err(damaged(&self.source, &error)),
            }
        }
        let row = self.rows.pop().flatten();
        self.n_rows += 1;
        let Some(bytes) = row else {
            return Err(self.fault(RecordFault::Type {
                key: self.source.text_field.clone(),
                found: "null",
            }));
        };
        if bytes.len() as u64 > self.limit.0 {
            return Err(self.fault(RecordFault::TooLong { limit: self.limit }));
        }
        match std::str::from_utf8(bytes.data()) {
            Ok(text) => Ok(Some(Record {
                text: text.to_owned(),
                line: self.n_rows,
                continues: false,
            })),
            Err(error) => Err(self.fault(RecordFault::Utf8 {
                offset: error.valid_up_to() as u64,
            })),
        }
    }
}

/// What `read` returns; an error where it panics, as the library does on some damaged pages. Nothing that was read is used after that.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let caught = panic::catch_unwind(AssertUnwindSafe(read));
    caught.unwrap_or_else(|_| Err(ParquetError::General("a page is damaged".to_owned())))
}

impl Length for PositionedFile {
    fn len(&self) -> u64 {
        // A file whose size nobody knows is as good as empty, and refused as damaged.
        self.size().unwrap_or(0)
    }
}

impl ChunkReader for PositionedFile {
    type T = BufReader<Self>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = Vec::new();
        let read = self.at(start).take(length as u64).read_to_end(&mut bytes)?;
        if read < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes.into())
    }
}

fn find_column(
    source: &SourceFile,
    file: &SerializedFileReader<PositionedFile>,
) -> Result<usize, Fault> {
    let columns = file.metadata().file_metadata().schema_descr().columns();
    let names: Vec<_> = columns
        .iter()
        .map(|column| column.path().string())
        .collect();
    let Some(index) = names.iter().position(|name| *name == source.text_field) else {
        return Err(source.fault(FileFault::Column {
            column: source.text_field.clone(),
            found: listed(names.iter().map(String::as_str))
                .unwrap_or_else(|| "none at all".to_owned()),
            hint: "",
        }));
    };
    match what_it_holds(&columns[index]) {
        None => Ok(index),
        Some(found) => Err(source.fault(FileFault::ColumnType {
            column: source.text_field.clone(),
            found,
        })),
    }
}

/// What a column holds that is no text. Bytes without a type are taken for text; old writers mark none.
fn what_it_holds(column: &ColumnDescriptor) -> Option<String> {
    if column.max_rep_level() > 0 {
        return Some("lists".to_owned());
    }
    if column.physical_type() != Type::BYTE_ARRAY {
        return Some(column.physical_type().to_string());
    }
    let text = match column.logical_type_ref() {
        None => matches!(
            column.converted_type(),
            ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
        ),
        Some(logical) => matches!(
            logical,
            LogicalType::String | LogicalType::Enum | LogicalType::Json
        ),
    };
    (!text).then(|| column.converted_type().to_string())
}

fn damaged(source: &SourceFile, error: &ParquetError) -> Fault {
    Fault::File(FileError {
        path: source.name.clone(),
        fault: FileFault::Parquet {
            reason: error.to_string().replace('\n', " "),
        },
    })
}
