//! What the fuzz targets share: input as the files of a folder, every use of what opens, and a bound on memory.
//!
//! A reader must refuse whatever is wrong with a file, and never panic, hang or reserve much for a small file.

mod memory;

use std::path::Path;

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::layers::Pass;
use llm_models::LanguageModel;
use llm_models::checkpoint::gguf::Metadata;
use llm_models::checkpoint::{Checkpoint, Encoding, Export, Format, SpecialIds, export};
use tempfile::TempDir;

/// Stands between the files of an input that holds several.
const BETWEEN: &[u8] = b"\n====\n";

/// Tokens of the pass through a model that loads.
const TOKENS: usize = 3;

/// Blocks of the deepest model that is run: a pass through more takes longer than many other inputs.
const DEEPEST: usize = 8;

/// The files in `input`, in order.
pub fn files(input: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = input;
    let between = |rest: &[u8]| rest.windows(BETWEEN.len()).position(|w| w == BETWEEN);
    while let Some(at) = between(rest) {
        files.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    files.push(rest);
    files
}

/// An empty folder, in memory where the system has such a place: readers map files, so that they need some.
///
/// # Panics
/// There is no place for files.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a temporary folder")
}

/// A folder with these files.
///
/// # Panics
/// They can't be written.
pub fn folder_of<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>) -> TempDir {
    let folder = folder();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    folder
}

/// Uses all that `checkpoint` holds: keys, end tokens, every value of every parameter, and a pass through the model.
pub fn exercise(checkpoint: &Checkpoint) {
    let device = Device::flex();
    let _ = checkpoint.end_ids();
    let Ok(model) = checkpoint.load(&device) else {
        return;
    };
    let mut touched = Touched::default();
    model.visit(&mut touched);
    assert_eq!(
        touched.values,
        model.architecture().parameter_count(),
        "values of {:?}",
        model.architecture()
    );
    if model.architecture().n_layers() <= DEEPEST {
        run(&model, &device);
        write(&model);
    }
}

/// A pass through `model`.
fn run(model: &LanguageModel, device: &Device) {
    let sizes = model.architecture();
    let seq = TOKENS.min(sizes.max_seq_len());
    let last = sizes.vocab_size() - 1;
    let ids: Vec<i32> = (0..seq).map(|i| i.min(last) as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, seq]), device);
    let hidden = model.hidden(ids, &mut Pass::new(seq));
    let scores = model.logits(hidden.reshape([seq, sizes.d_model()]));
    assert_eq!(scores.into_data().num_elements(), seq * sizes.vocab_size());
}

/// Writes `model` in both formats. That they can't hold it, or that it computes no numbers, is no fault of the reader.
fn write(model: &LanguageModel) {
    let folder = folder();
    let formats = [
        Format::HuggingFace {
            special: SpecialIds::default(),
            max_shard_size: u64::MAX,
        },
        Format::Gguf {
            metadata: Metadata::new(),
        },
    ];
    let names = ["", "model.gguf"];
    for (format, name) in formats.into_iter().zip(names) {
        let encoding = Encoding::F32;
        let _ = export(
            model,
            &Export { format, encoding },
            &folder.path().join(name),
        );
    }
}

/// Reads every value.
#[derive(Default)]
struct Touched {
    values: usize,
}

impl ModuleVisitor for Touched {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let data = parameter.val().into_data();
        let bits = data.iter::<f32>().fold(0, |all, v| all ^ v.to_bits());
        std::hint::black_box(bits);
        self.values += data.num_elements();
    }
}
