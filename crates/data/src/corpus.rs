//! What the text of a run is: the documents of files, or the stories of the grammar.
//!
//! A corpus can be walked through any number of times and has a fingerprint of its content.

use std::io::BufRead;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::config::{DataConfig, SynthConfig};
use crate::documents::{Document, Documents};
use crate::error::DataError;
use crate::files::{self, Format, SourceFile};
use crate::synth::{self, StoryGenerator};

/// Documents that can be read again and again.
#[derive(Clone, Debug)]
pub(crate) enum Corpus {
    Files {
        files: Vec<SourceFile>,
        text_field: String,
        separator: String,
    },
    Stories(SynthConfig),
}

/// A document, and its `-ln p` when the grammar made it.
pub(crate) struct Entry {
    pub(crate) document: Document,
    pub(crate) nats: Option<f64>,
}

impl Corpus {
    /// What `data.sources` stands for.
    pub(crate) fn of(data: &DataConfig) -> Result<Self, DataError> {
        if data.sources.is_empty() {
            Ok(Self::Stories(data.synth.clone()))
        } else {
            Self::of_sources(&data.sources, data)
        }
    }

    /// The documents of `sources`, read as `data` says.
    pub(crate) fn of_sources(sources: &[PathBuf], data: &DataConfig) -> Result<Self, DataError> {
        Ok(Self::Files {
            files: files::find(sources)?,
            text_field: data.text_field.clone(),
            separator: data.document_separator.clone(),
        })
    }

    /// All documents, in order.
    pub(crate) fn entries(&self) -> Box<dyn Iterator<Item = Result<Entry, DataError>> + Send> {
        match self {
            Self::Files {
                files,
                text_field,
                separator,
            } => {
                let documents = Documents::of_files(files.clone(), text_field, separator);
                Box::new(documents.map(|document| {
                    document.map(|document| Entry {
                        document,
                        nats: None,
                    })
                }))
            }
            Self::Stories(config) => Box::new(stories(config)),
        }
    }

    /// Adds to `hash` all that the documents depend on. Paths are left out: a moved file is the same text.
    pub(crate) fn fingerprint(&self, hash: &mut Sha256) -> Result<(), DataError> {
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Stories(config) => {
                part(b"stories");
                part(synth::grammar_text().as_bytes());
                part(&config.seed.to_le_bytes());
                part(&config.size.0.to_le_bytes());
            }
            Self::Files {
                files,
                text_field,
                separator,
            } => {
                part(b"files");
                part(text_field.as_bytes());
                part(separator.as_bytes());
                for file in files {
                    part(match file.format {
                        Format::Text => b"text",
                        Format::JsonLines => b"json lines",
                    });
                    part(&content_hash(file)?);
                }
            }
        }
        Ok(())
    }

    /// The files with their sizes on disk; none for stories.
    pub(crate) fn sources(&self) -> Vec<(PathBuf, u64)> {
        match self {
            Self::Files { files, .. } => files.iter().map(|f| (f.path.clone(), f.bytes)).collect(),
            Self::Stories(_) => Vec::new(),
        }
    }
}

fn stories(config: &SynthConfig) -> impl Iterator<Item = Result<Entry, DataError>> + Send + use<> {
    let (seed, size) = (config.seed, config.size.0);
    let mut written = 0;
    StoryGenerator::new(seed)
        .take_while(move |story| {
            let more = written < size;
            written += synth::written_bytes(story);
            more
        })
        .enumerate()
        .map(move |(index, story)| {
            Ok(Entry {
                document: Document {
                    text: story.text,
                    origin: format!("story {index} of seed {seed}"),
                },
                nats: Some(story.nats),
            })
        })
}

/// The SHA-256 of the unpacked content.
fn content_hash(file: &SourceFile) -> Result<[u8; 32], DataError> {
    let mut hash = Sha256::new();
    let mut content = file.open()?;
    loop {
        let chunk = content.fill_buf().map_err(|error| file.failed(error))?;
        if chunk.is_empty() {
            return Ok(hash.finalize().into());
        }
        hash.update(chunk);
        let length = chunk.len();
        content.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::ByteSize;

    #[test]
    fn the_story_corpus_is_the_written_one() {
        let config = SynthConfig {
            seed: 4,
            size: ByteSize(20_000),
        };
        let mut written = Vec::new();
        let summary = synth::write_corpus(4, 20_000, &mut written).expect("writing to memory");
        let written = String::from_utf8(written).expect("ASCII");
        let separator = format!("\n{}\n", synth::SEPARATOR);
        let read: Vec<_> = stories(&config)
            .map(|entry| entry.expect("stories do not fail").document.text)
            .collect();
        assert_eq!(read.len() as u64, summary.stories);
        assert_eq!(read.join(&separator) + &separator, written);
    }
}
