//! `llm-data` through its public API.

mod caching;
mod inputs;
mod preparing;
mod real_files;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use llm_data::{ByteSize, DataConfig, SynthConfig};

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
}

fn of(sources: impl IntoIterator<Item = PathBuf>) -> DataConfig {
    DataConfig {
        sources: sources.into_iter().collect(),
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
