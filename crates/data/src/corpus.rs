//! What the text of a run is: the documents of files, or the stories of the grammar.
//!
//! A corpus can be walked through any number of times and has a fingerprint of its content.

use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::clean::{CleanDocuments, CleanReport, Cleaner};
use crate::config::{DataConfig, OnError, SynthConfig};
use crate::error::DataError;
use crate::sources::{
    self, Document, Documents, Found, Skipped, Source, SourceFile, WholeDocuments,
};
use crate::spool::{Spool, SpoolReader, SpoolWriter};
use crate::synth::{self, StoryGenerator};

/// Documents that can be read again and again.
#[derive(Debug)]
pub(crate) enum Corpus {
    Files {
        found: Found,
        /// How they are read.
        data: Box<DataConfig>,
    },
    /// What cleaning left of files.
    Cleaned {
        files: Vec<SourceFile>,
        documents: Spool,
        /// What was passed over before.
        skipped: Skipped,
    },
    Stories(SynthConfig),
}

/// A document, or a piece of one that is very long.
pub(crate) struct Entry {
    pub(crate) document: Document,
    /// The number of the file that it comes from; 0 for a story.
    pub(crate) file: usize,
    /// Its `-ln p` when the grammar made it.
    pub(crate) nats: Option<f64>,
}

/// The documents of some files of a corpus, or its stories.
pub(crate) enum Entries {
    Files {
        documents: Box<Documents>,
        /// The numbers of the files.
        files: Vec<usize>,
    },
    Cleaned {
        documents: SpoolReader,
        /// Whether each file is wanted.
        wanted: Vec<bool>,
        skipped: Skipped,
    },
    Stories(Box<dyn Iterator<Item = Entry> + Send>),
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
    pub(crate) fn of_sources(sources: &[Source], data: &DataConfig) -> Result<Self, DataError> {
        Ok(Self::Files {
            found: sources::find(sources, data)?,
            data: Box::new(data.clone()),
        })
    }

    /// The corpus that is left when its text is cleaned as its configuration says, with a report; itself where that says nothing. What
    /// is left is kept in a temporary file in `folder`: duplicates are known only by those who read from the beginning.
    pub(crate) fn cleaned(self, folder: &Path) -> Result<(Self, Option<CleanReport>), DataError> {
        let Self::Files { found, data } = self else {
            return Ok((self, None));
        };
        if data.clean.is_off() {
            return Ok((Self::Files { found, data }, None));
        }
        let cleaner = Cleaner::new(data.clean.clone())?;
        let mut spool = SpoolWriter::create(folder)?;
        let files = found.files.clone();
        let documents = Documents::of_found(found, &data);
        let mut documents = WholeDocuments::new(documents, data.max_document_bytes);
        let numbered = std::iter::from_fn(|| {
            let document = documents.next()?;
            let file = files.len() - documents.files_left() - 1;
            Some(document.map(|document| (document, file)))
        });
        let mut clean = CleanDocuments::new(numbered, cleaner);
        for document in &mut clean {
            let (document, file) = document?;
            spool.write(file, &document)?;
        }
        let report = clean.cleaner().report().clone();
        drop(clean);
        let cleaned = Self::Cleaned {
            skipped: documents.skipped().clone(),
            documents: spool.finish()?,
            files,
        };
        Ok((cleaned, Some(report)))
    }

    /// How often each file is trained on; 1 for all stories.
    pub(crate) fn weights(&self) -> Vec<f64> {
        match self {
            Self::Stories(_) => vec![1.0],
            _ => self.files().iter().map(|file| file.weight).collect(),
        }
    }

    /// The documents of the files whose numbers `wanted` takes, in order.
    pub(crate) fn entries(&self, wanted: impl Fn(usize) -> bool) -> Entries {
        match self {
            Self::Files { found, data } => {
                let files = &found.files;
                let numbers: Vec<_> = (0..files.len()).filter(|file| wanted(*file)).collect();
                let found = Found {
                    files: numbers.iter().map(|file| files[*file].clone()).collect(),
                    skipped: found.skipped.clone(),
                };
                Entries::Files {
                    documents: Box::new(Documents::of_found(found, data)),
                    files: numbers,
                }
            }
            Self::Cleaned {
                files,
                documents,
                skipped,
            } => Entries::Cleaned {
                documents: documents.read(),
                wanted: (0..files.len()).map(wanted).collect(),
                skipped: skipped.clone(),
            },
            Self::Stories(_) if !wanted(0) => Entries::Stories(Box::new(std::iter::empty())),
            Self::Stories(config) => Entries::Stories(Box::new(stories(config))),
        }
    }

    /// Adds to `hash` all that the documents depend on. Paths are left out: a moved file is the same text.
    pub(crate) fn fingerprint(&self, hash: &mut Sha256) -> Result<(), DataError> {
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        match self {
            // Asked before the text is cleaned: the settings say what will be left.
            Self::Cleaned { .. } => part(b"cleaned"),
            Self::Stories(config) => {
                part(b"stories");
                part(synth::grammar_text().as_bytes());
                part(&config.seed.to_le_bytes());
                part(&config.size.0.to_le_bytes());
            }
            Self::Files { found, data } => {
                part(b"files");
                part(data.document_separator.as_bytes());
                part(match data.on_error {
                    OnError::Stop => b"stop",
                    OnError::Skip => b"skip",
                });
                part(&data.max_document_bytes.0.to_le_bytes());
                part(format!("{:?}", data.clean).as_bytes());
                let hashes: Vec<_> = found.files.par_iter().map(content_hash).collect();
                for (file, hash) in found.files.iter().zip(hashes) {
                    part(file.format.name().as_bytes());
                    part(&[u8::from(file.tabs)]);
                    part(file.text_field.as_bytes());
                    part(
                        file.encoding
                            .map_or("auto", |encoding| encoding.name())
                            .as_bytes(),
                    );
                    part(&file.weight.to_le_bytes());
                    part(&hash?);
                }
            }
        }
        Ok(())
    }

    /// The files with their sizes on disk; none for stories.
    pub(crate) fn sources(&self) -> Vec<(String, u64)> {
        let of = |file: &SourceFile| {
            // Names that are not UTF-8 cannot be written to the header otherwise.
            (file.name.to_string_lossy().into_owned(), file.bytes)
        };
        self.files().iter().map(of).collect()
    }

    /// The files; none for stories.
    fn files(&self) -> &[SourceFile] {
        match self {
            Self::Files { found, .. } => &found.files,
            Self::Cleaned { files, .. } => files,
            Self::Stories(_) => &[],
        }
    }
}

impl Entries {
    /// What was passed over so far.
    pub(crate) fn skipped(&self) -> Skipped {
        match self {
            Self::Files { documents, .. } => documents.skipped().clone(),
            Self::Cleaned { skipped, .. } => skipped.clone(),
            Self::Stories(_) => Skipped::default(),
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Stories(stories) => stories.next().map(Ok),
            Self::Cleaned {
                documents, wanted, ..
            } => documents
                .by_ref()
                .find(|found| !matches!(found, Ok((file, _)) if !wanted[*file]))
                .map(|found| {
                    found.map(|(file, document)| Entry {
                        document,
                        file,
                        nats: None,
                    })
                }),
            Self::Files { documents, files } => {
                let document = match documents.next()? {
                    Ok(document) => document,
                    Err(error) => return Some(Err(error)),
                };
                let n_opened = files.len() - documents.files_left();
                Some(Ok(Entry {
                    document,
                    file: files[n_opened - 1],
                    nats: None,
                }))
            }
        }
    }
}

fn stories(config: &SynthConfig) -> impl Iterator<Item = Entry> + Send + use<> {
    let (seed, size) = (config.seed, config.size.0);
    let mut written = 0;
    StoryGenerator::new(seed)
        .take_while(move |story| {
            let more = written < size;
            written += synth::written_bytes(story);
            more
        })
        .enumerate()
        .map(move |(index, story)| Entry {
            document: Document {
                text: story.text,
                origin: format!("story {index} of seed {seed}"),
                continues: false,
            },
            file: 0,
            nats: Some(story.nats),
        })
}

/// The SHA-256 of a file as it lies on disk.
fn content_hash(file: &SourceFile) -> Result<[u8; 32], DataError> {
    let mut hash = Sha256::new();
    let mut content = file.open_raw()?;
    let mut chunk = vec![0; 1 << 18];
    loop {
        let n = content
            .read(&mut chunk)
            .map_err(|error| file.raw_error(error))?;
        if n == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&chunk[..n]);
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
        let read: Vec<_> = stories(&config).map(|entry| entry.document.text).collect();
        assert_eq!(read.len() as u64, summary.stories);
        assert_eq!(read.join(&separator) + &separator, written);
    }
}
