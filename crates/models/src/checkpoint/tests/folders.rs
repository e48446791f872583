//! Folders written and read back, and every damage named.

use std::path::Path;

use burn::prelude::Device;

use super::super::hugging_face::SAFETENSORS;
use super::super::{SpecialIds, load, save};
use super::{model, values};
use crate::ModelError;

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    for json in [
        r#"{"family": "gpt", "d_model": 16, "n_layers": 2}"#,
        r#"{"family": "gpt2", "d_model": 16, "n_layers": 2, "bias": false}"#,
        r#"{"family": "gpt2", "d_model": 16, "n_layers": 1, "dropout": 0.1}"#,
        r#"{"family": "llama", "d_model": 16, "n_layers": 1, "n_kv_heads": 2, "d_head": 6, "bias": true, "tie_embeddings": false,
            "rope_scaling": {"kind": "yarn", "factor": 4, "original_max_seq_len": 16}}"#,
        r#"{"family": "llama", "d_model": 16, "rope_scaling":
            {"kind": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_seq_len": 16}}"#,
        r#"{"family": "mistral", "d_model": 16, "n_layers": 1, "window": 7, "rope_scaling": {"kind": "dynamic", "factor": 2}}"#,
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let written = model(json, 3);
        save(
            &written,
            &SpecialIds {
                bos: Some(0),
                eos: vec![0],
            },
            folder.path(),
        )
        .expect("written");
        let read = load(folder.path(), &Device::flex()).expect("read");
        assert_eq!(read.architecture(), written.architecture());
        assert_eq!(values(&read), values(&written), "{json}");
    }
}

/// `model.safetensors` of `folder` as two shards with an index: the tensors of the second layer are in the second.
fn split_into_shards(folder: &Path) {
    let whole = folder.join(SAFETENSORS.single);
    let bytes = std::fs::read(&whole).expect("read");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("whole");
    let mut weight_map = serde_json::Map::new();
    for shard in [1, 2] {
        let file = format!("model-{shard:05}-of-00002.safetensors");
        let mut of_shard = tensors.tensors();
        of_shard.retain(|(name, _)| name.contains("layers.1.") == (shard == 2));
        for (name, _) in &of_shard {
            weight_map.insert(name.clone(), file.clone().into());
        }
        let bytes = safetensors::serialize(of_shard, None).expect("serialized");
        std::fs::write(folder.join(file), bytes).expect("written");
    }
    let index = serde_json::json!({"metadata": {"total_size": 0}, "weight_map": weight_map});
    std::fs::write(folder.join(SAFETENSORS.index), index.to_string()).expect("written");
    std::fs::remove_file(whole).expect("removed");
}

#[test]
fn shards_are_read_as_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = model(r#"{"family": "llama", "d_model": 16, "n_layers": 2}"#, 3);
    save(&written, &SpecialIds::default(), folder.path()).expect("written");
    split_into_shards(folder.path());
    let load = || load(folder.path(), &Device::flex());
    assert_eq!(values(&load().expect("read")), values(&written));

    let refused = || load().map(drop).expect_err("refused").to_string();
    let index = folder.path().join(SAFETENSORS.index);
    let good = std::fs::read_to_string(&index).expect("read");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        std::fs::write(&index, good.replace(from, to)).expect("written");
        refused()
    };
    assert!(with("model-00002", "model-00003").contains("can't read"));
    assert!(with("model-00002", "../model-00002").contains("outside of the folder"));
    assert!(with("model-00002", "/model-00002").contains("outside of the folder"));
    assert!(with("model.norm.weight", "model.norm.scale").contains("no tensor model.norm.scale"));
    assert!(with("weight_map", "map").contains("not a valid index"));
    std::fs::write(&index, &good).expect("written");

    let second = folder.path().join("model-00002-of-00002.safetensors");
    let bytes = std::fs::read(&second).expect("read");
    std::fs::write(&second, &bytes[..bytes.len() - 1]).expect("cut short");
    assert!(refused().contains("model-00002-of-00002.safetensors is not a whole safetensors file"));
    std::fs::remove_file(&index).expect("removed");
    assert!(refused().contains("it has no model.safetensors"));
}

#[test]
fn every_damage_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, weights) = (
        folder.path().join("config.json"),
        folder.path().join("model.safetensors"),
    );
    let refused = || {
        load(folder.path(), &Device::flex())
            .map(drop)
            .expect_err("refused")
    };
    assert!(refused().to_string().contains("it has no config.json"));

    save(
        &model(r#"{"family": "llama", "d_model": 16, "n_layers": 1}"#, 1),
        &SpecialIds::default(),
        folder.path(),
    )
    .expect("written");
    let (good_config, good_weights) = (
        std::fs::read(&config).expect("read"),
        std::fs::read(&weights).expect("read"),
    );

    for len in [0, 7, 100, good_weights.len() / 2, good_weights.len() - 1] {
        std::fs::write(&weights, &good_weights[..len]).expect("written");
        assert!(
            matches!(refused(), ModelError::Safetensors { .. }),
            "cut to {len} bytes"
        );
    }
    std::fs::write(&weights, &good_weights).expect("written");

    let mut json: serde_json::Value = serde_json::from_slice(&good_config).expect("json");
    let mut with = |key: &str, value: serde_json::Value| {
        let old = std::mem::replace(&mut json[key], value);
        std::fs::write(&config, json.to_string()).expect("written");
        json[key] = old;
        refused().to_string()
    };
    assert!(with("model_type", "bert".into()).contains("model_type \"bert\""));
    assert!(with("intermediate_size", 40.into()).contains("mlp.gate_proj.weight is [48, 16]"));
    assert!(with("num_hidden_layers", 2.into()).contains("has no tensor model.layers.1."));
    assert!(with("tie_word_embeddings", false.into()).contains("has no tensor lm_head.weight"));
    assert!(with("hidden_act", "gelu".into()).contains("hidden_act \"gelu\""));
    assert!(
        with(
            "rope_parameters",
            serde_json::json!({"rope_type": "spiral"})
        )
        .contains("\"spiral\"")
    );
    assert!(
        with("hidden_size", serde_json::Value::Null).contains("the key hidden_size is missing")
    );
    assert!(with("num_attention_heads", 0.into()).contains("n_heads is 0"));
    assert!(with("num_hidden_layers", 0.into()).contains("n_layers is 0"));
    assert!(with("hidden_size", "x".into()).contains("not a valid model configuration"));
    for text in ["", "{", "[]", "\u{0}", "null"] {
        std::fs::write(&config, text).expect("written");
        assert!(
            matches!(refused(), ModelError::ConfigJson { .. }),
            "{text:?}"
        );
    }
    // Fewer layers than the file has.
    let two = model(r#"{"family": "llama", "d_model": 16, "n_layers": 2}"#, 1);
    save(&two, &SpecialIds::default(), folder.path()).expect("written");
    std::fs::write(&config, &good_config).expect("written");
    assert!(matches!(refused(), ModelError::UnknownTensor { .. }));
}

/// Writes `folder`'s weights again with a change to each tensor.
fn rewrite(folder: &Path, change: impl Fn(&str, Vec<u8>) -> Vec<u8>, head: Option<&str>) {
    let path = folder.join(SAFETENSORS.single);
    let bytes = std::fs::read(&path).expect("read");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("whole");
    let mut contents: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let data = change(&name, view.data().to_vec());
            (name, view.shape().to_vec(), data)
        })
        .collect();
    if let Some(copied) = head {
        let view = tensors.tensor(copied).expect("there");
        let data = change("lm_head.weight", view.data().to_vec());
        contents.push(("lm_head.weight".into(), view.shape().to_vec(), data));
    }
    let views = contents.iter().map(|(name, shape, data)| {
        let dtype = safetensors::Dtype::F32;
        let view = safetensors::tensor::TensorView::new(dtype, shape.clone(), data);
        (name, view.expect("as before"))
    });
    let bytes = safetensors::serialize(views, None).expect("serialized");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn biases_that_were_trained_elsewhere_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = model(
        r#"{"family": "gpt2", "d_model": 16, "n_layers": 1, "bias": false}"#,
        3,
    );
    save(&written, &SpecialIds::default(), folder.path()).expect("written");
    let n_parameters = || {
        let read = load(folder.path(), &Device::flex()).expect("read");
        values(&read).len()
    };
    assert_eq!(
        n_parameters(),
        values(&written).len(),
        "the biases are zero"
    );
    // transformers keeps the key `llm`, and trains the biases.
    let trained = |name: &str, mut data: Vec<u8>| {
        if name == "transformer.h.0.mlp.c_fc.bias" {
            data[..4].copy_from_slice(&0.5f32.to_le_bytes());
        }
        data
    };
    rewrite(folder.path(), trained, None);
    assert_eq!(n_parameters(), values(&written).len() + 9);
}

#[test]
fn a_head_that_differs_is_not_tied() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = model(r#"{"family": "llama", "d_model": 16, "n_layers": 1}"#, 3);
    save(&written, &SpecialIds::default(), folder.path()).expect("written");
    let embedding = "model.embed_tokens.weight";
    rewrite(folder.path(), |_, data| data, Some(embedding));
    let tied = || {
        let read = load(folder.path(), &Device::flex()).expect("read");
        read.architecture().tie_embeddings()
    };
    assert!(tied(), "a copy");
    let other = |name: &str, mut data: Vec<u8>| {
        if name == "lm_head.weight" {
            data[0] ^= 1;
        }
        data
    };
    save(&written, &SpecialIds::default(), folder.path()).expect("written");
    rewrite(folder.path(), other, Some(embedding));
    assert!(!tied());
}
