//! Tests of the crate through its public interface.
//!
//! Where an oracle made by other software is needed, the environment variable `LLM_DATA_DIR` names the folder of corpora, tokenizers and
//! oracles. Without it those tests say on stderr that they were skipped, and in CI they fail.

mod bpe_training;
mod chat;
mod chat_ids;
mod extend;
mod files;
mod gguf;
mod inspect;
mod openai_gpt;
mod oracles;
mod round_trip;
mod save;
mod sentencepiece;
mod stream;
mod tiktoken;

use std::path::PathBuf;

use llm_tokenizer::Tokenizer;

/// The data folder; none where it is not there and need not be.
#[expect(
    clippy::print_stderr,
    reason = "a skipped test has to be seen in the test log"
)]
fn data_dir() -> Option<PathBuf> {
    let folder = std::env::var_os("LLM_DATA_DIR").map(PathBuf::from);
    if folder.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "LLM_DATA_DIR is not set, which CI must do"
        );
        eprintln!("SKIPPED: set LLM_DATA_DIR to the data folder to run this test");
    }
    folder
}

/// A small text with letters of several scripts, digits and white space.
const TEXT: &str = "The quick brown fox jumps over the lazy dog.\r\n\tIt's 1984, isn't it?\n\
    Der Fuchs läuft; лиса бежит, キツネが走る 🦊🦊\n  the the the quick quick fox\n";

fn bpe() -> Tokenizer {
    let lines = TEXT.split_inclusive('\n').map(str::to_owned);
    Tokenizer::train_bpe(lines.cycle().take(40), 340).unwrap()
}
