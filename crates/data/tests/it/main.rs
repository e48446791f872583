//! `llm-data` through its public API.

mod caching;
mod cleaning;
mod codings;
mod damage;
mod formats;
mod html;
mod inputs;
mod near;
#[cfg(feature = "parquet")]
mod parquet;
mod preparing;
mod real_files;
mod stdin;
mod weights;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use llm_data::{ByteSize, DataConfig, DataError, Documents, OnError, Source, SynthConfig};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// A temporary folder with files in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, content).expect("a file");
        path
    }

    fn gzip(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        let mut file = GzEncoder::new(File::create(&path).expect("a file"), Compression::default());
        file.write_all(content.as_ref()).expect("written");
        file.finish().expect("written");
        path
    }

    fn zstd(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.file(
            name,
            compress_to_vec(content.as_ref(), CompressionLevel::Fastest),
        )
    }
}

/// All texts of a source, as `data` says.
fn read_as(source: impl Into<Source>, data: &DataConfig) -> Result<Vec<String>, DataError> {
    let documents = Documents::open(&[source.into()], data)?;
    documents.map(|document| document.map(|d| d.text)).collect()
}

/// The settings with another name of the text.
fn field(text_field: &str) -> DataConfig {
    DataConfig {
        text_field: text_field.to_owned(),
        ..DataConfig::default()
    }
}

/// What is left of a source, and the places and the reasons of what was skipped.
#[track_caller]
fn skipping(source: &Path, data: &DataConfig) -> (Vec<String>, Vec<(String, String)>) {
    let data = DataConfig {
        on_error: OnError::Skip,
        ..data.clone()
    };
    let mut documents = Documents::open(&[source.into()], &data).expect("a source");
    let texts = documents
        .by_ref()
        .map(|document| document.expect("faults are skipped").text)
        .collect();
    let skipped = documents.skipped();
    let all = skipped.first.iter();
    let all: Vec<_> = all
        .map(|record| {
            let name = record.place.rsplit('/').next().unwrap_or_default();
            (name.to_owned(), record.reason.clone())
        })
        .collect();
    assert_eq!(skipped.total(), all.len() as u64);
    (texts, all)
}

/// The message names the file and says all of `parts`, on one line and without a full stop.
#[track_caller]
fn fails_as(source: &Path, data: &DataConfig, parts: &[&str]) {
    let error = read_as(source, data).expect_err("a bad source").to_string();
    assert!(error.contains(&source.display().to_string()), "{error}");
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
    assert!(!error.contains('\n') && !error.ends_with('.'), "{error}");
}

fn of(sources: impl IntoIterator<Item = PathBuf>) -> DataConfig {
    DataConfig {
        sources: sources.into_iter().map(Source::from).collect(),
        ..DataConfig::default()
    }
}

fn stories(size: u64) -> DataConfig {
    DataConfig {
        synth: SynthConfig {
            seed: 3,
            size: ByteSize(size),
        },
        ..DataConfig::default()
    }
}
