//! Documents of plain text: a file each, or parted by lines that hold only the separator.

use super::content::Content;
use super::documents::{Record, Records};
use super::fault::Fault;

/// From how many bytes on a document is handed on in pieces, so that a file of any length can be read.
const PIECE: usize = 64 << 20;

/// Reads the documents of a text file. A line that cannot be read is left out of its document.
pub(super) struct Text {
    content: Content,
    /// Empty where the file is one document.
    separator: String,
    piece: usize,
    /// What was read of the document so far.
    text: String,
    /// Where that begins.
    line: u64,
    /// Whether a piece of the document was handed on.
    continues: bool,
}

impl Text {
    pub(super) fn new(content: Content, separator: &str) -> Self {
        Self {
            content,
            separator: separator.to_owned(),
            piece: PIECE,
            text: String::new(),
            line: 1,
            continues: false,
        }
    }

    fn take(&mut self) -> Record {
        let text = std::mem::take(&mut self.text);
        Record {
            text,
            line: self.line,
            continues: self.continues,
        }
    }
}

impl Records for Text {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        if self.text.is_empty() && !self.continues {
            self.line = self.content.line();
        }
        while let Some((number, line)) = self.content.next_line()? {
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let bare = bare.strip_suffix('\r').unwrap_or(bare);
            if !self.separator.is_empty() && bare == self.separator {
                // The line end before the separator belongs to it.
                if self.text.ends_with('\n') {
                    self.text.pop();
                }
                let record = self.take();
                self.continues = false;
                return Ok(Some(record));
            }
            if self.text.len() >= self.piece && ends_visibly(&self.text) {
                // Cut before the line end, where words of tokenizers end anyway, and where it is not yet known to belong to a separator.
                self.text.pop();
                let mut text = String::from("\n");
                push_line(&mut text, line);
                let record = Record {
                    text: std::mem::replace(&mut self.text, text),
                    line: self.line,
                    continues: self.continues,
                };
                self.line = number;
                self.continues = true;
                return Ok(Some(record));
            }
            push_line(&mut self.text, line);
        }
        Ok((!self.text.is_empty()).then(|| {
            let record = self.take();
            self.continues = false;
            record
        }))
    }
}

/// Appends a line, with a Windows line end made a plain one.
fn push_line(text: &mut String, line: &str) {
    match line.strip_suffix("\r\n") {
        Some(bare) => {
            text.push_str(bare);
            text.push('\n');
        }
        None => text.push_str(line),
    }
}

/// Whether a visible character stands before the last line end.
fn ends_visibly(text: &str) -> bool {
    text.strip_suffix('\n')
        .is_some_and(|line| !line.ends_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::size::ByteSize;

    fn read(text: &str, piece: usize) -> Vec<Record> {
        let bytes = Box::new(std::io::Cursor::new(text.to_owned().into_bytes()));
        let content = Content::new(
            bytes,
            "a.txt".into(),
            None,
            encoding_rs::UTF_8,
            ByteSize(1 << 20),
        );
        let mut reader = Text::new(content, "--");
        reader.piece = piece;
        std::iter::from_fn(|| reader.next().expect("good text")).collect()
    }

    #[test]
    fn pieces_are_cut_before_a_line_end() {
        let pieces = read("one\ntwo\n \nthree\nfour\n--\nfive\n", 4);
        let found: Vec<_> = pieces
            .iter()
            .map(|r| (&*r.text, r.line, r.continues))
            .collect();
        let expected = [
            ("one", 1, false),
            ("\ntwo", 2, true),
            ("\n \nthree", 3, true),
            ("\nfour", 5, true),
            ("five\n", 7, false),
        ];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn pieces_make_the_document(lines in prop::collection::vec("[ab \u{e9}]{0,4}|--", 0..30), end in "\n?", piece in 1_usize..20) {
            let text = lines.join("\n") + &end;
            let mut joined: Vec<String> = Vec::new();
            for record in read(&text, piece) {
                match joined.last_mut() {
                    Some(document) if record.continues => document.push_str(&record.text),
                    _ => joined.push(record.text),
                }
            }
            let whole: Vec<_> = read(&text, usize::MAX).into_iter().map(|r| r.text).collect();
            prop_assert_eq!(joined, whole);
        }
    }
}
