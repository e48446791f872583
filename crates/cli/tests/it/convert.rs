//! `llm convert`: every way there and back, on tiny models and on the small real one.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::generate::{characters, place};
use crate::{Place, data_dir, json};

/// The greedy continuation of a model, and the log-probability of each of its tokens.
fn greedy(place: &Place, model: &str, prompt: &str) -> (Value, Vec<f64>) {
    let out = place.ok(&[
        "generate",
        "--model",
        model,
        "--prompt",
        prompt,
        "--strategy",
        "greedy",
        "--max-new-tokens",
        "20",
        "--json",
    ]);
    let line = json(&out);
    let logprobs = line["logprobs"].as_array().unwrap();
    let logprobs = logprobs.iter().map(|p| p.as_f64().unwrap()).collect();
    (line["tokens"].clone(), logprobs)
}

#[track_caller]
fn same(place: &Place, a: &str, b: &str, prompt: &str) {
    let (ours, theirs) = (greedy(place, a, prompt), greedy(place, b, prompt));
    assert_eq!(ours.0, theirs.0, "{a} and {b}");
    for (a, b) in ours.1.iter().zip(&theirs.1) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn a_model_goes_to_gguf_and_back() {
    let (place, _) = place();
    let there = place.ok(&["convert", "m", "m.gguf", "--to", "gguf"]);
    assert!(there.contains("m.gguf"), "{there}");
    assert!(there.contains("scores of 64 tokens differ"), "{there}");
    let back = json(&place.ok(&["convert", "m.gguf", "back", "--to", "hf", "--json"]));
    assert_eq!(back["largest_difference"], 0.0);
    assert_eq!(back["dtype"], "f32");
    same(&place, "m", "m.gguf", "abc");
    same(&place, "m", "back", "abc");
    let encode = |tokenizer: &str| {
        place.ok(&[
            "tokenizer",
            "encode",
            "--tokenizer",
            tokenizer,
            "--text",
            "abc",
        ])
    };
    assert_eq!(encode("m.gguf"), encode("m"));
    let config = json(&place.read("back/tokenizer_config.json"));
    assert_eq!(config["model_max_length"], 80);
    assert!(
        place
            .read("back/README.md")
            .contains("pipeline_tag: text-generation")
    );
}

#[test]
fn precisions_and_shards_are_what_was_asked_for() {
    let (place, _) = place();
    let size = |model: &str| {
        let files = fs::read_dir(place.path().join(model)).unwrap();
        let weights = files
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "safetensors"));
        let sizes: Vec<u64> = weights
            .map(|entry| entry.metadata().unwrap().len())
            .collect();
        (sizes.len(), sizes.iter().sum::<u64>())
    };
    let convert = [
        "convert",
        "m",
        "half",
        "--to",
        "hf",
        "--dtype",
        "bf16",
        "--max-shard-size",
        "20KB",
    ];
    place.ok(&convert);
    let (files, bytes) = size("half");
    assert!(files > 2, "{files}");
    // Half of the weights, and a header for each file.
    assert!(bytes < size("m").1 * 2 / 3, "{bytes}");
    assert!(place.read("half/config.json").contains("bfloat16"));
    let report = json(&place.ok(&[
        "compare",
        "m",
        "half",
        "--data",
        "characters.txt",
        "--window",
        "40",
        "--max-kl",
        "0.1",
        "--json",
    ]));
    let kl = report["kl"]["max"].as_f64().unwrap();
    assert!(kl > 0.0 && kl < 0.1, "{kl}");
    for dtype in ["f16", "bf16", "q8_0", "q4_0"] {
        let file = format!("{dtype}.gguf");
        place.ok(&["convert", "m", &file, "--to", "gguf", "--dtype", dtype]);
        let compare = [
            "compare",
            "m",
            &file,
            "--data",
            "characters.txt",
            "--window",
            "40",
            "--max-kl",
            "9",
        ];
        place.ok(&compare);
    }
    let bytes = |name: &str| fs::metadata(place.path().join(name)).unwrap().len();
    assert!(bytes("q4_0.gguf") < bytes("q8_0.gguf") && bytes("q8_0.gguf") < bytes("f16.gguf"));
}

#[test]
fn nothing_is_written_over_or_left_half() {
    let (place, _) = place();
    place.write("old.gguf", "old");
    place.refused(
        &["convert", "m", "old.gguf", "--to", "gguf"],
        1,
        &["old.gguf", "exists already"],
    );
    assert_eq!(place.read("old.gguf"), "old");
    place.ok(&["convert", "m", "old.gguf", "--to", "gguf", "--force"]);
    place.refused(
        &["convert", "m", "m", "--to", "hf"],
        1,
        &["m: exists already"],
    );
    place.refused(
        &["convert", "m", "m", "--to", "hf", "--force"],
        1,
        &["is the model itself"],
    );
    place.refused(
        &["convert", "old.gguf", "old.gguf", "--to", "gguf", "--force"],
        1,
        &["is the model itself"],
    );
    // A number that f16 can't hold.
    let weights = place.path().join("m/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&1e6f32.to_le_bytes());
    fs::write(&weights, bytes).unwrap();
    let before = names(place.path());
    for arguments in [
        ["convert", "m", "half", "--to", "hf"],
        ["convert", "m", "half.gguf", "--to", "gguf"],
    ] {
        let arguments = [&arguments[..], &["--dtype", "f16"]].concat();
        place.refused(&arguments, 1, &["which f16 can't hold", "use bf16 or f32"]);
    }
    assert_eq!(names(place.path()), before);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn wrong_arguments_and_models_are_refused() {
    let (place, _) = place();
    let hf = ["convert", "m", "x", "--to", "hf"];
    let gguf = ["convert", "m", "x.gguf", "--to", "gguf"];
    let with = |first: &[&'static str], more: &[&'static str]| [first, more].concat();
    place.refused(&["convert", "m", "x"], 2, &["--to"]);
    place.refused(
        &with(&hf, &["--dtype", "q8_0"]),
        2,
        &["--dtype q8_0", "--to gguf"],
    );
    place.refused(&with(&hf, &["--dtype", "f64"]), 2, &["f64"]);
    place.refused(
        &with(&hf, &["--max-shard-size", "0"]),
        2,
        &["at least one byte"],
    );
    place.refused(
        &with(&hf, &["--max-shard-size", "x"]),
        2,
        &["--max-shard-size"],
    );
    place.refused(&with(&gguf, &["--max-shard-size", "1MB"]), 2, &["one file"]);
    place.refused(
        &["convert", "m", "x.bin", "--to", "gguf"],
        2,
        &["NAME.gguf"],
    );
    place.refused(
        &["convert", "none", "x", "--to", "hf"],
        1,
        &["none: does not exist"],
    );
    place.refused(
        &["convert", "m", "no/such/x.gguf", "--to", "gguf"],
        1,
        &["no/such does not exist"],
    );
    place.write("x.gguf", b"GGUF\x03\0\0\0");
    place.refused(
        &["convert", "x.gguf", "y", "--to", "hf"],
        1,
        &["x.gguf is not a whole GGUF file"],
    );
    place.write("x.txt", "text");
    place.refused(
        &["convert", "x.txt", "y", "--to", "hf"],
        1,
        &["x.txt", "a file of no known kind"],
    );
    place.refused(
        &["convert", "m/model.safetensors", "y", "--to", "hf"],
        1,
        &["name the folder"],
    );
    place.refused(
        &["convert", "m/config.json", "y", "--to", "hf"],
        1,
        &["name the folder"],
    );
    place.refused(
        &["convert", "hf://owner", "y", "--to", "hf"],
        2,
        &["hf://owner/name"],
    );
}

#[test]
#[cfg(not(feature = "hub"))]
fn a_local_folder_goes_before_the_hub() {
    let (place, _) = place();
    let hub = [
        "generate",
        "--model",
        "hf://owner/m",
        "--prompt",
        "a",
        "--max-new-tokens",
        "1",
    ];
    place.refused(&hub, 2, &["hf://owner/m", "--features hub"]);
    fs::create_dir(place.path().join("owner")).unwrap();
    fs::rename(place.path().join("m"), place.path().join("owner/m")).unwrap();
    place.ok(&hub);
    // A run remembers the folder that was found, to come back to it.
    let text: String = characters().into_iter().cycle().take(4000).collect();
    place.write("long.txt", text);
    let train = [
        "train",
        "--init-from",
        "hf://owner/m",
        "--data",
        "long.txt",
        "--max-steps",
        "1",
        "--output-dir",
        "r",
        "--quiet",
    ];
    place.ok(&train);
    for file in ["r/config.toml", "r/origin.json"] {
        let text = place.read(file);
        assert!(
            text.contains("/owner/m\"") && !text.contains("hf:"),
            "{text}"
        );
    }
}

#[test]
fn the_small_real_model_goes_round() {
    let Some(data) = data_dir("the_small_real_model_goes_round") else {
        return;
    };
    let place = Place::new();
    let folder = data.join("models/stories260K");
    let (bin, hf) = (folder.join("stories260K.bin"), folder.join("hf"));
    let (bin, hf) = (bin.to_str().unwrap(), hf.to_str().unwrap());
    place.ok(&["convert", bin, "from-bin", "--to", "hf"]);
    place.ok(&["convert", hf, "s.gguf", "--to", "gguf"]);
    for model in [bin, "from-bin", "s.gguf"] {
        same(&place, hf, model, "Once upon a time");
    }
    // The tokenizer of llama2.c stands beside the weights there, and is a file like others here.
    fs::copy(
        folder.join("stories260K.bin"),
        place.path().join("alone.bin"),
    )
    .unwrap();
    place.refused(
        &["generate", "--model", "alone.bin", "--prompt", "a"],
        1,
        &["alone.bin: its tokenizer is missing", "tok512.bin"],
    );
    for out in ["from-bin", "s.gguf"] {
        let report = place.ok(&["selftest", out]);
        assert!(!report.contains("FAILED"), "{report}");
        assert_eq!(report.matches("\nok").count() + 1, 6, "{report}");
    }
}
