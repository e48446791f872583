//! How fast sources are read and prepared, and in how much memory.
//!
//!     measure make SIZE PATH      writes about so much text in the format of the extension, packed for .gz and .zst
//!     measure read PATH           reads all documents
//!     measure prepare PATH CACHE  makes tokens with a byte-level BPE of 4096 tokens

#![expect(clippy::print_stdout, reason = "the figures are its result")]

use std::env;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use llm_data::{DataConfig, Documents, Source, StoryGenerator, parse_size, prepare_with};
use llm_tokenizer::Tokenizer;
use ruzstd::encoding::{CompressionLevel, compress};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["make", size, path] => make(parse_size(size)?, Path::new(path)),
        ["read", path] => read(Path::new(path)),
        ["prepare", path, cache] => prepare(Path::new(path), Path::new(cache)),
        _ => Err("make SIZE PATH, read PATH or prepare PATH CACHE".into()),
    }
}

fn make(size: u64, path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    if let Some(plain) = name.strip_suffix(".zst") {
        make(size, Path::new(plain))?;
        let packed = BufWriter::new(File::create(path)?);
        compress(File::open(plain)?, packed, CompressionLevel::Fastest);
        return Ok(());
    }
    let file = BufWriter::new(File::create(path)?);
    if let Some(plain) = name.strip_suffix(".gz") {
        let mut packed = GzEncoder::new(file, Compression::fast());
        write(size, plain, &mut packed)?;
        return Ok(packed.finish()?.flush()?);
    }
    let mut file = file;
    write(size, &name, &mut file)?;
    Ok(file.flush()?)
}

/// Documents of twenty stories each.
fn write(size: u64, name: &str, out: &mut impl Write) -> Result<()> {
    let mut stories = StoryGenerator::new(1);
    let mut written = 0;
    let extension = name.rsplit('.').next().unwrap_or_default();
    write!(
        out,
        "{}",
        match extension {
            "csv" => "id,text\n",
            "json" => "[",
            "html" => "<html><body><article>",
            _ => "",
        }
    )?;
    while written < size {
        let document: Vec<_> = stories.by_ref().take(20).map(|story| story.text).collect();
        let document = document.join("\n");
        match extension {
            "jsonl" => writeln!(
                out,
                "{}",
                serde_json::json!({"id": written, "text": document})
            )?,
            "json" => {
                let comma = if written > 0 { ",\n" } else { "" };
                let value = serde_json::json!({"id": written, "text": document});
                write!(out, "{comma}{value}")?;
            }
            "csv" => writeln!(out, "{written},\"{}\"", document.replace('"', "\"\""))?,
            "html" => writeln!(out, "<p>{document}</p>")?,
            "md" => writeln!(out, "{document}")?,
            _ => writeln!(out, "{document}\n<|endoftext|>")?,
        }
        written += document.len() as u64;
    }
    if extension == "json" {
        write!(out, "]")?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<()> {
    let begin = Instant::now();
    let (mut documents, mut bytes) = (0_u64, 0);
    for document in Documents::open(&[Source::from(path)], &DataConfig::default())? {
        let document = document?;
        documents += 1;
        bytes += document.text.len();
    }
    report("read", documents, bytes as u64, begin);
    Ok(())
}

fn prepare(path: &Path, cache: &Path) -> Result<()> {
    let stories = StoryGenerator::new(2).take(2000).map(|story| story.text);
    let tokenizer = Tokenizer::train_bpe(stories, 4096)?;
    let data = DataConfig {
        sources: vec![Source::from(path)],
        ..DataConfig::default()
    };
    let begin = Instant::now();
    let prepared = prepare_with(&data, &tokenizer, cache)?;
    let (train, validation) = (&prepared.train, &prepared.validation);
    let documents = train.documents() + validation.documents();
    let what = if prepared.from_cache {
        "found"
    } else {
        "prepared"
    };
    report(
        what,
        documents as u64,
        train.bytes() + validation.bytes(),
        begin,
    );
    Ok(())
}

fn report(what: &str, documents: u64, bytes: u64, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    let pace = bytes as f64 / 1e6 / seconds;
    println!("{what} {documents} documents, {bytes} bytes in {seconds:.2} s: {pace:.0} MB/s");
}
