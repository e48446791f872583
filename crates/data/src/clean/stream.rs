//! Cleaning on the way: documents go in one after the other, and those that stay come out.

use std::collections::VecDeque;

use super::{Cleaned, Cleaner};
use crate::sources::Document;

/// Bytes of text that are cleaned side by side.
const BATCH: usize = 4 << 20;

/// The documents of an iterator that stay, clean, each with what came with it. Some megabytes are read at a time and cleaned on all threads.
///
/// Ends after the first error of the iterator, before which the documents of its last megabytes are not handed on.
pub struct CleanDocuments<I, T> {
    documents: I,
    cleaner: Cleaner,
    ready: VecDeque<(Document, T)>,
    ended: bool,
}

impl<I, T> CleanDocuments<I, T> {
    /// What `cleaner` leaves of `documents`.
    pub fn new(documents: I, cleaner: Cleaner) -> Self {
        Self {
            documents,
            cleaner,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// The documents as they come in.
    pub fn documents(&self) -> &I {
        &self.documents
    }

    /// The cleaner, whose report says what was done so far.
    pub fn cleaner(&self) -> &Cleaner {
        &self.cleaner
    }
}

impl<I: Iterator<Item = Result<(Document, T), E>>, T, E> CleanDocuments<I, T> {
    /// Cleans the next batch.
    fn fill(&mut self) -> Result<(), E> {
        let (mut batch, mut beside) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while bytes < BATCH {
            let Some(next) = self.documents.next() else {
                self.ended = true;
                break;
            };
            let (document, more) = next?;
            bytes += document.text.len();
            batch.push(document);
            beside.push(more);
        }
        let cleaned = self.cleaner.clean_batch(batch);
        let kept = cleaned.into_iter().zip(beside);
        self.ready
            .extend(kept.filter_map(|(cleaned, more)| match cleaned {
                Cleaned::Kept(document) => Some((document, more)),
                Cleaned::Removed { .. } => None,
            }));
        Ok(())
    }
}

impl<I: Iterator<Item = Result<(Document, T), E>>, T, E> Iterator for CleanDocuments<I, T> {
    type Item = Result<(Document, T), E>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.ended {
            if let Err(error) = self.fill() {
                self.ended = true;
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
