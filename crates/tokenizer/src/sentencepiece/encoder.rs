//! Encoding exactly as SentencePiece does.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustc_hash::FxHashMap;
use serde_json::Value;
use tokenizers::{AddedToken, AddedVocabulary, NormalizerWrapper, OffsetReferential, OffsetType};

use super::charsmap::Charsmap;
use super::normalize::Normalizer;
use super::settings::{self, Settings};
use super::vocabulary::{Kind, Piece, Trie, Vocabulary};
use super::{bpe, unigram};
use crate::error::TokenizerError;
use crate::tokenizer::Engine;
use crate::words;

/// Encodes as SentencePiece does. The symbols of the file count as text; tokens that were added later are cut out first, and what lies between
/// them is encoded as texts of their own.
pub(crate) struct Sentences {
    normalizer: Normalizer,
    vocabulary: Vocabulary,
    model: Model,
    unknown: u32,
    /// Ids of the 256 bytes, where characters without a piece become those.
    bytes: Option<Vec<u32>>,
    /// Special and later tokens.
    added: AddedVocabulary,
    /// The same, set to take special ones for text.
    plain: AddedVocabulary,
}

enum Model {
    /// Whether words can be encoded one by one, because no piece has a ▁ after another character.
    Bpe {
        by_words: bool,
    },
    Unigram(Trie),
}

impl Sentences {
    /// Reads a definition that has `settings`, less its added tokens.
    ///
    /// # Errors
    /// [`TokenizerError::Key`] where the settings do not fit the rest of the definition.
    pub(crate) fn new(
        definition: &Value,
        settings: &Settings,
        path: &Path,
    ) -> Result<Self, TokenizerError> {
        let wrong = |expected| settings::wrong(path, expected);
        let model = &definition["model"];
        let unigram = model["type"] == "Unigram";
        let texts = texts(model, unigram)
            .ok_or_else(|| wrong("set for a BPE or unigram model whose ids have no gaps"))?;
        let scores: Vec<f32> = if unigram {
            let scores = model["vocab"].as_array().into_iter().flatten();
            scores
                .map(|piece| piece[1].as_f64().unwrap_or(f64::NAN) as f32)
                .collect()
        } else {
            settings.scores.clone()
        };
        if scores.len() != texts.len() || !scores.iter().all(|score| score.is_finite()) {
            return Err(wrong("settings with a score for each piece"));
        }

        let ids: HashMap<&str, u32> = texts.iter().copied().zip(0..).collect();
        let unknown = match model["unk_id"].as_u64() {
            Some(id) => u32::try_from(id)
                .ok()
                .filter(|id| (*id as usize) < texts.len()),
            None => model["unk_token"]
                .as_str()
                .and_then(|token| ids.get(token).copied()),
        };
        let unknown = unknown.ok_or_else(|| wrong("set for a model with an unknown token"))?;
        let byte = |byte| ids.get(format!("<0x{byte:02X}>").as_str()).copied();
        let bytes = (model["byte_fallback"] == true)
            .then(|| (0..=u8::MAX).map(byte).collect::<Option<Vec<_>>>());
        if bytes == Some(None) {
            return Err(wrong("set for a model with all bytes"));
        }
        let bytes = bytes.flatten();

        let added = definition["added_tokens"].as_array().into_iter().flatten();
        let special = added.filter(|token| token["special"] == true);
        let mut no_text: HashSet<&str> = special
            .filter_map(|token| token["content"].as_str())
            .collect();
        no_text.insert(texts[unknown as usize]);
        let byte_ids: HashSet<u32> = bytes.iter().flatten().copied().collect();
        let [defined, unused] = [&settings.user_defined, &settings.unused]
            .map(|ids| ids.iter().copied().collect::<HashSet<u32>>());
        let pieces = texts
            .iter()
            .zip(0..)
            .zip(&scores)
            .filter_map(|((text, id), score)| {
                let kind = match id {
                    id if defined.contains(&id) => Kind::UserDefined,
                    id if unused.contains(&id) => Kind::Unused,
                    _ => Kind::Normal,
                };
                let wanted = !no_text.contains(text) && !byte_ids.contains(&id);
                wanted.then_some(Piece {
                    text,
                    id,
                    score: *score,
                    kind,
                })
            });
        let vocabulary = Vocabulary::new(pieces);
        let model = if unigram {
            Model::Unigram(Trie::new(&vocabulary))
        } else {
            let within_words = vocabulary
                .texts()
                .all(|(text, _)| words::next_cut(text).is_none());
            // What unused pieces are cut into depends on the whole text.
            Model::Bpe {
                by_words: within_words && !vocabulary.has_unused(),
            }
        };
        Ok(Self {
            normalizer: Normalizer {
                charsmap: charsmap(definition, path)?,
                add_dummy_prefix: settings.add_dummy_prefix,
                remove_extra_whitespaces: settings.remove_extra_whitespaces,
            },
            vocabulary,
            model,
            unknown,
            bytes,
            added: AddedVocabulary::new(),
            plain: AddedVocabulary::new(),
        })
    }

    /// Takes over the added tokens of `engine`.
    pub(crate) fn with_added(mut self, engine: &Engine) -> Self {
        let is_symbol = |id: u32, token: &AddedToken| {
            let piece = self.vocabulary.piece(&token.content);
            piece == Some(id) && self.vocabulary.kind(id) == Kind::UserDefined
        };
        let mut tokens: Vec<_> = engine.get_added_tokens_decoder().into_iter().collect();
        tokens.retain(|(id, token)| !is_symbol(*id, token));
        tokens.sort_by_key(|(id, _)| *id);
        let tokens: Vec<_> = tokens.into_iter().map(|(_, token)| token).collect();
        self.added
            .add_tokens(&tokens, engine.get_model(), None::<&NormalizerWrapper>);
        self.plain = self.added.clone();
        self.plain.set_encode_special_tokens(true);
        self
    }

    /// Encodes `text`, in which special tokens are text.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_between(&self.plain, text, None)
    }

    /// Encodes `text`, in which special tokens stand for their ids.
    pub(crate) fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_between(&self.added, text, None)
    }

    /// The same, with `mark` taken out of the text between the special tokens.
    pub(crate) fn encode_marked(&self, text: &str, mark: char) -> Result<Vec<u32>, TokenizerError> {
        self.encode_between(&self.added, text, Some(mark))
    }

    fn encode_between(
        &self,
        added: &AddedVocabulary,
        text: &str,
        mark: Option<char>,
    ) -> Result<Vec<u32>, TokenizerError> {
        let parts = added.extract_and_normalize(None::<&NormalizerWrapper>, text);
        let mut ids = Vec::with_capacity(text.len() / 3);
        for (part, (start, end), tokens) in
            parts.get_splits(OffsetReferential::Original, OffsetType::Byte)
        {
            let marked = mark.filter(|mark| text[start..end].contains(*mark));
            match (tokens.as_ref().and_then(|tokens| tokens.first()), marked) {
                (Some(token), Some(_)) => {
                    return Err(TokenizerError::ChatSpecial {
                        token: token.value.clone(),
                    });
                }
                (Some(token), None) => ids.push(token.id),
                (None, Some(mark)) => self.push(&part.replace(mark, ""), &mut ids),
                (None, None) => self.push(part, &mut ids),
            }
        }
        Ok(ids)
    }

    /// Appends the ids of `text`, encoded on its own.
    fn push(&self, text: &str, ids: &mut Vec<u32>) {
        let normalized = self.normalizer.normalize(text, &self.vocabulary.symbols);
        let start = ids.len();
        match &self.model {
            Model::Unigram(trie) => {
                unigram::push_ids(&self.vocabulary, trie, &normalized, &mut |id, part| {
                    self.push_piece(id, part, ids);
                });
            }
            Model::Bpe { by_words: false } => self.push_merged(&normalized, ids),
            Model::Bpe { by_words: true } => {
                let mut known: FxHashMap<&str, Range<usize>> = FxHashMap::default();
                for word in words::cut_at_spaces(&normalized) {
                    if let Some(range) = known.get(word) {
                        ids.extend_from_within(range.clone());
                    } else {
                        let start = ids.len();
                        self.push_merged(word, ids);
                        known.insert(word, start..ids.len());
                    }
                }
            }
        }
        // Characters without a piece that follow each other are one unknown piece.
        let (mut kept, mut after_unknown) = (start, false);
        for index in start..ids.len() {
            let id = ids[index];
            if !(after_unknown && id == self.unknown) {
                ids[kept] = id;
                kept += 1;
            }
            after_unknown = id == self.unknown;
        }
        ids.truncate(kept);
    }

    fn push_merged(&self, text: &str, ids: &mut Vec<u32>) {
        bpe::push_ids(&self.vocabulary, text, &mut |id, part| {
            self.push_piece(id, part, ids)
        });
    }

    fn push_piece(&self, id: Option<u32>, part: &str, ids: &mut Vec<u32>) {
        match (id, &self.bytes) {
            (Some(id), _) => ids.push(id),
            (None, None) => ids.push(self.unknown),
            (None, Some(bytes)) => ids.extend(part.bytes().map(|byte| bytes[usize::from(byte)])),
        }
    }
}

/// The pieces of a model, by id; none where there are gaps.
fn texts(model: &Value, unigram: bool) -> Option<Vec<&str>> {
    if unigram {
        return model["vocab"]
            .as_array()?
            .iter()
            .map(|piece| piece[0].as_str())
            .collect();
    }
    let vocab = model["vocab"]
        .as_object()
        .filter(|_| model["type"] == "BPE")?;
    let mut texts = vec![None; vocab.len()];
    for (text, id) in vocab {
        *texts.get_mut(usize::try_from(id.as_u64()?).ok()?)? = Some(text.as_str());
    }
    texts.into_iter().collect()
}

/// The table of characters in the normalizer of a definition.
fn charsmap(definition: &Value, path: &Path) -> Result<Option<Charsmap>, TokenizerError> {
    let steps = definition["normalizer"]["normalizers"]
        .as_array()
        .into_iter()
        .flatten();
    let mut tables = steps.filter(|step| step["type"] == "Precompiled");
    let Some(table) = tables.next() else {
        return Ok(None);
    };
    let table = table["precompiled_charsmap"].as_str();
    let table = table.and_then(|table| STANDARD.decode(table).ok());
    let table = table.and_then(|table| Charsmap::read(&table).ok());
    let wrong = || {
        settings::wrong(
            path,
            "set beside a precompiled_charsmap that is a whole table in base64",
        )
    };
    table.map(Some).ok_or_else(wrong)
}
