//! Vocabularies that are damaged or made to harm, and what is missing from sound ones.

use super::*;

/// The message for a changed vocabulary.
#[track_caller]
fn refused(
    mut vocabulary: GgufVocabulary,
    change: impl FnOnce(&mut GgufVocabulary),
    expected: &str,
) {
    change(&mut vocabulary);
    assert_eq!(read(vocabulary).unwrap_err().to_string(), expected);
}

#[test]
fn damaged_vocabularies_are_errors_that_name_the_key() {
    let bpe = || vocabulary(&bpe());
    let number = |name: &str| {
        format!("model.gguf: tokenizer.ggml.{name} must be a list with a number for each token")
    };
    refused(
        bpe(),
        |v| v.tokens.clear(),
        "model.gguf: tokenizer.ggml.tokens must be a list of tokens, not empty",
    );
    refused(bpe(), |v| v.scores.push(1.0), &number("scores"));
    refused(bpe(), |v| v.token_types.truncate(9), &number("token_type"));
    refused(
        bpe(),
        |v| v.token_types[7] = 9,
        "model.gguf: tokenizer.ggml.token_type[7] must be 1 (normal), 2 (unknown), 3 (control), 4 (user defined), 5 (unused) or 6 (byte)",
    );
    refused(
        bpe(),
        |v| v.tokens[5] = v.tokens[3].clone(),
        "model.gguf: tokenizer.ggml.tokens has \"#\" at 3 and at 5; each token needs its own text",
    );
    for (name, set) in [
        (
            "bos",
            (|v, id| v.bos = id) as fn(&mut GgufVocabulary, Option<u32>),
        ),
        ("eos", |v, id| v.eos = id),
        ("unknown", |v, id| v.unknown = id),
        ("padding", |v, id| v.padding = id),
    ] {
        let message = format!(
            "model.gguf: tokenizer.ggml.{name}_token_id must be the id of a token of the vocabulary"
        );
        for id in [340, u32::MAX] {
            refused(bpe(), |v| set(v, Some(id)), &message);
        }
    }
    refused(
        bpe(),
        |v| (v.bos, v.add_bos) = (None, Some(true)),
        "model.gguf: tokenizer.ggml.add_bos_token must be false where the token has no id",
    );
    refused(
        bpe(),
        |v| v.merges.push("a ☃".to_owned()),
        "model.gguf: tokenizer.ggml.merges[83] is \"a ☃\", but there is no token \"☃\"; the file is damaged",
    );
    refused(
        bpe(),
        |v| v.merges[2] = "ab".to_owned(),
        "model.gguf: tokenizer.ggml.merges[2] is \"ab\", but there is no token \"ab\"; the file is damaged",
    );
    refused(
        bpe(),
        |v| v.merges[2] = "! !".to_owned(),
        "model.gguf: tokenizer.ggml.merges[2] is \"! !\", but there is no token \"!!\"; the file is damaged",
    );
    refused(
        bpe(),
        |v| v.model = "bert".to_owned(),
        "model.gguf: tokenizer.ggml.model is \"bert\"; only gpt2 (byte-level BPE) and llama (BPE in the way of SentencePiece) are read",
    );
    let known = "gpt-2, phi-2, llama-bpe, llama3, llama-v3, smaug-bpe, qwen2, deepseek-r1-qwen, smollm, starcoder, refact, olmo, mpt, default";
    refused(
        bpe(),
        |v| v.pre = None,
        &format!("model.gguf: tokenizer.ggml.pre is missing; known are {known}"),
    );
    refused(
        bpe(),
        |v| v.pre = Some("tekken".to_owned()),
        &format!("model.gguf: tokenizer.ggml.pre is tekken; known are {known}"),
    );
}

#[test]
fn damaged_vocabularies_with_scores_are_errors_that_name_the_key() {
    let whole = || pieces(&[("a", -1.0), ("b", -2.0), ("ab", -3.0)]);
    assert_eq!(
        read(whole()).unwrap().encode("ab").unwrap(),
        [2 + 0xE2, 2 + 0x96, 2 + 0x81, 260]
    );
    for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let expected = "model.gguf: tokenizer.ggml.scores[259] must be a finite number";
        refused(whole(), |v| v.scores[259] = score, expected);
    }
    let expected = "model.gguf: tokenizer.ggml.scores must be a list with a number for each token";
    refused(whole(), |v| v.scores.clear(), expected);
    refused(
        whole(),
        |v| v.token_types[259] = 6,
        "model.gguf: tokenizer.ggml.tokens[259] must be written like <0x0A>, being a byte",
    );
    refused(
        whole(),
        |v| {
            v.unknown = None;
            v.token_types[0] = 3;
            v.tokens[9] = "c".to_owned();
            v.token_types[9] = 1;
        },
        "model.gguf: tokenizer.ggml.tokens has 255 of the 256 byte tokens and none for the unknown, so that parts of a text would be lost; convert the model again",
    );
}

#[test]
fn text_never_becomes_a_control_or_byte_token_by_merges() {
    let mut vocabulary = pieces(&[
        ("<", 0.0),
        ("s>", 0.0),
        ("s", 0.0),
        (">", 0.0),
        ("0x41>", 0.0),
        ("▁", 0.0),
    ]);
    vocabulary.add_space_prefix = Some(false);
    let tokenizer = read(vocabulary).unwrap();
    assert_eq!(tokenizer.encode("<s>").unwrap(), [258, 259]);
    assert_eq!(tokenizer.encode_with_special("<s>").unwrap(), [1]);
    let shortened = tokenizer.encode("<0x41>").unwrap();
    assert!(!shortened.contains(&(2 + 0x41)), "{shortened:?}");
}

#[test]
fn types_that_are_missing_are_told_by_ids_and_texts() {
    let mut vocabulary = pieces(&[("a", -1.0), ("▁", -2.0)]);
    vocabulary.token_types.clear();
    let tokenizer = read(vocabulary).unwrap();
    let ids = tokenizer.encode("aé<s>").unwrap();
    assert_eq!(ids[..4], [259, 258, 2 + 0xC3, 2 + 0xA9]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "aé<s>");
    assert_eq!(tokenizer.decode(&[1, 0]).unwrap(), "");
}

#[test]
fn empty_tokens_get_a_name() {
    let mut vocabulary = pieces(&[("a", -1.0), ("b", -1.0)]);
    vocabulary.tokens[258].clear();
    vocabulary.tokens[259].clear();
    assert_eq!(read(vocabulary).unwrap().token(259).unwrap(), "[EMPTY_259]");
}

#[test]
fn long_pieces_are_read_in_time_that_grows_with_their_length() {
    let long = "ab".repeat(500_000);
    let mut list = vec![
        ("▁".to_owned(), 0.0),
        ("a".to_owned(), 0.0),
        ("b".to_owned(), 0.0),
        (long, -1.0),
    ];
    // Runs of which each is made of all the shorter ones.
    list.extend((2..300).map(|count| ("a".repeat(count), -2.0 - count as f32)));
    let list: Vec<_> = list
        .iter()
        .map(|(piece, score)| (piece.as_str(), *score))
        .collect();
    let tokenizer = read(pieces(&list)).unwrap();
    let ids = tokenizer.encode(&"a".repeat(299)).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap().len(), 299);

    let endless: Vec<_> = (1..2000).map(|count| ("a".repeat(count), 0.0)).collect();
    let endless: Vec<_> = endless
        .iter()
        .map(|(piece, score)| (piece.as_str(), *score))
        .collect();
    let error = read(pieces(&endless)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model.gguf: tokenizer.ggml.tokens must be a vocabulary of text; these are so long and alike that there is no end to the merges"
    );
}

proptest! {
    #[test]
    fn no_vocabulary_panics(
        kind in 0..3,
        mut tokens in prop::collection::vec("[ab▁ ]{0,4}|<s>|<0x0[0-9A-F]>|(?s:.){0,3}", 0..12),
        scores in prop::collection::vec(-3.0f32..3.0, 0..12),
        types in prop::collection::vec(0..7, 0..12),
        merges in prop::collection::vec("[ab▁]{0,2} ?[ab]{0,2}", 0..3),
        ids in prop::array::uniform4(prop::option::of(0u32..14)),
        flags in prop::array::uniform3(prop::option::of(any::<bool>())),
        fit in any::<bool>(),
    ) {
        if fit {
            // Most of the others end at the first check.
            tokens.extend(["a", "b", "ab"].map(str::to_owned));
            tokens.sort();
            tokens.dedup();
        }
        let n_tokens = tokens.len();
        let mut vocabulary = GgufVocabulary {
            model: ["gpt2", "llama", "llama"][kind as usize].to_owned(),
            pre: Some("gpt-2".to_owned()),
            tokens, scores, merges,
            token_types: types,
            bos: ids[0], eos: ids[1], unknown: ids[2], padding: ids[3],
            add_bos: flags[0], add_eos: flags[1], add_space_prefix: flags[2],
            chat_template: None,
        };
        if fit {
            vocabulary.scores.resize(n_tokens, 0.0);
            vocabulary.token_types.resize(n_tokens, 1);
            for (kind, token) in vocabulary.token_types.iter_mut().zip(&vocabulary.tokens) {
                *kind = if token.starts_with("<0x") { 6 } else { 1 + *kind % 5 };
            }
            let last = u32::try_from(n_tokens).unwrap() - 1;
            vocabulary.unknown = Some(last);
            for id in [&mut vocabulary.bos, &mut vocabulary.eos, &mut vocabulary.padding] {
                *id = Some(id.unwrap_or(0).min(last));
            }
            vocabulary.merges = vec!["a b".to_owned()];
        }
        if let Ok(tokenizer) = read(vocabulary) {
            let _ = tokenizer.encode("ab a▁b <s>é");
            let _ = tokenizer.to_gguf(20);
        }
    }
}
