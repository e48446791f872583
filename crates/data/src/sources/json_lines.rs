//! JSON lines: a value with a document in each line.

use super::content::Content;
use super::documents::{Record, Records};
use super::fault::Fault;
use super::field;

/// Reads the lines of a file; blank ones are passed over.
pub(super) struct JsonLines {
    content: Content,
    text_field: String,
}

impl JsonLines {
    pub(super) fn new(content: Content, text_field: &str) -> Self {
        Self {
            content,
            text_field: text_field.to_owned(),
        }
    }
}

impl Records for JsonLines {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        while let Some((number, line)) = self.content.next_line()? {
            if line.trim().is_empty() {
                continue;
            }
            // A value that ends too early ends in this line, not in the next.
            return match field::text_of(line.trim_end(), &self.text_field) {
                Ok(text) => Ok(Some(Record {
                    text,
                    line: number,
                    continues: false,
                })),
                Err(fault) => Err(self.content.fault(number, fault)),
            };
        }
        Ok(None)
    }
}
