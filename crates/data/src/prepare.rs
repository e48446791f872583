//! From a configuration to token shards: find the text, split it, make the tokenizer, tokenize, cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use llm_tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};
use sha2::{Digest, Sha256};

use crate::cache::{CacheEntry, Floor, Header, TRAIN, VALIDATION, VERSION};
use crate::config::DataConfig;
use crate::corpus::{Corpus, Entry};
use crate::documents::Documents;
use crate::error::DataError;
use crate::shard::{ShardWriter, TokenShard, Width};
use crate::split::{Part, Piece, Split};

/// How much text a BPE is given at a time, in bytes; cut at a line end.
const TRAINING_CHUNK: usize = 1 << 16;

/// Text made ready for training.
#[derive(Debug)]
pub struct Prepared {
    /// The tokenizer that made the tokens.
    pub tokenizer: Tokenizer,
    /// What is trained on.
    pub train: TokenShard,
    /// What is kept aside.
    pub validation: TokenShard,
    /// Where the tokens lie.
    pub folder: PathBuf,
    /// Whether they were there already.
    pub from_cache: bool,
    /// The lowest loss that any model can reach on the validation part, in nats per character; for the story grammar only. The end of a
    /// story is part of it. Where a tail cuts a story, only the whole stories after the cut are counted.
    pub validation_floor: Option<f64>,
}

/// The tokens of a text, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedText {
    /// All tokens, one document after the other.
    pub tokens: Vec<u32>,
    /// The UTF-8 bytes of the text, without separators.
    pub bytes: u64,
    /// The characters of the text, without separators.
    pub chars: u64,
    /// How many documents there are.
    pub documents: usize,
}

/// Makes the tokens of `data`, or finds them in `cache_dir`, with the tokenizer that `tokenizer` describes.
///
/// A character tokenizer knows the characters of all text; a BPE is trained on the training part. When a part has more than one
/// document, the tokenizer's end-of-text token stands before each document that starts in it.
///
/// # Errors
/// Whatever is wrong with the configuration, the sources or the cache folder; see [`DataError`].
pub fn prepare(
    data: &DataConfig,
    tokenizer: &TokenizerConfig,
    cache_dir: &Path,
) -> Result<Prepared, DataError> {
    tokenizer.validate()?;
    if let (TokenizerKind::File, Some(path)) = (tokenizer.kind, &tokenizer.path) {
        return prepare_with(data, &Tokenizer::load(path)?, cache_dir);
    }
    let recipe = match tokenizer.kind {
        TokenizerKind::Bpe => Recipe::Bpe(tokenizer.vocab_size),
        _ => Recipe::Characters,
    };
    run(data, &recipe, cache_dir)
}

/// Makes the tokens of `data`, or finds them in `cache_dir`, with a tokenizer that is there already.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(
    data: &DataConfig,
    tokenizer: &Tokenizer,
    cache_dir: &Path,
) -> Result<Prepared, DataError> {
    run(data, &Recipe::Given(tokenizer.clone()), cache_dir)
}

/// Tokenizes all text of `sources` as one row, without split and cache. As in [`prepare`], documents are preceded by the end-of-text
/// token when there are several.
///
/// # Errors
/// Whatever is wrong with the sources.
pub fn read_tokens(
    sources: &[PathBuf],
    text_field: &str,
    separator: &str,
    tokenizer: &Tokenizer,
) -> Result<TokenizedText, DataError> {
    if sources.is_empty() {
        return Err(DataError::NoSource);
    }
    let mut all = TokenizedText {
        tokens: Vec::new(),
        bytes: 0,
        chars: 0,
        documents: 0,
    };
    for document in Documents::open(sources, text_field, separator)? {
        let document = document?;
        if all.documents == 1 {
            all.tokens.splice(0..0, tokenizer.eos());
        }
        if all.documents >= 1 {
            all.tokens.extend(tokenizer.eos());
        }
        all.tokens
            .extend(encode(tokenizer, &document.text, &document.origin)?);
        all.bytes += document.text.len() as u64;
        all.chars += document.text.chars().count() as u64;
        all.documents += 1;
    }
    Ok(all)
}

/// How the tokenizer comes about.
enum Recipe {
    Characters,
    Bpe(usize),
    Given(Tokenizer),
}

/// The text of a run.
struct Job<'a> {
    data: &'a DataConfig,
    recipe: &'a Recipe,
    corpus: Corpus,
    /// When validation has sources of its own.
    validation: Option<Corpus>,
}

fn run(data: &DataConfig, recipe: &Recipe, cache_dir: &Path) -> Result<Prepared, DataError> {
    data.validate()?;
    let job = Job {
        data,
        recipe,
        corpus: Corpus::of(data)?,
        validation: if data.validation_sources.is_empty() {
            None
        } else {
            Some(Corpus::of_sources(&data.validation_sources, data)?)
        },
    };
    let folder = cache_dir.join("tokens").join(job.key()?);
    let found = CacheEntry::find(&folder);
    let from_cache = found.is_some();
    let entry = match found {
        Some(entry) => entry,
        None => CacheEntry::make(&folder, |folder| job.build(folder))?,
    };
    Ok(Prepared {
        // The given one may know more than its file, such as a chat template.
        tokenizer: match recipe {
            Recipe::Given(tokenizer) => tokenizer.clone(),
            _ => entry.tokenizer,
        },
        train: entry.train,
        validation: entry.validation,
        folder,
        from_cache,
        validation_floor: entry.floor.map(|floor| floor.nats / floor.chars as f64),
    })
}

impl Job<'_> {
    /// A name for the result: the same for the same content and settings.
    fn key(&self) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        hash.update(VERSION.to_le_bytes());
        match self.recipe {
            Recipe::Characters => hash.update(b"characters\0"),
            Recipe::Bpe(vocab_size) => hash.update(format!("bpe {vocab_size}\0")),
            Recipe::Given(tokenizer) => hash.update(format!("given {}\0", tokenizer.hash())),
        }
        self.corpus.fingerprint(&mut hash)?;
        match &self.validation {
            Some(validation) => {
                hash.update(b"validation\0");
                validation.fingerprint(&mut hash)?;
            }
            None => {
                hash.update(format!("{:?}\0", self.data.split));
                hash.update(self.data.validation.to_le_bytes());
            }
        }
        let digest = hash.finalize();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn build(&self, folder: &Path) -> Result<Header, DataError> {
        let scan = Scan::new(&self.corpus)?;
        let split = match &self.validation {
            Some(_) => Split::All(Part::Train),
            None => Split::new(self.data, &scan.chars)?,
        };
        let plan = Plan {
            corpus: &self.corpus,
            n_pieces: scan.pieces(&split),
            scan,
            split,
        };
        let mut plans = vec![plan];
        if let Some(validation) = &self.validation {
            let scan = Scan::new(validation)?;
            plans.push(Plan {
                corpus: validation,
                n_pieces: [0, scan.chars.len()],
                scan,
                split: Split::All(Part::Validation),
            });
        }

        let tokenizer = self.tokenizer(&plans)?;
        tokenizer.save(folder)?;
        let width = Width::for_vocabulary(tokenizer.vocab_size());
        let mut shards = Shards {
            tokenizer: &tokenizer,
            train: ShardWriter::create(folder, TRAIN, width)?,
            validation: ShardWriter::create(folder, VALIDATION, width)?,
            floor: Floor::default(),
        };
        for plan in &plans {
            plan.walk(|entry, piece, text| shards.add(plan, entry, piece, text))?;
        }
        let floor = shards.floor;
        Ok(Header {
            version: VERSION,
            tokenizer: tokenizer.hash(),
            width,
            train: shards.train.finish()?,
            validation: shards.validation.finish()?,
            floor: (floor.chars > 0).then_some(floor),
            sources: plans
                .iter()
                .flat_map(|plan| plan.corpus.sources())
                .collect(),
        })
    }

    fn tokenizer(&self, plans: &[Plan<'_>]) -> Result<Tokenizer, DataError> {
        Ok(match self.recipe {
            Recipe::Given(tokenizer) => tokenizer.clone(),
            Recipe::Characters => {
                let alphabet: String = plans.iter().flat_map(|plan| &plan.scan.alphabet).collect();
                Tokenizer::train_characters([alphabet])?
            }
            Recipe::Bpe(vocab_size) => {
                let mut texts = TrainingTexts::new(&plans[0]);
                let failure = Arc::clone(&texts.failure);
                let tokenizer = Tokenizer::train_bpe(&mut texts, *vocab_size);
                let failure = failure.lock().map_or(None, |mut failure| failure.take());
                match failure {
                    Some(error) => return Err(error),
                    None => tokenizer?,
                }
            }
        })
    }
}

/// What a first pass over a corpus finds.
struct Scan {
    /// Of each document.
    chars: Vec<u64>,
    alphabet: BTreeSet<char>,
}

impl Scan {
    fn new(corpus: &Corpus) -> Result<Self, DataError> {
        let mut scan = Self {
            chars: Vec::new(),
            alphabet: BTreeSet::new(),
        };
        for entry in corpus.entries() {
            let text = entry?.document.text;
            let mut last = None;
            let mut n = 0;
            for char in text.chars() {
                n += 1;
                // Saves most of the look-ups.
                if last != Some(char) {
                    scan.alphabet.insert(char);
                    last = Some(char);
                }
            }
            scan.chars.push(n);
        }
        Ok(scan)
    }

    /// How many pieces of documents the training and the validation part get.
    fn pieces(&self, split: &Split) -> [usize; 2] {
        let mut n_pieces = [0; 2];
        for (index, &chars) in self.chars.iter().enumerate() {
            for piece in split.pieces(index, chars) {
                n_pieces[piece.part as usize] += 1;
            }
        }
        n_pieces
    }
}

/// A corpus and how it is dealt out.
struct Plan<'a> {
    corpus: &'a Corpus,
    scan: Scan,
    split: Split,
    /// In the training and the validation part.
    n_pieces: [usize; 2],
}

impl Plan<'_> {
    /// Calls `visit` with each piece and its text, in order.
    fn walk(
        &self,
        mut visit: impl FnMut(&Entry, &Piece, &str) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut n_documents = 0;
        for entry in self.corpus.entries() {
            let entry = entry?;
            let chars = *self.scan.chars.get(n_documents).ok_or(DataError::Changed)?;
            for piece in self.split.pieces(n_documents, chars) {
                let text = piece_text(&entry, &piece, chars)?;
                visit(&entry, &piece, text)?;
            }
            n_documents += 1;
        }
        if n_documents == self.scan.chars.len() {
            Ok(())
        } else {
            Err(DataError::Changed)
        }
    }
}

fn piece_text<'t>(entry: &'t Entry, piece: &Piece, chars: u64) -> Result<&'t str, DataError> {
    let text = &entry.document.text;
    if piece.chars == (0..chars) {
        return Ok(text);
    }
    let at = |n: u64| {
        let n = usize::try_from(n).ok()?;
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        ends.into_iter().nth(n)
    };
    match (at(piece.chars.start), at(piece.chars.end)) {
        (Some(start), Some(end)) => Ok(&text[start..end]),
        _ => Err(DataError::Changed),
    }
}

struct Shards<'a> {
    tokenizer: &'a Tokenizer,
    train: ShardWriter,
    validation: ShardWriter,
    floor: Floor,
}

impl Shards<'_> {
    fn add(
        &mut self,
        plan: &Plan<'_>,
        entry: &Entry,
        piece: &Piece,
        text: &str,
    ) -> Result<(), DataError> {
        let starts_here = piece.chars.start == 0;
        let separator = self
            .tokenizer
            .eos()
            .filter(|_| starts_here && plan.n_pieces[piece.part as usize] > 1);
        let tokens = encode(self.tokenizer, text, &entry.document.origin)?;
        if let (true, Part::Validation, Some(nats)) = (starts_here, piece.part, entry.nats) {
            self.floor.nats += nats;
            self.floor.chars += piece.chars.end;
        }
        let shard = match piece.part {
            Part::Train => &mut self.train,
            Part::Validation => &mut self.validation,
        };
        shard.document(text, separator.into_iter().chain(tokens))
    }
}

fn encode(tokenizer: &Tokenizer, text: &str, origin: &str) -> Result<Vec<u32>, DataError> {
    tokenizer.encode(text).map_err(|source| DataError::Encode {
        origin: origin.to_owned(),
        source,
    })
}

/// The text of the training part, in chunks. Ends at the first error, which it keeps: a trainer takes texts, not results.
struct TrainingTexts<'a> {
    plan: &'a Plan<'a>,
    entries: Box<dyn Iterator<Item = Result<Entry, DataError>> + Send>,
    n_documents: usize,
    /// The text at hand and how much of it is given out.
    text: String,
    done: usize,
    failure: Arc<Mutex<Option<DataError>>>,
}

impl<'a> TrainingTexts<'a> {
    fn new(plan: &'a Plan<'a>) -> Self {
        Self {
            plan,
            entries: plan.corpus.entries(),
            n_documents: 0,
            text: String::new(),
            done: 0,
            failure: Arc::default(),
        }
    }

    /// Moves on to the next document with training text; false at the end.
    fn advance(&mut self) -> Result<bool, DataError> {
        loop {
            let Some(entry) = self.entries.next() else {
                return Ok(false);
            };
            let entry = entry?;
            let chars = self.plan.scan.chars.get(self.n_documents);
            let chars = *chars.ok_or(DataError::Changed)?;
            let pieces = self.plan.split.pieces(self.n_documents, chars);
            self.n_documents += 1;
            if let Some(piece) = pieces.iter().find(|piece| piece.part == Part::Train) {
                self.text = piece_text(&entry, piece, chars)?.to_owned();
                self.done = 0;
                return Ok(true);
            }
        }
    }
}

impl Iterator for TrainingTexts<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.done == self.text.len() {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    if let Ok(mut failure) = self.failure.lock() {
                        *failure = Some(error);
                    }
                    return None;
                }
            }
        }
        let rest = &self.text[self.done..];
        let chunk = match rest.as_bytes().get(TRAINING_CHUNK..) {
            Some(after) => match after.iter().position(|&byte| byte == b'\n') {
                Some(line_end) => &rest[..TRAINING_CHUNK + line_end + 1],
                None => rest,
            },
            None => rest,
        };
        self.done += chunk.len();
        Some(chunk.to_owned())
    }
}
