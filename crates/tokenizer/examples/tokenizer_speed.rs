//! How fast BPE tokenizers are trained and encode, for comparison with `xtask/peers/hf_tokenizer_speed.py`, which takes the same arguments.
//!
//! ```text
//! tokenizer_speed train TEXT VOCAB_SIZE TOKENIZER_DIR
//! tokenizer_speed encode TEXT TOKENIZER_DIR
//! ```
//!
//! Prints a JSON object: megabytes of text a second, and seconds, of the work itself. Threads are set with `RAYON_NUM_THREADS`. Texts are trained
//! on and encoded line by line and paragraph by paragraph.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use llm_tokenizer::Tokenizer;

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (elapsed, bytes, tokens) = match arguments[..] {
        ["train", text, vocab_size, folder] => {
            let text = std::fs::read_to_string(text)?;
            let start = Instant::now();
            let lines = text.split_inclusive('\n');
            let tokenizer = Tokenizer::train_bpe(lines, vocab_size.parse()?)?;
            let elapsed = start.elapsed();
            tokenizer.save(Path::new(folder))?;
            (elapsed, text.len(), tokenizer.vocab_size())
        }
        ["encode", text, folder] => {
            let text = std::fs::read_to_string(text)?;
            let tokenizer = Tokenizer::load(Path::new(folder))?;
            let paragraphs: Vec<_> = text.split_inclusive("\n\n").collect();
            let start = Instant::now();
            let ids = tokenizer.encode_batch(&paragraphs)?;
            let elapsed = start.elapsed();
            (elapsed, text.len(), ids.iter().map(Vec::len).sum())
        }
        _ => {
            return Err(
                "give train TEXT VOCAB_SIZE TOKENIZER_DIR, or encode TEXT TOKENIZER_DIR".into(),
            );
        }
    };
    let seconds = elapsed.as_secs_f64();
    let rate = bytes as f64 / 1e6 / seconds;
    println!(
        r#"{{"value": {rate:.2}, "unit": "MB/s", "seconds": {seconds:.4}, "tokens": {tokens}}}"#
    );
    Ok(())
}
