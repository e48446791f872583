//! Text to ids and back.

use llm_tokenizer::{Tokenizer, TokenizerError};
use proptest::prelude::*;

use crate::{TEXT, bpe};

/// Strings with characters of every length, pieces of emoji and special tokens written out.
fn strings() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "(?s:.){0,8}",
        "[ \\n\\r\\t]{0,5}",
        "[a-z' ]{0,12}",
        "[\\x{10000}-\\x{10FFFF}]{0,3}",
        Just("<|endoftext|>".to_owned()),
        Just("👩\u{200D}👩\u{200D}👧".to_owned()),
        Just("e\u{301}".to_owned()),
        Just("\u{FFFD}".to_owned()),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn byte_level_decoding_gives_back_every_text(texts in prop::collection::vec(strings(), 32)) {
        let tokenizer = bpe();
        for text in texts {
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(!ids.contains(&0));
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text.as_str());

            let with_special = tokenizer.encode_with_special(&text).unwrap();
            prop_assert_eq!(
                tokenizer.decode(&with_special).unwrap(),
                text.replace(Tokenizer::END_OF_TEXT, "")
            );
            let ends = with_special.iter().filter(|id| **id == 0).count();
            prop_assert_eq!(ends, text.matches(Tokenizer::END_OF_TEXT).count());
        }
    }

    #[test]
    fn characters_decode_to_every_text_they_were_made_of(text in strings()) {
        prop_assume!(!text.is_empty());
        let tokenizer = Tokenizer::train_characters([&text]).unwrap();
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert_eq!(ids.len(), text.chars().count());
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn the_library_gives_the_same_ids_for_the_saved_file() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [TEXT, "", "  a\n\n b   ", "x<|endoftext|>y", "<|endoftext|>"];
    for tokenizer in [bpe(), Tokenizer::train_characters(texts).unwrap()] {
        tokenizer.save(folder.path()).unwrap();
        let file = folder.path().join("tokenizer.json");
        let mut theirs = tokenizers::Tokenizer::from_file(file).unwrap();
        for text in texts {
            let special = theirs.encode(text, true).unwrap();
            assert_eq!(
                tokenizer.encode_with_special(text).unwrap(),
                special.get_ids()
            );
            theirs.set_encode_special_tokens(true);
            let plain = theirs.encode(text, true).unwrap();
            theirs.set_encode_special_tokens(false);
            assert_eq!(tokenizer.encode(text).unwrap(), plain.get_ids());
            assert_eq!(theirs.decode(plain.get_ids(), true).unwrap(), text);
        }
    }
}

#[test]
fn an_unknown_character_is_an_error_that_names_it() {
    let tokenizer = Tokenizer::train_characters(["abcé"]).unwrap();
    let error = tokenizer.encode("éab🙂").unwrap_err();
    assert!(matches!(
        error,
        TokenizerError::UnknownCharacter {
            character: '🙂',
            position: 3
        }
    ));
    assert_eq!(
        error.to_string(),
        "the character '🙂' (U+1F642) at position 3 is not in the vocabulary; remove it or make the tokenizer from a text that has it"
    );
}

#[test]
fn ids_outside_the_vocabulary_are_errors() {
    let tokenizer = bpe();
    let beyond = u32::try_from(tokenizer.vocab_size()).unwrap();
    for id in [beyond, u32::MAX] {
        let error = tokenizer.decode(&[5, id]).unwrap_err();
        assert!(matches!(error, TokenizerError::UnknownId { id: found, .. } if found == id));
        assert_eq!(tokenizer.token(id), None);
    }
    assert!(tokenizer.decode(&[beyond - 1]).is_ok());
}

#[test]
fn one_tokenizer_serves_many_threads() {
    let tokenizer = bpe();
    let expected = tokenizer.encode(TEXT).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(tokenizer.encode(TEXT).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn tokenizers_describe_themselves() {
    let tokenizer = bpe();
    assert_eq!(tokenizer.describe(), "byte-level BPE, 340 tokens");
    assert_eq!(
        format!("{tokenizer:?}"),
        "Tokenizer(byte-level BPE, 340 tokens)"
    );
    assert_eq!(
        tokenizer.id_of("Ġthe"),
        Some(tokenizer.encode(" the").unwrap()[0])
    );
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(0)));
    assert_eq!(tokenizer.hash().len(), 64);
}

#[test]
fn a_batch_is_encoded_in_its_order_and_fails_at_the_first_wrong_text() {
    let texts: Vec<_> = (0..500).map(|n| format!("{TEXT}{n}")).collect();
    let tokenizer = bpe();
    let batch = tokenizer.encode_batch(&texts).unwrap();
    let alone: Vec<_> = texts
        .iter()
        .map(|text| tokenizer.encode(text).unwrap())
        .collect();
    assert_eq!(batch, alone);

    let characters = Tokenizer::train_characters(["ab"]).unwrap();
    let error = characters.encode_batch(&["ab", "aéb", "ñ"]).unwrap_err();
    assert!(error.to_string().contains("'é'"), "{error}");
}
