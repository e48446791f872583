//! Which bytes of a text each of its tokens stands for.

use std::ops::Range;

use tokenizers::OffsetType;

use crate::error::TokenizerError;
use crate::pieces::Pending;
use crate::tokenizer::Tokenizer;

/// The bytes of `text` behind its `ids`, in which no token was special.
pub(super) fn of_text(
    tokenizer: &Tokenizer,
    text: &str,
    ids: &[u32],
) -> Result<Vec<Range<usize>>, TokenizerError> {
    match by_decoding(tokenizer, text, ids)? {
        Some(spans) => Ok(spans),
        None => {
            let engine = &tokenizer.inner().engine;
            let mut plain = engine.get_added_vocabulary().clone();
            plain.set_encode_special_tokens(true);
            let parts = plain.extract_and_normalize(engine.get_normalizer(), text);
            let encoding = tokenizer.encoding_of(parts, |_| Ok(()), OffsetType::Byte)?;
            Ok(by_library(&encoding, ids))
        }
    }
}

/// The same where special tokens stand in the text.
pub(super) fn with_special(
    tokenizer: &Tokenizer,
    text: &str,
    ids: &[u32],
) -> Result<Vec<Range<usize>>, TokenizerError> {
    match by_decoding(tokenizer, text, ids)? {
        Some(spans) => Ok(spans),
        None => {
            let engine = &tokenizer.inner().engine;
            let encoding = engine.encode(text, false);
            let encoding = encoding.map_err(|source| TokenizerError::Encode { source })?;
            Ok(by_library(&encoding, ids))
        }
    }
}

/// Decodes token by token: where this gives back the text, each token stands for the bytes it decodes to.
fn by_decoding(
    tokenizer: &Tokenizer,
    text: &str,
    ids: &[u32],
) -> Result<Option<Vec<Range<usize>>>, TokenizerError> {
    let pieces = tokenizer.pieces();
    let mut rest = text.as_bytes();
    let mut strip = pieces.strip.map_or(0, |(_, count)| count);
    let mut first = true;
    let mut pending = Pending::default();
    let mut spans = Vec::with_capacity(ids.len());
    for id in ids {
        pending.bytes.clear();
        match tokenizer.text_token(*id)? {
            Some(token) => {
                pieces
                    .push(token, first, &mut pending)
                    .map_err(|source| TokenizerError::Decode { id: *id, source })?;
                first = false;
            }
            None => {
                let token = tokenizer.token(*id).unwrap_or_default();
                pending.bytes.extend_from_slice(token.as_bytes());
            }
        }
        let mut bytes = &pending.bytes[..];
        if let Some((character, _)) = pieces.strip {
            let mut buffer = [0; 4];
            let stripped = character.encode_utf8(&mut buffer).as_bytes();
            while strip > 0 && !bytes.is_empty() {
                match bytes.strip_prefix(stripped) {
                    Some(after) => (bytes, strip) = (after, strip - 1),
                    None => strip = 0,
                }
            }
        }
        let Some(after) = rest.strip_prefix(bytes) else {
            return Ok(None);
        };
        let start = text.len() - rest.len();
        spans.push(start..start + bytes.len());
        rest = after;
    }
    Ok(rest.is_empty().then_some(spans))
}

/// The places that the library tells. It knows all, since it gives the same ids; a token it does not list has none.
fn by_library(encoding: &tokenizers::Encoding, ids: &[u32]) -> Vec<Range<usize>> {
    let offsets = encoding.get_offsets().iter();
    let mut spans: Vec<_> = offsets.map(|(start, end)| *start..*end).collect();
    let end = spans.last().map_or(0, |span| span.end);
    spans.resize(ids.len(), end..end);
    spans
}
