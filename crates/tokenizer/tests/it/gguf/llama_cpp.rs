//! The ids that llama.cpp gives, and the merges of SentencePiece models.

use super::*;

#[test]
fn small_vocabularies_give_the_ids_of_llama_cpp() {
    let golden = golden();
    assert!(golden.small.len() > 15 && golden.texts.len() > 20);
    for case in &golden.small {
        let name = &case.name;
        let tokenizer = case.tokenizer(&golden);
        let vocabulary = vocabulary(&tokenizer);
        let seen = sha256(serde_json::to_string(&vocabulary).unwrap());
        assert_eq!(seen, case.sha256, "{name}: run the golden script again");
        assert_eq!(tokenizer.begins_with_bos(), case.begins_with_bos, "{name}");

        let back = read(vocabulary).unwrap();
        assert_eq!(back.begins_with_bos(), case.begins_with_bos, "{name}");
        let texts = case.texts.as_ref().unwrap_or(&golden.texts);
        assert_eq!(texts.len(), case.ids.len());
        for (text, expected) in texts.iter().zip(&case.ids) {
            assert_eq!(
                tokenizer.encode(text).unwrap(),
                *expected,
                "{name} {text:?}"
            );
            assert_eq!(back.encode(text).unwrap(), *expected, "{name} {text:?}");
        }
    }
}

#[test]
fn vocabularies_of_the_gguf_package_give_the_ids_of_llama_cpp() {
    let golden = golden();
    for case in golden.theirs {
        let tokenizer = read(case.vocabulary).unwrap();
        assert_eq!(tokenizer.eos(), tokenizer.id_of(Tokenizer::END_OF_TEXT));
        assert_eq!(tokenizer.bos(), None);
        for (text, expected) in golden.texts.iter().zip(&case.ids) {
            assert_eq!(tokenizer.encode(text).unwrap(), *expected, "{text:?}");
        }
    }
}

#[test]
fn vocabularies_of_models_give_the_ids_of_llama_cpp() {
    let Some(data) = data_dir() else { return };
    let golden = golden();
    for case in &golden.data {
        let name = &case.tokenizer;
        let tokenizer = Tokenizer::load(&data.join(name)).unwrap();
        let vocabulary = vocabulary(&tokenizer);
        let seen = sha256(serde_json::to_string(&vocabulary).unwrap());
        assert_eq!(seen, case.sha256, "{name}: run the golden script again");
        assert_eq!(tokenizer.begins_with_bos(), case.begins_with_bos);

        let back = read(vocabulary).unwrap();
        assert_eq!(back.begins_with_bos(), case.begins_with_bos);
        for (text, expected) in golden.texts.iter().zip(&case.ids) {
            assert_eq!(
                tokenizer.encode(text).unwrap(),
                *expected,
                "{name} {text:?}"
            );
            assert_eq!(back.encode(text).unwrap(), *expected, "{name} {text:?}");
        }
        assert!(case.files.len() > 10);
        for (file, expected) in &case.files {
            let text = fs::read_to_string(data.join(file)).unwrap();
            let ids = back.encode(&text).unwrap();
            let bytes: Vec<_> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            assert_eq!(ids.len(), expected.n_ids, "{name} {file}");
            assert_eq!(sha256(bytes), expected.sha256, "{name} {file}");
            assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{name} {file}");
            assert_eq!(back.decode(&ids).unwrap(), tokenizer.decode(&ids).unwrap());
        }
    }
}

#[test]
fn gpt2_read_back_gives_the_ids_of_the_llama_cpp_vocabulary_test() {
    let Some(data) = data_dir() else { return };
    let gpt2 = Tokenizer::load(&data.join("tokenizers/gpt2")).unwrap();
    let back = read(vocabulary(&gpt2)).unwrap();
    let folder = data.join("oracles/llama.cpp");
    let texts = fs::read_to_string(folder.join("ggml-vocab.inp")).unwrap();
    let expected = fs::read_to_string(folder.join("gpt2.out")).unwrap();
    let texts = texts.split("\n__ggml_vocab_test__\n");
    for (text, line) in texts.zip(expected.lines()) {
        let ids = line.split_whitespace().map(|id| id.parse().unwrap());
        assert_eq!(back.encode(text).unwrap(), ids.collect::<Vec<u32>>());
    }
}

/// Reads the pieces of a SentencePiece model, as far as the format is needed: field 1 of the message is repeated and holds a piece with its text
/// in field 1, its score in field 2 and its type in field 3.
fn sentence_piece_model(bytes: &[u8]) -> GgufVocabulary {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7F) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    /// The fields of a message: number, value, content.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = number(&mut bytes);
            let (value, length) = match tag & 7 {
                0 => (number(&mut bytes), 0),
                2 => (0, usize::try_from(number(&mut bytes)).unwrap()),
                5 => (0, 4),
                other => panic!("wire type {other}"),
            };
            let (content, rest) = bytes.split_at(length);
            bytes = rest;
            fields.push((tag >> 3, value, content));
        }
        fields
    }

    let mut vocabulary = GgufVocabulary {
        model: "llama".to_owned(),
        bos: Some(1),
        eos: Some(2),
        unknown: Some(0),
        ..GgufVocabulary::default()
    };
    for (_, _, piece) in fields(bytes).iter().filter(|(field, ..)| *field == 1) {
        let (mut text, mut score, mut kind) = (String::new(), 0.0, 1);
        for (field, value, content) in fields(piece) {
            match field {
                1 => text = String::from_utf8(content.to_vec()).unwrap(),
                2 => score = f32::from_le_bytes(content.try_into().unwrap()),
                _ => kind = i32::try_from(value).unwrap(),
            }
        }
        vocabulary.tokens.push(text);
        vocabulary.scores.push(score);
        vocabulary.token_types.push(kind);
    }
    vocabulary
}

#[test]
fn scores_of_sentencepiece_give_the_merges_of_hugging_face() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("tokenizers/mistral");
    let model = fs::read(folder.join("tokenizer.model.v1")).unwrap();
    let vocabulary = sentence_piece_model(&model);
    assert_eq!(vocabulary.tokens.len(), 32000);
    let ours = read(vocabulary).unwrap();
    let theirs = Tokenizer::load(&folder.join("tokenizer.v1.json")).unwrap();
    assert!(ours.begins_with_bos() && ours.bos() == theirs.bos());
    let [ours, theirs] = [&ours, &theirs].map(definition);
    for part in [
        "model",
        "added_tokens",
        "normalizer",
        "pre_tokenizer",
        "decoder",
    ] {
        assert!(ours[part] == theirs[part], "{part}");
    }
}
