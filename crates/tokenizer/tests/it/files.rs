//! Files that are missing, damaged or at odds with each other: an error that names the place, never a panic.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use llm_tokenizer::Tokenizer;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{TEXT, bpe};

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// Loads `name` from `folder` and checks the message, in which `DIR` stands for the folder.
#[track_caller]
fn check(folder: &TempDir, name: &str, expected: &str) {
    let error = Tokenizer::load(&folder.path().join(name)).unwrap_err();
    let place = folder.path().display().to_string();
    assert_eq!(error.to_string().replace(&place, "DIR"), expected);
    assert!(!error.to_string().contains('\n'));
}

/// A saved tokenizer with a change.
fn changed(change: impl FnOnce(&mut Value)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    bpe().save(folder.path()).unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut definition = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut definition);
    fs::write(path, definition.to_string()).unwrap();
    folder
}

/// A small pair in the way of GPT-2.
const VOCAB: &[u8] = br#"{"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}"#;
const MERGES: &[u8] = b"#version: 0.2\na b\n";

#[test]
fn missing_files_are_named() {
    let empty = folder(&[]);
    check(
        &empty,
        "none",
        "cannot read DIR/none; check that it exists, is a file and may be read",
    );
    check(
        &empty,
        "",
        "DIR/ holds no tokenizer; looked for tokenizer.json, encoder.json with vocab.bpe, vocab.json with merges.txt, encoder_bpe_40000.json with vocab_40000.bpe, tokenizer.model",
    );
    for (there, partner) in [
        ("encoder.json", "vocab.bpe"),
        ("vocab.bpe", "encoder.json"),
        ("vocab.json", "merges.txt"),
        ("merges.txt", "vocab.json"),
        ("encoder_bpe_40000.json", "vocab_40000.bpe"),
        ("vocab_40000.bpe", "encoder_bpe_40000.json"),
    ] {
        let half = folder(&[(there, VOCAB)]);
        let message = format!("DIR/{there} needs DIR/{partner} beside it, which is missing");
        check(&half, there, &message);
        let error = Tokenizer::load(half.path()).unwrap_err().to_string();
        assert!(error.contains("beside it, which is missing"), "{error}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tokenizer.json")).unwrap();
    let error = Tokenizer::load(folder.path()).unwrap_err();
    let expected = format!(
        "cannot read {}; check that it exists, is a file and may be read",
        folder.path().join("tokenizer.json").display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.source().is_some());
}

#[test]
fn content_that_is_no_tokenizer_is_an_error() {
    #[track_caller]
    fn of(content: &[u8], expected: &str) {
        check(
            &folder(&[("tokenizer.json", content)]),
            "tokenizer.json",
            expected,
        );
    }
    of(b"", "DIR/tokenizer.json is empty; get it again");
    of(b" \n", "DIR/tokenizer.json is empty; get it again");
    of(
        b"{\"a\": \"\xFF\"}",
        "DIR/tokenizer.json is not UTF-8 from byte 7 on; it is no tokenizer file, or damaged",
    );
    of(
        b"{\n\"version\": ",
        "DIR/tokenizer.json:2:11: not valid JSON; the file may be cut short, get it again",
    );
    of(b"[]", "DIR/tokenizer.json: the file must be a JSON object");
    of(b"{}", "DIR/tokenizer.json: model must be a JSON object");
    of(
        br#"{"model": {"vocab": {"a": 0}}}"#,
        "DIR/tokenizer.json is JSON but not a usable tokenizer.json; export the tokenizer again",
    );
    of(
        br#"{"model": {"vocab": {"a": -1}}}"#,
        "DIR/tokenizer.json: model.vocab[\"a\"] must be a token id, a whole number from 0",
    );
    of(
        br#"{"model": {"vocab": {"a": 5, "b": 5}}}"#,
        "DIR/tokenizer.json: id 5 is given to both \"a\" and \"b\"; each token needs its own",
    );
}

#[test]
fn no_prefix_of_a_file_is_taken_for_the_file_or_panics() {
    let whole = folder(&[]);
    bpe().save(whole.path()).unwrap();
    let content = fs::read(whole.path().join("tokenizer.json")).unwrap();
    let file = whole.path().join("cut.json");
    // Every 997th, and the last hundred one by one.
    let cuts = (0..content.len()).step_by(997);
    for cut in cuts.chain(content.len() - 100..content.len()) {
        fs::write(&file, &content[..cut]).unwrap();
        assert!(Tokenizer::load(&file).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_longer_definition_is_cut_without_panic() {
    let Some(data) = crate::data_dir() else {
        return;
    };
    let content = fs::read(data.join("models/stories260K/hf/tokenizer.json")).unwrap();
    let folder = folder(&[]);
    let file = folder.path().join("cut.json");
    for cut in (0..content.len()).step_by(997) {
        fs::write(&file, &content[..cut]).unwrap();
        assert!(Tokenizer::load(&file).is_err(), "cut at {cut}");
    }
}

#[test]
fn added_tokens_keep_the_ids_of_the_file() {
    let add = |id: u32| {
        changed(|definition| {
            let mut token = definition["added_tokens"][0].clone();
            token["content"] = json!("<|user|>");
            token["id"] = json!(id);
            definition["added_tokens"]
                .as_array_mut()
                .unwrap()
                .push(token);
        })
    };
    let tokenizer = Tokenizer::load(add(340).path()).unwrap();
    assert_eq!(tokenizer.vocab_size(), 341);
    assert_eq!(tokenizer.encode_with_special("<|user|>").unwrap(), [340]);
    assert!(!tokenizer.encode("<|user|>").unwrap().contains(&340));
    check(
        &add(342),
        "tokenizer.json",
        "DIR/tokenizer.json: the added token \"<|user|>\" is listed with id 342 but its place in the vocabulary is 340; number the added tokens without gaps after the vocabulary",
    );
}

#[test]
fn merges_must_fit_the_prefix_of_the_file() {
    let folder = changed(|definition| {
        definition["model"]["continuing_subword_prefix"] = json!("####");
    });
    check(
        &folder,
        "tokenizer.json",
        "DIR/tokenizer.json: model.merges must be pairs whose second half begins with continuing_subword_prefix",
    );
}

#[test]
fn a_vocabulary_with_holes_loads_and_is_saved() {
    let folder = changed(|definition| definition["model"]["vocab"]["hole"] = json!(1000));
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(tokenizer.vocab_size(), 1001);
    assert!(tokenizer.decode(&[999]).is_err());
    assert_eq!(tokenizer.decode(&[1000]).unwrap(), "hole");
    let copy = folder.path().join("copy");
    tokenizer.save(&copy).unwrap();
    assert_eq!(Tokenizer::load(&copy).unwrap().hash(), tokenizer.hash());
}

#[test]
fn characters_with_merges_are_no_character_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::train_characters(["ab"])
        .unwrap()
        .save(folder.path())
        .unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut definition: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut token = definition["added_tokens"][0].clone();
    token["content"] = json!("ab");
    token["id"] = json!(3);
    definition["added_tokens"]
        .as_array_mut()
        .unwrap()
        .push(token);
    definition["model"]["vocab"]["ab"] = json!(3);
    for (merges, kind) in [(json!([]), "character level"), (json!([["a", "b"]]), "BPE")] {
        definition["model"]["merges"] = merges;
        fs::write(&path, definition.to_string()).unwrap();
        let described = Tokenizer::load(&path).unwrap().describe();
        assert_eq!(described, format!("{kind}, 4 tokens"));
    }
}

#[test]
fn limits_in_the_file_do_not_cut_texts() {
    let folder = changed(|definition| {
        definition["truncation"] =
            json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    });
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(tokenizer.encode(TEXT).unwrap(), bpe().encode(TEXT).unwrap());
    assert_eq!(tokenizer.hash(), bpe().hash());
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let folder = changed(|_| {});
    let path = folder.path().join("tokenizer.json");
    let content = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("\u{FEFF}{content}")).unwrap();
    assert_eq!(Tokenizer::load(&path).unwrap().hash(), bpe().hash());
}

#[test]
fn decoders_that_cannot_stream_are_refused() {
    let folder = changed(|definition| {
        definition["decoder"] = json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true});
    });
    check(
        &folder,
        "tokenizer.json",
        "DIR/tokenizer.json: the decoder CTC is not supported; use ByteLevel, Metaspace, WordPiece, BPEDecoder, Fuse or a Sequence of Replace, ByteFallback, Fuse and Strip",
    );
}

#[test]
fn a_byte_without_a_token_is_an_error_and_not_dropped() {
    let folder = folder(&[("vocab.json", VOCAB), ("merges.txt", MERGES)]);
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(tokenizer.encode("aab").unwrap(), [0, 2]);
    let error = tokenizer
        .encode_with_special("a<|endoftext|>béa")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the character 'é' (U+00E9) at position 15 is not in the vocabulary; remove it or make the tokenizer from a text that has it"
    );
}

#[test]
fn names_in_the_configuration_must_be_tokens() {
    #[track_caller]
    fn with(config: &str, expected: &str) {
        let folder = changed(|_| {});
        fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        check(&folder, "tokenizer.json", expected);
    }
    with(
        r#"{"eos_token": "</s>"}"#,
        "DIR/tokenizer_config.json: eos_token is \"</s>\", which is not in the vocabulary; name one of its tokens",
    );
    with(
        r#"{"bos_token": 5}"#,
        "DIR/tokenizer_config.json: bos_token must be a token, null, or an object with content",
    );
    with(
        "[]",
        "DIR/tokenizer_config.json: the file must be a JSON object",
    );
    with(
        "{",
        "DIR/tokenizer_config.json:1:1: not valid JSON; the file may be cut short, get it again",
    );
}

#[test]
fn pairs_load_by_either_file_with_or_without_a_version_line() {
    for (vocab, merges) in [
        ("encoder.json", "vocab.bpe"),
        ("vocab.json", "merges.txt"),
        ("encoder_bpe_40000.json", "vocab_40000.bpe"),
    ] {
        for lines in [MERGES, b"a b", b"a b\r\n"] {
            let folder = folder(&[(vocab, VOCAB), (merges, lines)]);
            for name in ["", vocab, merges] {
                let tokenizer = Tokenizer::load(&folder.path().join(name)).unwrap();
                assert_eq!(tokenizer.encode("ab").unwrap(), [2]);
                assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(3), Some(3)));
            }
        }
    }
}

#[test]
fn damaged_pairs_are_named_with_the_line() {
    #[track_caller]
    fn of(vocab: &[u8], merges: &[u8], expected: &str) {
        check(
            &folder(&[("vocab.json", vocab), ("merges.txt", merges)]),
            "",
            expected,
        );
    }
    let symbols = |line, found: &str| {
        format!(
            "DIR/merges.txt:{line}: expected two symbols with one space between them, found {found:?}"
        )
    };
    of(VOCAB, b"#version: 0.2\na b\nab\n", &symbols(3, "ab"));
    of(VOCAB, b"a b c\n", &symbols(1, "a b c"));
    of(VOCAB, b"a b\n\na b\n", &symbols(2, ""));
    of(VOCAB, b"a  b\n", &symbols(1, "a  b"));
    of(
        VOCAB,
        b"a b\n#version: 0.2 x\n",
        &symbols(2, "#version: 0.2 x"),
    );
    let lacks = |line, token| {
        format!(
            "DIR/merges.txt:{line}: the vocabulary DIR/vocab.json has no token {token:?}; the two files do not belong together"
        )
    };
    of(VOCAB, b"#version: 0.2\na c\n", &lacks(2, "c"));
    of(VOCAB, b"b a\n", &lacks(1, "ba"));
    of(VOCAB, b"", "DIR/merges.txt is empty; get it again");
    of(
        b"{\"a\": 0,\n",
        MERGES,
        "DIR/vocab.json:2:0: not valid JSON; the file may be cut short, get it again",
    );
    of(
        b"[1]",
        MERGES,
        "DIR/vocab.json: the file must be a JSON object of tokens and ids",
    );
    of(
        br#"{"a": "x"}"#,
        MERGES,
        "DIR/vocab.json: the vocabulary[\"a\"] must be a token id, a whole number from 0",
    );
}

/// Pointers to all values inside `value`.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields
            .iter()
            // Some of a long vocabulary are enough.
            .take(12)
            .for_each(|(key, value)| {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{key}"), found);
            }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .take(4)
            .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

/// Loads a changed definition and uses whatever comes of it.
fn use_definition(path: &Path, definition: &Value) {
    fs::write(path, definition.to_string()).unwrap();
    if let Ok(tokenizer) = Tokenizer::load(path) {
        let ids = tokenizer.encode(TEXT).unwrap_or_default();
        tokenizer.encode_with_special(TEXT).ok();
        tokenizer.decode(&ids).ok();
        tokenizer.decode(&[0, 1, 2, 300]).ok();
        tokenizer.save(&path.with_file_name("saved")).unwrap();
    }
}

/// Definitions of every kind, to be changed at random.
fn definitions() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: PathBuf| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut definitions = Vec::new();
    for tokenizer in [bpe(), Tokenizer::train_characters([TEXT]).unwrap()] {
        tokenizer.save(folder.path()).unwrap();
        definitions.push(read(folder.path().join("tokenizer.json")));
    }
    let words = json!({"version": "1.0", "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"Regex": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {}},
        "model": {"type": "BPE", "unk_token": "u", "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "vocab": {"u": 0, "▁": 1, "t": 2, "▁t": 3}, "merges": ["▁ t"]}});
    let mut unigram = words.clone();
    unigram["model"] = json!({"type": "Unigram", "unk_id": 0, "byte_fallback": true,
        "vocab": [["<unk>", 0.0], ["▁", -1.0], ["t", -2.0], ["▁t", -1.5]]});
    let mut word_piece = words.clone();
    word_piece["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    word_piece["model"] = json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "t": 1, "##h": 2}});
    definitions.extend([words, unigram, word_piece]);
    definitions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_change_of_a_definition_makes_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 40)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let values = [json!(null), json!(true), json!(-1), json!(0), json!(7), json!(1e300), json!(4_294_967_295u32),
            json!(""), json!("é"), json!("▁"), json!("Metaspace"), json!([]), json!({}), json!([[]]), json!("BPE"), json!("(")];
        for definition in definitions() {
            let mut places = Vec::new();
            pointers(&definition, "", &mut places);
            for (place, value) in &changes {
                let mut changed = definition.clone();
                *changed.pointer_mut(place.get::<String>(&places)).unwrap() = value.get(&values).clone();
                use_definition(&folder.path().join("changed.json"), &changed);
            }
        }
    }
}
