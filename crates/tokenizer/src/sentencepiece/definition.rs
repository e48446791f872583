//! The definition that stands for a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::SPACE;
use super::read::{File, Type};
use super::settings::{KEY, Settings};
use crate::definition;
use crate::gguf::merges::{self, Piece};

/// Makes the definition of a file; none where its merges would fill the memory.
pub(super) fn make(file: &File) -> Option<Value> {
    let added = file.pieces.iter().enumerate().filter_map(|(id, piece)| {
        let special = matches!(piece.kind, Type::Control | Type::Unknown);
        let wanted = special || piece.kind == Type::UserDefined;
        let id = u32::try_from(id).ok()?;
        wanted.then(|| definition::added_token(id, &piece.text, special))
    });
    let added = added.collect();
    let mut definition = if file.unigram {
        let mut definition = definition::bpe(added, Map::new(), Vec::new());
        let pieces = file.pieces.iter();
        let vocab = pieces.map(|piece| json!([piece.text, f64::from(piece.score)]));
        definition["model"] = json!({
            "type": "Unigram",
            "unk_id": file.unknown,
            "vocab": Value::Null,
            "byte_fallback": file.byte_fallback,
        });
        definition["model"]["vocab"] = vocab.collect();
        definition
    } else {
        let vocab = file.pieces.iter().enumerate();
        let vocab = vocab.map(|(id, piece)| (piece.text.clone(), json!(id)));
        let mut definition = definition::bpe(added, vocab.collect(), merges(file)?);
        let model = &mut definition["model"];
        model["unk_token"] = json!(file.pieces[file.unknown].text);
        model["fuse_unk"] = json!(true);
        model["byte_fallback"] = json!(file.byte_fallback);
        definition
    };
    definition["normalizer"] = normalizer(file);
    definition["decoder"] = decoder(file);
    Some(definition)
}

/// The merges that the scores stand for.
fn merges(file: &File) -> Option<Vec<[String; 2]>> {
    let in_text = |kind| !matches!(kind, Type::Control | Type::Unknown | Type::Byte);
    let pieces = file.pieces.iter().enumerate();
    let pieces: Vec<_> = pieces
        .filter(|(_, piece)| in_text(piece.kind))
        .map(|(id, piece)| Piece {
            text: &piece.text,
            id,
            score: piece.score,
        })
        .collect();
    let merges = merges::from_scores(&pieces)?.into_iter();
    let halves =
        |(left, right): (usize, usize)| [left, right].map(|half| pieces[half].text.to_owned());
    Some(merges.map(halves).collect())
}

/// What the library does to a text first, and beside it what is needed to do it exactly.
fn normalizer(file: &File) -> Value {
    let mut steps = Vec::new();
    if let Some(charsmap) = &file.charsmap {
        let charsmap = STANDARD.encode(charsmap);
        steps.push(json!({"type": "Precompiled", "precompiled_charsmap": charsmap}));
    }
    if file.remove_extra_whitespaces {
        for (pattern, content) in [("^ +| +$", ""), (" {2,}", " ")] {
            steps.push(
                json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content}),
            );
        }
    }
    if file.add_dummy_prefix {
        steps.push(json!({"type": "Prepend", "prepend": SPACE}));
    }
    steps.push(json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE}));
    let ids = |kind| {
        let pieces = (0..).zip(&file.pieces);
        let pieces = pieces.filter(move |(_, piece)| piece.kind == kind);
        pieces.map(|(id, _)| id).collect()
    };
    let scores = file.pieces.iter().map(|piece| piece.score);
    let settings = Settings {
        add_dummy_prefix: file.add_dummy_prefix,
        remove_extra_whitespaces: file.remove_extra_whitespaces,
        unk_surface: file.unk_surface.clone(),
        user_defined: ids(Type::UserDefined),
        unused: ids(Type::Unused),
        scores: scores.filter(|_| !file.unigram).collect(),
    };
    json!({"type": "Sequence", "normalizers": steps, KEY: settings})
}

/// How the library decodes.
fn decoder(file: &File) -> Value {
    let mut steps = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if file.add_dummy_prefix || file.remove_extra_whitespaces {
        steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    json!({"type": "Sequence", "decoders": steps})
}
