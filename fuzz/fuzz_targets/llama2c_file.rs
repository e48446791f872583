//! A file of llama2.c.

#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_fuzz::{exercise, folder_of};
use llm_models::checkpoint::Checkpoint;

fuzz_target!(|input: &[u8]| {
    let folder = folder_of([("model.bin".to_owned(), input)]);
    if let Ok(checkpoint) = Checkpoint::open(&folder.path().join("model.bin")) {
        exercise(&checkpoint);
    }
});
