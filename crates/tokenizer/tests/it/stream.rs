//! Decoding id by id.

use llm_tokenizer::Tokenizer;
use proptest::prelude::*;

use crate::{TEXT, bpe, data_dir};

/// Decodes `ids` as a stream and checks the pieces against the whole.
#[track_caller]
pub(crate) fn check(tokenizer: &Tokenizer, ids: &[u32]) {
    let mut stream = tokenizer.decoder();
    let mut text = String::new();
    for id in ids {
        text += &stream.push(*id).unwrap();
    }
    text += &stream.finish().unwrap();
    assert_eq!(text, tokenizer.decode(ids).unwrap());
}

/// Decodes `ids` after each possible prompt and checks the pieces against the whole.
#[track_caller]
pub(crate) fn check_after(tokenizer: &Tokenizer, ids: &[u32]) {
    let whole = tokenizer.decode(ids).unwrap();
    for cut in 0..=ids.len() {
        let (prompt, rest) = ids.split_at(cut);
        let mut before = tokenizer.decoder();
        let mut text = String::new();
        for id in prompt {
            text += &before.push(*id).unwrap();
        }
        let mut after = tokenizer.decoder_after(prompt);
        for id in rest {
            text += &after.push(*id).unwrap();
        }
        text += &after.finish().unwrap();
        assert_eq!(text, whole, "cut at {cut}");
    }
}

/// A tokenizer in the style of SentencePiece with all byte tokens, small enough to write here.
fn llama_style() -> Tokenizer {
    let special = |id: u32, content: &str| {
        serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true})
    };
    let mut vocab = serde_json::Map::new();
    let tokens = ["<unk>", "<s>", "</s>"].map(str::to_owned).into_iter();
    let tokens = tokens.chain((0..=255).map(|byte: u8| format!("<0x{byte:02X}>")));
    let letters = ["▁", "t", "h", "e", "▁t", "he", "▁the", "é", "▁▁"];
    for (id, token) in tokens.chain(letters.map(str::to_owned)).enumerate() {
        vocab.insert(token, id.into());
    }
    let definition = serde_json::json!({
        "version": "1.0",
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocab, "merges": ["▁ t", "h e", "▁t he", "▁ ▁"]},
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokenizer.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    Tokenizer::load(&file).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_ids_stream_to_what_they_decode_to(
        lists in prop::collection::vec(prop::collection::vec(0u32..262, 0..40), 16)
    ) {
        for tokenizer in [bpe(), llama_style()] {
            for ids in &lists {
                check(&tokenizer, ids);
                check_after(&tokenizer, ids);
            }
        }
    }

    #[test]
    fn any_text_streams_as_it_is(texts in prop::collection::vec("(?s:.){0,12}|[ the]{0,12}|[\\x{1F600}-\\x{1F64F}a ]{0,8}", 16)) {
        for tokenizer in [bpe(), llama_style()] {
            for text in &texts {
                let ids = tokenizer.encode(text).unwrap();
                check(&tokenizer, &ids);
                check_after(&tokenizer, &ids);
                prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), text);
            }
        }
    }
}

#[test]
fn a_split_emoji_appears_whole_with_its_last_token() {
    let tokenizer = Tokenizer::train_bpe(std::iter::once("x".to_owned()), 257).unwrap();
    let ids = tokenizer.encode("🦙").unwrap();
    assert_eq!(ids.len(), 4);
    let mut stream = tokenizer.decoder();
    let pieces: Vec<_> = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
    assert_eq!(pieces, ["", "", "", "🦙"]);
}

#[test]
fn wrong_bytes_are_not_held_back() {
    let tokenizer = bpe();
    let emoji = tokenizer.encode("🦙").unwrap();
    let mut stream = tokenizer.decoder();
    let first = stream.push(emoji[0]).unwrap();
    let letter = tokenizer.encode("a").unwrap()[0];
    assert_eq!(first + &stream.push(letter).unwrap(), "\u{FFFD}a");

    let llama = llama_style();
    let byte = |byte: u8| llama.id_of(&format!("<0x{byte:02X}>")).unwrap();
    let mut stream = llama.decoder();
    assert_eq!(stream.push(byte(0xE2)).unwrap(), "");
    assert_eq!(stream.push(byte(0xFF)).unwrap(), "\u{FFFD}\u{FFFD}");
    assert_eq!(stream.push(byte(0xC3)).unwrap(), "");
    assert_eq!(stream.push(byte(0xA9)).unwrap(), "é");
    assert_eq!(stream.push(byte(0xC3)).unwrap(), "");
    assert_eq!(stream.finish().unwrap(), "\u{FFFD}");
}

#[test]
fn the_space_between_prompt_and_continuation_is_kept() {
    let llama = llama_style();
    let the = llama.id_of("▁the").unwrap();
    assert_eq!(llama.decoder().push(the).unwrap(), "the");
    assert_eq!(llama.decoder_after(&[the]).push(the).unwrap(), " the");
    // A special token is no text, so what follows it still begins the text.
    assert_eq!(llama.decoder_after(&[1]).push(the).unwrap(), "the");
    // Ids that do not exist are passed over.
    assert_eq!(llama.decoder_after(&[9999, the]).push(the).unwrap(), " the");
}

#[test]
fn only_the_first_token_is_decoded_as_the_first() {
    let definition = serde_json::json!({
        "version": "1.0",
        "added_tokens": [],
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "model": {"type": "BPE", "vocab": {"▁a": 0, "b": 1}, "merges": []},
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokenizer.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    let tokenizer = Tokenizer::load(&file).unwrap();
    assert_eq!(tokenizer.decode(&[0, 0, 1, 0]).unwrap(), "a ab a");
    check_after(&tokenizer, &[0, 0, 1, 0]);
}

#[test]
fn special_tokens_are_skipped_and_an_unknown_id_changes_nothing() {
    let tokenizer = bpe();
    let ids = tokenizer.encode("🦙").unwrap();
    let mut stream = tokenizer.decoder();
    let mut text = String::new();
    for id in ids {
        text += &stream.push(id).unwrap();
        text += &stream.push(0).unwrap();
        assert!(stream.push(99_999).is_err());
    }
    assert_eq!(text, "🦙");
}

#[test]
fn a_long_stream_costs_the_same_per_token() {
    let tokenizer = bpe();
    let ids = tokenizer.encode(TEXT).unwrap();
    let mut stream = tokenizer.decoder();
    let started = std::time::Instant::now();
    let mut length = 0;
    for id in ids.iter().cycle().take(1_000_000) {
        length += stream.push(*id).unwrap().len();
    }
    assert!(length > 1_000_000);
    // About half a second when measured; decoding all over again for each token would take hours.
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn stories_stream_like_the_library_decodes() {
    let Some(data) = data_dir() else { return };
    let file = data.join("models/stories260K/hf/tokenizer.json");
    let ours = Tokenizer::load(&file).unwrap();
    let theirs = tokenizers::Tokenizer::from_file(&file).unwrap();
    assert_eq!(ours.describe(), "BPE with byte fallback, 512 tokens");
    for text in [" Once upon a time,\n there was a 🦙.", "a  b", TEXT] {
        let ids = ours.encode(text).unwrap();
        check_after(&ours, &ids);
        assert_eq!(ours.decode(&ids).unwrap(), text);
        assert_eq!(theirs.decode(&ids, true).unwrap(), text);
    }
}
