//! A GGUF file: the model in it, and its tokenizer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_fuzz::{exercise, folder_of};
use llm_models::checkpoint::Checkpoint;

#[expect(dead_code, reason = "nothing is written here")]
#[path = "../../crates/cli/src/gguf_tokenizer.rs"]
mod gguf_tokenizer;

/// Text to encode: two scripts, spaces, an emoji, digits.
const TEXT: &str = " Once upon a\ttime, 1234  Ünder  日本 🦙\n";

fuzz_target!(|input: &[u8]| {
    let folder = folder_of([("model.gguf".to_owned(), input)]);
    let path = folder.path().join("model.gguf");
    let Ok(checkpoint) = Checkpoint::open(&path) else {
        return;
    };
    let metadata = checkpoint.gguf_metadata().expect("a GGUF file");
    if let Ok(tokenizer) = gguf_tokenizer::read(metadata, &path) {
        let _ = tokenizer.encode(TEXT).map(|ids| tokenizer.decode(&ids));
    }
    exercise(&checkpoint);
});
