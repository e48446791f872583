//! Cutting a text at the special tokens written in it.
//!
//! Does what the added vocabulary of `tokenizers` does with tokens that ask for nothing special: leftmost match, then the longest. Tokens that
//! swallow spaces, match whole words only or match normalised text are left to that library.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::TokenizerError;

/// The special tokens of a tokenizer that has no other added tokens.
pub(crate) struct SpecialTokens {
    // Longest first, so that the first that fits is the one to take.
    tokens: Vec<(String, u32)>,
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment<'t> {
    /// Ordinary text, not empty.
    Text(Cow<'t, str>),
    /// A special token as written, and its id.
    Special(&'t str, u32),
}

impl SpecialTokens {
    /// Reads the added tokens of a definition; none where one of them is not special or not plainly matched.
    pub(crate) fn recognise(definition: &Value) -> Option<Self> {
        let normalizes = !definition["normalizer"].is_null();
        let empty = Vec::new();
        let added = match &definition["added_tokens"] {
            Value::Null => &empty,
            other => other.as_array()?,
        };
        let mut tokens = Vec::new();
        for token in added {
            let bare = ["single_word", "lstrip", "rstrip"]
                .iter()
                .all(|flag| token[*flag] == false);
            // The library looks for tokens in two passes by this flag.
            let one_pass = token["normalized"] == added[0]["normalized"]
                && !(normalizes && token["normalized"] == true);
            if token["special"] != true || !bare || !one_pass {
                return None;
            }
            let content = token["content"].as_str()?;
            if !content.is_empty() {
                let id = u32::try_from(token["id"].as_u64()?).ok()?;
                tokens.push((content.to_owned(), id));
            }
        }
        tokens.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        Some(Self { tokens })
    }

    /// Whether `token` is one of these.
    pub(crate) fn contains(&self, token: &str) -> bool {
        self.tokens.iter().any(|(content, _)| content == token)
    }

    /// Cuts `text`; the parts put together give it back.
    pub(crate) fn cut<'t>(&self, text: &'t str) -> Vec<Segment<'t>> {
        let mut segments = Vec::new();
        let mut done = 0;
        let find = |token: &str, from: usize| text[from..].find(token).map(|place| from + place);
        // Next place of each token, looked up again only once passed: every token scans the text once.
        let mut next: Vec<Option<usize>> = self.tokens.iter().map(|t| find(&t.0, 0)).collect();
        loop {
            for (place, (token, _)) in next.iter_mut().zip(&self.tokens) {
                if place.is_some_and(|place| place < done) {
                    *place = find(token, done);
                }
            }
            let first = next.iter().zip(&self.tokens);
            let first = first.filter_map(|(place, token)| Some(((*place)?, token)));
            let Some((place, (token, id))) = first.min_by_key(|(place, _)| *place) else {
                break;
            };
            if done < place {
                segments.push(Segment::Text(text[done..place].into()));
            }
            done = place + token.len();
            segments.push(Segment::Special(&text[place..done], *id));
        }
        if done < text.len() {
            segments.push(Segment::Text(text[done..].into()));
        }
        segments
    }

    /// Cuts `text`, then takes `mark` out of the ordinary text.
    pub(crate) fn cut_marked<'t>(&self, text: &'t str, mark: char) -> Vec<Segment<'t>> {
        let mut segments = self.cut(text);
        for segment in &mut segments {
            if let Segment::Text(part) = segment
                && part.contains(mark)
            {
                *part = part.replace(mark, "").into();
            }
        }
        segments.retain(|segment| !matches!(segment, Segment::Text(part) if part.is_empty()));
        segments
    }
}

impl Segment<'_> {
    /// The text as written.
    pub(crate) fn written(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Special(token, _) => token,
        }
    }
}

/// Encodes segments one after the other; `push` appends the ids of ordinary text.
///
/// # Errors
/// Those of `push`, with places counted from the beginning of the first segment.
pub(crate) fn encode_segments(
    segments: &[Segment<'_>],
    mut push: impl FnMut(&str, &mut Vec<u32>) -> Result<(), TokenizerError>,
) -> Result<Vec<u32>, TokenizerError> {
    let length: usize = segments.iter().map(|segment| segment.written().len()).sum();
    let mut ids = Vec::with_capacity(length / 3);
    for (index, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Special(_, id) => ids.push(*id),
            Segment::Text(text) => push(text, &mut ids).map_err(|error| {
                let before = segments[..index].iter();
                error.after(before.map(|s| s.written().chars().count()).sum())
            })?,
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn added(id: u32, content: &str) -> Value {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    }

    #[test]
    fn the_leftmost_and_longest_token_is_cut_out() {
        let definition =
            json!({"added_tokens": [added(1, "<a>"), added(2, "<a><b>"), added(3, "b><")]});
        let special = SpecialTokens::recognise(&definition).unwrap();
        use Segment::{Special, Text};
        assert_eq!(
            special.cut("x<a><b><a>y<b><"),
            [
                Text("x".into()),
                Special("<a><b>", 2),
                Special("<a>", 1),
                Text("y<".into()),
                Special("b><", 3)
            ]
        );
        assert_eq!(special.cut(""), []);
        assert!(special.contains("<a>") && !special.contains("<b>"));
    }

    #[test]
    fn tokens_with_rules_of_their_own_are_left_to_the_library() {
        for (flag, value) in [
            ("lstrip", true),
            ("rstrip", true),
            ("single_word", true),
            ("special", false),
        ] {
            let mut token = added(1, "<a>");
            token[flag] = json!(value);
            let definition = json!({"added_tokens": [added(0, "<b>"), token]});
            assert!(SpecialTokens::recognise(&definition).is_none(), "{flag}");
        }
        let mut normalized = added(1, "<a>");
        normalized["normalized"] = json!(true);
        let alone = json!({"added_tokens": [normalized.clone()]});
        assert!(SpecialTokens::recognise(&alone).is_some());
        let with_normalizer = json!({"normalizer": {}, "added_tokens": [normalized.clone()]});
        assert!(SpecialTokens::recognise(&with_normalizer).is_none());
        let mixed = json!({"added_tokens": [added(0, "<b>"), normalized]});
        assert!(SpecialTokens::recognise(&mixed).is_none());
    }
}
