//! A tokenizer from the vocabulary of a GGUF file.
//!
//! The vocabulary is turned into the definition that a `tokenizer.json` of the same tokenizer holds, and goes the way of those from there on.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::checks::{
    check_distinct, check_lengths, is_byte_token, key, name_empty_tokens, rule, types,
};
use super::merges::{self, Piece};
use super::pre_tokenizers::PreTokenizer;
use super::{BYTE_LEVEL, GgufVocabulary, SENTENCE_PIECE, SPACE, TokenType, filler};
use crate::assemble::assemble;
use crate::characters;
use crate::chat::Templates;
use crate::definition;
use crate::error::TokenizerError;
use crate::load::wrong_key;
use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// The tokenizer of a GGUF file; `path` names the file in errors.
    ///
    /// Unused tokens called `[PAD123]` after their id only fill up the model's vocabulary, and are left out. The kind `llama` without byte
    /// tokens, whose tokens are single characters and which puts no space before a text, is a character tokenizer as [`Tokenizer::to_gguf`]
    /// writes it.
    ///
    /// # Errors
    /// One variant for each way in which the values can be missing, wrong, at odds with each other, or of a kind that is not known here.
    pub fn from_gguf(vocabulary: GgufVocabulary, path: &Path) -> Result<Self, TokenizerError> {
        let reader = Reader::new(vocabulary, path)?;
        let definition = match reader.vocabulary.model.as_str() {
            BYTE_LEVEL => reader.byte_level()?,
            SENTENCE_PIECE if reader.is_characters() => reader.characters(),
            _ => reader.sentence_piece()?,
        };
        let template = reader.vocabulary.chat_template.as_deref();
        let templates = Templates::of_file(path, template);
        assemble(definition, path, reader.config(), templates)
    }
}

/// A vocabulary whose parts fit each other.
struct Reader<'p> {
    path: &'p Path,
    vocabulary: GgufVocabulary,
    types: Vec<TokenType>,
    /// Whether a token is one; not so for those that only fill up.
    real: Vec<bool>,
    add_bos: bool,
    add_eos: bool,
    /// For the kind that has one.
    rule: Option<&'static PreTokenizer>,
}

impl<'p> Reader<'p> {
    fn new(mut vocabulary: GgufVocabulary, path: &'p Path) -> Result<Self, TokenizerError> {
        let rule = match vocabulary.model.as_str() {
            BYTE_LEVEL => Some(rule(vocabulary.pre.as_deref(), path)?),
            SENTENCE_PIECE => None,
            other => {
                return Err(TokenizerError::GgufKind {
                    path: path.to_owned(),
                    found: other.to_owned(),
                });
            }
        };
        check_lengths(&vocabulary, path)?;
        name_empty_tokens(&mut vocabulary.tokens);
        check_distinct(&vocabulary.tokens, path)?;
        let types = types(&vocabulary, path)?;
        let is_filler =
            |(id, token): (usize, &String)| types[id] == TokenType::Unused && *token == filler(id);
        let real: Vec<_> = vocabulary
            .tokens
            .iter()
            .enumerate()
            .map(|token| !is_filler(token))
            .collect();

        let ids = [
            ("bos_token_id", vocabulary.bos),
            ("eos_token_id", vocabulary.eos),
            ("unknown_token_id", vocabulary.unknown),
            ("padding_token_id", vocabulary.padding),
        ];
        for (name, id) in ids {
            if id.is_some_and(|id| real.get(id as usize) != Some(&true)) {
                return Err(wrong_key(
                    path,
                    &key(name),
                    "the id of a token of the vocabulary",
                ));
            }
        }
        let by_kind = rule.is_none_or(|rule| rule.add_bos);
        let ends = |name, wanted: Option<bool>, by_kind, id: Option<u32>| {
            if wanted == Some(true) && id.is_none() {
                return Err(wrong_key(
                    path,
                    &key(name),
                    "false where the token has no id",
                ));
            }
            Ok(wanted.unwrap_or(by_kind) && id.is_some())
        };
        Ok(Self {
            add_bos: ends("add_bos_token", vocabulary.add_bos, by_kind, vocabulary.bos)?,
            add_eos: ends("add_eos_token", vocabulary.add_eos, false, vocabulary.eos)?,
            path,
            vocabulary,
            types,
            real,
            rule,
        })
    }

    /// The definition of a byte-level BPE.
    fn byte_level(&self) -> Result<Value, TokenizerError> {
        let vocab = self.vocab(|token| token.to_owned());
        let mut merges = Vec::with_capacity(self.vocabulary.merges.len());
        for (index, merge) in self.vocabulary.merges.iter().enumerate() {
            let wrong = |found: &str| TokenizerError::GgufMerge {
                path: self.path.to_owned(),
                index,
                merge: merge.clone(),
                token: found.to_owned(),
            };
            let Some((left, right)) = merge.split_once(' ') else {
                return Err(wrong(merge));
            };
            for token in [left, right, &format!("{left}{right}")] {
                if !vocab.contains_key(token) {
                    return Err(wrong(token));
                }
            }
            merges.push([left.to_owned(), right.to_owned()]);
        }
        let mut definition = definition::bpe(self.added_tokens(), vocab, merges);
        if let Some(rule) = self.rule {
            definition["normalizer"] = rule.normalizer();
            definition["pre_tokenizer"] = rule.pre_tokenizer();
            definition["model"]["ignore_merges"] = json!(rule.ignore_merges);
        }
        definition["decoder"] = definition::byte_level(true);
        definition["post_processor"] = self.post_processor();
        Ok(definition)
    }

    /// Whether this is a character tokenizer.
    fn is_characters(&self) -> bool {
        let mut tokens = self.tokens();
        self.vocabulary.add_space_prefix == Some(false)
            && tokens.all(|(id, token)| match self.types[id] {
                TokenType::Normal => token.chars().count() == 1,
                TokenType::Control => true,
                _ => false,
            })
    }

    /// The definition of a character tokenizer.
    fn characters(&self) -> Value {
        let vocab = self.vocab(|token| token.replace(SPACE, " "));
        let mut definition = characters::of_vocabulary(vocab, self.added_tokens());
        definition["post_processor"] = self.post_processor();
        definition
    }

    /// The definition of a BPE in the way of SentencePiece.
    fn sentence_piece(&self) -> Result<Value, TokenizerError> {
        let GgufVocabulary { tokens, scores, .. } = &self.vocabulary;
        let unknown_type = |id: &usize| self.types[*id] == TokenType::Unknown;
        let unknown = self.vocabulary.unknown.map(|id| id as usize);
        let unknown = unknown.or_else(|| (0..tokens.len()).find(unknown_type));
        let bytes = self.bytes()?;
        if unknown.is_none() && bytes < 256 {
            return Err(TokenizerError::GgufBytes {
                path: self.path.to_owned(),
                bytes,
            });
        }
        if scores.len() != tokens.len() {
            return Err(wrong_key(
                self.path,
                &key("scores"),
                "a list with a number for each token",
            ));
        }

        // What is no text must not come about by merges, a single byte as little.
        let is_piece =
            |id: &usize| !self.types[*id].is_special() && self.types[*id] != TokenType::Byte;
        let pieces: Vec<_> = self
            .tokens()
            .filter(|(id, _)| is_piece(id))
            .map(|(id, text)| Piece {
                text,
                id,
                score: scores[id],
            })
            .collect();
        let merges = merges::from_scores(&pieces);
        let merges = merges.ok_or_else(|| {
            wrong_key(
                self.path,
                &key("tokens"),
                "a vocabulary of text; these are so long and alike that there is no end to the merges",
            )
        })?;
        let merges = merges
            .into_iter()
            .map(|(left, right)| [left, right].map(|piece| pieces[piece].text.to_owned()))
            .collect();

        let vocab = self.vocab(|token| token.to_owned());
        let mut definition = definition::bpe(self.added_tokens(), vocab, merges);
        let model = &mut definition["model"];
        model["unk_token"] = json!(unknown.map(|id| &tokens[id]));
        model["fuse_unk"] = json!(true);
        model["byte_fallback"] = json!(bytes > 0);
        let prefix = self.vocabulary.add_space_prefix != Some(false);
        definition["normalizer"] = normalizer(prefix);
        definition["decoder"] = decoder(prefix);
        definition["post_processor"] = self.post_processor();
        Ok(definition)
    }

    /// Number of byte tokens.
    fn bytes(&self) -> Result<usize, TokenizerError> {
        let bytes = self
            .tokens()
            .filter(|(id, _)| self.types[*id] == TokenType::Byte);
        let mut number = 0;
        for (id, token) in bytes {
            if !is_byte_token(token) {
                let key = format!("{}[{id}]", key("tokens"));
                return Err(wrong_key(
                    self.path,
                    &key,
                    "written like <0x0A>, being a byte",
                ));
            }
            number += 1;
        }
        Ok(number)
    }

    /// The tokens and their ids.
    fn tokens(&self) -> impl Iterator<Item = (usize, &str)> {
        let tokens = self
            .vocabulary
            .tokens
            .iter()
            .map(String::as_str)
            .enumerate();
        tokens.filter(|(id, _)| self.real[*id])
    }

    /// The vocabulary of a definition; `spell` changes what is text.
    fn vocab(&self, spell: impl Fn(&str) -> String) -> Map<String, Value> {
        self.tokens()
            .map(|(id, token)| {
                let text = self.types[id] == TokenType::Normal;
                (
                    if text { spell(token) } else { token.to_owned() },
                    json!(id),
                )
            })
            .collect()
    }

    /// The tokens that are looked for in texts before anything else.
    fn added_tokens(&self) -> Vec<Value> {
        let added = self.tokens().filter_map(|(id, token)| {
            let kind = self.types[id];
            let wanted = kind.is_special() || kind == TokenType::UserDefined;
            let id = u32::try_from(id).ok()?;
            wanted.then(|| definition::added_token(id, token, kind.is_special()))
        });
        added.collect()
    }

    /// The post-processor of a definition, which says with what texts begin and end.
    fn post_processor(&self) -> Value {
        let name = |id: Option<u32>| Some((id?, self.vocabulary.tokens[id? as usize].as_str()));
        let before = name(self.vocabulary.bos).filter(|_| self.add_bos);
        let after = name(self.vocabulary.eos).filter(|_| self.add_eos);
        definition::template(before, after)
    }

    /// What a `tokenizer_config.json` would hold.
    fn config(&self) -> Map<String, Value> {
        let GgufVocabulary {
            tokens,
            bos,
            eos,
            unknown,
            padding,
            ..
        } = &self.vocabulary;
        let name = |id: &Option<u32>| json!(id.map(|id| &tokens[id as usize]));
        let mut config = Map::new();
        // These two are null where there is none, so that no token is taken for them by its name.
        config.insert("bos_token".to_owned(), name(bos));
        config.insert("eos_token".to_owned(), name(eos));
        if unknown.is_some() {
            config.insert("unk_token".to_owned(), name(unknown));
        }
        if padding.is_some() {
            config.insert("pad_token".to_owned(), name(padding));
        }
        config
    }
}

/// The normalizer of a BPE in the way of SentencePiece.
pub(super) fn normalizer(prefix: bool) -> Value {
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    if !prefix {
        return replace;
    }
    let prepend = json!({"type": "Prepend", "prepend": SPACE});
    json!({"type": "Sequence", "normalizers": [prepend, replace]})
}

/// Its decoder.
pub(super) fn decoder(prefix: bool) -> Value {
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({"type": "Sequence", "decoders": decoders})
}
