//! Memory while a model is loaded.

use std::fs;
use std::process::{Command, Stdio};

use safetensors::tensor::{Dtype, TensorView};

use crate::Place;
use crate::generate::place;
use crate::runs::most_memory;

const WIDTH: usize = 256;
const LAYERS: usize = 8;
const VOCAB: usize = 20_000;

/// Tensors of a GPT-2 of these sizes.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![
        ("wte.weight".to_owned(), vec![VOCAB, WIDTH]),
        ("wpe.weight".to_owned(), vec![64, WIDTH]),
    ];
    for i in 0..LAYERS {
        let shapes = [
            ("attn.c_attn", vec![WIDTH, 3 * WIDTH]),
            ("attn.c_proj", vec![WIDTH, WIDTH]),
            ("mlp.c_fc", vec![WIDTH, 4 * WIDTH]),
            ("mlp.c_proj", vec![4 * WIDTH, WIDTH]),
            ("ln_1", vec![WIDTH]),
            ("ln_2", vec![WIDTH]),
        ];
        for (layer, shape) in shapes {
            let outputs = vec![shape[shape.len() - 1]];
            all.push((format!("h.{i}.{layer}.weight"), shape));
            all.push((format!("h.{i}.{layer}.bias"), outputs));
        }
    }
    all.extend(["weight", "bias"].map(|kind| (format!("ln_f.{kind}"), vec![WIDTH])));
    all
}

/// Writes the model into the folder of the tiny one, whose tokenizer stays.
fn write_large(place: &Place, dtype: Dtype) {
    let size = dtype.bitsize() / 8;
    let zeros = vec![0; VOCAB * WIDTH * size];
    let tensors = tensors();
    let views = tensors.iter().map(|(name, shape)| {
        let bytes = shape.iter().product::<usize>() * size;
        let view = TensorView::new(dtype, shape.clone(), &zeros[..bytes]);
        (name, view.unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    fs::write(place.path().join("m/model.safetensors"), file).unwrap();
    let config = format!(
        r#"{{"model_type": "gpt2", "n_embd": {WIDTH}, "n_layer": {LAYERS}, "n_head": 4, "n_positions": 64, "vocab_size": {VOCAB}}}"#
    );
    place.write("m/config.json", config);
}

/// Most anonymous memory in bytes that the program had while it computed the scores of three tokens.
fn peak(place: &Place, model: &str) -> usize {
    let child = Command::new(assert_cmd::cargo::cargo_bin!("llm"))
        .current_dir(place.path())
        .args([
            "eval", "logits", "--model", model, "--tokens", "1,2,3", "--output", "o", "--force",
        ])
        .args(["--threads", "2"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    most_memory(child, "RssAnon:") as usize
}

#[test]
#[cfg(target_os = "linux")]
fn loading_takes_the_model_and_one_tensor() {
    let (place, _) = place();
    let before = peak(&place, "m");
    let values: usize = tensors()
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    let (model, largest) = (4 * values, 4 * VOCAB * WIDTH);
    let check = |what: &str, model_path: &str| {
        let most = peak(&place, model_path) - before;
        assert!(most > model / 2, "{what}: {most} bytes seen of {model}");
        let bound = model + model / 10 + largest;
        assert!(most < bound, "{what}: {most} bytes, bound {bound}");
    };
    for dtype in [Dtype::F32, Dtype::F16] {
        write_large(&place, dtype);
        check(&format!("{dtype:?}"), "m");
    }
    let gguf = ["convert", "m", "m.gguf", "--to", "gguf", "--dtype", "q8_0"];
    place.ok(&gguf);
    check("GGUF", "m.gguf");
}
