//! A folder with weights that PyTorch saved: `config.json`, then `pytorch_model.bin`, or an index and its shards.

#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_fuzz::{exercise, files, folder_of};
use llm_models::checkpoint::Checkpoint;

fuzz_target!(|input: &[u8]| {
    let files = files(input);
    let last = files.len() - 1;
    let name = |i: usize| match (i, last) {
        (0, _) => "config.json".to_owned(),
        (1, 1) => "pytorch_model.bin".to_owned(),
        (1, _) => "pytorch_model.bin.index.json".to_owned(),
        (i, _) => format!("pytorch_model-{:05}-of-{:05}.bin", i - 1, last - 1),
    };
    let named = files.iter().enumerate().map(|(i, file)| (name(i), *file));
    let folder = folder_of(named);
    if let Ok(checkpoint) = Checkpoint::open(folder.path()) {
        exercise(&checkpoint);
    }
});
