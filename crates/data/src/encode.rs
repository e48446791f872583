//! Tokenizing on all threads: texts in batches of bounded size, while the next batch is being read.
//!
//! The tokens come in the order of the texts, whatever the number of threads.

use llm_tokenizer::Tokenizer;
use rayon::prelude::*;

use crate::error::DataError;
use crate::plan::Text;

/// Bytes of text in a batch, reached with its last text.
const BATCH: usize = 4 << 20;
/// Bytes of a long text that are tokenized at a time, where it may be cut.
const CHUNK: usize = 1 << 18;

/// Whether a tokenizer allows to cut a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// Before a line end that follows a character which is no white space: tokenizers by characters, and byte-level ones with the
    /// splitting rule of GPT-2. No alternative of that rule goes on from a visible character to white space, so that a word ends
    /// there; and what it looks ahead at lies behind white space, so that nothing before the cut depends on what is behind it.
    BeforeLineEnds,
    /// Not known to be harmless anywhere.
    Nowhere,
}

/// Calls `write` with each text and its tokens, in order.
pub(crate) fn encode_all(
    tokenizer: &Tokenizer,
    cuts: Cuts,
    texts: &mut (impl Iterator<Item = Result<Text, DataError>> + Send),
    mut write: impl FnMut(&Text, Vec<u32>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut batch = next_batch(texts)?;
    while !batch.is_empty() {
        let (encoded, next) = rayon::join(
            || encode_batch(tokenizer, cuts, &batch),
            || next_batch(texts),
        );
        for (text, tokens) in batch.iter().zip(encoded) {
            write(text, tokens?)?;
        }
        batch = next?;
    }
    Ok(())
}

fn next_batch(
    texts: &mut impl Iterator<Item = Result<Text, DataError>>,
) -> Result<Vec<Text>, DataError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < BATCH {
        let Some(text) = texts.next().transpose()? else {
            break;
        };
        bytes += text.text.len();
        batch.push(text);
    }
    Ok(batch)
}

fn encode_batch(
    tokenizer: &Tokenizer,
    cuts: Cuts,
    batch: &[Text],
) -> Vec<Result<Vec<u32>, DataError>> {
    let encode = |text: &Text| {
        let chunks = match cuts {
            Cuts::BeforeLineEnds => chunks(&text.text, CHUNK),
            Cuts::Nowhere => vec![&*text.text],
        };
        let encoded: Result<Vec<_>, _> = match chunks[..] {
            [chunk] => tokenizer.encode(chunk).map(|tokens| vec![tokens]),
            _ => chunks
                .par_iter()
                .map(|chunk| tokenizer.encode(chunk))
                .collect(),
        };
        encoded
            .map(|mut encoded| match encoded.len() {
                1 => encoded.swap_remove(0),
                _ => encoded.concat(),
            })
            .map_err(|source| DataError::Encode {
                origin: text.origin.clone(),
                source,
            })
    };
    batch.par_iter().map(encode).collect()
}

/// Cuts a text before line ends that follow a visible character, into parts of `size` bytes or somewhat more.
fn chunks(text: &str, size: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while let Some(cut) = find_cut(rest, size) {
        let (chunk, after) = rest.split_at(cut);
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    chunks
}

fn find_cut(text: &str, size: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let line_ends = (size.max(1)..bytes.len()).filter(|at| bytes[*at] == b'\n');
    let mut visible = line_ends.filter(|at| !text[..*at].ends_with(char::is_whitespace));
    visible.next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_before_line_ends_that_follow_something() {
        assert_eq!(chunks("one\ntwo\n", 1), ["one", "\ntwo", "\n"]);
        assert_eq!(chunks("a \nb\n\nc", 1), ["a \nb", "\n\nc"]);
        assert_eq!(
            chunks("\u{e9}\u{3000}\n\u{e9}\n", 0),
            ["\u{e9}\u{3000}\n\u{e9}", "\n"]
        );
        assert_eq!(chunks("one\ntwo", 100), ["one\ntwo"]);
        assert_eq!(chunks("", 1), [""]);
    }

    fn tokenizers() -> [Tokenizer; 2] {
        let text = "It's the cat's hat,\n  and they'll \n\n\tsee 12 of 'em... we\u{2019}ve \u{e9}t\u{e9} \u{3000}!\n";
        let lines = std::iter::repeat_n(text.to_owned(), 50);
        [
            Tokenizer::train_bpe(lines, 400).expect("a BPE"),
            Tokenizer::train_characters([text, "abcdefghijklmnopqrstuvwxyz\r\u{a0}\u{85}"])
                .expect("characters"),
        ]
    }

    proptest! {
        #[test]
        fn a_cut_changes_no_token(
            words in prop::collection::vec("[a-c]{1,3}|'(s|ll|t)|12|[.,!]+|[ \n\t\r]{1,4}|\u{a0}|\u{85}|\u{3000}|\u{e9}|\n", 0..60),
            size in 0_usize..20,
        ) {
            let text = words.concat();
            for tokenizer in tokenizers() {
                let whole = tokenizer.encode(&text).expect("known characters");
                let parts: Vec<_> = chunks(&text, size)
                    .into_iter()
                    .flat_map(|chunk| tokenizer.encode(chunk).expect("known characters"))
                    .collect();
                prop_assert_eq!(parts, whole);
            }
        }
    }
}
