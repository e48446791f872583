//! Reading a file of SentencePiece: every value is checked before anything is made of it.

use std::collections::HashMap;
use std::path::Path;

use prost::Message;
use serde_json::{Map, Value, json};

use super::charsmap::{Charsmap, Damage};
use super::definition;
use super::proto::{ModelProto, NormalizerProto, PieceProto};
use crate::error::TokenizerError;
use crate::load::wrong_key;
use crate::pieces::fallback_byte;

/// What decides about ids in a file.
pub(super) struct File {
    /// Whether the pieces with the best sum are taken, instead of putting neighbours together.
    pub(super) unigram: bool,
    /// The pieces, by id.
    pub(super) pieces: Vec<Piece>,
    /// Id of the unknown piece.
    pub(super) unknown: usize,
    pub(super) byte_fallback: bool,
    pub(super) unk_surface: String,
    /// Not empty, and read as a [`Charsmap`] once.
    pub(super) charsmap: Option<Vec<u8>>,
    pub(super) add_dummy_prefix: bool,
    pub(super) remove_extra_whitespaces: bool,
}

/// A piece.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: Type,
}

/// Type of a piece; the numbers are those of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// Whether bytes are a file of SentencePiece, as far as its parts can be told apart.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    // The first field of a file is a piece, whose first field is its text.
    matches!(bytes, [0x0A, _, 0x0A, ..]) && ModelProto::decode(bytes).is_ok()
}

/// Reads a file as the definition that a `tokenizer.json` would hold, and puts into `config` what the file says of special tokens and a
/// `tokenizer_config.json` beside it does not.
///
/// # Errors
/// [`TokenizerError::SentencePiece`] for other bytes, [`TokenizerError::SentencePieceUnsupported`] for what is not supported, and one variant
/// for each way in which values can be wrong.
pub(crate) fn read(
    bytes: &[u8],
    path: &Path,
    config: &mut Map<String, Value>,
) -> Result<Value, TokenizerError> {
    let proto = ModelProto::decode(bytes).map_err(|source| TokenizerError::SentencePiece {
        path: path.to_owned(),
        source,
    })?;
    let file = check(&proto, path)?;
    let mut definition = definition::make(&file).ok_or_else(|| {
        wrong_key(
            path,
            "pieces",
            "those of text; these are so long and alike that there is no end to the merges",
        )
    })?;
    name_special(&proto, &file, config);
    definition["post_processor"] = post_processor(&file, config);
    Ok(definition)
}

fn check(proto: &ModelProto, path: &Path) -> Result<File, TokenizerError> {
    let trainer = proto.trainer.clone().unwrap_or_default();
    let normalizer = proto.normalizer.clone().unwrap_or_default();
    let refused =
        |key: &'static str, found: &'static str| TokenizerError::SentencePieceUnsupported {
            path: path.to_owned(),
            key,
            found,
        };
    let unigram = match trainer.model_type() {
        1 => true,
        2 => false,
        3 => return Err(refused("trainer_spec.model_type", "word")),
        4 => return Err(refused("trainer_spec.model_type", "char")),
        _ => {
            return Err(wrong_key(
                path,
                "trainer_spec.model_type",
                "1 (unigram) or 2 (bpe)",
            ));
        }
    };
    if trainer.treat_whitespace_as_suffix() {
        return Err(refused("trainer_spec.treat_whitespace_as_suffix", "true"));
    }
    if !normalizer.escape_whitespaces() {
        return Err(refused("normalizer_spec.escape_whitespaces", "false"));
    }
    let rewrites = |rules: &NormalizerProto| !rules.precompiled_charsmap().is_empty();
    if proto.denormalizer.as_ref().is_some_and(rewrites) {
        return Err(refused("denormalizer_spec.precompiled_charsmap", "set"));
    }
    if rewrites(&normalizer) {
        let key = "normalizer_spec.precompiled_charsmap";
        let damage = |damage| match damage {
            Damage::Array => {
                wrong_key(path, key, "a table whose array leads nowhere outside of it")
            }
            Damage::Texts => wrong_key(path, key, "a table of UTF-8 texts, each with its end"),
        };
        Charsmap::read(normalizer.precompiled_charsmap()).map_err(damage)?;
    }

    let pieces = pieces(&proto.pieces, path)?;
    let of_type = |kind| {
        (0..)
            .zip(&pieces)
            .filter(move |(_, piece): &(usize, &Piece)| piece.kind == kind)
    };
    let mut unknown = of_type(Type::Unknown).map(|(id, _)| id);
    let (Some(unknown), None) = (unknown.next(), unknown.next()) else {
        return Err(wrong_key(
            path,
            "pieces",
            "a list with one piece of type 2 (unknown)",
        ));
    };
    let bytes = of_type(Type::Byte).count();
    // Each is a byte, and no two are alike.
    if bytes != if trainer.byte_fallback() { 256 } else { 0 } {
        let expected = "a list with all 256 pieces of type 6 (byte) where trainer_spec.byte_fallback is true, and none where it is false";
        return Err(wrong_key(path, "pieces", expected));
    }
    Ok(File {
        unigram,
        unknown,
        pieces,
        byte_fallback: trainer.byte_fallback(),
        unk_surface: trainer.unk_surface().to_owned(),
        charsmap: rewrites(&normalizer).then(|| normalizer.precompiled_charsmap().to_vec()),
        add_dummy_prefix: normalizer.add_dummy_prefix(),
        remove_extra_whitespaces: normalizer.remove_extra_whitespaces(),
    })
}

/// Checks each piece, and that none has two ids.
fn pieces(protos: &[PieceProto], path: &Path) -> Result<Vec<Piece>, TokenizerError> {
    let mut pieces = Vec::with_capacity(protos.len());
    let mut ids: HashMap<&str, usize> = HashMap::with_capacity(protos.len());
    for (id, proto) in protos.iter().enumerate() {
        let wrong =
            |field: &str, expected| wrong_key(path, &format!("pieces[{id}]{field}"), expected);
        let text = proto.piece();
        if text.is_empty() {
            return Err(wrong(".piece", "a text, not empty"));
        }
        let score = proto.score();
        if !score.is_finite() {
            return Err(wrong(".score", "a finite number"));
        }
        let kind = match proto.kind() {
            1 => Type::Normal,
            2 => Type::Unknown,
            3 => Type::Control,
            4 => Type::UserDefined,
            5 => Type::Unused,
            6 if fallback_byte(text).is_some_and(|byte| format!("<0x{byte:02X}>") == text) => {
                Type::Byte
            }
            6 => return Err(wrong(".piece", "written like <0x0A>, being a byte")),
            _ => {
                return Err(wrong(
                    ".type",
                    "1 (normal), 2 (unknown), 3 (control), 4 (user defined), 5 (unused) or 6 (byte)",
                ));
            }
        };
        if let Some(first) = ids.insert(text, id) {
            return Err(TokenizerError::DuplicatePiece {
                path: path.to_owned(),
                piece: text.to_owned(),
                first,
                second: id,
            });
        }
        pieces.push(Piece {
            text: text.to_owned(),
            score,
            kind,
        });
    }
    if pieces.is_empty() {
        return Err(wrong_key(path, "pieces", "a list of pieces, not empty"));
    }
    Ok(pieces)
}

/// Names the special tokens of the file that `config` does not; those that begin and end a text are null where there is none, so that no
/// other is taken for them by its name.
fn name_special(proto: &ModelProto, file: &File, config: &mut Map<String, Value>) {
    let trainer = proto.trainer.clone().unwrap_or_default();
    let names = [
        ("bos_token", trainer.bos_piece, "<s>", true),
        ("eos_token", trainer.eos_piece, "</s>", true),
        ("pad_token", trainer.pad_piece, "<pad>", false),
    ];
    for (key, piece, usual, or_null) in names {
        let name = piece
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| usual.to_owned());
        let mut control = file
            .pieces
            .iter()
            .filter(|piece| piece.kind == Type::Control);
        let found = control.any(|piece| piece.text == name);
        if !config.contains_key(key) && (found || or_null) {
            config.insert(
                key.to_owned(),
                if found { json!(name) } else { Value::Null },
            );
        }
    }
    let unknown = &file.pieces[file.unknown].text;
    config.entry("unk_token").or_insert_with(|| json!(unknown));
}

/// With what texts begin and end: as `config` says, and otherwise a BPE with the token that begins a text, as LLaMA and Mistral have it.
fn post_processor(file: &File, config: &Map<String, Value>) -> Value {
    let wanted = |key: &str, usual| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let token = |key: &str| {
        let token = config.get(key)?;
        let name = token.as_str().or_else(|| token["content"].as_str())?;
        let id = file.pieces.iter().position(|piece| piece.text == name)?;
        Some((u32::try_from(id).ok()?, name))
    };
    let before = token("bos_token").filter(|_| wanted("add_bos_token", !file.unigram));
    let after = token("eos_token").filter(|_| wanted("add_eos_token", false));
    crate::definition::template(before, after)
}
