//! A folder of Hugging Face: `config.json`, then `model.safetensors`, or an index and its shards.

#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_fuzz::{exercise, files, folder_of};
use llm_models::checkpoint::Checkpoint;

fuzz_target!(|input: &[u8]| {
    let files = files(input);
    let last = files.len() - 1;
    let name = |i: usize| match (i, last) {
        (0, _) => "config.json".to_owned(),
        (1, 1) => "model.safetensors".to_owned(),
        (1, _) => "model.safetensors.index.json".to_owned(),
        (i, _) => format!("model-{:05}-of-{:05}.safetensors", i - 1, last - 1),
    };
    let named = files.iter().enumerate().map(|(i, file)| (name(i), *file));
    let folder = folder_of(named);
    if let Ok(checkpoint) = Checkpoint::open(folder.path()) {
        exercise(&checkpoint);
    }
});
