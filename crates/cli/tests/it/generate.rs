//! `llm generate` and `llm eval perplexity` on a tiny model whose output transformers has computed.

use std::fs;
use std::path::Path;

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
    let place = Place::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/tiny/gpt2");
    place.write(
        "characters.txt",
        characters().into_iter().collect::<String>(),
    );
    place.ok(&[
        "tokenizer",
        "train",
        "--data",
        "characters.txt",
        "--kind",
        "character",
        "--output-dir",
        "m",
    ]);
    for file in ["config.json", "model.safetensors"] {
        fs::copy(golden.join(file), place.path().join("m").join(file)).unwrap();
    }
    (
        place,
        json(&fs::read_to_string(golden.join("expected.json")).unwrap()),
    )
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

#[test]
fn every_sampler_changes_the_text_or_is_refused() {
    let (place, _) = place();
    let base = [
        "generate",
        "--model",
        "m",
        "--prompt",
        "abcabcabc",
        "--max-new-tokens",
        "40",
        "--seed",
        "1",
        "--json",
    ];
    let tokens = |more: &[&str]| {
        let line = json(&place.ok(&[&base[..], more].concat()));
        line["tokens"].as_array().unwrap().clone()
    };
    let plain = tokens(&[]);
    for more in [
        &["--temperature", "0.3"][..],
        &["--top-k", "2"],
        &["--top-p", "0.3"],
        &["--min-p", "0.5"],
        &["--typical-p", "0.3"],
        &["--xtc-probability", "1", "--xtc-threshold", "0.01"],
        &["--strategy", "mirostat"],
        &["--dynatemp-range", "0.9"],
        &["--repetition-penalty", "2"],
        &["--presence-penalty", "3"],
        &["--frequency-penalty", "-2"],
        &["--dry-multiplier", "5", "--dry-allowed-length", "1"],
        &["--no-repeat-ngram", "1"],
        &["--logit-bias", "5=8", "--logit-bias", "7=7.5"],
        &[
            "--ban",
            "a",
            "--ban-token",
            "2",
            "--ban-token",
            &plain[0].to_string(),
        ],
    ] {
        assert_ne!(tokens(more), plain, "{more:?}");
    }
    // What refines a sampler changes what it does.
    for (sampler, more) in [
        (
            &["--strategy", "mirostat"][..],
            &["--mirostat-tau", "1"][..],
        ),
        (&["--strategy", "mirostat"], &["--mirostat-eta", "1"]),
        (&["--dynatemp-range", "0.9"], &["--dynatemp-exponent", "4"]),
        (&["--xtc-probability", "0.9"], &["--xtc-threshold", "0.02"]),
        (&["--dry-multiplier", "2"], &["--dry-allowed-length", "1"]),
        (
            &["--dry-multiplier", "0.01", "--logit-bias", "34=12"],
            &["--dry-base", "90"],
        ),
        (
            &["--dry-multiplier", "2", "--dry-allowed-length", "1"],
            &["--dry-last-n", "3"],
        ),
        (
            &["--dry-multiplier", "9", "--logit-bias", "34=12"],
            &["--dry-breaker", "c"],
        ),
        (
            &["--dry-multiplier", "9", "--logit-bias", "34=12"],
            &["--set", "generate.dry_breaker_tokens=[36]"],
        ),
    ] {
        assert_ne!(
            tokens(&[sampler, more].concat()),
            tokens(sampler),
            "{more:?}"
        );
    }
    // Whatever is set, guesses change nothing.
    let all = [
        "--presence-penalty",
        "0.5",
        "--frequency-penalty",
        "0.2",
        "--dry-multiplier",
        "1",
        "--logit-bias",
        "9=1",
        "--typical-p",
        "0.9",
        "--xtc-probability",
        "0.5",
        "--dynatemp-range",
        "0.5",
        "--ban",
        "a",
    ];
    for samplers in [&all[..], &["--strategy", "mirostat", "--mirostat-tau", "2"]] {
        let plain = tokens(samplers);
        assert_eq!(tokens(&[samplers, &["--lookup"]].concat()), plain);
        assert_eq!(tokens(&[samplers, &["--draft-model", "m"]].concat()), plain);
    }
    for (more, part) in [
        (&["--mirostat-tau", "5"][..], "generate.mirostat_tau"),
        (
            &["--strategy", "mirostat", "--top-k", "5"],
            "generate.top_k",
        ),
        (&["--xtc-threshold", "0.1"], "generate.xtc_threshold"),
        (&["--dynatemp-exponent", "2"], "generate.dynatemp_exponent"),
        (&["--dry-base", "2"], "generate.dry_base"),
        (
            &["--strategy", "greedy", "--typical-p", "0.5"],
            "generate.typical_p",
        ),
        (&["--typical-p", "nan"], "generate.typical_p"),
        (
            &["--presence-penalty", "-1000"],
            "generate.presence_penalty",
        ),
        (&["--logit-bias", "5"], "11=-2.5"),
        (&["--logit-bias", "5=inf"], "generate.logit_bias"),
        (&["--logit-bias", "900=1"], "token 900"),
        (&["--set", "generate.logit_bias.x=1"], "`x` is no token id"),
        (&["--ban-token", "61"], "token 61"),
        (&["--ban", "ab"], "is 2 tokens here"),
        (&["--ban", "?"], "'?'"),
        (
            &["--dry-multiplier", "1", "--dry-breaker", "?"],
            "no token of the model holds",
        ),
    ] {
        place.refused(&[&base[..], more].concat(), 2, &[part]);
    }
}

#[test]
fn a_bias_and_a_ban_decide() {
    let (place, _) = place();
    let base = [
        "generate",
        "--model",
        "m",
        "--prompt",
        "ab",
        "--max-new-tokens",
        "12",
        "--json",
    ];
    let tokens = |more: &[&str]| json(&place.ok(&[&base[..], more].concat()))["tokens"].clone();
    assert_eq!(tokens(&["--logit-bias", "9=100"]), Value::from(vec![9; 12]));
    // From a configuration, where it is a table.
    place.write("c.toml", "[generate]\nlogit_bias = { \"9\" = 100 }\n");
    assert_eq!(tokens(&["--config", "c.toml"]), Value::from(vec![9; 12]));
    let banned: Vec<String> = (0..61)
        .filter(|id| *id != 9)
        .map(|id| format!("--ban-token={id}"))
        .collect();
    let banned: Vec<&str> = banned.iter().map(String::as_str).collect();
    assert_eq!(tokens(&banned), Value::from(vec![9; 12]));
    let all: Vec<&str> = [&banned[..], &["--ban-token=9"]].concat();
    place.refused(
        &[&base[..], &all].concat(),
        2,
        &["generate.banned_tokens is every token"],
    );
}

#[test]
fn explanations_add_up() {
    let (place, _) = place();
    let base = [
        "generate",
        "--model",
        "m",
        "--prompt",
        "abc",
        "--max-new-tokens",
        "6",
        "--temperature",
        "0.7",
        "--top-k",
        "9",
        "--presence-penalty",
        "1",
    ];
    let plain = json(&place.ok(&[&base[..], &["--json"]].concat()));
    let told = json(&place.ok(&[&base[..], &["--json", "--explain=4"]].concat()));
    assert_eq!(told["tokens"], plain["tokens"]);
    assert_eq!(told["text"], plain["text"]);
    assert!(plain.get("explanations").is_none());
    let explanations = told["explanations"].as_array().unwrap();
    assert_eq!(explanations.len(), 6);
    for (i, step) in explanations.iter().enumerate() {
        assert_eq!(
            (&step["position"], &step["token"]["id"]),
            (&json(&i.to_string()), &told["tokens"][i])
        );
        let names: Vec<_> = step["samplers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["sampler"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["presence_penalty", "temperature", "top_k"]);
        let top_k = &step["samplers"][2];
        assert_eq!(
            (&top_k["left"], &top_k["removed"], &top_k["setting"]),
            (&json("9"), &json("52"), &json("9"))
        );
        let candidates = step["candidates"].as_array().unwrap();
        assert!((4..=5).contains(&candidates.len()));
        let p = |c: &Value, key: &str| c[key].as_f64().unwrap();
        assert!(
            candidates[..4]
                .windows(2)
                .all(|w| p(&w[0], "probability") >= p(&w[1], "probability"))
        );
        let chosen = candidates
            .iter()
            .find(|c| c["id"] == step["token"]["id"])
            .unwrap();
        assert!(p(chosen, "probability_after") > 0.0 && chosen["removed_by"].is_null());
        assert!((p(chosen, "probability").ln() - step["logprob"].as_f64().unwrap()).abs() < 1e-3);
    }
    let shown = place.ok(&[&base[..], &["--explain"]].concat());
    for part in [
        "temperature 0.7",
        "top_k 9",
        "9 left, 52 removed",
        "before",
        "after",
        "›",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(
        shown.ends_with(&format!("abc{}\n", told["text"].as_str().unwrap())),
        "{shown}"
    );
    place.refused(&[&base[..], &["--explain=0"]].concat(), 2, &["--explain"]);
    // Several sequences are told apart.
    let several = [&base[..], &["--explain=1", "--num-return-sequences", "2"]].concat();
    assert!(place.ok(&several).contains("sequence 2, token 6"));
}
