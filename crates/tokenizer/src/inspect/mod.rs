//! Showing how a text is cut into tokens.

mod label;
mod render;
mod spans;

use std::ops::Range;

use serde::Serialize;

use crate::error::TokenizerError;
use crate::tokenizer::Tokenizer;
pub use render::Colours;

/// A text and the tokens it becomes; made by [`Tokenizer::inspect`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection<'t> {
    text: &'t str,
    pieces: Vec<Piece>,
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Its id.
    pub id: u32,
    /// How the vocabulary writes it: `Ġthe`, `▁the`, `<0x0A>`.
    pub token: String,
    /// The bytes of the text that it stands for. It may be part of a character; it is empty for what the tokenizer adds of its own, such as a space
    /// before the text. Where the tokenizer changes the text first, several tokens may stand for the same bytes.
    pub range: Range<usize>,
    /// What kind of token it is.
    pub kind: PieceKind,
}

/// What kind of token a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceKind {
    /// Whole characters.
    Normal,
    /// Bytes that are no whole characters, or one byte by its number.
    Byte,
    /// A special token.
    Special,
    /// Stands for characters that have no token.
    Unknown,
}

impl Tokenizer {
    /// Encodes `text` as [`Tokenizer::encode`] does, and tells which token stands for which bytes.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn inspect<'t>(&self, text: &'t str) -> Result<Inspection<'t>, TokenizerError> {
        let ids = self.encode(text)?;
        let ranges = spans::of_text(self, text, &ids)?;
        Ok(self.inspection(text, ids, ranges))
    }

    /// The same for [`Tokenizer::encode_with_special`]: special tokens written in the text stand for themselves.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode_with_special`].
    pub fn inspect_with_special<'t>(
        &self,
        text: &'t str,
    ) -> Result<Inspection<'t>, TokenizerError> {
        let ids = self.encode_with_special(text)?;
        let ranges = spans::with_special(self, text, &ids)?;
        Ok(self.inspection(text, ids, ranges))
    }

    /// The bytes of `text` that each of its `ids`, made by [`Tokenizer::encode`], stands for.
    pub(crate) fn spans(
        &self,
        text: &str,
        ids: &[u32],
    ) -> Result<Vec<Range<usize>>, TokenizerError> {
        spans::of_text(self, text, ids)
    }

    fn inspection<'t>(
        &self,
        text: &'t str,
        ids: Vec<u32>,
        ranges: Vec<Range<usize>>,
    ) -> Inspection<'t> {
        let pieces = ids.into_iter().zip(ranges).map(|(id, range)| {
            let token = self.token(id).unwrap_or_default();
            let inner = self.inner();
            let whole = text.is_char_boundary(range.start) && text.is_char_boundary(range.end);
            let kind = if inner.unknown == Some(id) {
                PieceKind::Unknown
            } else if inner.special.contains(&id) {
                PieceKind::Special
            } else if !whole || self.pieces().is_byte(&token) {
                PieceKind::Byte
            } else {
                PieceKind::Normal
            };
            Piece {
                id,
                token,
                range,
                kind,
            }
        });
        let pieces = pieces.collect();
        Inspection { text, pieces }
    }
}

impl Inspection<'_> {
    /// The text.
    pub fn text(&self) -> &str {
        self.text
    }

    /// Its tokens in their order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}
