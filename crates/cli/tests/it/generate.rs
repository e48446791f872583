//! `llm generate` and `llm eval perplexity` on a tiny model whose output transformers has computed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Place, data_dir, json};

/// Tokens 1 to 60 of the tokenizer; the model has 61.
pub(crate) fn characters() -> Vec<char> {
    ('A'..='Z')
        .chain('a'..='z')
        .chain(['é', '0', '1', '2', '3', '4', '5', '\n'])
        .collect()
}

/// A folder with the model, a tokenizer that fits it, and what transformers makes of it.
pub(crate) fn place() -> (Place, Value) {
    let place = place_of(&characters().into_iter().collect::<String>());
    (
        place,
        json(&fs::read_to_string(golden().join("expected.json")).unwrap()),
    )
}

/// A folder with the model and a tokenizer of these characters, which must be 60.
pub(crate) fn place_of(characters: &str) -> Place {
    let place = Place::new();
    place.write("characters.txt", characters);
    let train = ["tokenizer", "train", "--data", "characters.txt"];
    let kind = ["--kind", "character", "--output-dir", "m"];
    place.ok(&[train, kind].concat());
    for file in ["config.json", "model.safetensors"] {
        fs::copy(golden().join(file), place.path().join("m").join(file)).unwrap();
    }
    place
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/tiny/gpt2")
}

fn text(place: &Place, ids: &Value) -> String {
    let ids: Vec<String> = ids
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    place
        .run_with(&["tokenizer", "decode", "--tokenizer", "m"], ids.join(" "))
        .stdout
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(json).collect()
}

#[test]
fn greedy_text_is_that_of_transformers() {
    let (place, expected) = place();
    let (prompt, new) = (&expected["greedy"]["prompt"], &expected["greedy"]["new"]);
    let (prompt_text, new_text) = (text(&place, prompt), text(&place, new));
    let n = new.as_array().unwrap().len().to_string();
    let generate = [
        "generate",
        "--model",
        "m",
        "--prompt",
        &prompt_text,
        "--strategy",
        "greedy",
        "--max-new-tokens",
        &n,
    ];

    for cache in [&[][..], &["--no-cache"]] {
        let line = json(&place.ok(&[&generate, &["--json"][..], cache].concat()));
        assert_eq!((&line["prompt_tokens"], &line["tokens"]), (prompt, new));
        assert_eq!(
            (&line["text"], &line["finish_reason"]),
            (&Value::from(new_text.as_str()), &json("\"length\""))
        );
        let logprobs = line["logprobs"].as_array().unwrap();
        assert_eq!(logprobs.len(), new.as_array().unwrap().len());
        assert!(logprobs.iter().all(|p| p.as_f64().unwrap() <= 0.0));
    }
    let ended = place.run(&generate);
    assert_eq!(ended.stdout, format!("{prompt_text}{new_text}\n"));
    assert_eq!(ended.stderr, "");
}

#[test]
fn guessed_tokens_change_nothing() {
    let (place, _) = place();
    let mut generate = vec![
        "generate",
        "--model",
        "m",
        "--prompt",
        "ABAB",
        "--seed",
        "3",
        "--json",
        "--max-new-tokens",
        "100",
    ];
    for strategy in ["greedy", "sample"] {
        generate.extend(["--strategy", strategy]);
        let plain = place.ok(&generate);
        for guesses in [&["--lookup"][..], &["--draft-model", "m"]] {
            assert_eq!(
                place.ok(&[&generate, guesses].concat()),
                plain,
                "{strategy} {guesses:?}"
            );
        }
        generate.truncate(generate.len() - 2);
    }
    let refused = |arguments: &[&str]| {
        let ended = place.run(&[&generate, arguments].concat());
        assert_eq!(ended.stdout, "", "{arguments:?}");
        (ended.code, ended.stderr)
    };
    for both in [["--lookup", "--no-cache"], ["--lookup", "--draft-model=m"]] {
        let (code, message) = refused(&both);
        assert_eq!((code, message.lines().count()), (2, 1), "{message}");
    }
    let (code, message) = refused(&["--draft-model", "none"]);
    assert!(
        code == 1 && message.contains("none: does not exist"),
        "{message}"
    );
    // A draft model of another vocabulary: the same folder, cut to fewer tokens.
    place.ok(&["data", "synth", "--size", "30KB", "--output", "t.txt"]);
    place.ok(&[
        "train",
        "--data",
        "t.txt",
        "--output-dir",
        "other",
        "--max-steps",
        "1",
        "--set",
        "model.n_layers=1",
        "--set",
        "model.d_model=16",
        "--set",
        "model.n_heads=2",
        "--set",
        "model.max_seq_len=16",
        "--set",
        "tokenizer.vocab_size=300",
    ]);
    let (code, message) = refused(&["--draft-model", "other"]);
    assert!(
        code == 1 && message.contains("the draft model has 300 tokens, the model 61"),
        "{message}"
    );
}

/// The text that karpathy/llama2.c publishes for this model, and the ids of a computation in f64.
#[test]
fn the_published_story_comes_out_of_the_published_model() {
    let Some(data) = data_dir("the_published_story_comes_out_of_the_published_model") else {
        return;
    };
    let expected = json(&fs::read_to_string(data.join("oracles/stories260K_greedy.json")).unwrap());
    let ids = expected["ids_with_bos"].as_array().unwrap();
    let model = data.join("models/stories260K/hf");
    let n = (ids.len() - 1).to_string();
    let place = Place::new();
    let generate = [
        "generate",
        "--model",
        model.to_str().unwrap(),
        "--prompt",
        "",
        "--strategy",
        "greedy",
        "--max-new-tokens",
        &n,
    ];
    let line = json(&place.ok(&[&generate[..], &["--json"]].concat()));
    assert_eq!(line["prompt_tokens"].as_array().unwrap(), &ids[..1]);
    assert_eq!(line["tokens"].as_array().unwrap(), &ids[1..]);
    assert_eq!(line["text"], expected["text_200_steps"]);
    assert_eq!(
        place.ok(&generate),
        format!("{}\n", expected["text_200_steps"].as_str().unwrap())
    );
}

#[test]
fn a_stop_string_across_tokens_ends_the_text_before_it() {
    let (place, expected) = place();
    let (prompt, new) = (&expected["greedy"]["prompt"], &expected["greedy"]["new"]);
    let (prompt, whole) = (text(&place, prompt), text(&place, new));
    let mut cut = whole.char_indices().map(|(i, _)| i).skip(3);
    let (start, end) = (cut.next().unwrap(), cut.nth(1).unwrap());
    let stop = &whole[start..end];
    let at = whole.find(stop).unwrap();
    let generate = [
        "generate",
        "--model",
        "m",
        "--prompt",
        &prompt,
        "--strategy",
        "greedy",
        "--stop",
        stop,
    ];

    let line = json(&place.ok(&[&generate[..], &["--json"]].concat()));
    assert_eq!(
        (&line["text"], &line["finish_reason"]),
        (&Value::from(&whole[..at]), &json("\"stop\""))
    );
    assert_eq!(
        text(&place, &line["tokens"]),
        format!("{}{stop}", &whole[..at])
    );
    assert_eq!(place.ok(&generate), format!("{prompt}{}\n", &whole[..at]));
}

#[test]
fn every_prompt_gets_its_sequences() {
    let (place, _) = place();
    place.write("prompts.txt", "abc\n\nz\n");
    let generate = [
        "generate",
        "--model",
        "m",
        "--prompts-file",
        "prompts.txt",
        "--num_return_sequences",
        "2",
        "--max_new_tokens",
        "6",
        "--temperature",
        "0.8",
        "--seed",
        "5",
    ];
    let first = place.ok(&[&generate[..], &["--json"]].concat());
    assert_eq!(first, place.ok(&[&generate[..], &["--json"]].concat()));
    let prompts: Vec<_> = lines(&first)
        .into_iter()
        .map(|line| line["prompt"].as_u64().unwrap())
        .collect();
    assert_eq!(prompts, [0, 0, 1, 1, 2, 2]);

    let shown = place.ok(&generate);
    for line in lines(&first) {
        assert!(
            shown.contains(line["text"].as_str().unwrap()),
            "{line}\n{shown}"
        );
    }
    assert_eq!(shown.matches("=== prompt ").count(), 6);
    let mut other = generate;
    *other.last_mut().unwrap() = "6";
    let other = place.ok(&[&other[..], &["--json"]].concat());
    assert_ne!(first, other);
}

#[test]
fn a_prompt_without_a_token_is_named() {
    let (place, _) = place();
    place.write("prompts.txt", "abc\n?\n");
    place.refused(
        &["generate", "--model", "m", "--prompt", "?"],
        2,
        &["--prompt", "'?'"],
    );
    place.refused(
        &["generate", "--model", "m", "--prompts-file", "prompts.txt"],
        1,
        &["prompts.txt:2", "'?'"],
    );
}

#[test]
fn damaged_models_are_named() {
    #[track_caller]
    fn check(file: &str, damage: impl Fn(Vec<u8>) -> Vec<u8>) {
        let (place, _) = place();
        let path = place.path().join("m").join(file);
        fs::write(&path, damage(fs::read(&path).unwrap())).unwrap();
        place.refused(&["generate", "--model", "m", "--prompt", "a"], 1, &[file]);
    }
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        check(file, |_| Vec::new());
        check(file, |bytes| bytes[..bytes.len() / 2].to_vec());
        check(file, |_| b"\xff\xfe\x00nonsense".to_vec());
    }
}

#[test]
fn perplexity_follows_from_the_loss_and_the_bytes() {
    let (place, _) = place();
    let document: String = characters()
        .into_iter()
        .cycle()
        .take(200)
        .filter(|c| *c != '\n')
        .collect();
    place.write("a.txt", &document);
    let eval = ["eval", "perplexity", "--model", "m", "--data", "a.txt"];
    let report = json(&place.ok(&[&eval[..], &["--json"]].concat()));
    let number = |value: &Value| value.as_f64().unwrap();
    let (loss, protocol) = (number(&report["loss"]), &report["protocol"]);
    assert!((number(&report["perplexity"]) - loss.exp()).abs() < 1e-9);
    let bits = loss * number(&protocol["tokens"]) / 2f64.ln() / number(&protocol["bytes"]);
    assert!((number(&report["bits_per_byte"]) - bits).abs() < 1e-9);
    assert_eq!(protocol["window"], json("80"));
    let scored = protocol["tokens"].as_u64().unwrap();
    // The first token has nothing before it to be predicted from.
    assert_eq!(scored + 1, document.chars().count() as u64);
    let text: String = document.chars().skip(1).collect();
    assert_eq!(protocol["bytes"].as_u64().unwrap(), text.len() as u64);

    assert!(place.ok(&eval).contains("perplexity"));
    place
        .write("empty.txt", "")
        .write("short.txt", "a")
        .write("other.txt", "a?");
    place.refused(
        &["eval", "perplexity", "--model", "m", "--data", "empty.txt"],
        1,
        &["empty.txt"],
    );
    place.refused(
        &["eval", "perplexity", "--model", "m", "--data", "other.txt"],
        1,
        &["other.txt", "'?'"],
    );
    place.refused(
        &["eval", "perplexity", "--model", "m", "--data", "short.txt"],
        1,
        &[],
    );
    place.refused(
        &[&eval[..], &["--window", "81"]].concat(),
        2,
        &["--window", "80"],
    );
    place.refused(&[&eval[..], &["--window", "0"]].concat(), 2, &["--window"]);
}
