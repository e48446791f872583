//! The vocabulary for a GGUF file out of a tokenizer.
//!
//! What a GGUF file cannot say is refused: a program that reads the file would otherwise encode texts in another way, and nobody would notice.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokenizers::{AddedToken, Model, ModelWrapper};

use super::pre_tokenizers;
use super::{BYTE_LEVEL, GgufVocabulary, TokenType, byte_token, filler, scored};
use crate::byte_level;
use crate::error::TokenizerError;
use crate::tokenizer::{Encoder, Tokenizer};

impl Tokenizer {
    /// The vocabulary for the GGUF file of a model with `vocab_size` rows. Ids without a token are filled with unused ones, `[PAD123]`.
    ///
    /// # Errors
    /// [`TokenizerError::GgufRows`] where the tokenizer has more ids than the model has rows, [`TokenizerError::GgufUnfit`] for a tokenizer
    /// that a GGUF vocabulary cannot stand for.
    pub fn to_gguf(&self, vocab_size: usize) -> Result<GgufVocabulary, TokenizerError> {
        if vocab_size < self.vocab_size() {
            return Err(TokenizerError::GgufRows {
                rows: vocab_size,
                tokens: self.vocab_size(),
            });
        }
        Writer::new(self).write(vocab_size)
    }
}

/// A tokenizer, and its definition to look things up in.
pub(super) struct Writer<'t> {
    pub(super) tokenizer: &'t Tokenizer,
    pub(super) definition: Value,
    added: HashMap<u32, AddedToken>,
}

impl<'t> Writer<'t> {
    fn new(tokenizer: &'t Tokenizer) -> Self {
        let inner = tokenizer.inner();
        Self {
            tokenizer,
            definition: serde_json::from_str(tokenizer.definition())
                .expect("the canonical definition is JSON"),
            added: inner
                .engine
                .get_added_tokens_decoder()
                .into_iter()
                .collect(),
        }
    }

    fn write(&self, vocab_size: usize) -> Result<GgufVocabulary, TokenizerError> {
        let inner = self.tokenizer.inner();
        let model = &self.definition["model"];
        let kind = match inner.engine.get_model() {
            ModelWrapper::BPE(_) => Ok(()),
            ModelWrapper::WordPiece(_) => Err("WordPiece"),
            ModelWrapper::WordLevel(_) => Err("WordLevel"),
            ModelWrapper::Unigram(_) => Err("Unigram"),
        };
        kind.map_err(|kind| {
            unfit(
                "model",
                kind,
                "only BPE and character tokenizers can be written",
            )
        })?;
        for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
            if !model[key].is_null() && model[key] != "" {
                return Err(unfit(
                    key,
                    model[key].to_string(),
                    "nothing stands for it there",
                ));
            }
        }
        self.check_added()?;

        let (tokens, types) = self.tokens(vocab_size)?;
        let (add_bos, add_eos) = self.template()?;
        let vocabulary = GgufVocabulary {
            tokens,
            token_types: types.iter().map(|kind| *kind as i32).collect(),
            bos: self.tokenizer.bos(),
            eos: self.tokenizer.eos(),
            unknown: inner.unknown,
            padding: self.padding(),
            add_bos: Some(add_bos),
            add_eos: Some(add_eos),
            chat_template: self.tokenizer.templates().default_source()?,
            ..GgufVocabulary::default()
        };
        if let Encoder::Characters(_) = inner.encoder {
            scored::characters(vocabulary, &types)
        } else if inner.pieces.byte_level() {
            self.byte_level(vocabulary)
        } else {
            self.sentence_piece(vocabulary, &types)
        }
    }

    /// Added tokens are looked for as they are written, and nothing else.
    fn check_added(&self) -> Result<(), TokenizerError> {
        let normalizes = !self.definition["normalizer"].is_null();
        for token in self.added.values() {
            let plain = !token.single_word && !token.lstrip && !token.rstrip;
            if !plain || (token.normalized && normalizes) {
                let found = format!("{:?}", token.content);
                let reason = "it must not be bound to whole words or white space, nor be looked for in normalized text";
                return Err(unfit("added token", found, reason));
            }
        }
        Ok(())
    }

    fn tokens(&self, vocab_size: usize) -> Result<(Vec<String>, Vec<TokenType>), TokenizerError> {
        let inner = self.tokenizer.inner();
        let fallback = inner.pieces.byte_fallback();
        let bytes: HashSet<_> = (0..=u8::MAX).map(byte_token).collect();
        let mut tokens = Vec::with_capacity(vocab_size);
        let mut types = Vec::with_capacity(vocab_size);
        for index in 0..vocab_size {
            let id = u32::try_from(index).ok();
            let token = id.and_then(|id| Some((id, self.tokenizer.token(id)?)));
            let (token, kind) = match token {
                None => (filler(index), TokenType::Unused),
                Some((id, token)) => {
                    let kind = match self.added.get(&id) {
                        Some(added) if !added.special => TokenType::UserDefined,
                        Some(_) if fallback && inner.unknown == Some(id) => TokenType::Unknown,
                        Some(_) => TokenType::Control,
                        None if fallback && bytes.contains(&token) => TokenType::Byte,
                        None => TokenType::Normal,
                    };
                    (token, kind)
                }
            };
            tokens.push(token);
            types.push(kind);
        }
        let mut seen = HashSet::with_capacity(tokens.len());
        match tokens
            .iter()
            .find(|token| token.is_empty() || !seen.insert(*token))
        {
            None => Ok((tokens, types)),
            Some(token) => Err(unfit(
                "token",
                format!("{token:?}"),
                "each needs a text of its own",
            )),
        }
    }

    /// Whether texts begin with the token of `bos` and end with that of `eos`.
    fn template(&self) -> Result<(bool, bool), TokenizerError> {
        let refused = |found: &Value| {
            let reason = "it must add nothing to a text but the tokens that begin and end it";
            Err(unfit("post-processor", found["type"].to_string(), reason))
        };
        let post_processor = &self.definition["post_processor"];
        let list = match post_processor["processors"].as_array() {
            Some(list) if post_processor["type"] == "Sequence" => list.iter().collect(),
            _ => vec![post_processor],
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for processor in list {
            match processor["type"].as_str() {
                // That of the byte-level kind is about offsets.
                None | Some("ByteLevel") => {}
                Some("TemplateProcessing") => {
                    let mut text_seen = false;
                    for part in processor["single"]
                        .as_array()
                        .map_or(&[][..], Vec::as_slice)
                    {
                        match part["SpecialToken"]["id"].as_str() {
                            None => text_seen = true,
                            Some(name) => {
                                let ids = &processor["special_tokens"][name]["ids"];
                                let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
                                if text_seen { &mut after } else { &mut before }
                                    .extend(ids.iter().map(Value::as_u64));
                            }
                        }
                    }
                }
                Some(_) => return refused(processor),
            }
        }
        let only = |ids: &[Option<u64>], id: Option<u32>| match ids {
            [] => Some(false),
            [one] if id.is_some() && *one == id.map(u64::from) => Some(true),
            _ => None,
        };
        match (
            only(&before, self.tokenizer.bos()),
            only(&after, self.tokenizer.eos()),
        ) {
            (Some(before), Some(after)) => Ok((before, after)),
            _ => refused(post_processor),
        }
    }

    /// Id of the token that fills up short texts, which only the configuration names.
    fn padding(&self) -> Option<u32> {
        let token = &self.tokenizer.inner().config.get("pad_token")?;
        let name = token.as_str().or_else(|| token["content"].as_str())?;
        self.tokenizer.id_of(name)
    }

    fn byte_level(&self, vocabulary: GgufVocabulary) -> Result<GgufVocabulary, TokenizerError> {
        let Some(rule) = pre_tokenizers::recognise(&self.definition) else {
            let part = |name: &str| self.definition[name].to_string();
            let found = format!("{} after {}", part("pre_tokenizer"), part("normalizer"));
            return Err(unfit(
                "pre-tokenizer",
                found,
                "there is no name for this rule",
            ));
        };
        self.check_decoder(
            &self.definition["decoder"]["type"],
            &Value::from("ByteLevel"),
        )?;
        let model = self.tokenizer.inner().engine.get_model();
        let whole = (0..=u8::MAX).all(|byte| {
            model
                .token_to_id(&byte_level::symbol(byte).to_string())
                .is_some()
        });
        if !whole && !self.definition["model"]["unk_token"].is_null() {
            let reason = "bytes without a token would be passed over instead of becoming it";
            return Err(unfit("unk_token", "set", reason));
        }
        let mut merges = Vec::new();
        for (left, right) in self.merges() {
            if left.contains(' ') || right.contains(' ') {
                let found = format!("{left:?} and {right:?}");
                return Err(unfit("merge", found, "a space parts the two there"));
            }
            merges.push(format!("{left} {right}"));
        }
        Ok(GgufVocabulary {
            model: BYTE_LEVEL.to_owned(),
            pre: Some(rule.name().to_owned()),
            merges,
            ..vocabulary
        })
    }

    pub(super) fn check_decoder(
        &self,
        found: &Value,
        expected: &Value,
    ) -> Result<(), TokenizerError> {
        if found == expected {
            return Ok(());
        }
        let found = self.definition["decoder"].to_string();
        Err(unfit(
            "decoder",
            found,
            "texts are decoded in another way there",
        ))
    }

    /// The merges, in the order they are applied.
    pub(super) fn merges(&self) -> Vec<(&str, &str)> {
        let merges = self.definition["model"]["merges"].as_array();
        let merges = merges.map_or(&[][..], Vec::as_slice).iter();
        merges.filter_map(pair).collect()
    }
}

/// A merge, which older files write as one text.
fn pair(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(pair) => pair.split_once(' '),
        other => Some((other[0].as_str()?, other[1].as_str()?)),
    }
}

pub(super) fn unfit(
    part: &'static str,
    found: impl Into<String>,
    reason: &'static str,
) -> TokenizerError {
    TokenizerError::GgufUnfit {
        part,
        found: found.into(),
        reason,
    }
}
