//! Writing the vocabularies that have scores: BPE in the way of SentencePiece, and characters.
//!
//! llama.cpp writes spaces as ▁, may put one before each text, and merges over the whole text at once.

use std::path::Path;

use serde_json::json;
use tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::metaspace::PrependScheme;

use super::merges;
use super::read::{decoder, normalizer};
use super::write::{Writer, unfit};
use super::{GgufVocabulary, SENTENCE_PIECE, SPACE, TokenType};
use crate::error::TokenizerError;
use crate::sentencepiece::{KEY, Settings};

impl Writer<'_> {
    /// The vocabulary of a BPE in the way of SentencePiece.
    pub(super) fn sentence_piece(
        &self,
        vocabulary: GgufVocabulary,
        types: &[TokenType],
    ) -> Result<GgufVocabulary, TokenizerError> {
        let merges = self.merges();
        let prefix = self.space_prefix(&merges)?;
        self.check_decoder(&self.definition["decoder"], &decoder(prefix))?;
        let model = &self.definition["model"];
        if model["ignore_merges"] == true {
            return Err(unfit(
                "ignore_merges",
                "true",
                "all tokens are made by merges there",
            ));
        }
        let bytes = types
            .iter()
            .filter(|kind| **kind == TokenType::Byte)
            .count();
        if bytes != 256 || model["byte_fallback"] != true {
            let reason =
                "characters without a token are written in bytes there, so it takes all 256";
            return Err(unfit("number of byte tokens", bytes.to_string(), reason));
        }

        let scores = match self.sentence_piece_settings()? {
            // Those of the file that it was made of, which llama.cpp merges by in the same way.
            Some(settings) if settings.scores.len() == vocabulary.tokens.len() => settings.scores,
            _ => scores(&vocabulary.tokens, &merges, types)?,
        };
        Ok(GgufVocabulary {
            model: SENTENCE_PIECE.to_owned(),
            scores,
            add_space_prefix: Some(prefix),
            ..vocabulary
        })
    }

    /// What a tokenizer of a SentencePiece file says of itself beside its steps.
    fn sentence_piece_settings(&self) -> Result<Option<Settings>, TokenizerError> {
        let settings = Settings::of(&self.definition, Path::new("tokenizer.json"))?;
        match settings.as_ref().map(|settings| &settings.unused[..]) {
            None | Some([]) => Ok(settings),
            Some([id, ..]) => {
                let reason = "no text may become it, which cannot be said there";
                Err(unfit("unused piece", id.to_string(), reason))
            }
        }
    }

    /// Whether a ▁ is put before each text. Spaces must become ▁, too, and nothing else may happen to a text before it is merged.
    fn space_prefix(&self, merges: &[(&str, &str)]) -> Result<bool, TokenizerError> {
        let mut found = self.definition["normalizer"].clone();
        if let Some(normalizer) = found.as_object_mut() {
            normalizer.remove(KEY);
        }
        let pre_tokenizer = self.tokenizer.inner().engine.get_pre_tokenizer();
        let refused = |reason| {
            let found = self.definition["pre_tokenizer"].to_string();
            Err(unfit("pre-tokenizer", found, reason))
        };
        let single = json!({"type": "Sequence", "normalizers": [normalizer(false)]});
        let without = found == normalizer(false) || found == single;
        match pre_tokenizer {
            None if without => Ok(false),
            None if found == normalizer(true) => Ok(true),
            Some(PreTokenizerWrapper::Metaspace(space)) if found.is_null() => {
                // Merges within words are the same in a text that is not cut into words.
                let within_words = |(left, right): &(&str, &str)| {
                    format!("{left}{right}").rfind(SPACE).unwrap_or(0) == 0
                };
                match space.prepend_scheme {
                    _ if !SPACE.starts_with(space.get_replacement()) => {
                        refused("it must write spaces as ▁")
                    }
                    PrependScheme::First | PrependScheme::Always => refused(
                        "it puts no ▁ before a text that begins with a space, where each text gets one there",
                    ),
                    PrependScheme::Never if space.split && !merges.iter().all(within_words) => {
                        refused(
                            "it must not cut the text into words, over whose ends some merges reach",
                        )
                    }
                    PrependScheme::Never => Ok(false),
                }
            }
            Some(_) => refused("the text must not be cut into words before it is merged"),
            None => {
                let reason =
                    "it must write spaces as ▁, and may put one before the text, and nothing else";
                Err(unfit("normalizer", found.to_string(), reason))
            }
        }
    }
}

/// A character tokenizer: the other kind without merges, and with the character for a space that it has.
pub(super) fn characters(
    mut vocabulary: GgufVocabulary,
    types: &[TokenType],
) -> Result<GgufVocabulary, TokenizerError> {
    if vocabulary.tokens.iter().any(|token| token == SPACE) {
        let reason = "it stands for the space there";
        return Err(unfit("character", SPACE, reason));
    }
    for (token, kind) in vocabulary.tokens.iter_mut().zip(types) {
        if *kind == TokenType::Normal && token == " " {
            SPACE.clone_into(token);
        }
    }
    let scores = scores(&vocabulary.tokens, &[], types)?;
    Ok(GgufVocabulary {
        model: SENTENCE_PIECE.to_owned(),
        scores,
        add_space_prefix: Some(false),
        ..vocabulary
    })
}

fn scores(
    tokens: &[String],
    merges: &[(&str, &str)],
    types: &[TokenType],
) -> Result<Vec<f32>, TokenizerError> {
    let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
    // A space in the text may still become part of what is cut out otherwise.
    let cut_out = |id: usize| types[id] == TokenType::UserDefined && !tokens[id].contains(SPACE);
    let special = |id: usize| types[id].is_special() || types[id] == TokenType::Byte;
    merges::to_scores(&tokens, merges, cut_out, special).map_err(|found| {
        let reason = "scores for single tokens cannot stand for it";
        unfit("list of merges", found.to_string(), reason)
    })
}
