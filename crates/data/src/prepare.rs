//! From a configuration to token shards: find the text, split it, make the tokenizer, tokenize, cache.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use llm_tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};
use sha2::{Digest, Sha256};

use crate::cache::{CacheEntry, Floor, Header, TRAIN, VALIDATION, VERSION};
use crate::clean::CleanReport;
use crate::config::DataConfig;
use crate::corpus::Corpus;
use crate::encode::{self, Cuts};
use crate::error::DataError;
use crate::plan::{Collect, Plan, Scan, Text, Texts};
use crate::shard::{ShardWriter, TokenShard, Width};
use crate::sources::{Skipped, Source};
use crate::split::{Part, Split};

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
    /// What was passed over of all sources, under [`OnError::Skip`](crate::OnError::Skip); known of cached tokens too.
    pub skipped: Skipped,
    /// What cleaning did to the sources and to those for validation, where `data.clean` asks for it; known of cached tokens too.
    pub cleaned: Vec<CleanReport>,
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
    /// What was passed over, under [`OnError::Skip`](crate::OnError::Skip).
    pub skipped: Skipped,
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

/// Tokenizes all text of `sources` as one row, without split, weights and cache; `data` says how they are read, its own sources are not
/// looked at. The text is cleaned where `data.clean` asks for it. As in [`prepare`], documents are preceded by the end-of-text token when there are several.
///
/// # Errors
/// Whatever is wrong with the sources.
pub fn read_tokens(
    sources: &[Source],
    data: &DataConfig,
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
        skipped: Skipped::default(),
    };
    data.validate()?;
    let (corpus, report) = Corpus::of_sources(sources, data)?.cleaned(&std::env::temp_dir())?;
    check_something_is_left(report.as_ref())?;
    let mut entries = corpus.entries(|_| true);
    let mut texts = entries.by_ref().map(|entry| {
        let document = entry?.document;
        Ok(Text {
            part: Part::Train,
            text: document.text,
            origin: document.origin,
            opens: !document.continues,
            begins: !document.continues,
            nats: None,
        })
    });
    encode::encode_all(tokenizer, Cuts::Nowhere, &mut texts, |text, tokens| {
        if text.begins && all.documents == 1 {
            all.tokens.splice(0..0, tokenizer.eos());
        }
        if text.begins && all.documents >= 1 {
            all.tokens.extend(tokenizer.eos());
        }
        all.tokens.extend(tokens);
        all.bytes += text.text.len() as u64;
        all.chars += text.text.chars().count() as u64;
        all.documents += usize::from(text.begins);
        Ok(())
    })?;
    all.skipped = entries.skipped();
    Ok(all)
}

/// Fails where cleaning has removed every document.
fn check_something_is_left(report: Option<&CleanReport>) -> Result<(), DataError> {
    match report {
        Some(report) if report.documents_out == 0 => Err(DataError::CleanedAway {
            documents: report.documents_in,
        }),
        _ => Ok(()),
    }
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
    let job = Job::new(data, recipe)?;
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
        skipped: entry.skipped,
        cleaned: entry.cleaned,
    })
}

impl<'a> Job<'a> {
    fn new(data: &'a DataConfig, recipe: &'a Recipe) -> Result<Self, DataError> {
        let validation = match &data.validation_sources[..] {
            [] => None,
            sources => Some(Corpus::of_sources(sources, data)?),
        };
        Ok(Self {
            data,
            recipe,
            corpus: Corpus::of(data)?,
            validation,
        })
    }

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

    fn build(self, folder: &Path) -> Result<Header, DataError> {
        let beside = folder.parent().unwrap_or(folder);
        let Dealt { corpora, cleaned } = Dealt::new(self.corpus, self.validation, beside)?;
        let plans = plans(self.data, &corpora, self.recipe.collects())?;
        let tokenizer = self.recipe.tokenizer(&plans)?;
        tokenizer.save(folder)?;
        let width = Width::for_vocabulary(tokenizer.vocab_size());
        let mut shards = Shards {
            tokenizer: &tokenizer,
            train: ShardWriter::create(folder, TRAIN, width)?,
            validation: ShardWriter::create(folder, VALIDATION, width)?,
            floor: Floor::default(),
        };
        let mut skipped = Skipped::default();
        for plan in &plans {
            let mut texts = plan.texts();
            encode::encode_all(
                &tokenizer,
                self.recipe.cuts(),
                &mut texts,
                |text, tokens| shards.add(plan, text, tokens),
            )?;
            skipped.append(plan.scan.skipped.clone());
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
            skipped,
            cleaned,
        })
    }
}

/// The text of both parts, clean, and what cleaning did.
struct Dealt {
    /// The corpus, and that for validation where there is one.
    corpora: Vec<Corpus>,
    cleaned: Vec<CleanReport>,
}

impl Dealt {
    /// Cleans where that is asked for; temporary files lie in `folder`.
    fn new(corpus: Corpus, validation: Option<Corpus>, folder: &Path) -> Result<Self, DataError> {
        let mut dealt = Self {
            corpora: Vec::new(),
            cleaned: Vec::new(),
        };
        for corpus in std::iter::once(corpus).chain(validation) {
            let (corpus, report) = corpus.cleaned(folder)?;
            check_something_is_left(report.as_ref())?;
            dealt.corpora.push(corpus);
            dealt.cleaned.extend(report);
        }
        Ok(dealt)
    }
}

/// What is made of the corpus, and of that for validation where there is one.
fn plans<'a>(
    data: &DataConfig,
    corpora: &'a [Corpus],
    collect: Collect,
) -> Result<Vec<Plan<'a>>, DataError> {
    let scan = Scan::new(&corpora[0], collect)?;
    let split = match corpora.len() {
        1 => Split::new(data, &scan.chars)?,
        _ => Split::All(Part::Train),
    };
    let mut plans = vec![Plan::new(&corpora[0], scan, split)];
    if plans[0].n_pieces[Part::Train as usize] == 0 {
        return Err(DataError::NothingToTrainOn);
    }
    for validation in &corpora[1..] {
        let scan = Scan::new(validation, collect)?;
        plans.push(Plan::new(validation, scan, Split::All(Part::Validation)));
    }
    Ok(plans)
}

/// Hands each document of `data`, cleaned and weighed as a run would have it, to `visit` with its part and where it comes from, and
/// gives what was passed over. A document that the split cuts comes in two.
///
/// # Errors
/// Whatever is wrong with the configuration or the sources, and what `visit` says.
pub fn split<E: From<DataError>>(
    data: &DataConfig,
    mut visit: impl FnMut(Part, &str, &str) -> Result<(), E>,
) -> Result<Skipped, E> {
    data.validate()?;
    let job = Job::new(data, &Recipe::Characters)?;
    let Dealt { corpora, .. } = Dealt::new(job.corpus, job.validation, &std::env::temp_dir())?;
    let mut skipped = Skipped::default();
    for plan in plans(data, &corpora, Collect::Nothing)? {
        // Of a very long document the pieces are put together again.
        let mut open: Option<Text> = None;
        for text in plan.texts() {
            let text = text?;
            match &mut open {
                Some(open) if !text.opens => open.text.push_str(&text.text),
                _ => {
                    if let Some(done) = open.replace(text) {
                        visit(done.part, &done.text, &done.origin)?;
                    }
                }
            }
        }
        if let Some(done) = open {
            visit(done.part, &done.text, &done.origin)?;
        }
        skipped.append(plan.scan.skipped);
    }
    Ok(skipped)
}

impl Recipe {
    /// What a first pass over the text has to find.
    fn collects(&self) -> Collect {
        match self {
            Self::Characters => Collect::Characters,
            _ => Collect::Nothing,
        }
    }

    fn tokenizer(&self, plans: &[Plan<'_>]) -> Result<Tokenizer, DataError> {
        Ok(match self {
            Self::Given(tokenizer) => tokenizer.clone(),
            Self::Characters => {
                let alphabet: String = plans
                    .iter()
                    .flat_map(|plan| plan.scan.alphabet.chars())
                    .collect();
                Tokenizer::train_characters([alphabet])?
            }
            Self::Bpe(vocab_size) => {
                let mut texts = TrainingTexts::new(&plans[0])?;
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

    /// Where a long text may be cut. What a tokenizer from elsewhere does is not known here.
    fn cuts(&self) -> Cuts {
        match self {
            Self::Characters | Self::Bpe(_) => Cuts::BeforeLineEnds,
            Self::Given(_) => Cuts::Nowhere,
        }
    }
}

struct Shards<'a> {
    tokenizer: &'a Tokenizer,
    train: ShardWriter,
    validation: ShardWriter,
    floor: Floor,
}

impl Shards<'_> {
    fn add(&mut self, plan: &Plan<'_>, text: &Text, tokens: Vec<u32>) -> Result<(), DataError> {
        let separator = self
            .tokenizer
            .eos()
            .filter(|_| text.begins && plan.n_pieces[text.part as usize] > 1);
        if let (true, Part::Validation, Some(nats)) = (text.begins, text.part, text.nats) {
            self.floor.nats += nats;
            self.floor.chars += text.text.chars().count() as u64;
        }
        let shard = match text.part {
            Part::Train => &mut self.train,
            Part::Validation => &mut self.validation,
        };
        if text.opens {
            shard.end_document()?;
        }
        shard.add(&text.text, separator.into_iter().chain(tokens))
    }
}

/// The text of the training part, in chunks. Ends at the first error, which it keeps: a trainer takes texts, not results.
struct TrainingTexts<'a> {
    texts: Texts<'a>,
    /// The text at hand and how much of it is given out.
    text: String,
    done: usize,
    failure: Arc<Mutex<Option<DataError>>>,
}

impl<'a> TrainingTexts<'a> {
    fn new(plan: &'a Plan<'a>) -> Result<Self, DataError> {
        Ok(Self {
            texts: plan.texts(),
            text: String::new(),
            done: 0,
            failure: Arc::default(),
        })
    }

    /// Moves on to the next training text; false at the end.
    fn advance(&mut self) -> Result<bool, DataError> {
        for text in &mut self.texts {
            let text = text?;
            if text.part == Part::Train {
                self.text = text.text;
                self.done = 0;
                return Ok(true);
            }
        }
        Ok(false)
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
