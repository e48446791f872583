//! Saved files, and what they are when loaded again.

use std::fs;
use std::path::Path;

use llm_tokenizer::{ChatTemplate, Tokenizer, TokenizerError};
use serde_json::{Value, json};

use crate::{TEXT, bpe, data_dir};

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_saved_tokenizer_is_the_same_when_loaded() {
    let folder = tempfile::tempdir().unwrap();
    for tokenizer in [bpe(), Tokenizer::train_characters([TEXT]).unwrap()] {
        // Twice, to write over the files of the first time.
        for _ in 0..2 {
            let deep = folder.path().join("new/folder");
            tokenizer.save(&deep).unwrap();
            let loaded = Tokenizer::load(&deep).unwrap();
            assert_eq!(loaded.hash(), tokenizer.hash());
            assert_eq!(loaded.describe(), tokenizer.describe());
            assert_eq!(
                loaded.encode(TEXT).unwrap(),
                tokenizer.encode(TEXT).unwrap()
            );
            assert_eq!((loaded.bos(), loaded.eos()), (Some(0), Some(0)));
            let names = fs::read_dir(&deep).unwrap().count();
            assert_eq!(names, 2, "temporary files are left");
        }
    }
}

#[test]
fn characters_stay_characters() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a\r\n\t e\u{301}é\u{0}\u{FEFF}\"\\/\u{2028}😀";
    Tokenizer::train_characters([text])
        .unwrap()
        .save(folder.path())
        .unwrap();
    let loaded = Tokenizer::load(&folder.path().join("tokenizer.json")).unwrap();
    assert!(loaded.describe().starts_with("character level"));
    let ids = loaded.encode(text).unwrap();
    assert_eq!(loaded.decode(&ids).unwrap(), text);
    assert!(loaded.encode("z").is_err());
}

#[test]
fn the_configuration_is_the_one_transformers_wants() {
    let folder = tempfile::tempdir().unwrap();
    bpe().save(folder.path()).unwrap();
    assert_eq!(
        read(&folder.path().join("tokenizer_config.json")),
        json!({
            "bos_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": false,
            "eos_token": "<|endoftext|>",
            "tokenizer_class": "PreTrainedTokenizerFast",
        })
    );
}

#[test]
fn the_rest_of_a_loaded_configuration_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    bpe().save(folder.path()).unwrap();
    let path = folder.path().join("tokenizer_config.json");
    let config = json!({"chat_template": "{{ messages }}", "bos_token": null,
        "eos_token": {"content": "Ġthe", "special": true}});
    fs::write(&path, config.to_string()).unwrap();

    let loaded = Tokenizer::load(folder.path()).unwrap();
    let the = loaded.id_of("Ġthe");
    assert_eq!((loaded.bos(), loaded.eos()), (None, the));
    // The token named there is special from now on.
    assert_eq!(loaded.decode(&[the.unwrap()]).unwrap(), "");
    assert!(matches!(
        loaded.encode(" the").unwrap_err(),
        TokenizerError::SpecialInText { token } if token == "Ġthe"
    ));

    let copy = folder.path().join("copy");
    loaded.save(&copy).unwrap();
    let saved = read(&copy.join("tokenizer_config.json"));
    assert_eq!(saved["chat_template"], config["chat_template"]);
    assert_eq!(saved["bos_token"], Value::Null);
    assert_eq!(Tokenizer::load(&copy).unwrap().hash(), loaded.hash());
}

/// Names and contents.
type Pairs<'p> = &'p [(&'p str, &'p str)];

/// A saved tokenizer with these files beside it.
fn with_files(files: Pairs) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    bpe().save(folder.path()).unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[track_caller]
fn check_templates(tokenizer: &Tokenizer, expected: Pairs) {
    let names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(tokenizer.chat_template_names().unwrap(), names);
    for (name, source) in expected {
        let template = tokenizer.chat_template_named(name).unwrap().unwrap();
        assert_eq!(template.source(), *source);
    }
    let default = tokenizer.chat_template().unwrap();
    let default = default.as_ref().map(|template| template.source());
    let named = expected.iter().find(|(name, _)| *name == "default");
    assert_eq!(default, named.map(|(_, source)| *source));
}

#[test]
fn templates_are_found_in_every_place_and_saved_where_they_were() {
    let config = "tokenizer_config.json";
    let list = json!({"chat_template": [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]}).to_string();
    let object = json!({"chat_template": {"default": "a"}}).to_string();
    let only_rag = json!({"chat_template": [{"name": "rag", "template": "b"}]}).to_string();
    let rag = "additional_chat_templates/rag.jinja";
    let cases: [(Pairs, Pairs); 12] = [
        (&[], &[]),
        (&[(config, r#"{"chat_template": null}"#)], &[]),
        (
            &[(config, r#"{"chat_template": "a\n"}"#)],
            &[("default", "a\n")],
        ),
        (&[(config, &list)], &[("default", "a"), ("rag", "b")]),
        (&[(config, &object)], &[("default", "a")]),
        (&[(config, &only_rag)], &[("rag", "b")]),
        (
            &[("chat_template.jinja", "c\n"), (config, &list)],
            &[("default", "c\n"), ("rag", "b")],
        ),
        (
            &[
                ("chat_template.jinja", "c"),
                (rag, "d"),
                ("additional_chat_templates/x.txt", ""),
            ],
            &[("default", "c"), ("rag", "d")],
        ),
        // Without text a template is none.
        (&[("chat_template.jinja", "")], &[]),
        (
            &[("chat_template.jinja", "\n"), (rag, " "), (config, &list)],
            &[("default", "a"), ("rag", "b")],
        ),
        (&[(config, r#"{"chat_template": ""}"#)], &[]),
        (
            &[(
                config,
                r#"{"chat_template": {"default": "\n", "rag": "b"}}"#,
            )],
            &[("rag", "b")],
        ),
    ];
    for (files, expected) in cases {
        let folder = with_files(files);
        let loaded = Tokenizer::load(folder.path()).unwrap();
        check_templates(&loaded, expected);

        let copy = folder.path().join("copy");
        loaded.save(&copy).unwrap();
        check_templates(&Tokenizer::load(&copy).unwrap(), expected);
        for (name, content) in files.iter().filter(|(name, _)| name.ends_with(".jinja")) {
            let saved = fs::read_to_string(copy.join(name)).ok();
            let content = Some(*content).filter(|content| !content.trim().is_empty());
            assert_eq!(saved.as_deref(), content, "{name}");
        }
        let [before, after] =
            [folder.path(), &copy].map(|f| read(&f.join(config))["chat_template"].clone());
        assert_eq!(before, after);
    }
}

#[test]
fn a_chosen_template_is_saved_as_a_file_and_goes_before_the_old_one() {
    let list = json!({"chat_template": [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]});
    for (config, kept) in [
        (json!({"chat_template": "a"}), Value::Null),
        (json!({"chat_template": {"default": "a"}}), json!({})),
        (list, json!([{"name": "rag", "template": "b"}])),
    ] {
        let folder = with_files(&[("tokenizer_config.json", &config.to_string())]);
        let chatml = ChatTemplate::builtin("chatml").unwrap();
        let loaded = Tokenizer::load(folder.path()).unwrap();
        let chosen = loaded.with_chat_template(&chatml);
        assert_eq!(loaded.chat_template().unwrap().unwrap().source(), "a");

        let copy = folder.path().join("copy");
        chosen.save(&copy).unwrap();
        let saved = fs::read_to_string(copy.join("chat_template.jinja")).unwrap();
        assert_eq!(saved, chatml.source());
        assert_eq!(
            read(&copy.join("tokenizer_config.json"))["chat_template"],
            kept
        );
        let template = Tokenizer::load(&copy).unwrap().chat_template().unwrap();
        let template = template.unwrap();
        assert_eq!(template.source(), chatml.source());
        assert_eq!(template.stop_strings(), ["<|im_end|>"]);
        assert!(
            loaded
                .chat_template()
                .unwrap()
                .unwrap()
                .stop_strings()
                .is_empty()
        );
        assert_eq!(chosen.hash(), loaded.hash());
    }
}

#[test]
fn a_template_that_cannot_be_used_is_an_error_with_its_file() {
    let wrong = r#"{"chat_template": [{"name": "default"}]}"#;
    for (name, content, expected) in [
        (
            "chat_template.jinja",
            "a\n{% if %}",
            "DIR/chat_template.jinja:2: the chat template cannot be read; correct it, or choose another one",
        ),
        (
            "tokenizer_config.json",
            wrong,
            "DIR/tokenizer_config.json: chat_template must be a template, or a list of objects with the texts name and template",
        ),
    ] {
        let folder = with_files(&[(name, content)]);
        // Who does not chat is not kept from loading.
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        let error = tokenizer.chat_template().unwrap_err().to_string();
        let place = folder.path().display().to_string();
        assert_eq!(error.replace(&place, "DIR"), expected);
    }
}

#[test]
fn a_folder_saved_to_has_the_templates_of_the_tokenizer_and_no_others() {
    let old: Pairs = &[
        ("chat_template.jinja", "old"),
        ("additional_chat_templates/rag.jinja", "old"),
        ("additional_chat_templates/default.jinja", "old"),
        ("additional_chat_templates/notes.txt", "kept"),
        ("tokenizer_config.json", r#"{"chat_template": "old"}"#),
    ];
    let chatml = ChatTemplate::builtin("chatml").unwrap();
    let empty = ChatTemplate::parse("").unwrap();
    let rag = with_files(&[("additional_chat_templates/rag.jinja", "new")]);
    let chats = bpe().with_chat_template(&chatml);
    let cases: [(Tokenizer, Pairs); 4] = [
        (bpe(), &[]),
        (Tokenizer::load(rag.path()).unwrap(), &[("rag", "new")]),
        (chats.clone(), &[("default", chatml.source())]),
        (chats.with_chat_template(&empty), &[]),
    ];
    for (tokenizer, expected) in cases {
        let folder = with_files(old);
        check_templates(&tokenizer, expected);
        tokenizer.save(folder.path()).unwrap();
        check_templates(&Tokenizer::load(folder.path()).unwrap(), expected);
        let notes = folder.path().join("additional_chat_templates/notes.txt");
        assert_eq!(fs::read_to_string(notes).unwrap(), "kept");
    }
}

#[test]
fn templates_know_the_special_tokens_of_the_configuration() {
    let config = json!({
        "bos_token": null, "eos_token": {"content": "Ġthe"}, "pad_token": "<pad>", "unk_token": null,
        "add_bos_token": true, "extra_special_tokens": {"image_token": "<image>"},
    });
    let folder = with_files(&[("tokenizer_config.json", &config.to_string())]);
    let tokens = Tokenizer::load(folder.path()).unwrap().special_tokens();
    let tokens: Vec<_> = tokens
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let expected = [
        ("eos_token", "Ġthe"),
        ("image_token", "<image>"),
        ("pad_token", "<pad>"),
    ];
    assert_eq!(tokens, expected);
    let made = bpe().special_tokens();
    assert_eq!(made["bos_token"], Tokenizer::END_OF_TEXT);
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = bpe().save(&file).unwrap_err();
    assert!(matches!(error, TokenizerError::Write(error) if error.path == file));

    let blocked = folder.path().join("blocked");
    fs::create_dir_all(blocked.join("tokenizer.json")).unwrap();
    let error = bpe().save(&blocked).unwrap_err();
    assert!(
        matches!(error, TokenizerError::Write(error) if error.path == blocked.join("tokenizer.json"))
    );
}

#[test]
#[cfg(unix)]
fn saved_files_are_as_public_as_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    bpe().save(folder.path()).unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    let saved = folder.path().join("tokenizer.json");
    assert_eq!(mode(&saved), mode(&plain));
}

#[test]
fn gpt2_survives_being_saved() {
    let Some(data) = data_dir() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pair = Tokenizer::load(&data.join("tokenizers/gpt2")).unwrap();
    pair.save(folder.path()).unwrap();
    let saved = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(saved.hash(), pair.hash());
    assert_eq!(saved.encode(TEXT).unwrap(), pair.encode(TEXT).unwrap());
}
