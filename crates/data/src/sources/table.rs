//! Tables of rows and fields, with commas (RFC 4180) or tabs: a document in one field of each row.

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::content::Content;
use super::documents::{Record, Records};
use super::fault::{Fault, FileFault, RecordFault};
use super::field::listed;

const BUFFER: usize = 1 << 14;
/// What a buffer keeps of its memory from one row to the next, in bytes.
const KEPT: usize = 1 << 20;

/// How the fields of a row are parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Commas and quotes.
    Commas,
    /// Tabs and quotes.
    QuotedTabs,
    /// Tabs; a quote is a character like any other.
    Tabs,
}

/// Reads the rows of a table. The first names the columns, but where the text is found by the number of its column.
pub(super) struct Table {
    content: Content,
    text_field: String,
    layout: Layout,
    reader: Reader,
    /// Taken from the first row.
    columns: Option<Columns>,
    row: Row,
}

#[derive(Clone, Copy)]
struct Columns {
    /// Of the text, from 0.
    text: usize,
    n: u64,
}

/// The row last read.
#[derive(Default)]
struct Row {
    line: u64,
    /// The fields that were wanted, one after the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    n_fields: u64,
    too_long: bool,
}

/// Which fields of a row are wanted.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    One(usize),
}

impl Table {
    pub(super) fn new(content: Content, layout: Layout, text_field: &str) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(if layout == Layout::Commas {
                b','
            } else {
                b'\t'
            })
            .quoting(layout != Layout::Tabs)
            .build();
        Self {
            content,
            text_field: text_field.to_owned(),
            layout,
            reader,
            columns: None,
            row: Row::default(),
        }
    }

    /// Reads a row into the buffer; false at the end.
    fn read_row(&mut self, wanted: Wanted) -> Result<bool, Fault> {
        self.row.bytes.clear();
        self.row.bytes.shrink_to(KEPT);
        self.row.ends.clear();
        self.row.n_fields = 0;
        self.row.too_long = false;
        if !self.pass_blank_lines()? {
            return Ok(false);
        }
        self.row.line = self.content.line();
        let mut out = [0; BUFFER];
        loop {
            let keep = match wanted {
                Wanted::All => true,
                Wanted::One(column) => self.row.n_fields == column as u64,
            };
            let bytes = self.content.look()?;
            let at_end = bytes.is_empty();
            // A line end that ends no row stands in a quote.
            let bytes = if at_end { b"\n" } else { bytes };
            let (result, read, written) = self.reader.read_field(bytes, &mut out);
            let line_ends = bytes[..read].iter().filter(|byte| **byte == b'\n').count();
            if !at_end {
                self.content.pass(read, line_ends);
            }
            if keep && !self.row.too_long {
                self.row.bytes.extend_from_slice(&out[..written]);
                let kept = self.row.bytes.len() + size_of_val(&*self.row.ends);
                if self.content.exceeds(kept) {
                    self.row.too_long = true;
                    self.row.bytes = Vec::new();
                }
            }
            match result {
                ReadFieldResult::Field { record_end } => {
                    if keep {
                        self.row.ends.push(self.row.bytes.len());
                    }
                    self.row.n_fields += 1;
                    if record_end {
                        return Ok(true);
                    }
                }
                ReadFieldResult::InputEmpty if at_end => {
                    let error = self.content.record_error(self.row.line, RecordFault::Quote);
                    return Err(Fault::LastRecord(error));
                }
                _ => {}
            }
        }
    }

    /// Goes to the next row; false at the end.
    fn pass_blank_lines(&mut self) -> Result<bool, Fault> {
        loop {
            let bytes = self.content.look()?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let n = bytes.iter().take_while(|byte| is_line_end(byte)).count();
            let (line_ends, more) = (
                bytes[..n].iter().filter(|byte| **byte == b'\n').count(),
                n < bytes.len(),
            );
            self.content.pass(n, line_ends);
            if more {
                return Ok(true);
            }
        }
    }

    /// Reads the first row and finds the column of the text; none when there is no row. `true` when the row is itself a document.
    fn find_column(&mut self) -> Result<Option<(Columns, bool)>, Fault> {
        if !self.read_row(Wanted::All)? {
            return Ok(None);
        }
        if self.row.too_long {
            let fault = self.content.too_long();
            return Err(Fault::LastRecord(
                self.content.record_error(self.row.line, fault),
            ));
        }
        let fields: Vec<_> = self.row.fields().map(String::from_utf8_lossy).collect();
        let n = self.row.n_fields;
        let by_number = self
            .text_field
            .strip_prefix('#')
            .and_then(|n| n.parse::<usize>().ok());
        let named = fields
            .iter()
            .position(|field| field.trim() == self.text_field);
        // A column that is really called `#2` comes first.
        let text = named.or_else(|| {
            by_number?
                .checked_sub(1)
                .filter(|column| (*column as u64) < n)
        });
        match text {
            Some(text) => {
                let columns = Columns { text, n };
                if named.is_none() {
                    self.row.keep_only(text);
                }
                Ok(Some((columns, named.is_none())))
            }
            None => {
                let found = match by_number {
                    Some(_) => Some(n.to_string()),
                    None => listed(fields.iter().map(|field| field.trim())),
                };
                Err(self.content.file_fault(FileFault::Column {
                    column: self.text_field.clone(),
                    found: found.unwrap_or_default(),
                    hint: ", or with its number, such as \"#2\", where the first row is no header",
                }))
            }
        }
    }

    fn record(&mut self, columns: Columns) -> Result<Record, Fault> {
        let line = self.row.line;
        let fault = if self.row.n_fields != columns.n {
            Some(RecordFault::Fields {
                found: self.row.n_fields,
                expected: columns.n,
                hint: match self.layout {
                    Layout::Tabs => {
                        "; name format = \"csv\" for the source if fields stand in quotes"
                    }
                    _ => "",
                },
            })
        } else if self.row.too_long {
            Some(self.content.too_long())
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(self.content.fault(line, fault));
        }
        match String::from_utf8(std::mem::take(&mut self.row.bytes)) {
            Ok(text) => Ok(Record {
                text: match text.contains("\r\n") {
                    true => text.replace("\r\n", "\n"),
                    false => text,
                },
                line,
                continues: false,
            }),
            Err(error) => Err(self.content.not_text(line, 0, error.utf8_error())),
        }
    }
}

impl Row {
    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }

    /// Drops all fields but one.
    fn keep_only(&mut self, column: usize) {
        let field = self.fields().nth(column).unwrap_or_default().to_vec();
        self.ends = vec![field.len()];
        self.bytes = field;
    }
}

impl Records for Table {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        let columns = match self.columns {
            Some(columns) => columns,
            None => {
                let Some((columns, is_document)) = self.find_column()? else {
                    return Ok(None);
                };
                self.columns = Some(columns);
                if is_document {
                    return self.record(columns).map(Some);
                }
                columns
            }
        };
        if !self.read_row(Wanted::One(columns.text))? {
            return Ok(None);
        }
        self.record(columns).map(Some)
    }
}
