//! Files that are cut short, altered, or made to harm: each is refused by name, nothing large is reserved, and nothing panics.

use std::path::Path;

use burn::prelude::Device;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::super::gguf::Metadata;
use super::super::{Checkpoint, Encoding, Export, Format, SpecialIds, export, load, save};
use super::{model, values};

const LLAMA: &str = r#"{"family": "llama", "d_model": 32, "n_layers": 1}"#;

fn refused(path: &Path) -> String {
    load(path, &Device::flex())
        .map(drop)
        .expect_err("refused")
        .to_string()
}

/// A header of safetensors and so many bytes after it.
fn safetensors_file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn headers_made_to_harm_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    save(&model(LLAMA, 1), &SpecialIds::default(), folder.path()).expect("written");
    let weights = folder.path().join("model.safetensors");
    let tensor = |offsets: &str, shape: &str| {
        format!(
            r#"{{"model.norm.weight":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#
        )
    };
    let mut longest = (1u64 << 60).to_le_bytes().to_vec();
    longest.extend(b"{}");
    let overlapping = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},
        "b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}"#;
    for (what, bytes) in [
        ("a length of 2^60", longest),
        ("a length of 2^64 - 1", u64::MAX.to_le_bytes().to_vec()),
        ("overlapping tensors", safetensors_file(overlapping, 24)),
        (
            "a tensor beyond the end",
            safetensors_file(&tensor("[0,1152921504606846976]", "[32]"), 128),
        ),
        (
            "a backward range",
            safetensors_file(&tensor("[128,0]", "[32]"), 128),
        ),
        (
            "a shape that overflows",
            safetensors_file(&tensor("[0,128]", "[4294967296,4294967296,4]"), 128),
        ),
        (
            "a shape that is not its bytes",
            safetensors_file(&tensor("[0,128]", "[33]"), 128),
        ),
        ("no JSON", safetensors_file("{", 8)),
    ] {
        std::fs::write(&weights, bytes).expect("written");
        let message = refused(folder.path());
        assert!(
            message.contains("model.safetensors is not a whole safetensors file"),
            "{what}: {message}"
        );
    }
}

#[test]
fn a_tensor_that_does_not_fit_is_named_with_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    save(&model(LLAMA, 1), &SpecialIds::default(), folder.path()).expect("written");
    let weights = folder.path().join("model.safetensors");
    let good = std::fs::read(&weights).expect("read");
    let tensors = safetensors::SafeTensors::deserialize(&good).expect("whole");
    // Without the tensor, and with this one in its place.
    let with = |replaced: Option<(&str, Dtype, Vec<usize>)>| {
        let zeros = vec![0; 1 << 16];
        let mut all = tensors.tensors();
        all.retain(|(name, _)| name != "model.norm.weight");
        if let Some((name, dtype, shape)) = replaced {
            let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
            let view = TensorView::new(dtype, shape, &zeros[..bytes]).expect("fits");
            all.push((name.to_owned(), view));
        }
        let bytes = safetensors::serialize(all, None).expect("serialized");
        std::fs::write(&weights, bytes).expect("written");
        refused(folder.path())
    };
    let missing = with(None);
    assert!(
        missing.contains("has no tensor model.norm.weight"),
        "{missing}"
    );
    let shape = with(Some(("model.norm.weight", Dtype::F32, vec![33])));
    assert!(
        shape.contains("model.norm.weight is [33], but the model's sizes make it [32]"),
        "{shape}"
    );
    let dtype = with(Some(("model.norm.weight", Dtype::I64, vec![32])));
    assert!(dtype.contains("model.norm.weight has type I64"), "{dtype}");
    let more = with(Some(("model.other.weight", Dtype::F32, vec![2])));
    assert!(more.contains("has no tensor model.norm.weight"), "{more}");
    for message in [missing, shape, dtype] {
        assert!(message.contains("model.safetensors"), "{message}");
    }
}

#[test]
fn damaged_pytorch_files_are_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny");
    for (kind, lengths) in [("gpt2-bin", 7), ("gpt2-bin-before-zip", 7)] {
        let folder = tempfile::tempdir().expect("a folder");
        let weights = folder.path().join("pytorch_model.bin");
        let config = golden.join(kind).join("config.json");
        std::fs::copy(config, folder.path().join("config.json")).expect("copied");
        let good = std::fs::read(golden.join(kind).join("pytorch_model.bin")).expect("read");
        for part in 0..lengths {
            std::fs::write(&weights, &good[..good.len() * part / lengths]).expect("written");
            let message = refused(folder.path());
            assert!(message.contains("pytorch_model.bin"), "{kind}: {message}");
        }
        std::fs::write(&weights, b"import os; os.remove('config.json')").expect("written");
        assert!(refused(folder.path()).contains("not a whole PyTorch file"));
    }
}

fn gguf(folder: &Path) -> Vec<u8> {
    let path = folder.join("model.gguf");
    let format = Format::Gguf {
        metadata: Metadata::new(),
    };
    let encoding = Encoding::Q8_0;
    export(&model(LLAMA, 1), &Export { format, encoding }, &path).expect("written");
    std::fs::read(path).expect("read")
}

#[test]
fn damaged_gguf_files_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = gguf(folder.path());
    let path = folder.path().join("damaged.gguf");
    let with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        refused(&path)
    };
    for len in (0..good.len()).step_by(97).chain([good.len() - 32]) {
        let message = with(&good[..len]);
        assert!(message.contains("damaged.gguf"), "{message}");
    }
    let number = |at: usize, value: u64| {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        with(&bytes)
    };
    assert!(with(b"GGML, no: something else altogether").contains("does not begin with GGUF"));
    assert!(number(4, 1).contains("version 1 is not supported"));
    assert!(number(4, 3 << 24).contains("little-endian"));
    for value in [1 << 60, u64::MAX] {
        assert!(
            number(8, value).contains("is not a whole GGUF file"),
            "tensors"
        );
        assert!(
            number(16, value).contains("is not a whole GGUF file"),
            "keys"
        );
        assert!(
            number(24, value).contains("should go on for"),
            "length of a key"
        );
    }
    // The first tensor's offset, shape and type, found by its name.
    let name = b"blk.0.attn_k.weight";
    let at = good
        .windows(name.len())
        .position(|w| w == name)
        .expect("there")
        + name.len();
    let (axes, shape, kind) = (at, at + 4, at + 20);
    let offset = kind + 4;
    assert!(number(shape, 1 << 60).contains("blk.0.attn_k.weight is too large"));
    assert!(number(shape, 33).contains("rows of 33 values"));
    assert!(number(shape, 64).contains("overlap"));
    assert!(number(offset, 1 << 60).contains("does not lie within"));
    assert!(number(offset, 8).contains("no multiple of 32"));
    let mut bytes = good.clone();
    bytes[axes] = 200;
    assert!(with(&bytes).contains("200 axes"));
    bytes = good.clone();
    bytes[kind] = 12;
    assert!(with(&bytes).contains("has type Q4_K"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn altered_bytes_never_panic(
        changes in prop::collection::vec((0usize..1 << 20, any::<u8>()), 1..6),
        keep in 0usize..1 << 20,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let good = gguf(folder.path());
        let header = good.len().min(3000);
        let mut bytes = good.clone();
        for (at, value) in changes {
            bytes[at % header] = value;
        }
        if keep % 4 == 0 {
            bytes.truncate(keep % good.len());
        }
        let path = folder.path().join("altered.gguf");
        std::fs::write(&path, bytes).expect("written");
        if let Ok(model) = Checkpoint::open(&path).and_then(|file| file.load(&Device::flex())) {
            let _ = values(&model);
        }
    }
}
