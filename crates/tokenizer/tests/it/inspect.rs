//! What is shown of the tokens of a text.

use llm_tokenizer::{Colours, Inspection, PieceKind, Tokenizer, TokenizerReport};
use proptest::prelude::*;
use serde_json::json;

use crate::{bpe, data_dir};

/// Kinds and texts of the tokens, a part of a character as its bytes.
fn pieces(inspection: &Inspection<'_>) -> Vec<(PieceKind, String)> {
    let text = inspection.text().as_bytes();
    let pieces = inspection.pieces().iter();
    let shown = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{bytes:02X?}"),
    };
    pieces
        .map(|piece| (piece.kind, shown(&text[piece.range.clone()])))
        .collect()
}

/// A tokenizer of another make, from its definition.
fn load(definition: &serde_json::Value) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, definition.to_string()).unwrap();
    Tokenizer::load(&path).unwrap()
}

#[test]
fn characters_cut_between_tokens_are_shown_as_bytes() {
    let tokenizer = Tokenizer::train_bpe(["the\n"; 9], 270).unwrap();
    let inspection = tokenizer.inspect("the é\n\tx").unwrap();
    use PieceKind::{Byte, Normal};
    let expected = [
        (Normal, "the"),
        (Normal, " "),
        (Byte, "[C3]"),
        (Byte, "[A9]"),
        (Normal, "\n"),
        (Normal, "\t"),
        (Normal, "x"),
    ];
    let expected = expected.map(|(kind, text)| (kind, text.to_owned()));
    assert_eq!(pieces(&inspection), expected);
    assert_eq!(inspection.render(Colours::None), "the│␣│<C3>│<A9>│⏎\n→│x");
    assert_eq!(inspection.pieces()[1].token, "Ġ");
}

#[test]
fn nothing_in_a_text_reaches_the_terminal() {
    let tokenizer = Tokenizer::train_bpe(["x"], 257).unwrap();
    let inspection = tokenizer.inspect("\u{1b}[31m\r\u{7f}").unwrap();
    let plain = inspection.render(Colours::None);
    assert_eq!(plain, "<U+001B>│[│3│1│m│<U+000D>│<U+007F>");
    let characters = "\u{202e}\u{a0}\u{2028}\u{9b}";
    let tokenizer = Tokenizer::train_characters([characters]).unwrap();
    let plain = tokenizer.inspect(characters).unwrap();
    let plain = plain.render(Colours::None);
    assert_eq!(plain, "<U+202E>│<U+00A0>│<U+2028>│<U+009B>");
}

#[test]
fn colours_change_from_token_to_token_and_end_with_the_line() {
    let tokenizer = Tokenizer::train_characters(["ab\n"]).unwrap();
    let inspection = tokenizer.inspect_with_special("a\nb<|endoftext|>").unwrap();
    let shown = inspection.render(Colours::Ansi);
    assert_eq!(
        shown,
        "\x1b[30;48;5;153ma\x1b[0m\x1b[30;48;5;223m⏎\x1b[0m\n\x1b[30;48;5;157mb\x1b[0m\x1b[30;48;5;214m<|endoftext|>\x1b[0m"
    );
}

#[test]
fn special_tokens_are_text_unless_they_are_asked_for() {
    let tokenizer = bpe();
    let text = "fox<|endoftext|>fox";
    let special = tokenizer.inspect_with_special(text).unwrap();
    let found = special
        .pieces()
        .iter()
        .find(|piece| piece.kind == PieceKind::Special);
    let found = found.unwrap();
    assert_eq!((found.id, found.range.clone()), (0, 3..16));
    let plain = tokenizer.inspect(text).unwrap();
    assert!(
        plain
            .pieces()
            .iter()
            .all(|piece| piece.kind == PieceKind::Normal)
    );
}

#[test]
fn places_in_a_text_that_was_changed_are_those_of_the_library() {
    let tokenizer = load(&json!({
        "version": "1.0",
        "added_tokens": [{"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": false},
        "model": {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"<unk>": 0, "fox": 1, "##es": 2}},
    }));
    let inspection = tokenizer.inspect("FOXES  ran").unwrap();
    use PieceKind::{Normal, Unknown};
    let expected = [(Normal, "FOX"), (Normal, "ES"), (Unknown, "ran")];
    let expected = expected.map(|(kind, text)| (kind, text.to_owned()));
    assert_eq!(pieces(&inspection), expected);

    let report = TokenizerReport::new(&tokenizer, [("a", "FOXES  ran")]).unwrap();
    let row = &report.texts[0];
    assert_eq!((row.tokens, row.unknown, row.exact), (3, 1, false));
}

#[test]
fn byte_tokens_and_the_space_before_a_text_are_told_from_the_text() {
    let Some(data) = data_dir() else { return };
    let mistral = Tokenizer::load(&data.join("tokenizers/mistral/tokenizer.v1.json")).unwrap();
    let inspection = mistral.inspect("the ᚠ").unwrap();
    use PieceKind::{Byte, Normal};
    let expected = [
        (Normal, "the"),
        (Normal, " "),
        (Byte, "[E1]"),
        (Byte, "[9A]"),
        (Byte, "[A0]"),
    ];
    let expected = expected.map(|(kind, text)| (kind, text.to_owned()));
    assert_eq!(pieces(&inspection), expected);
}

#[test]
fn a_report_on_many_languages_finds_their_scripts() {
    let Some(data) = data_dir() else { return };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(data.join("corpora/udhr")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        texts.push((name, std::fs::read_to_string(path).unwrap()));
    }
    texts.sort();
    for tokenizer in ["tokenizers/gpt2", "tokenizers/mistral/tokenizer.v1.json"] {
        let tokenizer = Tokenizer::load(&data.join(tokenizer)).unwrap();
        let report = TokenizerReport::new(&tokenizer, texts.iter().map(|(n, t)| (n, t))).unwrap();
        assert!(report.total.exact);
        let row = |name: &str| report.texts.iter().find(|row| row.name == name).unwrap();
        assert!(row("eng").bytes_per_token > 2.0 * row("tha").characters_per_token);
        assert_eq!(
            row("eng").tokens,
            tokenizer.encode(&texts[4].1).unwrap().len() as u64
        );
        assert_eq!(texts[4].0, "eng");
        let scripts = report.scripts.iter().map(|row| row.script.as_str());
        let scripts: std::collections::BTreeSet<_> = scripts.collect();
        for script in [
            "Arabic",
            "Cyrillic",
            "Devanagari",
            "Greek",
            "Han",
            "Hangul",
            "Hebrew",
            "Hiragana",
            "Latin",
            "Thai",
        ] {
            assert!(scripts.contains(script), "{script}");
        }
        let tokens: u64 = report.scripts.iter().map(|row| row.tokens).sum();
        assert_eq!(tokens, report.total.tokens);
        assert!(report.to_string().lines().count() > texts.len() + 10);
    }
}

proptest! {
    #[test]
    fn the_places_of_tokens_put_together_are_the_text(text in "(?s:.){0,40}|[a-z 'é\n🦊]{0,40}") {
        let tokenizer = bpe();
        let inspection = tokenizer.inspect(&text).unwrap();
        let mut end = 0;
        for piece in inspection.pieces() {
            prop_assert_eq!(piece.range.start, end);
            end = piece.range.end;
        }
        prop_assert_eq!(end, text.len());
        let ids: Vec<_> = inspection.pieces().iter().map(|piece| piece.id).collect();
        prop_assert_eq!(ids, tokenizer.encode(&text).unwrap());
    }
}
