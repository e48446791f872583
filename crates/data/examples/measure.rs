//! How fast sources are read and prepared, and in how much memory.
//!
//!     measure make SIZE PATH      writes about so much text in the format of the extension, packed for .gz and .zst; without one, a
//!                                 folder of web pages
//!     measure read PATH           reads all documents
//!     measure prepare PATH CACHE  makes tokens with a byte-level BPE of 4096 tokens
//!
//! Prints a JSON object with megabytes of text a second.

#![expect(clippy::print_stdout, reason = "the figures are its result")]

use std::env;
use std::fs::{self, File};
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
    if path.extension().is_none() {
        return make_pages(size, path);
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

/// Web pages of twenty stories each, with what surrounds an article.
fn make_pages(size: u64, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut stories = StoryGenerator::new(1);
    let (mut written, mut n_pages) = (0, 0);
    while written < size {
        let page: Vec<_> = stories.by_ref().take(20).map(|story| story.text).collect();
        written += page.iter().map(|text| text.len() as u64).sum::<u64>();
        let paragraphs: String = page.iter().map(|text| format!("<p>{text}</p>\n")).collect();
        let html = format!(
            "<!doctype html><html><head><title>Stories</title><script>var page = {n_pages};</script></head><body>\n\
             <nav><a href=\"/\">Home</a> <a href=\"/next\">Next</a></nav>\n<article>{paragraphs}</article>\n\
             <footer>All rights reserved</footer></body></html>\n"
        );
        fs::write(folder.join(format!("{n_pages:06}.html")), html)?;
        n_pages += 1;
    }
    Ok(())
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
    println!(
        r#"{{"name": "{what}", "value": {pace:.2}, "unit": "MB/s", "documents": {documents}, "bytes": {bytes}, "seconds": {seconds:.3}}}"#
    );
}
