//! The loop: a pass over all unfinished sequences, one token for each, until all are finished.
//!
//! Rows are padded on the left, so a batch of prompts of different lengths is one pass. When a sequence outgrows the context its older
//! half is forgotten and the cache is filled anew by a fresh pass over the rest; without a cache every pass is a fresh one over the same
//! tokens, so both give the same logits.

use burn::prelude::*;
use llm_core::layers::{KvCache, Pass};
use llm_core::random::{RandomKey, Stream};

use super::config::{ContextOverflow, GenerateConfig, Strategy};
use super::sampler::{Filter, best, draw, log_probability};
use crate::{LanguageModel, ModelError};

/// Tokens with a meaning of their own, from the tokenizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Special {
    /// Begins a text: stands for an empty prompt.
    pub bos: Option<u32>,
    /// Ends a text, and with it the sequence.
    pub eos: Option<u32>,
    /// How many ids the tokenizer knows; larger ones, of a padded vocabulary, are never chosen.
    pub n_tokens: Option<usize>,
}

/// Whether keys and values are kept from pass to pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Each pass computes only the new tokens.
    #[default]
    Cached,
    /// Each pass computes the whole context again; slow, the oracle of the other.
    Uncached,
}

/// A new token of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Number of the sequence: prompt index × sequences per prompt + k.
    pub sequence: usize,
    /// The id.
    pub token: u32,
    /// Natural logarithm of its probability under the raw softmax, before any filter.
    pub logprob: f32,
}

/// The caller's answer to a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Continue,
    /// End this sequence, with [`Finish::Stop`].
    Stop,
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The end-of-text token, a stop token, or the caller.
    Stop,
    /// The limit of new tokens, or the end of the context.
    Length,
}

/// A finished sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Index of its prompt.
    pub prompt: usize,
    /// The new tokens, the one that ended it included.
    pub tokens: Vec<u32>,
    /// For each new token the natural logarithm of its probability under the raw softmax.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
}

/// One sequence on its way.
struct Sequence {
    prompt: usize,
    /// Prompt and new tokens.
    tokens: Vec<u32>,
    prompt_len: usize,
    logprobs: Vec<f32>,
    /// First token of the context: what came before is forgotten.
    start: usize,
    key: RandomKey,
    finish: Option<Finish>,
}

impl Sequence {
    fn context(&self) -> &[u32] {
        &self.tokens[self.start..]
    }
}

/// Continues every prompt `num_return_sequences` times.
///
/// `on_step` sees every token as it is chosen.
///
/// # Errors
/// Settings out of range, a token that the model does not know, an empty prompt without a token to begin with, weights that give no
/// finite number, or an outgrown context when that was to be an error.
pub fn generate(
    model: &LanguageModel,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
    special: &Special,
    caching: Caching,
    on_step: &mut dyn FnMut(Step) -> Decision,
) -> Result<Vec<Generated>, ModelError> {
    config.validate()?;
    let mut sequences = begin(model, prompts, config, special)?;
    let filters = Filter::chain(config);
    let mut cache: Option<(KvCache, Vec<usize>)> = None;
    loop {
        make_room(model, &mut sequences, config.context_overflow)?;
        let active: Vec<usize> = (0..sequences.len())
            .filter(|&i| sequences[i].finish.is_none())
            .collect();
        if active.is_empty() {
            break;
        }
        let logits = match caching {
            Caching::Uncached => fresh_pass(model, &sequences, &active, None),
            Caching::Cached => {
                let reusable = cache
                    .take()
                    .and_then(|(cache, rows)| continued(cache, &rows, &active, &sequences));
                let (mut kept, fresh) = match reusable {
                    Some(cache) => (cache, false),
                    None => (empty_cache(model, &sequences, &active, config), true),
                };
                let logits = if fresh {
                    fresh_pass(model, &sequences, &active, Some(&mut kept))
                } else {
                    next_pass(model, &sequences, &active, &mut kept)
                };
                cache = Some((kept, active.clone()));
                logits
            }
        };
        for (&index, logits) in active.iter().zip(logits) {
            choose(
                &mut sequences[index],
                index,
                logits,
                config,
                special,
                &filters,
                on_step,
            )?;
        }
    }
    Ok(sequences.into_iter().map(finished).collect())
}

fn begin(
    model: &LanguageModel,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
    special: &Special,
) -> Result<Vec<Sequence>, ModelError> {
    let vocab_size = model.architecture().vocab_size();
    let draws = RandomKey::new(config.seed, Stream::Sampling);
    let mut sequences = Vec::with_capacity(prompts.len() * config.num_return_sequences);
    for (prompt, ids) in prompts.iter().enumerate() {
        let tokens = match (ids.is_empty(), special.bos) {
            (false, _) => ids.clone(),
            (true, Some(bos)) => vec![bos],
            (true, None) => return Err(ModelError::EmptyPrompt),
        };
        if let Some(&id) = tokens.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(ModelError::TokenOutOfRange { id, vocab_size });
        }
        for _ in 0..config.num_return_sequences {
            sequences.push(Sequence {
                prompt,
                prompt_len: tokens.len(),
                tokens: tokens.clone(),
                logprobs: Vec::new(),
                start: 0,
                key: draws.child(sequences.len() as u64),
                finish: None,
            });
        }
    }
    Ok(sequences)
}

/// Lets no context be longer than the model's. A sliding window needs no limit: nothing older than it is read.
fn make_room(
    model: &LanguageModel,
    sequences: &mut [Sequence],
    overflow: ContextOverflow,
) -> Result<(), ModelError> {
    let max_seq_len = model.architecture().max_seq_len();
    if model.architecture().window().is_some() {
        return Ok(());
    }
    for sequence in sequences
        .iter_mut()
        .filter(|s| s.finish.is_none() && s.context().len() > max_seq_len)
    {
        let tokens = sequence.tokens.len();
        match overflow {
            ContextOverflow::Stop => sequence.finish = Some(Finish::Length),
            ContextOverflow::Error => {
                return Err(ModelError::ContextOverflow {
                    tokens,
                    max_seq_len,
                });
            }
            // As much as fits of a long prompt; later half, so that a fresh pass comes once in half a context.
            ContextOverflow::Slide if tokens == sequence.prompt_len => {
                sequence.start = tokens - max_seq_len
            }
            ContextOverflow::Slide => sequence.start = tokens - max_seq_len.div_ceil(2),
        }
    }
    Ok(())
}

/// Columns of padding for each active row.
fn padding(sequences: &[Sequence], active: &[usize]) -> (usize, Vec<usize>) {
    let longest = active
        .iter()
        .map(|&i| sequences[i].context().len())
        .max()
        .unwrap_or(0);
    (
        longest,
        active
            .iter()
            .map(|&i| longest - sequences[i].context().len())
            .collect(),
    )
}

fn empty_cache(
    model: &LanguageModel,
    sequences: &[Sequence],
    active: &[usize],
    config: &GenerateConfig,
) -> KvCache {
    let (longest, padding) = padding(sequences, active);
    let wanted = active
        .iter()
        .map(|&i| config.max_new_tokens - (sequences[i].tokens.len() - sequences[i].prompt_len))
        .max()
        .unwrap_or(0);
    let limit = match model.architecture().window() {
        Some(_) => usize::MAX,
        None => model.architecture().max_seq_len(),
    };
    model.cache((longest + wanted).min(limit).max(longest), padding)
}

/// The cache with the finished rows taken out, unless a fresh pass is needed.
fn continued(
    cache: KvCache,
    rows: &[usize],
    active: &[usize],
    sequences: &[Sequence],
) -> Option<KvCache> {
    let kept: Vec<usize> = active
        .iter()
        .filter_map(|i| rows.iter().position(|row| row == i))
        .collect();
    let in_step = kept.iter().zip(active).all(|(&row, &i)| {
        // One new column, and nothing forgotten since.
        cache.columns() + 1 == cache.padding()[row] + sequences[i].context().len()
    });
    if !in_step || cache.room() == Some(0) {
        return None;
    }
    Some(if kept.len() == rows.len() {
        cache
    } else {
        cache.select(&kept)
    })
}

/// Logits after the whole context of each active row.
fn fresh_pass(
    model: &LanguageModel,
    sequences: &[Sequence],
    active: &[usize],
    cache: Option<&mut KvCache>,
) -> Vec<Vec<f32>> {
    let (longest, padding) = padding(sequences, active);
    let ids = active.iter().zip(&padding).flat_map(|(&i, &padding)| {
        // Any token will do as padding: no one sees it.
        std::iter::repeat_n(0, padding).chain(sequences[i].context().iter().copied())
    });
    let ids: Vec<i32> = ids.map(|id| id as i32).collect();
    let pass = match cache {
        Some(cache) => Pass::cached(longest, cache),
        None => Pass::padded(longest, padding),
    };
    last_logits(model, ids, [active.len(), longest], pass)
}

/// Logits after the newest token of each active row.
fn next_pass(
    model: &LanguageModel,
    sequences: &[Sequence],
    active: &[usize],
    cache: &mut KvCache,
) -> Vec<Vec<f32>> {
    let newest = |&i: &usize| *sequences[i].tokens.last().expect("no sequence is empty") as i32;
    let ids = active.iter().map(newest).collect();
    last_logits(model, ids, [active.len(), 1], Pass::cached(1, cache))
}

fn last_logits(
    model: &LanguageModel,
    ids: Vec<i32>,
    shape: [usize; 2],
    mut pass: Pass<'_>,
) -> Vec<Vec<f32>> {
    let [batch, seq] = shape;
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &model.device());
    let hidden = model.hidden(ids, &mut pass);
    pass.finish();
    let d_model = hidden.dims()[2];
    let last = hidden
        .slice(s![.., seq - 1..seq, ..])
        .reshape([batch, d_model]);
    let logits = model.logits(last).into_data().convert::<f32>();
    let logits: Vec<f32> = logits.try_to_vec().expect("converted to f32");
    logits
        .chunks_exact(logits.len() / batch)
        .map(<[f32]>::to_vec)
        .collect()
}

fn choose(
    sequence: &mut Sequence,
    index: usize,
    raw: Vec<f32>,
    config: &GenerateConfig,
    special: &Special,
    filters: &[Filter],
    on_step: &mut dyn FnMut(Step) -> Decision,
) -> Result<(), ModelError> {
    if raw.iter().any(|logit| !logit.is_finite()) {
        return Err(ModelError::NotFinite);
    }
    let n_new = sequence.tokens.len() - sequence.prompt_len;
    let mut logits = raw.clone();
    if let Some(known) = special.n_tokens.filter(|&known| known < logits.len()) {
        logits[known..].fill(f32::NEG_INFINITY);
    }
    for filter in filters
        .iter()
        .filter(|f| matches!(f, Filter::RepetitionPenalty(_) | Filter::NoRepeatNgram(_)))
    {
        filter.apply(&mut logits, &sequence.tokens);
    }
    if n_new < config.min_new_tokens {
        for &id in special.eos.iter().chain(&config.stop_tokens) {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
    // Filters may forbid everything, as an n-gram rule does in a tiny vocabulary: then none of them counts.
    if logits.iter().all(|logit| *logit == f32::NEG_INFINITY) {
        logits.clone_from(&raw);
    }
    for filter in filters
        .iter()
        .filter(|f| !matches!(f, Filter::RepetitionPenalty(_) | Filter::NoRepeatNgram(_)))
    {
        filter.apply(&mut logits, &sequence.tokens);
    }
    let token = match config.strategy {
        Strategy::Greedy => best(&logits),
        _ => draw(&logits, sequence.key, n_new as u64),
    };
    let logprob = log_probability(&raw, token);
    let token = token as u32;
    sequence.tokens.push(token);
    sequence.logprobs.push(logprob);
    let stopped = special.eos == Some(token) || config.stop_tokens.contains(&token);
    let decision = on_step(Step {
        sequence: index,
        token,
        logprob,
    });
    if stopped || decision == Decision::Stop {
        sequence.finish = Some(Finish::Stop);
    } else if n_new + 1 == config.max_new_tokens {
        sequence.finish = Some(Finish::Length);
    }
    Ok(())
}

fn finished(mut sequence: Sequence) -> Generated {
    Generated {
        prompt: sequence.prompt,
        tokens: sequence.tokens.split_off(sequence.prompt_len),
        logprobs: sequence.logprobs,
        finish: sequence.finish.unwrap_or(Finish::Length),
    }
}
