//! Documents in one piece each.

use super::documents::{Document, Documents};
use super::fault::{RecordError, RecordFault};
use super::skipped::Skipped;
use crate::error::DataError;
use crate::size::ByteSize;

/// [`Documents`] whose pieces are put together, for those who cannot work on pieces. Ends after the first error.
pub struct WholeDocuments {
    documents: Documents,
    limit: ByteSize,
    /// The document after the one last handed on, and how many files come after its own.
    next: Option<(Document, usize)>,
    files_left: usize,
    failed: bool,
}

impl WholeDocuments {
    /// Puts together documents of up to `limit` bytes; a longer one is an error.
    pub fn new(documents: Documents, limit: ByteSize) -> Self {
        Self {
            documents,
            limit,
            next: None,
            files_left: 0,
            failed: false,
        }
    }

    /// What was passed over so far.
    pub fn skipped(&self) -> &Skipped {
        self.documents.skipped()
    }

    /// How many files come after that of the document last handed on.
    pub(crate) fn files_left(&self) -> usize {
        self.files_left
    }

    /// The next piece, and how many files come after its own.
    fn piece(&mut self) -> Result<Option<(Document, usize)>, DataError> {
        let piece = self.documents.next().transpose()?;
        Ok(piece.map(|piece| (piece, self.documents.files_left())))
    }

    fn read(&mut self) -> Result<Option<Document>, DataError> {
        let first = match self.next.take() {
            Some(first) => Some(first),
            None => self.piece()?,
        };
        let Some((mut document, files_left)) = first else {
            return Ok(None);
        };
        self.files_left = files_left;
        while let Some((piece, files_left)) = self.piece()? {
            if !piece.continues {
                self.next = Some((piece, files_left));
                break;
            }
            document.text.push_str(&piece.text);
            if document.text.len() as u64 > self.limit.0 {
                let (path, line) = document.place();
                return Err(DataError::Record(RecordError {
                    path: path.into(),
                    line,
                    fault: RecordFault::TooLong { limit: self.limit },
                }));
            }
        }
        Ok(Some(document))
    }
}

impl Iterator for WholeDocuments {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.read().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}
