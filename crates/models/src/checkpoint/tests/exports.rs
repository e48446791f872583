//! Every family in every format and encoding, read back; what a format can't hold is refused by name.

use std::path::Path;

use super::super::gguf::MetadataValue;
use super::super::{Checkpoint, Encoding, Export, Format, SpecialIds, export};
use super::{model, values};
use crate::{Architecture, ModelError};

const MODELS: [&str; 9] = [
    r#"{"family": "gpt", "d_model": 64, "n_layers": 1, "tie_embeddings": false}"#,
    r#"{"family": "gpt2", "d_model": 64, "n_layers": 2, "bias": false}"#,
    r#"{"family": "gpt2", "d_model": 64, "n_layers": 1, "d_ff": 96, "tie_embeddings": false}"#,
    r#"{"family": "llama", "d_model": 64, "n_layers": 2, "n_kv_heads": 2, "d_ff": 96}"#,
    r#"{"family": "llama", "d_model": 64, "n_layers": 1, "d_head": 8, "bias": true, "mlp_bias": true, "tie_embeddings": false, "d_ff": 50}"#,
    r#"{"family": "llama", "d_model": 64, "n_layers": 1, "d_ff": 64, "rope_scaling": {"kind": "linear", "factor": 2}}"#,
    r#"{"family": "llama", "d_model": 64, "n_layers": 1, "d_ff": 64, "max_seq_len": 64, "rope_scaling":
        {"kind": "yarn", "factor": 4, "original_max_seq_len": 16, "attention_factor": 1.5, "beta_fast": 16}}"#,
    r#"{"family": "llama", "d_model": 64, "n_layers": 1, "d_ff": 64, "rope_scaling":
        {"kind": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_seq_len": 8192}}"#,
    r#"{"family": "mistral", "d_model": 64, "n_layers": 1, "d_ff": 64, "window": 64}"#,
];

fn hugging_face(max_shard_size: u64) -> Format {
    Format::HuggingFace {
        special: SpecialIds {
            bos: Some(1),
            eos: vec![2, 3],
        },
        max_shard_size,
    }
}

fn gguf() -> Format {
    let name = MetadataValue::String("tiny".into());
    Format::Gguf {
        metadata: [("general.name".to_owned(), name)].into(),
    }
}

#[test]
fn every_model_comes_back_from_a_folder() {
    for json in MODELS {
        for (encoding, largest) in [
            (Encoding::F32, 0.0),
            (Encoding::F16, 0.01),
            (Encoding::Bf16, 0.05),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let written = model(json, 3);
            let format = hugging_face(20_000);
            let done = export(&written, &Export { format, encoding }, folder.path()).expect(json);
            assert!(done.largest_difference <= largest, "{json} {encoding:?}");
            let back = Checkpoint::open(folder.path()).expect("opened");
            assert_eq!(back.architecture(), written.architecture(), "{json}");
            assert_eq!(back.end_ids().expect("read"), [2, 3]);
            assert!(folder.path().join("model.safetensors.index.json").exists());
            let config = std::fs::read_to_string(folder.path().join("config.json")).expect("read");
            let dtype = match encoding {
                Encoding::F16 => "float16",
                Encoding::Bf16 => "bfloat16",
                _ => "float32",
            };
            assert_eq!(config.matches(dtype).count(), 2, "dtype and torch_dtype");
        }
    }
}

#[test]
fn every_model_comes_back_from_gguf() {
    for json in MODELS.into_iter().filter(|json| !json.contains(r#""gpt""#)) {
        for (encoding, largest) in [
            (Encoding::F32, 1e-5),
            (Encoding::F16, 0.01),
            (Encoding::Bf16, 0.05),
            (Encoding::Q8_0, 0.05),
            (Encoding::Q4_0, 1.0),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("model.gguf");
            let written = model(json, 3);
            let done = export(
                &written,
                &Export {
                    format: gguf(),
                    encoding,
                },
                &path,
            )
            .expect(json);
            assert!(
                done.largest_difference <= largest,
                "{json} {encoding:?}: {}",
                done.largest_difference
            );
            let back = Checkpoint::open(&path).expect("opened");
            let name = back.gguf_metadata().expect("metadata").get("general.name");
            assert_eq!(name.and_then(MetadataValue::as_str), Some("tiny"));
            // There is no key that says that the biases are all zero, and numbers are f32.
            let mut expected = written.architecture().clone();
            if let Architecture::Gpt2(config) = &mut expected {
                config.bias = true;
            }
            if !json.contains("attention_factor") {
                assert_eq!(back.architecture(), &expected, "{json}");
            }
        }
    }
}

#[test]
fn a_window_bounds_the_context_of_a_gguf_file() {
    let written = model(
        r#"{"family": "mistral", "d_model": 64, "n_layers": 1, "window": 7}"#,
        3,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let encoding = Encoding::F32;
    let done = export(
        &written,
        &Export {
            format: gguf(),
            encoding,
        },
        &path,
    )
    .expect("written");
    assert_eq!((done.probe, done.notes.len()), (7, 1));
    let back = Checkpoint::open(&path).expect("opened");
    assert_eq!(back.architecture().max_seq_len(), 7);
    assert_eq!(back.architecture().window(), Some(7));
}

#[test]
fn shards_are_no_larger_than_asked_for() {
    let written = model(r#"{"family": "llama", "d_model": 32, "n_layers": 3}"#, 3);
    let folder = tempfile::tempdir().expect("a folder");
    for (max_shard_size, single) in [(1, false), (30_000, false), (1 << 30, true)] {
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            std::fs::remove_file(entry.expect("a file").path()).expect("removed");
        }
        let export_it = Export {
            format: hugging_face(max_shard_size),
            encoding: Encoding::F32,
        };
        export(&written, &export_it, folder.path()).expect("written");
        let sizes: Vec<u64> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("a file"))
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "safetensors"))
            .map(|entry| entry.metadata().expect("size").len())
            .collect();
        assert_eq!(sizes.len() == 1, single, "{max_shard_size}: {sizes:?}");
        if max_shard_size == 30_000 {
            // Beside the header.
            assert!(sizes.iter().all(|size| *size < 32_000), "{sizes:?}");
        }
        let back = super::super::load(folder.path(), &Default::default()).expect("read");
        assert_eq!(values(&back), values(&written));
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |json: &str, format: Format, encoding: Encoding, path: &Path| {
        let export_it = Export { format, encoding };
        export(&model(json, 1), &export_it, path)
            .map(drop)
            .expect_err("refused")
            .to_string()
    };
    let file = folder.path().join("model.gguf");
    let gpt = r#"{"family": "gpt", "d_model": 64}"#;
    assert!(refused(gpt, gguf(), Encoding::F32, &file).contains("the family gpt"));
    let ramp = r#"{"family": "llama", "d_model": 64, "rope_scaling":
        {"kind": "yarn", "factor": 4, "original_max_seq_len": 16, "truncate": false}}"#;
    assert!(refused(ramp, gguf(), Encoding::F32, &file).contains("truncate"));
    let llama = r#"{"family": "llama", "d_model": 64}"#;
    let message = refused(llama, hugging_face(1 << 20), Encoding::Q8_0, folder.path());
    assert!(message.contains("can't hold q8_0"), "{message}");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
    assert!(matches!(
        Checkpoint::open(&file),
        Err(ModelError::UnknownFormat { .. } | ModelError::Read { .. })
    ));
}
