//! Files of SentencePiece against SentencePiece itself.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_tokenizer::{Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::data_dir;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sentencepiece.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn model(golden: &Value, name: &str) -> Vec<u8> {
    STANDARD
        .decode(golden["models"][name]["model"].as_str().unwrap())
        .unwrap()
}

/// A folder with a file of these bytes.
fn folder(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.model");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn load(bytes: &[u8]) -> Result<Tokenizer, TokenizerError> {
    let (_folder, path) = folder(bytes);
    Tokenizer::load(&path)
}

fn saved(tokenizer: &Tokenizer) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    Tokenizer::load(folder.path()).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = tokenizer.decoder();
    let mut text: String = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
    text += &stream.finish().unwrap();
    text
}

#[test]
fn ids_and_texts_are_those_of_sentencepiece_also_once_saved() {
    let golden = golden();
    let texts: Vec<String> = list(&golden["texts"]);
    for (name, record) in golden["models"].as_object().unwrap() {
        let tokenizer = load(&model(&golden, name)).unwrap();
        let again = saved(&tokenizer);
        assert_eq!(again.hash(), tokenizer.hash(), "{name}");
        let special: Vec<i64> = list(&record["special"]);
        let id = |id: Option<u32>| id.map_or(-1, i64::from);
        assert_eq!(
            [id(tokenizer.bos()), id(tokenizer.eos())],
            special[..2],
            "{name}"
        );
        let names = tokenizer.special_tokens();
        let pad = names
            .get("pad_token")
            .and_then(|token| tokenizer.id_of(token));
        assert_eq!(id(pad), special[2], "{name}");

        let expected: Vec<Vec<u32>> = list(&record["ids"]);
        let decoded: Vec<String> = list(&record["decoded"]);
        assert_eq!(texts.len(), expected.len());
        for tokenizer in [&tokenizer, &again] {
            for ((text, ids), decoded) in texts.iter().zip(&expected).zip(&decoded) {
                assert_eq!(tokenizer.encode(text).unwrap(), *ids, "{name}: {text:?}");
                assert_eq!(tokenizer.decode(ids).unwrap(), *decoded, "{name}: {ids:?}");
                assert_eq!(streamed(tokenizer, ids), *decoded, "{name}: {ids:?}");
            }
            for stream in record["streams"].as_array().unwrap() {
                let (ids, text): (Vec<u32>, String) = list(stream);
                let found = tokenizer.decode(&ids).unwrap();
                // Bytes that are no character: one mark for each part here, one for each byte there.
                if !text.contains('\u{FFFD}') {
                    assert_eq!(found, text, "{name}: {ids:?}");
                }
                assert_eq!(streamed(tokenizer, &ids), found, "{name}: {ids:?}");
            }
        }
    }
}

#[test]
fn control_pieces_in_text_stay_text_and_are_tokens_where_asked_for() {
    let golden = golden();
    let tokenizer = load(&model(&golden, "bpe_symbols")).unwrap();
    let [bos, control, sep] =
        ["<s>", "<ctrl>", "<sep>"].map(|token| tokenizer.id_of(token).unwrap());
    let text = "<s>the<ctrl> <sep></s>";
    let plain = tokenizer.encode(text).unwrap();
    assert!(!plain.contains(&bos) && !plain.contains(&control) && plain.contains(&sep));
    assert_eq!(tokenizer.decode(&plain).unwrap(), text);
    let ids = tokenizer.encode_with_special("<s><ctrl><sep>").unwrap();
    assert_eq!(ids, [bos, control, sep]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "<sep>");
}

#[test]
fn a_file_beside_it_says_how_texts_begin_and_end_and_lists_more_tokens() {
    let golden = golden();
    let (folder, path) = folder(&model(&golden, "bpe_llama"));
    assert!(Tokenizer::load(&path).unwrap().begins_with_bos());
    assert!(!load(&model(&golden, "unigram")).unwrap().begins_with_bos());
    let size = Tokenizer::load(&path).unwrap().vocab_size() as u32;
    let config = json!({"add_bos_token": false, "eos_token": "<|end|>", "added_tokens_decoder": {
        "1": {"content": "<s>", "special": true}, (size.to_string()): {"content": "<|end|>", "special": true}}});
    fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert!(!tokenizer.begins_with_bos());
    assert_eq!(tokenizer.eos(), Some(size));
    let config = json!({"added_tokens_decoder": {((size + 1).to_string()): {"content": "<|end|>", "special": true}}});
    fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    let error = Tokenizer::load(folder.path()).unwrap_err();
    assert!(
        matches!(error, TokenizerError::AddedTokenId { .. }),
        "{error}"
    );
}

#[test]
fn files_of_other_kinds_are_named() {
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let error = load(bytes).unwrap_err().to_string();
        assert!(
            error.contains("tokenizer.model") && error.contains(expected),
            "{error}"
        );
    }
    check(b"GGUF\x03\0\0\0", "is a GGUF file");
    check(b"PK\x03\x04zip", "is a zip archive");
    check(b"\x80\x04\x95abc", "is a pickle");
    check(b"\x10\0\0\0\0\0\0\0{\"a\":{}}", "is a safetensors file");
    check(
        b"version https://git-lfs.github.com/spec/v1\n",
        "pointer of Git LFS",
    );
    check(b"some other text\n", "is other text");
    check(b"", "is empty");
    check(b"{\"a\": ", "not valid JSON");
    check(&[0xFF; 40], "no whole SentencePiece model");
    let whole = model(&golden(), "unigram");
    check(&whole[..whole.len() / 2 + 1], "");
    check(&whole[..3], "no whole SentencePiece model");
}

/// A field of a message: a number, or bytes.
fn field(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2, value.len() as u8][..], value].concat()
}

fn number(tag: u8, value: u8) -> Vec<u8> {
    vec![tag << 3, value]
}

/// A piece with a score of zero.
fn piece(text: &str, kind: u8) -> Vec<u8> {
    field(1, &[field(1, text.as_bytes()), number(3, kind)].concat())
}

#[test]
fn wrong_values_are_named() {
    #[track_caller]
    fn check(parts: &[Vec<u8>], expected: &str) {
        let error = load(&parts.concat()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Fields above 15 take two bytes.
    let trainer = |parts: &[u8]| field(2, parts);
    let bpe = trainer(&number(3, 2));
    let unknown = piece("<unk>", 2);
    let usable = [unknown.clone(), piece("a", 1), bpe.clone()];
    assert_eq!(
        load(&usable.concat()).unwrap().encode("aa").unwrap(),
        [0, 1, 1]
    );
    check(
        &[unknown.clone(), piece("a", 1), trainer(&number(3, 3))],
        "model_type is word, which is not supported",
    );
    check(
        &[unknown.clone(), piece("a", 1), trainer(&number(3, 4))],
        "model_type is char",
    );
    check(
        &[unknown.clone(), piece("a", 1), trainer(&number(3, 9))],
        "trainer_spec.model_type must be",
    );
    check(
        &[unknown.clone(), piece("a", 1), trainer(&[0xC0, 1, 1])],
        "treat_whitespace_as_suffix is true",
    );
    check(
        &[unknown.clone(), piece("a", 1), field(3, &number(5, 0))],
        "escape_whitespaces is false",
    );
    check(
        &[
            unknown.clone(),
            piece("a", 1),
            field(5, &field(2, b"rules")),
        ],
        "denormalizer_spec",
    );
    check(
        &[
            unknown.clone(),
            piece("a", 1),
            field(3, &field(2, b"rules")),
        ],
        "precompiled_charsmap must be",
    );
    check(
        &[unknown.clone(), piece("a", 1), piece("a", 1)],
        "\"a\" at 1 and at 2",
    );
    check(&[unknown.clone(), piece("b", 7)], "pieces[1].type must be");
    check(
        &[unknown.clone(), piece("", 1)],
        "pieces[1].piece must be a text, not empty",
    );
    check(&[unknown.clone(), piece("b", 6)], "written like <0x0A>");
    check(&[unknown.clone(), piece("<0x0A>", 6)], "all 256 pieces");
    check(
        &[unknown.clone(), piece("a", 1), trainer(&[0x98, 2, 1])],
        "all 256 pieces",
    );
    check(&[piece("a", 1)], "one piece of type 2");
    check(&[unknown.clone(), piece("b", 2)], "one piece of type 2");
    let infinite = [
        field(1, b"b"),
        [&[0x15][..], &f32::INFINITY.to_le_bytes()].concat(),
    ]
    .concat();
    check(
        &[unknown, field(1, &infinite)],
        "pieces[1].score must be a finite number",
    );
}

#[test]
fn settings_that_do_not_fit_their_definition_are_refused() {
    let golden = golden();
    let folder = tempfile::tempdir().unwrap();
    load(&model(&golden, "bpe"))
        .unwrap()
        .save(folder.path())
        .unwrap();
    let path = folder.path().join("tokenizer.json");
    let definition: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 5] = [
        ("scores", |d| {
            d["normalizer"]["sentencepiece"]["scores"] = json!([1.0])
        }),
        ("settings", |d| d["normalizer"]["sentencepiece"] = json!({})),
        ("gaps", |d| d["model"]["vocab"]["the new"] = json!(100_000)),
        ("unknown", |d| d["model"]["unk_token"] = Value::Null),
        ("table", |d| {
            d["normalizer"]["normalizers"][0]["precompiled_charsmap"] = json!("AAAA")
        }),
    ];
    for (name, change) in changes {
        let mut changed = definition.clone();
        change(&mut changed);
        fs::write(&path, changed.to_string()).unwrap();
        let error = Tokenizer::load(&path).unwrap_err().to_string();
        assert!(
            error.contains("normalizer.sentencepiece"),
            "{name}: {error}"
        );
    }
}

#[test]
fn mistral_gives_the_ids_of_its_definition_on_real_text() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("tokenizers/mistral");
    let model = Tokenizer::load(&folder.join("tokenizer.model.v1")).unwrap();
    let definition = Tokenizer::load(&folder.join("tokenizer.v1.json")).unwrap();
    assert_eq!(model.describe(), definition.describe());
    assert_eq!((model.bos(), model.eos()), (Some(1), Some(2)));
    assert!(model.begins_with_bos());
    for entry in fs::read_dir(data.join("corpora/udhr")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            assert_eq!(
                model.encode(line).unwrap(),
                definition.encode(line).unwrap(),
                "{line:?}"
            );
        }
    }
    let cases = fs::read_to_string(data.join("oracles/tokenizer_cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    for case in cases["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids: Vec<u32> = list(&case["mistral_v1"]);
        assert_eq!(model.encode(text).unwrap(), ids, "{text:?}");
        assert_eq!(model.decode(&ids).unwrap(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_files_never_panic(
        name in prop::sample::select(vec!["bpe", "unigram_symbols", "bpe_edited"]),
        cut in 0usize..13_000,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = model(&golden(), name);
        bytes.truncate(cut.max(1));
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(tokenizer) = load(&bytes) {
            let ids = tokenizer.encode("ﬁ the <sep> fox é 🦊").unwrap();
            tokenizer.decode(&ids).unwrap();
            tokenizer.encode_with_special("<s>ﬁ x").unwrap();
        }
    }
}

/// Through the vocabulary of a GGUF file and back: the same ids, with the scores of the file.
#[test]
fn a_published_model_fits_into_gguf() {
    let Some(data) = data_dir() else { return };
    let mistral = Tokenizer::load(&data.join("tokenizers/mistral/tokenizer.model.v1")).unwrap();
    let vocabulary = mistral.to_gguf(mistral.vocab_size()).unwrap();
    assert_eq!(vocabulary.model, "llama");
    let back = Tokenizer::from_gguf(vocabulary, Path::new("m.gguf")).unwrap();
    let mut texts = vec![" a  b ".to_owned(), "\u{2581}x 🙂\n".to_owned()];
    for language in ["eng", "jpn", "arb", "tha"] {
        let path = data.join(format!("corpora/udhr/{language}.txt"));
        texts.push(fs::read_to_string(path).unwrap());
    }
    for text in texts {
        assert_eq!(back.encode(&text).unwrap(), mistral.encode(&text).unwrap());
    }
}

#[test]
fn unused_pieces_do_not_fit_into_gguf() {
    let golden = golden();
    let models = golden["models"].as_object().unwrap();
    let refused = models.keys().filter_map(|name| {
        let tokenizer = load(&model(&golden, name)).unwrap();
        tokenizer.to_gguf(tokenizer.vocab_size()).err()
    });
    let messages: Vec<String> = refused.map(|error| error.to_string()).collect();
    assert!(
        messages
            .iter()
            .any(|message| message.contains("unused piece")),
        "{messages:?}"
    );
}
