//! `llm inspect model` and `llm inspect tensors` on a tiny model, and how wide all of `llm inspect` is.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::generate::place;
use crate::{Place, json};

pub(crate) fn golden(relative: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models/tests/golden")
        .join(relative)
}

/// Changes one number of a tensor of the model `m`.
fn spoil(place: &Place, tensor: &str, at: usize, value: f32) {
    let path = place.path().join("m/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let view = SafeTensors::deserialize(&bytes).unwrap();
    let data = view.tensor(tensor).unwrap().data();
    let start = data.as_ptr().addr() - bytes.as_ptr().addr() + 4 * at;
    bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_tree_of_a_model_adds_up() {
    let (place, _) = place();
    let report = json(&place.ok(&["inspect", "model", "m", "--json"]));
    assert_eq!(report["family"], "gpt2");
    assert_eq!(report["sizes"]["tie_embeddings"], true);
    let parameters = report["parameters"].as_array().unwrap();
    let sum = |key: &str| -> u64 { parameters.iter().map(|p| p[key].as_u64().unwrap()).sum() };
    assert_eq!(report["n_parameters"], sum("n_parameters"));
    assert_eq!(report["bytes"], sum("bytes"));
    assert_eq!(sum("bytes"), 4 * sum("n_parameters"));
    let shares: f64 = parameters
        .iter()
        .map(|p| p["share"].as_f64().unwrap())
        .sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let query = parameters
        .iter()
        .find(|p| p["path"] == "blocks.1.attention.query.weight");
    let query = query.unwrap();
    assert_eq!(query["shape"], serde_json::json!([32, 32]));
    assert_eq!(query["tensor"], "transformer.h.1.attn.c_attn.weight");

    let tree = place.ok(&["inspect", "model", "m"]);
    let embedding = tree
        .lines()
        .find(|line| line.contains("token_embedding.weight "));
    assert!(embedding.unwrap().contains("[61, 32]"), "{tree}");
    assert!(tree.contains("1, like 0"), "{tree}");
    assert!(tree.contains("counted once"), "{tree}");
    let lines = |arguments: &[&str]| {
        let arguments = [&["inspect", "model", "m"], arguments].concat();
        place.ok(&arguments).lines().count()
    };
    assert!(lines(&["--depth", "1"]) < lines(&[]));
    assert!(lines(&["--all"]) > lines(&[]));

    // The same model as others store it.
    place.ok(&["convert", "m", "m.gguf", "--to", "gguf", "--dtype", "f16"]);
    let gguf = json(&place.ok(&["inspect", "model", "m.gguf", "--json"]));
    assert_eq!(gguf["n_parameters"], report["n_parameters"]);
    let bytes = |report: &Value| report["bytes"].as_u64().unwrap();
    assert!(bytes(&gguf) < bytes(&report) && bytes(&gguf) > bytes(&report) / 2);
}

#[test]
fn sizes_without_weights_are_trees_too() {
    let place = Place::new();
    let report = json(&place.ok(&["inspect", "model", "--preset", "gpt2-124m", "--json"]));
    assert_eq!(report["n_parameters"], 124_439_808);
    assert_eq!(report["bytes"], 4 * 124_439_808u64);
    let tree = place.ok(&["inspect", "model", "--preset", "llama-2-7b"]);
    assert!(tree.contains("1 to 31, each like 0"), "{tree}");
    assert!(tree.contains("6,738,415,616"), "{tree}");
    assert!(tree.contains("sizes without weights"), "{tree}");
    place.write(
        "c.toml",
        "[model]\nfamily = 'llama'\nn_layers = 2\nd_model = 32\nn_heads = 4\n[tokenizer]\nkind = 'bpe'\nvocab_size = 300\n",
    );
    let of_file = ["inspect", "model", "--config", "c.toml"];
    let report = json(&place.ok(&[&of_file[..], &["--json"]].concat()));
    assert_eq!(report["sizes"]["vocab_size"], 300);
    let wider = ["--set", "model.d_model=64", "--json"];
    let wider = json(&place.ok(&[&of_file[..], &wider].concat()));
    assert!(wider["n_parameters"].as_u64() > report["n_parameters"].as_u64());

    place.refused(&["inspect", "model"], 2, &["--preset", "--config"]);
    place.refused(
        &["inspect", "model", "--preset", "gpt9"],
        2,
        &["gpt9", "gpt2-124m"],
    );
    place.refused(
        &["inspect", "model", "none"],
        1,
        &["none", "does not exist"],
    );
    place.write("c.toml", "[tokenizer]\nkind = 'character'\n");
    place.refused(&of_file, 2, &["model.vocab_size"]);
    place.refused(&[&of_file[..], &["--depth", "0"]].concat(), 2, &["--depth"]);
    place.write("bad.toml", "[model]\nlayers = 3\n");
    place.refused(
        &["inspect", "model", "--config", "bad.toml"],
        1,
        &["bad.toml", "layers"],
    );
}

#[test]
fn the_numbers_of_tensors_are_told_and_faults_are_loud() {
    let (place, _) = place();
    let all = ["inspect", "tensors", "m"];
    let report = json(&place.ok(&[&all[..], &["--json", "--histogram"]].concat()));
    let tensors = report["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), 28);
    assert_eq!(report["not_finite"], 0);
    let embedding = tensors
        .iter()
        .find(|t| t["name"] == "transformer.wte.weight")
        .unwrap();
    assert_eq!(
        (&embedding["dtype"], &embedding["count"]),
        (&"f32".into(), &1952.into())
    );
    let bins = embedding["histogram"].as_array().unwrap();
    let sum: u64 = bins.iter().map(|bin| bin.as_u64().unwrap()).sum();
    assert_eq!(sum, 1952);
    assert!(embedding["min"].as_f64().unwrap() < 0.0);

    let ended = place.run(&[&all[..], &["--filter", r"ln_\d\.bias", "--sort", "norm"]].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(ended.stdout.lines().count(), 5, "{}", ended.stdout);
    let sorted = json(&place.ok(&[&all[..], &["--sort", "std", "--json"]].concat()));
    let sorted = sorted["tensors"].as_array().unwrap();
    let stds: Vec<f64> = sorted.iter().map(|t| t["std"].as_f64().unwrap()).collect();
    assert!(stds.is_sorted_by(|a, b| a >= b));

    place.refused(
        &[&all[..], &["--filter", "q_proj"]].concat(),
        2,
        &["q_proj", "no tensor", "transformer.h.0"],
    );
    place.refused(
        &[&all[..], &["--filter", "a("]].concat(),
        2,
        &["a(", "regular expression"],
    );
    place.refused(
        &[&all[..], &["--sort", "change"]].concat(),
        2,
        &["--against"],
    );
    place.refused(
        &[&all[..], &["--sort", "mena"]].concat(),
        2,
        &["mena", "mean"],
    );

    spoil(&place, "transformer.h.0.mlp.c_fc.weight", 7, f32::NAN);
    spoil(&place, "transformer.h.0.mlp.c_fc.weight", 8, f32::INFINITY);
    let ended = place.run(&all);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let told =
        "warning: 2 values are not finite, the first of them in transformer.h.0.mlp.c_fc.weight";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(ended.stdout.contains("NaN"), "{}", ended.stdout);
    let first = json(&place.ok(&[&all[..], &["--sort", "not-finite", "--json"]].concat()));
    assert_eq!(first["tensors"][0]["nan"], 1);
    assert_eq!(first["tensors"][0]["infinite"], 1);
    let ended = place.run(&[&all[..], &["--strict"]].concat());
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("error: m: 2 values are not finite"),
        "{}",
        ended.stderr
    );
    for command in ["attention", "logit-lens"] {
        place.refused(
            &["inspect", command, "m", "--text", "Aa"],
            1,
            &["not finite", "llm inspect tensors"],
        );
    }
}

#[test]
fn two_models_are_compared_parameter_by_parameter() {
    let (place, _) = place();
    place.ok(&["convert", "m", "same", "--to", "hf"]);
    place.ok(&["convert", "m", "m.gguf", "--to", "gguf", "--dtype", "q8_0"]);
    spoil(&place, "transformer.wpe.weight", 0, 100.0);
    let against = |other: &str| {
        let report = place.ok(&["inspect", "tensors", "m", "--against", other, "--json"]);
        json(&report)["parameters"].as_array().unwrap().clone()
    };
    let rows = against("same");
    // What changed most is first; nothing else changed.
    assert_eq!(rows[0]["path"], "position_embedding.weight");
    assert!(rows[0]["largest"].as_f64().unwrap() > 99.0);
    assert!(rows[0]["cosine"].as_f64().unwrap() < 0.9);
    for row in &rows[1..] {
        assert_eq!(
            (&row["changed"], &row["cosine"]),
            (&0.0.into(), &1.0.into()),
            "{row}"
        );
    }
    // Another format, other names and orders, rounded numbers.
    let rows = against("m.gguf");
    let query = rows
        .iter()
        .find(|row| row["path"] == "blocks.0.attention.query.weight")
        .unwrap();
    assert_eq!(query["dtypes"], serde_json::json!(["f32", "q8_0"]));
    let relative = query["relative"].as_f64().unwrap();
    assert!((1e-4..0.01).contains(&relative), "{relative}");
    let table = place.ok(&[
        "inspect",
        "tensors",
        "m",
        "--against",
        "same",
        "--sort",
        "name",
    ]);
    assert!(
        table
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("blocks.0.attention.key.bias"),
        "{table}"
    );

    let small = golden("tiny/gpt2-untied");
    let small = small.to_str().unwrap();
    place.refused(
        &["inspect", "tensors", "m", "--against", small],
        1,
        &["same sizes", "[61, 32]", "[61, 16]"],
    );
    place.refused(
        &[
            "inspect",
            "tensors",
            "m",
            "--against",
            "same",
            "--sort",
            "std",
        ],
        2,
        &["--sort"],
    );
    place.refused(
        &[
            "inspect",
            "tensors",
            "m",
            "--against",
            "same",
            "--histogram",
        ],
        2,
        &["--histogram"],
    );
}

#[test]
fn narrow_and_wide_terminals_are_filled_and_not_exceeded() {
    let (place, _) = place();
    let text: String = crate::generate::characters().into_iter().take(40).collect();
    for columns in [80, 200] {
        for arguments in [
            &["model", "m"][..],
            &["tensors", "m", "--histogram"],
            &["attention", "m", "--text", &text],
            &[
                "attention",
                "m",
                "--text",
                &text,
                "--layer",
                "0",
                "--head",
                "1",
            ],
            &["logit-lens", "m", "--text", &text],
            &["logit-lens", "m", "--text", &text, "--position", "4"],
        ] {
            let ended = place.run_at(columns, &[&["inspect"], arguments].concat());
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            for line in ended.stdout.lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }
}
