//! Released folders read, and damaged ones refused by name.

mod index;
mod write;

use std::path::{Path, PathBuf};

use super::super::source::Bytes;
use super::{Release, gpt, gpt2, without_width};
use crate::ModelError;

/// A tiny model as TensorFlow or numpy wrote it.
fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/golden/openai").join(name)
}

/// A copy of it, to be damaged.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(golden(name)).expect("golden folder") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("copied");
    }
    folder
}

#[track_caller]
fn refused(folder: &Path) -> ModelError {
    let release = Release::find(folder);
    let checked = release.and_then(|release| release.expect("there").check());
    checked.expect_err("refused")
}

/// `folder` without each of these files.
#[track_caller]
fn check_missing(folder: &Path, names: &[&str]) {
    for name in names {
        let (path, away) = (folder.join(name), folder.join("away"));
        std::fs::rename(&path, &away).expect("moved");
        let message = refused(folder).to_string();
        assert!(message.contains(&format!("it has no {name}")), "{message}");
        std::fs::rename(&away, &path).expect("moved");
    }
}

/// `folder` with each of these contents of one file, and what is said of it.
#[track_caller]
fn check_contents(folder: &Path, name: &str, cases: &[(&[u8], &str)]) {
    let path = folder.join(name);
    let good = std::fs::read(&path).expect("read");
    for (bytes, expected) in cases {
        std::fs::write(&path, bytes).expect("written");
        let message = refused(folder).to_string();
        assert!(message.contains(expected), "{message}");
    }
    std::fs::write(&path, good).expect("written");
}

#[test]
fn a_folder_of_other_files_is_no_release() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("checkpoint"), "").expect("written");
    assert!(Release::find(folder.path()).expect("read").is_none());
}

#[test]
fn the_numbers_of_gpt_are_the_tensors_one_after_the_other() {
    let release = Release::find(&golden("gpt")).expect("read").expect("there");
    let tensors = release.tensors();
    let mut names = ["positions_embed.weight", "tokens_embed.weight"]
        .map(str::to_owned)
        .to_vec();
    for i in 0..2 {
        for layer in [
            "attn.c_attn",
            "attn.c_proj",
            "ln_1",
            "mlp.c_fc",
            "mlp.c_proj",
            "ln_2",
        ] {
            names.extend([
                format!("h.{i}.{layer}.weight"),
                format!("h.{i}.{layer}.bias"),
            ]);
        }
    }
    assert_eq!(tensors.names().len(), names.len());
    let mut read = Vec::new();
    let mut scattered = 0;
    for name in names {
        let tensor = tensors.find(&format!("transformer.{name}")).expect(&name);
        let bytes = tensor.bytes().expect("read");
        assert_eq!(
            bytes.len(),
            4 * tensor.shape.iter().product::<usize>(),
            "{name}"
        );
        read.extend_from_slice(&bytes);
        scattered += usize::from(matches!(tensor.bytes, Bytes::Scattered(_)));
    }
    // Each of the nine cuts goes through one tensor at most.
    assert!(
        (5..=9).contains(&scattered),
        "{scattered} tensors are in several files"
    );
    let mut written = Vec::new();
    for i in 0..10 {
        let file = std::fs::read(golden("gpt").join(format!("params_{i}.npy"))).expect("read");
        let end_of_header = file.iter().position(|b| *b == b'\n').expect("a header");
        written.extend_from_slice(&file[end_of_header + 1..]);
    }
    assert!(read == written);
}

#[test]
fn matrices_have_two_axes() {
    for (name, width) in [("gpt", 64), ("gpt2", 32)] {
        let release = Release::find(&golden(name)).expect("read").expect("there");
        let tensors = release.tensors();
        let shape = |name| tensors.find(name).expect(name).shape;
        assert_eq!(
            shape("transformer.h.1.attn.c_attn.weight"),
            [width, 3 * width]
        );
        assert_eq!(shape("transformer.h.1.mlp.c_fc.weight"), [width, 4 * width]);
        assert_eq!(shape("transformer.h.0.ln_2.weight"), [width]);
    }
    for other in [vec![2, 3, 4], vec![1, 3], vec![1, 1, 3, 4], vec![]] {
        assert_eq!(without_width(other.clone()), other);
    }
}

#[test]
fn damaged_folders_of_gpt_are_refused() {
    let folder = copied("gpt");
    let folder = folder.path();
    let shapes = std::fs::read_to_string(folder.join(gpt::SHAPES)).expect("read");
    let with = |from: &str, to: &str| {
        assert!(shapes.contains(from), "{from}");
        shapes.replacen(from, to, 1).into_bytes()
    };
    let one_block = format!(
        "{}]",
        &shapes[..shapes.rfind(", [1, 64, 192]").expect("there")]
    );
    check_missing(folder, &["params_0.npy", "params_5.npy", "params_9.npy"]);
    check_contents(
        folder,
        gpt::SHAPES,
        &[
            (
                b"[",
                "params_shapes.json is not a valid model configuration",
            ),
            (b"[]", "it has 0 shapes"),
            (b"[[80, 64], [61, 64]]", "it has 2 shapes"),
            (&with("[1, 64, 192], ", ""), "it has 25 shapes"),
            (
                &with("[80, 64]", "[5120]"),
                "[5120], [61, 64] and [1, 64, 256] are not the shapes",
            ),
            (
                &with("[61, 64]", "[61, 60]"),
                "a width of 60, which is not made of heads of 64",
            ),
            (&with("[61, 64]", "[0, 64]"), "model.vocab_size is 0"),
            (&with("[61, 64]", "[61, 0]"), "is 0"),
            (
                &with("[80, 64]", "[80, 18446744073709551615]"),
                "positions_embed.weight of shape",
            ),
            (
                &with("[80, 64]", "[80, 288230376151711808]"),
                "positions_embed.weight of shape",
            ),
            (
                &with("[80, 64]", "[79, 64]"),
                "the shapes take 108928 numbers, but the files have",
            ),
            (
                &with("[80, 64]", "[81, 64]"),
                "h.1.ln_2.bias of shape [64] does not lie within",
            ),
            (one_block.as_bytes(), "the shapes take"),
        ],
    );
    let part = std::fs::read(folder.join("params_4.npy")).expect("read");
    let mut big_endian = part.clone();
    let kind = part.windows(3).position(|w| w == b"<f4").expect("there");
    big_endian[kind] = b'>';
    check_contents(
        folder,
        "params_4.npy",
        &[
            (&[], "params_4.npy is not a whole numpy file"),
            (&part[..part.len() - 1], "get it again"),
            (&part[..50], "params_4.npy is not a whole numpy file"),
            (&big_endian, "its numbers are \">f4\""),
        ],
    );
    Release::find(folder).expect("whole again");
}

#[test]
fn damaged_folders_of_gpt2_are_refused() {
    let folder = copied("gpt2");
    let folder = folder.path();
    check_missing(folder, &[gpt2::SIZES, gpt2::INDEX, gpt2::DATA]);
    let sizes = std::fs::read_to_string(folder.join(gpt2::SIZES)).expect("read");
    let with = |from: &str, to: &str| {
        assert!(sizes.contains(from), "{from}");
        sizes.replace(from, to).into_bytes()
    };
    check_contents(
        folder,
        gpt2::SIZES,
        &[
            (b"{", "hparams.json is not a valid model configuration"),
            (
                &with("n_ctx", "n_context"),
                "hparams.json is not a valid model configuration",
            ),
            (
                &with("61", "-61"),
                "hparams.json is not a valid model configuration",
            ),
            (&with("32", "18446744073709551615"), "model.d_model is"),
            (&with("32", "4611686018427387904"), "model.d_model is"),
            (&with("61", "0"), "model.vocab_size is 0"),
            (
                &with("\"n_layer\": 2", "\"n_layer\": 1000000000"),
                "model.n_layers is",
            ),
        ],
    );
    let index = std::fs::read(folder.join(gpt2::INDEX)).expect("read");
    let mut altered = index.clone();
    altered[100] ^= 1;
    check_contents(
        folder,
        gpt2::INDEX,
        &[
            (
                &[],
                "model.ckpt.index is not a whole part of a TensorFlow checkpoint: it has 0 bytes",
            ),
            (
                &index[..index.len() - 1],
                "it does not end as an index does",
            ),
            (
                &altered,
                "model.ckpt.index is not a whole part of a TensorFlow checkpoint: the block at 0",
            ),
        ],
    );
    let data = std::fs::read(folder.join(gpt2::DATA)).expect("read");
    let mut altered = data.clone();
    altered[40_000] ^= 0x80;
    check_contents(
        folder,
        gpt2::DATA,
        &[
            (&[], "does not lie within its 0 bytes"),
            (
                &data[..data.len() - 1],
                "model/wte does not lie within its 119935 bytes",
            ),
            (&altered, "has another checksum than the index says"),
        ],
    );
    Release::find(folder).expect("whole again");
}

#[test]
fn tensors_that_are_not_of_gpt2_are_named() {
    let folder = copied("gpt2");
    let folder = folder.path();
    let index = std::fs::read(folder.join(gpt2::INDEX)).expect("read");
    for (name, other) in [
        ("model/wte", "model/wtx"),
        ("model/wte", "else/wte"),
        ("model/h1/ln_2/g", "model/h1/ln_2/w"),
        ("model/h1/ln_2/g", "model/h1/ln_3/g"),
        ("model/h1/ln_2/g", "model/hx/ln_2/g"),
        ("model/h1/mlp/c_fc/w", "model/h1/mlp/c_fc/g"),
        ("model/h1/mlp/c_fc/w", "model/h1/conv/c_fc/w"),
        ("model/h1/mlp/c_fc/w", "model/h1/mlp.c_fc/g"),
    ] {
        let mut entries = write::entries(&index);
        let (key, _) = entries
            .iter_mut()
            .find(|(key, _)| key == name.as_bytes())
            .expect(name);
        *key = other.as_bytes().to_vec();
        std::fs::write(folder.join(gpt2::INDEX), write::table(entries, 100)).expect("written");
        match refused(folder) {
            ModelError::UnknownTensor { name, .. } => assert_eq!(name, other),
            error => panic!("{other}: {error}"),
        }
    }
}
