//! `llm compare` on tiny models.

use std::fs;

use safetensors::SafeTensors;

use crate::generate::{characters, place};
use crate::{Place, data_dir, json};

/// Copies the model `m` to `name` with 1 % noise on one tensor.
fn with_noise(place: &Place, name: &str, tensor: &str) {
    let (from, to) = (place.path().join("m"), place.path().join(name));
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let mut bytes = fs::read(from.join("model.safetensors")).unwrap();
    let view = SafeTensors::deserialize(&bytes).unwrap();
    let data = view.tensor(tensor).unwrap().data();
    let range = bytes.as_ptr_range();
    let start = data.as_ptr().addr() - range.start.addr();
    let noisy: Vec<u8> = data
        .as_chunks::<4>()
        .0
        .iter()
        .enumerate()
        .flat_map(|(i, &value)| {
            let sign = if i * 7919 % 13 < 6 { 1.0 } else { -1.0 };
            (f32::from_le_bytes(value) * (1.0 + 0.01 * sign)).to_le_bytes()
        })
        .collect();
    bytes[start..start + noisy.len()].copy_from_slice(&noisy);
    fs::write(to.join("model.safetensors"), bytes).unwrap();
}

fn text() -> String {
    characters().into_iter().cycle().take(200).collect()
}

#[test]
fn a_model_is_itself_and_noise_is_found() {
    let (place, _) = place();
    place.write("a.txt", text());
    let compare = ["compare", "m", "m", "--data", "a.txt"];
    let report = json(&place.ok(&[&compare[..], &["--json"]].concat()));
    assert_eq!(report["kl"]["max"], 0.0);
    assert_eq!(report["largest_difference"], 0.0);
    assert_eq!(
        (&report["same_best"], &report["shared_best_five"]),
        (&1.0.into(), &1.0.into())
    );
    assert_eq!(report["perplexities"][0], report["perplexities"][1]);
    assert!(report["tokens"].as_u64().unwrap() > 100);
    let eval = [
        "eval",
        "perplexity",
        "--model",
        "m",
        "--data",
        "a.txt",
        "--json",
    ];
    let perplexity = json(&place.ok(&eval))["perplexity"].as_f64().unwrap();
    let ours = report["perplexities"][0].as_f64().unwrap();
    assert!(
        (ours / perplexity - 1.0).abs() < 1e-6,
        "{ours} {perplexity}"
    );
    assert!(place.ok(&compare).contains("KL divergence  0.000e0 nats"));

    with_noise(&place, "noisy", "transformer.wte.weight");
    let compare = ["compare", "m", "noisy", "--data", "a.txt"];
    let ended = place.run(&[&compare[..], &["--json"]].concat());
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("above --max-kl 1e-4"),
        "{}",
        ended.stderr
    );
    assert!(json(&ended.stdout)["kl"]["max"].as_f64().unwrap() > 1e-4);
    place.ok(&[&compare[..], &["--max-kl", "1"]].concat());
}

/// On a trained model, whichever tensor has the noise.
#[test]
fn noise_of_one_percent_is_found_in_every_kind_of_tensor() {
    let Some(data) = data_dir("noise_of_one_percent_is_found_in_every_kind_of_tensor") else {
        return;
    };
    let place = Place::new();
    place.ok(&[
        "data", "synth", "--seed", "3", "--size", "2KB", "--output", "s.txt",
    ]);
    fs::create_dir(place.path().join("m")).unwrap();
    for entry in fs::read_dir(data.join("models/stories260K/hf")).unwrap() {
        let entry = entry.unwrap();
        // The data may be read-only; the copy must not be.
        let content = fs::read(entry.path()).unwrap();
        fs::write(place.path().join("m").join(entry.file_name()), content).unwrap();
    }
    for tensor in [
        "self_attn.q_proj",
        "self_attn.o_proj",
        "mlp.down_proj",
        "input_layernorm",
    ] {
        let tensor = format!("model.layers.4.{tensor}.weight");
        with_noise(&place, &tensor, &tensor);
        let compare = ["compare", "m", &tensor, "--data", "s.txt", "--json"];
        let ended = place.run(&compare);
        assert_eq!(ended.code, 1, "{tensor}: {} {}", ended.stdout, ended.stderr);
    }
    place.ok(&["compare", "m", "m", "--data", "s.txt", "--max-kl", "0"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (place, _) = place();
    place.write("a.txt", text()).write("short.txt", "A");
    let compare = ["compare", "m", "m", "--data"];
    place.refused(&compare[..3], 2, &["--data"]);
    place.refused(&["compare", "m", "--data", "a.txt"], 2, &["B"]);
    place.refused(
        &["compare", "m", "none", "--data", "a.txt"],
        1,
        &["none", "does not exist"],
    );
    place.refused(&[&compare[..], &["none.txt"]].concat(), 1, &["none.txt"]);
    place.refused(&[&compare[..], &["short.txt"]].concat(), 1, &["tokens"]);
    for (flag, value) in [
        ("--window", "0"),
        ("--window", "999"),
        ("--max-kl", "-1"),
        ("--max-kl", "NaN"),
    ] {
        place.refused(
            &[&compare[..], &["a.txt", flag, value]].concat(),
            2,
            &[flag],
        );
    }
}
