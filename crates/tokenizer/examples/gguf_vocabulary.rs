//! Prints the vocabulary that a GGUF file of a tokenizer holds, as JSON.
//!
//! ```sh
//! cargo run -p llm-tokenizer --example gguf_vocabulary -- load tokenizer.json
//! cargo run -p llm-tokenizer --example gguf_vocabulary -- bpe text.txt 340
//! cargo run -p llm-tokenizer --example gguf_vocabulary -- characters text.txt
//! ```

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

use llm_tokenizer::Tokenizer;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let tokenizer = match arguments[..] {
        ["load", path] => Tokenizer::load(Path::new(path))?,
        ["bpe", text, size] => {
            let text = fs::read_to_string(text)?;
            let lines = text.split_inclusive('\n').map(str::to_owned);
            Tokenizer::train_bpe(lines, size.parse()?)?
        }
        ["characters", text] => Tokenizer::train_characters([fs::read_to_string(text)?])?,
        _ => return Err("expected load PATH, bpe TEXT SIZE or characters TEXT".into()),
    };
    let vocabulary = tokenizer.to_gguf(tokenizer.vocab_size())?;
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &vocabulary)?;
    writeln!(stdout)?;
    Ok(())
}
