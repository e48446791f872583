//! Published counts of known corpora, in the folder that `LLM_DATA_DIR` names.

use std::env;
use std::fs;
use std::path::PathBuf;

use encoding_rs::Encoding;
use llm_data::{DataConfig, Documents, Format, Source, check, prepare, read_tokens};
use llm_tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};
use serde_json::Value;

use crate::{Folder, field, of, read_as, skipping};

/// The folder of real files. Without one a test is skipped with a word on stderr; where `CI` is set, it fails.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn data_dir(test: &str) -> Option<PathBuf> {
    let folder = env::var_os("LLM_DATA_DIR").map(PathBuf::from);
    if folder.is_none() {
        assert!(
            env::var_os("CI").is_none(),
            "{test}: LLM_DATA_DIR must be set where CI is"
        );
        eprintln!("SKIPPED {test}: LLM_DATA_DIR is not set");
    }
    folder
}

fn published(folder: &std::path::Path) -> Value {
    let text =
        fs::read(folder.join("oracles/published_counts.json")).expect("the published counts");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn tiny_shakespeare_has_the_published_counts() {
    let Some(folder) = data_dir("tiny_shakespeare_has_the_published_counts") else {
        return;
    };
    let counts = &published(&folder)["tinyshakespeare"];
    let cache = Folder::new();
    let data = of([folder.join("corpora/tinyshakespeare.txt")]);
    let prepared = prepare(&data, &TokenizerConfig::default(), cache.path()).expect("good data");
    let (train, validation) = (&prepared.train, &prepared.validation);
    assert_eq!(counts["char_train"], train.len());
    assert_eq!(counts["char_val"], validation.len());
    assert_eq!(counts["chars"], train.chars() + validation.chars());
    // The 65 characters and the end of text.
    assert_eq!(
        counts["distinct_chars"],
        prepared.tokenizer.vocab_size() - 1
    );
    let start = prepared
        .tokenizer
        .decode(&train.tokens(0..14))
        .expect("known tokens");
    assert_eq!(start, "First Citizen:");
    let check = check(&fs::read_to_string(&data.sources[0].path).expect("text")[..5000]);
    assert!(
        check.sentences > 50 && check.sentences_parsed == 0,
        "{check:?}"
    );
}

#[test]
fn gpt_2_counts_are_the_published_ones() {
    let Some(folder) = data_dir("gpt_2_counts_are_the_published_ones") else {
        return;
    };
    let Some(path) = ["tokenizers/gpt2", "models/gpt2"]
        .iter()
        .map(|p| folder.join(p))
        .find(|p| p.exists())
    else {
        panic!("no GPT-2 tokenizer in {}", folder.display());
    };
    let tokenizer = Tokenizer::load(&path).expect("the GPT-2 tokenizer");
    let counts = published(&folder);
    let verdict = read_tokens(
        &[folder.join("corpora/the-verdict.txt").into()],
        &DataConfig::default(),
        &tokenizer,
    )
    .expect("text");
    assert_eq!(counts["the_verdict"]["gpt2_tokens"], verdict.tokens.len());
    assert_eq!(counts["the_verdict"]["chars"], verdict.chars);

    let cache = Folder::new();
    let data = of([folder.join("corpora/tinyshakespeare.txt")]);
    let prepared = llm_data::prepare_with(&data, &tokenizer, cache.path()).expect("good data");
    assert_eq!(
        counts["tinyshakespeare"]["gpt2_train"],
        prepared.train.len()
    );
    assert_eq!(
        counts["tinyshakespeare"]["gpt2_val"],
        prepared.validation.len()
    );
}

#[test]
fn books_are_read_packed() {
    let Some(folder) = data_dir("books_are_read_packed") else {
        return;
    };
    let documents: Vec<_> = Documents::open(
        &[folder.join("corpora/gutenberg").into()],
        &DataConfig::default(),
    )
    .expect("a folder of books")
    .map(|document| document.expect("a good book"))
    .collect();
    assert_eq!(documents.len(), 7);
    assert!(
        documents[0].origin.contains("david-copperfield"),
        "{}",
        documents[0].origin
    );
    assert_eq!(documents[0].text.len(), 1_975_094);
    assert!(documents[6].origin.contains("war-and-peace"));
    assert_eq!(documents[6].text.len(), 3_274_088);
}

#[test]
fn a_file_without_separators_is_one_document() {
    let Some(folder) = data_dir("a_file_without_separators_is_one_document") else {
        return;
    };
    let path = folder.join("corpora/tinystories_sample.txt");
    let documents = read_as(&*path, &DataConfig::default()).expect("good text");
    assert_eq!(documents, [fs::read_to_string(path).expect("text")]);
}

#[test]
fn files_of_others_are_read_as_they_are() {
    let Some(folder) = data_dir("files_of_others_are_read_as_they_are") else {
        return;
    };
    let read = |path: &str, field_name: &str| {
        read_as(folder.join(path), &field(field_name)).expect("a good file")
    };
    let lines = |path: &str| {
        let text = fs::read_to_string(folder.join(path)).expect("text");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };

    // Quotes are everywhere in these messages, and none of them parts anything.
    let messages = read("finetune/SMSSpamCollection.tsv", "#2");
    let expected = lines("finetune/SMSSpamCollection.tsv");
    let expected = expected.iter().filter_map(|line| line.split_once('\t'));
    assert_eq!(messages, expected.map(|(_, text)| text).collect::<Vec<_>>());
    assert_eq!(messages.len(), 4574);

    let instructions = read("finetune/instruction-data.json", "instruction");
    let json = fs::read(folder.join("finetune/instruction-data.json")).expect("a file");
    let json: Vec<Value> = serde_json::from_slice(&json).expect("JSON");
    let expected: Vec<_> = json
        .iter()
        .map(|value| value["instruction"].clone())
        .collect();
    assert_eq!(instructions, expected);
    assert_eq!(instructions.len(), 1100);

    let german = read("translation/tatoeba/train.en-de.tsv.gz", "#2");
    assert_eq!(german.len(), 60_406);

    let source: Source = folder
        .join("html/dirty-text-latin1-crlf-boilerplate.txt.gz")
        .into();
    let holmes = read_as(source, &DataConfig::default()).expect("ISO-8859-1");
    assert!(!holmes[0].contains(['\r', '\u{fffd}', '\u{c3}']));
    assert!(
        holmes[0].contains("NORTON, n\u{e9}e ADLER"),
        "{}",
        holmes[0].len()
    );
    let letters: String = holmes[0].chars().filter(|char| !char.is_ascii()).collect();
    assert_eq!(letters.len(), 2 * letters.chars().count());

    for (name, part) in [
        ("wikipedia", "Mozilla is a free-software community"),
        ("rtl-1", "Lorem ipsum dolor"),
    ] {
        let page = read(&format!("html/{name}/source.html"), "text");
        assert!(
            page[0].contains(part) && !page[0].contains("<p"),
            "{}",
            page[0]
        );
    }
    let (pages, skipped) = skipping(&folder.join("html"), &DataConfig::default());
    assert!(pages.len() + skipped.len() >= 15, "{skipped:?}");
}

#[test]
fn languages_are_read_in_the_codings_of_their_time() {
    let Some(folder) = data_dir("languages_are_read_in_the_codings_of_their_time") else {
        return;
    };
    let place = Folder::new();
    for (language, coding) in [
        ("deu_1901", "windows-1252"),
        ("fra", "windows-1252"),
        ("spa", "windows-1252"),
        ("fin", "windows-1252"),
        ("tur", "windows-1254"),
        ("rus", "windows-1251"),
        ("rus", "koi8-r"),
        ("ell_monotonic", "windows-1253"),
        ("heb", "windows-1255"),
        ("arb", "windows-1256"),
        ("jpn", "shift_jis"),
        ("jpn", "euc-jp"),
        ("kor", "euc-kr"),
        ("cmn_hans", "gb18030"),
        ("tha", "windows-874"),
        ("hin", "utf-8"),
        ("vie", "utf-8"),
    ] {
        let text = fs::read_to_string(folder.join(format!("corpora/udhr/{language}.txt")));
        // Letters that the coding lacks, such as the bullets of lists, are left out.
        let coding = Encoding::for_label(coding.as_bytes()).expect("a coding");
        let has = |char: &char| !coding.encode(char.encode_utf8(&mut [0; 4])).2;
        let text: String = text.expect("text").chars().filter(has).collect();
        let file = place.file(&format!("{language}.txt"), coding.encode(&text).0);
        let read = read_as(file, &DataConfig::default()).expect(language);
        let same = read[0] == text;
        assert!(same, "{language} in {}: {:.60}", coding.name(), read[0]);
    }
}

#[test]
fn long_texts_have_the_tokens_of_the_whole() {
    let Some(folder) = data_dir("long_texts_have_the_tokens_of_the_whole") else {
        return;
    };
    let cache = Folder::new();
    let bpe = TokenizerConfig {
        kind: TokenizerKind::Bpe,
        vocab_size: 2000,
        path: None,
    };
    for config in [&bpe, &TokenizerConfig::default()] {
        for path in [
            "corpora/tinyshakespeare.txt",
            "corpora/gutenberg/war-and-peace.txt.gz",
            "corpora/wikitext2/wiki.test.raw",
        ] {
            // Not a kind of its own by its extension.
            let mut data = of([folder.join(path)]);
            data.format = Some(Format::Text);
            let text = read_as(data.sources[0].clone(), &data).expect("text");
            let prepared = prepare(&data, config, cache.path()).expect("good data");
            let cut = prepared.train.bytes() as usize;
            for (part, text) in [
                (&prepared.train, &text[0][..cut]),
                (&prepared.validation, &text[0][cut..]),
            ] {
                let tokens = prepared.tokenizer.encode(text).expect("known characters");
                assert!(part.tokens(0..part.len()) == tokens, "{path}");
            }
        }
    }
}
