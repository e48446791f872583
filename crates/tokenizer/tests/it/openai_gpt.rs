//! Tokenizers of GPT of 2018, whose tokens end words, with transformers as oracle.
//!
//! `xtask/golden/openai_gpt_tokenizer.py` writes the golden file.

use std::collections::HashMap;
use std::fs;
use std::sync::LazyLock;

use llm_tokenizer::Tokenizer;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::stream::{check, check_after};

#[derive(Deserialize)]
struct Golden {
    vocab: Value,
    merges: String,
    converted: Value,
    saved: HashMap<String, Saved>,
}

#[derive(Deserialize)]
struct Saved {
    files: HashMap<String, Value>,
    texts: Vec<Text>,
    streams: Vec<Ids>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    #[serde(flatten)]
    ids: Ids,
    with_special: Vec<u32>,
}

/// Ids, and what they decode to so far with each of them.
#[derive(Deserialize)]
struct Ids {
    ids: Vec<u32>,
    stream: Vec<String>,
}

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../golden/openai_gpt_tokenizer.json")).unwrap()
});

/// Loads `name` from a folder with these files.
fn load(files: &[(&str, String)], name: &str) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    Tokenizer::load(&folder.path().join(name)).unwrap()
}

/// The tokenizer without added tokens.
pub(crate) fn plain() -> Tokenizer {
    GOLDEN.saved["plain"].tokenizer()
}

impl Saved {
    fn tokenizer(&self) -> Tokenizer {
        let files = self.files.iter();
        let files: Vec<_> = files
            .map(|(name, content)| (name.as_str(), content.to_string()))
            .collect();
        load(&files, "")
    }
}

impl Ids {
    #[track_caller]
    fn check(&self, tokenizer: &Tokenizer) {
        let whole = self.stream.last().map_or("", String::as_str);
        assert_eq!(tokenizer.decode(&self.ids).unwrap(), whole);
        let mut stream = tokenizer.decoder();
        let mut text = String::new();
        for (id, expected) in self.ids.iter().zip(&self.stream) {
            text += &stream.push(*id).unwrap();
            let end = stream.clone().finish().unwrap();
            assert_eq!(format!("{text}{end}"), *expected, "{:?}", self.ids);
        }
        check(tokenizer, &self.ids);
        check_after(tokenizer, &self.ids);
    }
}

#[test]
fn tokenizers_of_transformers_give_its_ids_and_texts() {
    for (name, saved) in &GOLDEN.saved {
        let tokenizer = saved.tokenizer();
        assert!(tokenizer.has_unknown() && !tokenizer.begins_with_bos());
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None));
        assert!(saved.texts.len() > 10 && saved.streams.len() > 10);
        for case in &saved.texts {
            let text = &case.text;
            assert_eq!(
                tokenizer.encode(text).unwrap(),
                case.ids.ids,
                "{name} {text:?}"
            );
            let special = tokenizer.encode_with_special(text).unwrap();
            assert_eq!(special, case.with_special, "{name} {text:?}");
            case.ids.check(&tokenizer);
        }
        for ids in &saved.streams {
            ids.check(&tokenizer);
        }
        let folder = tempfile::tempdir().unwrap();
        tokenizer.save(folder.path()).unwrap();
        let again = Tokenizer::load(folder.path()).unwrap();
        assert_eq!(again.hash(), tokenizer.hash(), "{name}");
    }
}

#[test]
fn a_space_comes_with_the_next_word() {
    let tokenizer = plain();
    assert_eq!(tokenizer.describe(), "BPE, 160 tokens");
    let ids = |text: &str| tokenizer.encode(text).unwrap();
    let [the, fox, unknown] = ["the", "fox", "🦊"].map(|word| ids(word)[0]);
    let mut stream = tokenizer.decoder();
    let pieces = [the, unknown, fox, the].map(|id| stream.push(id).unwrap());
    assert_eq!(pieces, ["the", "", " fox", " the"]);
    assert_eq!(stream.finish().unwrap(), "");
    assert_eq!(tokenizer.decoder_after(&[the]).push(fox).unwrap(), " fox");
    assert_eq!(tokenizer.decoder_after(&[the]).finish().unwrap(), "");
    assert_eq!(tokenizer.decoder_after(&[]).push(fox).unwrap(), "fox");
}

#[test]
fn pairs_of_files_are_what_transformers_converts_them_to() {
    let files = |vocab: &'static str, merges: &'static str| {
        [
            (vocab, GOLDEN.vocab.to_string()),
            (merges, GOLDEN.merges.clone()),
        ]
    };
    let converted = load(&[("tokenizer.json", GOLDEN.converted.to_string())], "");
    for (vocab, merges) in [
        ("encoder_bpe_40000.json", "vocab_40000.bpe"),
        ("vocab.json", "merges.txt"),
    ] {
        for name in ["", vocab, merges] {
            let pair = load(&files(vocab, merges), name);
            assert_eq!(pair.hash(), converted.hash(), "{name}");
        }
    }
    let pair = load(&files("encoder_bpe_40000.json", "vocab_40000.bpe"), "");
    for case in &GOLDEN.saved["plain"].texts {
        assert_eq!(pair.encode(&case.text).unwrap(), case.ids.ids);
        case.ids.check(&pair);
    }
}

/// The tokenizer with added tokens, ours and the library's.
static BOTH: LazyLock<(Tokenizer, tokenizers::Tokenizer)> = LazyLock::new(|| {
    let saved = &GOLDEN.saved["more"];
    let definition = saved.files["tokenizer.json"].to_string();
    (saved.tokenizer(), definition.parse().unwrap())
});

proptest! {
    #[test]
    fn any_ids_decode_as_by_the_library(ids in prop::collection::vec(0u32..166, 1..30)) {
        let (ours, theirs) = &*BOTH;
        prop_assert_eq!(ours.vocab_size(), 166);
        check_after(ours, &ids);
        let text = ours.decode(&ids).unwrap();
        // The library cannot decode nothing.
        if !text.is_empty() {
            prop_assert_eq!(text, theirs.decode(&ids, true).unwrap());
        }
    }

    #[test]
    fn any_text_is_encoded_as_by_the_library(text in "(?s:.){0,20}|[a-z ,.]{0,40}|(the|fox|_start_|<unk>|<tool>|</w>| ){0,8}") {
        let (ours, theirs) = &*BOTH;
        let expected = theirs.encode_fast(text.as_str(), false).unwrap();
        prop_assert_eq!(ours.encode_with_special(&text).unwrap(), expected.get_ids());
        let plain = ours.encode(&text).unwrap();
        prop_assert!(plain.iter().all(|id| !(160..163).contains(id)));
    }
}

#[test]
fn a_pair_of_gpt2_with_a_token_like_the_end_of_a_word_stays_one() {
    let vocab = r#"{"<": 0, "/": 1, "w": 2, ">": 3, "Ġ": 4, "</": 5, "w>": 6, "</w>": 7}"#;
    let merges = "< /\nw >\n</ w>\n";
    let files = [
        ("vocab.json", vocab.to_owned()),
        ("merges.txt", merges.to_owned()),
    ];
    let tokenizer = load(&files, "");
    assert_eq!(tokenizer.encode("</w> ").unwrap(), [5, 2, 3, 4]);
    assert_eq!(tokenizer.decode(&[7, 4, 7]).unwrap(), "</w> </w>");
}
