//! Saved files, and what they are when loaded again.

use std::fs;
use std::path::Path;

use llm_tokenizer::{Tokenizer, TokenizerError};
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

#[test]
fn a_place_that_cannot_be_written_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = bpe().save(&file).unwrap_err();
    assert!(matches!(error, TokenizerError::Write { path, .. } if path == file));

    let blocked = folder.path().join("blocked");
    fs::create_dir_all(blocked.join("tokenizer.json")).unwrap();
    let error = bpe().save(&blocked).unwrap_err();
    assert!(
        matches!(error, TokenizerError::Write { path, .. } if path == blocked.join("tokenizer.json"))
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
