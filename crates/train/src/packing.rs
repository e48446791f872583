//! What the windows of a row of documents make of their borders.

use llm_data::TokenShard;

/// How documents share a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As one text: attention and loss go over the borders.
    #[default]
    Across,
    /// Each as if it stood alone: no attention over a border, positions from 0, and no loss for a first token, which nothing before it
    /// belongs to.
    Within {
        /// The token before each document. It ends the document before, too, which learns to predict it.
        separator: Option<u32>,
    },
}

/// The borders of documents in one window.
#[derive(Debug)]
pub(crate) struct Borders {
    /// For each input, the index in the window at which its document begins.
    pub(crate) first_columns: Vec<u32>,
    /// Indices of the inputs whose target belongs to another document.
    pub(crate) ignored: Vec<usize>,
}

impl Packing {
    /// The borders in the inputs `start..start + seq` of a row; `None` where they do not matter.
    pub(crate) fn borders(self, text: &TokenShard, start: usize, seq: usize) -> Option<Borders> {
        let Self::Within { separator } = self else {
            return None;
        };
        let ends = text.document_ends();
        let mut next = ends.partition_point(|&end| end <= start as u64);
        let mut first = 0;
        let mut borders = Borders {
            first_columns: Vec::with_capacity(seq),
            ignored: Vec::new(),
        };
        for column in 0..seq {
            borders.first_columns.push(first);
            let after = start + column + 1;
            // An empty document ends where the one before it does.
            let mut is_border = false;
            while ends.get(next).is_some_and(|&end| end == after as u64) {
                (is_border, next) = (true, next + 1);
            }
            if is_border {
                first = column as u32 + 1;
                let is_separator =
                    separator.is_some_and(|id| text.tokens(after..after + 1) == [id]);
                if !is_separator {
                    borders.ignored.push(column);
                }
            }
        }
        Some(borders)
    }
}
