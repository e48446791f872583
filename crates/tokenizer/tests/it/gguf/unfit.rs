//! Tokenizers that a GGUF file cannot say.

use super::*;

/// The message for a tokenizer that cannot be written.
#[track_caller]
fn unfit(definition: &Value, expected: &str) {
    let tokenizer = load(definition);
    let error = tokenizer
        .to_gguf(tokenizer.vocab_size())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("a GGUF file cannot hold this tokenizer, whose "),
        "{error}"
    );
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_a_gguf_file_cannot_say_is_refused() {
    let changed = |pointer: &str, value: Value| {
        let mut definition = definition(&bpe());
        *definition.pointer_mut(pointer).unwrap() = value;
        definition
    };
    unfit(
        &changed("/normalizer", json!({"type": "Lowercase"})),
        "pre-tokenizer is",
    );
    unfit(
        &changed("/pre_tokenizer/add_prefix_space", json!(true)),
        "there is no name for this rule",
    );
    unfit(
        &changed("/model/ignore_merges", json!(true)),
        "there is no name for this rule",
    );
    unfit(&changed("/model/dropout", json!(0.5)), "dropout is 0.5");
    unfit(
        &changed("/added_tokens/0/lstrip", json!(true)),
        "added token is \"<|endoftext|>\"",
    );
    let post = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "Ġthe", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"Ġthe": {"id": "Ġthe", "ids": [bpe().id_of("Ġthe")], "tokens": ["Ġthe"]}}});
    unfit(
        &changed("/post_processor", post),
        "post-processor is \"TemplateProcessing\"",
    );

    let model = |model: Value| json!({"model": model, "decoder": {"type": "Fuse"}});
    unfit(
        &model(json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"})),
        "model is WordLevel",
    );
    unfit(
        &model(json!({"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 0})),
        "model is Unigram",
    );
    unfit(
        &model(
            json!({"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9}),
        ),
        "model is WordPiece",
    );
    let mut merge = definition(&bpe());
    for (token, id) in [("x y", 340), ("x yb", 341)] {
        merge["model"]["vocab"][token] = json!(id);
    }
    let merges = merge["model"]["merges"].as_array_mut().unwrap();
    merges.push(json!(["x y", "b"]));
    unfit(&merge, "merge is \"x y\" and \"b\"");

    let mut bytes = definition(&bpe());
    let vocab = bytes["model"]["vocab"].as_object_mut().unwrap();
    let id = vocab.remove("ÿ");
    vocab.insert("ÿÿÿ".to_owned(), id.unwrap());
    assert!(load(&bytes).to_gguf(340).is_ok());
    bytes["model"]["unk_token"] = json!("<|endoftext|>");
    unfit(&bytes, "unk_token is set");

    let mut normalized = changed("/normalizer", json!({"type": "NFC"}));
    assert!(load(&normalized).to_gguf(340).is_ok());
    normalized["added_tokens"][0]["normalized"] = json!(true);
    unfit(&normalized, "added token is \"<|endoftext|>\"");

    let mut filler = definition(&bpe());
    filler["model"]["vocab"]["[PAD341]"] = json!(340);
    let error = load(&filler).to_gguf(342).unwrap_err().to_string();
    assert!(
        error.ends_with("whose token is \"[PAD341]\": each needs a text of its own"),
        "{error}"
    );

    let spaces = Tokenizer::train_characters(["a ▁"]).unwrap();
    let error = spaces.to_gguf(4).unwrap_err().to_string();
    assert!(
        error.ends_with("whose character is ▁: it stands for the space there"),
        "{error}"
    );
}

#[test]
fn merges_that_scores_cannot_stand_for_are_refused() {
    let list = [
        ("▁", -1.0),
        ("a", -2.0),
        ("b", -3.0),
        ("ab", -4.0),
        ("aa", -5.0),
        ("aab", -6.0),
    ];
    let whole = definition(&read(pieces(&list)).unwrap());
    assert_eq!(
        whole["model"]["merges"],
        json!([["a", "b"], ["a", "a"], ["a", "ab"], ["aa", "b"]])
    );
    let with = |merges: Value| {
        let mut definition = whole.clone();
        definition["model"]["merges"] = merges;
        definition
    };
    assert!(load(&whole).to_gguf(300).is_ok());
    unfit(
        &with(json!([["a", "b"], ["a", "a"], ["a", "ab"]])),
        "list of merges is no merge of \"aa\" and \"b\", though they make a token: scores for single tokens cannot stand for it",
    );
    unfit(
        &with(json!([["a", "b"], ["a", "ab"], ["a", "a"], ["aa", "b"]])),
        "several ways to make \"aab\", far apart",
    );
    let mut special = whole.clone();
    special["model"]["vocab"]["<b"] = json!(264);
    special["added_tokens"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 264, "content": "<b", "single_word": false,
        "lstrip": false, "rstrip": false, "normalized": false, "special": true}));
    unfit(&special, "the special token \"<b\" within text");
    for (pointer, value, expected) in [
        ("/model/ignore_merges", json!(true), "ignore_merges is true"),
        (
            "/model/byte_fallback",
            json!(false),
            "number of byte tokens is",
        ),
        ("/normalizer", Value::Null, "normalizer is null"),
        (
            "/pre_tokenizer",
            json!({"type": "Whitespace"}),
            "pre-tokenizer is",
        ),
        ("/decoder", json!({"type": "Fuse"}), "decoder is"),
    ] {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        unfit(&changed, expected);
    }
}

#[test]
fn a_pre_tokenizer_that_minds_the_space_a_text_begins_with_is_refused() {
    let golden = golden();
    let mut cases = golden.small.iter();
    let case = cases.find(|case| case.name == "sentence-piece-with-prefix-across-words");
    let case = case.unwrap();
    for scheme in ["first", "always"] {
        let mut definition = case.definition.clone().unwrap();
        definition["normalizer"] = Value::Null;
        definition["pre_tokenizer"] = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
        let metaspace = load(&definition);
        // What llama.cpp makes of the vocabulary with a space before each text.
        let texts = golden.texts.iter().zip(&case.ids);
        // What follows an added token begins anew.
        for (text, expected) in texts.filter(|(text, _)| !text.contains("<tool>")) {
            let same = metaspace.encode(text).unwrap() == *expected;
            assert_eq!(same, !text.starts_with([' ', '▁']), "{scheme} {text:?}");
        }
        unfit(
            &definition,
            "it puts no ▁ before a text that begins with a space",
        );
    }
}

#[test]
fn a_pre_tokenizer_that_changes_ids_is_refused() {
    let golden = golden();
    let case = |name: &str| {
        let mut cases = golden.small.iter();
        let case = cases.find(|case| case.name == name).unwrap();
        case.definition.clone().unwrap()
    };
    let mut definition = case("metaspace");
    assert!(load(&definition).to_gguf(1000).is_ok());
    definition["pre_tokenizer"]["split"] = json!(true);
    unfit(&definition, "over whose ends some merges reach");
    let mut definition = case("metaspace-split");
    definition["pre_tokenizer"]["replacement"] = json!("_");
    unfit(&definition, "it must write spaces as ▁");
    let mut definition = case("metaspace");
    definition["normalizer"] = json!({"type": "NFC"});
    unfit(&definition, "must not be cut into words");
}
