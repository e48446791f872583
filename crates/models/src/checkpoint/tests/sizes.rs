//! Sizes made to harm: numbers that overflow, and small files that claim much. Each is refused by name, before anything large is reserved.

use std::path::Path;

use burn::prelude::Device;

use super::super::gguf::Metadata;
use super::super::{Encoding, Export, Format, SpecialIds, export, load, save};
use super::model;

const GPT2: &str = r#"{"family": "gpt2", "d_model": 8, "n_layers": 1}"#;
const LLAMA: &str = r#"{"family": "llama", "d_model": 8, "n_layers": 1, "n_heads": 2,
    "rope_scaling": {"kind": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_seq_len": 8192}}"#;

#[track_caller]
fn check(path: &Path, expected: &str) {
    let error = load(path, &Device::flex()).map(drop).expect_err("refused");
    let message = error.to_string();
    assert!(message.contains(expected), "{message}");
}

/// `text` with its first `old` replaced.
#[track_caller]
fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = text.windows(old.len()).position(|window| window == old);
    let at = at.expect("in the text");
    [&text[..at], new, &text[at + old.len()..]].concat()
}

/// A GGUF file of this model, in which the keys of sizes say `size`.
fn gguf(json: &str, keys: &[&str], size: u64) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let format = Format::Gguf {
        metadata: Metadata::new(),
    };
    let encoding = Encoding::F32;
    export(&model(json, 1), &Export { format, encoding }, &path).expect("written");
    let mut bytes = std::fs::read(&path).expect("read");
    for key in keys {
        let at = bytes.windows(key.len()).position(|w| w == key.as_bytes());
        let at = at.expect("a key") + key.len();
        // The number of the type and a value of four bytes give way to those of eight.
        let value = [&10u32.to_le_bytes()[..], &size.to_le_bytes()].concat();
        bytes.splice(at..at + 8, value);
    }
    // Tensors may have moved by an alignment.
    bytes.extend([0; 32]);
    std::fs::write(&path, bytes).expect("written");
    (folder, path)
}

/// A folder of Hugging Face of this model, in whose configuration `old` is replaced.
fn folder(json: &str, old: &str, new: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    save(&model(json, 1), &SpecialIds::default(), folder.path()).expect("written");
    let config = folder.path().join("config.json");
    let text = std::fs::read(&config).expect("read");
    let text = replaced(&text, old.as_bytes(), new.as_bytes());
    std::fs::write(config, text).expect("written");
    folder
}

#[test]
fn widths_beyond_all_addresses_are_out_of_range() {
    for size in [1 << 31, 1 << 62, u64::MAX] {
        let (_folder, path) = gguf(GPT2, &["gpt2.embedding_length"], size);
        check(&path, "below 2^31");
        for family in ["gpt", "gpt2"] {
            let json = GPT2.replace("gpt2", family);
            let new = format!("\"n_embd\": {size}");
            check(folder(&json, "\"n_embd\": 8", &new).path(), "below 2^31");
        }
    }
}

#[test]
fn heads_that_overflow_are_out_of_range() {
    // Twice this wraps round to the width that the tensors have.
    let wrapping = (1 << 63) + 4;
    let keys = [
        "llama.attention.key_length",
        "llama.attention.value_length",
        "llama.rope.dimension_count",
    ];
    for size in [1 << 31, wrapping] {
        let (_folder, path) = gguf(LLAMA, &keys, size);
        check(&path, "below 2^31");
        let new = format!("\"head_dim\": {size}");
        let folder = folder(LLAMA, "\"head_dim\": 4", &new);
        check(folder.path(), "below 2^31");
    }
}

#[test]
fn contexts_that_no_other_format_can_tell_are_out_of_range() {
    let new = format!("\"original_max_position_embeddings\": {}", 1u64 << 32);
    let old = "\"original_max_position_embeddings\": 8192";
    check(folder(LLAMA, old, &new).path(), "below 2^31");
    let mistral = r#"{"family": "mistral", "d_model": 8, "n_layers": 1, "window": 8}"#;
    let new = format!("\"sliding_window\": {}", 1u64 << 32);
    let folder = folder(mistral, "\"sliding_window\": 8", &new);
    check(folder.path(), "below 2^31");
}

#[test]
fn rotary_factors_of_another_type_are_refused() {
    let (_folder, path) = gguf(LLAMA, &[], 0);
    let bytes = std::fs::read(&path).expect("read");
    let name = b"rope_freqs.weight";
    // One axis of two numbers, as f32 and as f16.
    let described = |kind: u32| {
        let (axes, len) = (1u32.to_le_bytes(), 2u64.to_le_bytes());
        [&name[..], &axes, &len, &kind.to_le_bytes()].concat()
    };
    std::fs::write(&path, replaced(&bytes, &described(0), &described(1))).expect("written");
    check(&path, "rope_freqs.weight has type f16");
}

#[test]
fn a_vocabulary_that_the_file_does_not_hold_is_refused_by_shape() {
    let new = format!("\"vocab_size\": {}", 1 << 30);
    let folder = folder(LLAMA, "\"vocab_size\": 50", &new);
    check(
        folder.path(),
        "embed_tokens.weight is [50, 8], but the model's sizes make it [1073741824, 8]",
    );
}

#[test]
fn tensors_of_pytorch_that_repeat_one_number_are_refused() {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny/gpt2-bin-before-zip");
    let folder = tempfile::tempdir().expect("a folder");
    let config = std::fs::read(golden.join("config.json")).expect("read");
    let config = replaced(&config, b"\"vocab_size\": 61", b"\"vocab_size\": 16777216");
    std::fs::write(folder.path().join("config.json"), config).expect("written");
    let weights = std::fs::read(golden.join("pytorch_model.bin")).expect("read");
    // 61 rows of 16 that lie 19 apart become 2^24 that all lie in the same place.
    let shape_and_stride = b"K=K\x10\x86q\tK\x13K\x01\x86";
    let weights = replaced(
        &weights,
        shape_and_stride,
        b"J\0\0\0\x01K\x10\x86q\tK\0K\0\x86",
    );
    std::fs::write(folder.path().join("pytorch_model.bin"), weights).expect("written");
    check(folder.path(), "pytorch_model.bin: tensors of 2147");
}
