//! Tokenizers that were written, read back and used.

use super::*;

#[test]
fn files_come_back_as_they_were() {
    let Some(data) = data_dir() else { return };
    let mut same = Vec::new();
    for file in [
        "tokenizers/gpt2",
        "tokenizers/mistral/tokenizer.v1.json",
        "models/stories260K/hf/tokenizer.json",
    ] {
        let tokenizer = Tokenizer::load(&data.join(file)).unwrap();
        let back = read(vocabulary(&tokenizer)).unwrap();
        let [mut before, mut after] = [&tokenizer, &back].map(definition);
        // The type of the second of two texts is of no use here.
        before["post_processor"] = Value::Null;
        after["post_processor"] = Value::Null;
        assert_eq!(
            before["model"]["merges"], after["model"]["merges"],
            "{file}"
        );
        assert!(before == after, "{file}");
        same.push(tokenizer.hash() == back.hash());
    }
    assert!(same[0], "GPT-2 has no post-processor to tell apart");
}

/// Each small tokenizer, and what comes back when a model with a few more rows is read.
static READ_BACK: LazyLock<Vec<(String, Tokenizer, Tokenizer)>> = LazyLock::new(|| {
    let golden = golden();
    let cases = golden.small.iter().map(|case| {
        let before = case.tokenizer(&golden);
        let after = read(before.to_gguf(before.vocab_size() + 3).unwrap()).unwrap();
        (case.name.clone(), before, after)
    });
    cases.collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_vocabulary_read_back_encodes_every_text_as_before(
        texts in prop::collection::vec(
            "(?s:.){0,12}|[ \\n\\r\\t]{0,6}|[a-z' ]{0,24}|[0-9,. ]{0,10}|[▁ab ]{0,9}|(e\\u{301}|a\\u{300}b|\\u{212B}){0,3}|(<s>|<tool>|<[|]endoftext[|]>|the| fox){0,6}",
            24)
    ) {
        for (name, before, after) in READ_BACK.iter() {
            prop_assert_eq!(after.vocab_size(), before.vocab_size());
            prop_assert_eq!((after.bos(), after.eos()), (before.bos(), before.eos()));
            for text in &texts {
                let ids = match before.encode(text) {
                    Ok(ids) => ids,
                    Err(error) => {
                        let after = after.encode(text).unwrap_err();
                        prop_assert_eq!(error.to_string(), after.to_string());
                        continue;
                    }
                };
                prop_assert_eq!(&ids, &after.encode(text).unwrap(), "{} {:?}", name, text);
                prop_assert_eq!(before.decode(&ids).unwrap(), after.decode(&ids).unwrap());
                let special = before.encode_with_special(text).unwrap();
                prop_assert_eq!(special, after.encode_with_special(text).unwrap());
            }
        }
    }
}

#[test]
fn characters_come_back_as_characters() {
    let before = Tokenizer::train_characters([TEXT]).unwrap();
    let vocabulary = vocabulary(&before);
    assert_eq!(vocabulary.model, "llama");
    assert!(vocabulary.tokens.contains(&"▁".to_owned()));
    assert_eq!(vocabulary.add_space_prefix, Some(false));
    let after = read(vocabulary).unwrap();
    assert_eq!(after.describe(), before.describe());
    assert_eq!(after.encode(TEXT).unwrap(), before.encode(TEXT).unwrap());
    assert_eq!(definition(&after), definition(&before));
    let error = after.encode("The☃").unwrap_err();
    assert!(matches!(
        error,
        TokenizerError::UnknownCharacter {
            character: '☃',
            position: 3
        }
    ));
}

#[test]
fn rows_without_a_token_are_filled_and_left_out_again() {
    let before = bpe();
    let vocabulary = before.to_gguf(352).unwrap();
    assert_eq!(vocabulary.tokens.len(), 352);
    assert_eq!(vocabulary.tokens[340], "[PAD340]");
    assert_eq!(vocabulary.token_types[339..341], [1, 5]);
    let after = read(vocabulary).unwrap();
    assert_eq!(after.vocab_size(), 340);
    assert_eq!(after.hash(), before.hash());
    let error = before.to_gguf(339).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tokenizer has 340 ids but the model has 339 rows; check that the model and the tokenizer belong together"
    );
}

#[test]
fn template_and_names_of_special_tokens_go_through() {
    let folder = tempfile::tempdir().unwrap();
    bpe().save(folder.path()).unwrap();
    let config = folder.path().join("tokenizer_config.json");
    let mut settings: Value = serde_json::from_str(&fs::read_to_string(&config).unwrap()).unwrap();
    settings["pad_token"] = json!({"content": "Ġthe"});
    settings["bos_token"] = Value::Null;
    settings["chat_template"] = json!("{{ bos_token }}hello");
    fs::write(&config, settings.to_string()).unwrap();
    let before = Tokenizer::load(folder.path()).unwrap();
    let vocabulary = vocabulary(&before);
    assert_eq!((vocabulary.bos, vocabulary.eos), (None, Some(0)));
    assert_eq!(vocabulary.padding, before.id_of("Ġthe"));
    assert_eq!(
        vocabulary.chat_template.as_deref(),
        Some("{{ bos_token }}hello")
    );
    let back = read(vocabulary).unwrap();
    let template = back.chat_template().unwrap().unwrap();
    assert_eq!(template.source(), "{{ bos_token }}hello");
    let after = saved(&back, "tokenizer_config.json");
    assert_eq!(after["pad_token"], "Ġthe");
    assert_eq!(after["bos_token"], Value::Null);

    let named =
        json!([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]);
    settings["chat_template"] = named;
    fs::write(&config, settings.to_string()).unwrap();
    let several = Tokenizer::load(folder.path()).unwrap();
    let vocabulary = several.to_gguf(340).unwrap();
    assert_eq!(vocabulary.chat_template.as_deref(), Some("d"));
}

#[test]
fn texts_begin_and_end_as_the_file_says() {
    let begins = |change: fn(&mut GgufVocabulary)| {
        let mut vocabulary = vocabulary(&bpe());
        change(&mut vocabulary);
        let tokenizer = read(vocabulary).unwrap();
        let again = self::vocabulary(&tokenizer);
        (tokenizer.begins_with_bos(), again.add_bos, again.add_eos)
    };
    assert_eq!(begins(|_| ()), (false, Some(false), Some(false)));
    assert_eq!(
        begins(|v| v.add_bos = Some(true)),
        (true, Some(true), Some(false))
    );
    assert_eq!(
        begins(|v| v.add_bos = None),
        (false, Some(false), Some(false))
    );
    // The default of this rule.
    let llama3 = |v: &mut GgufVocabulary| {
        v.pre = Some("llama3".to_owned());
        v.add_bos = None;
        v.add_eos = Some(true);
    };
    assert_eq!(begins(llama3), (true, Some(true), Some(true)));

    // As in the files of Llama 3, where the other processor is about offsets.
    let mut definition = definition(&bpe());
    let template = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}}});
    definition["post_processor"] =
        json!({"type": "Sequence", "processors": [definition["decoder"], template]});
    let vocabulary = vocabulary(&load(&definition));
    assert_eq!(
        (vocabulary.add_bos, vocabulary.add_eos),
        (Some(true), Some(false))
    );
}
