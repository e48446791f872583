//! The loop: a pass over all unfinished sequences, a token for each, until all are finished.
//!
//! When a sequence outgrows the context its older half is forgotten, and the rest is computed anew.

use std::sync::Arc;

use llm_core::random::{RandomKey, Stream};

use super::chooser::Chooser;
use super::config::{ContextOverflow, GenerateConfig};
use super::planned::{Planned, Request};
use super::sequence::Sequence;
use super::speculation::Speculation;
use super::tensors::Tensors;
use super::trace::Trace;
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

/// How the logits are computed. All ways give the same text, but for rounding.
#[derive(Clone, Copy, Debug, Default)]
pub enum Method<'m> {
    /// Only the new tokens, by the plan of the model where it has one, else over tensors.
    #[default]
    Cached,
    /// As cached, several tokens in a pass where the text repeats what came before.
    Lookup,
    /// As cached, several tokens in a pass where this smaller model guesses right. Its vocabulary must be the same.
    Draft(&'m LanguageModel),
    /// Only the new tokens, over tensors; the oracle of the plan.
    Tensors,
    /// The whole context again for each token, over tensors; slow, the oracle of the others.
    Uncached,
}

/// A new token of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Number of the sequence: prompt index × sequences per prompt + k.
    pub sequence: usize,
    /// The id.
    pub token: u32,
    /// Natural logarithm of its probability under the raw softmax, before any filter.
    pub logprob: f32,
    /// What the samplers did, if [`Generator::traced`] asked for it.
    pub trace: Option<Arc<Trace>>,
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

/// A model that continues prompts. What it has computed serves later prompts that begin alike.
pub struct Generator<'m> {
    model: &'m LanguageModel,
    passes: Passes<'m>,
    speculation: Option<Speculation>,
    is_traced: bool,
}

/// Who computes the logits.
enum Passes<'m> {
    Planned(Box<Planned>),
    Tensors(Tensors<'m>),
}

/// Continues every prompt `num_return_sequences` times, with a [`Generator`] of its own.
///
/// # Errors
/// As [`Generator::new`] and [`Generator::generate`].
pub fn generate(
    model: &LanguageModel,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
    special: &Special,
    method: Method<'_>,
    on_step: &mut dyn FnMut(Step) -> Decision,
) -> Result<Vec<Generated>, ModelError> {
    Generator::new(model, method)?.generate(prompts, config, special, on_step)
}

impl<'m> Generator<'m> {
    /// A generator of `model`.
    ///
    /// # Errors
    /// Guesses where there is no plan, or by a model of another vocabulary.
    pub fn new(model: &'m LanguageModel, method: Method<'_>) -> Result<Self, ModelError> {
        let plan = match method {
            Method::Tensors | Method::Uncached => None,
            Method::Cached | Method::Lookup | Method::Draft(_) => model.plan(),
        };
        let speculation = match (method, &plan) {
            (Method::Lookup | Method::Draft(_), None) => return Err(ModelError::NoPlan),
            (Method::Lookup, _) => Some(Speculation::lookup()),
            (Method::Draft(draft), _) => {
                let (ours, theirs) = [model, draft].map(|m| m.architecture().vocab_size()).into();
                if ours != theirs {
                    return Err(ModelError::DraftVocabulary { ours, theirs });
                }
                let plan = draft.plan().ok_or(ModelError::NoPlan)?;
                Some(Speculation::draft(plan, longest_context(draft)))
            }
            _ => None,
        };
        let passes = match plan {
            Some(plan) => Passes::Planned(Box::new(Planned::new(plan))),
            None => Passes::Tensors(Tensors::new(model, !matches!(method, Method::Uncached))),
        };
        Ok(Self {
            model,
            passes,
            speculation,
            is_traced: false,
        })
    }

    /// From now on every [`Step`] tells what each sampler did.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.is_traced = true;
        self
    }

    /// Continues every prompt `num_return_sequences` times.
    ///
    /// `on_step` sees every token as it is chosen.
    ///
    /// # Errors
    /// Settings out of range, a token that the model does not know, an empty prompt without a token to begin with, weights that give no
    /// finite number, or an outgrown context when that was to be an error.
    pub fn generate(
        &mut self,
        prompts: &[Vec<u32>],
        config: &GenerateConfig,
        special: &Special,
        on_step: &mut dyn FnMut(Step) -> Decision,
    ) -> Result<Vec<Generated>, ModelError> {
        config.validate()?;
        config.check_tokens(self.model.architecture().vocab_size(), special)?;
        let mut sequences = begin(self.model, prompts, config, special)?;
        let chooser = Chooser::new(config, special, self.is_traced);
        loop {
            make_room(self.model, &mut sequences, config.context_overflow)?;
            let active: Vec<usize> = (0..sequences.len())
                .filter(|&i| sequences[i].finish.is_none())
                .collect();
            if active.is_empty() {
                break;
            }
            let guesses = self.guesses(&sequences, &active, config);
            let logits = self.logits(&sequences, &active, &guesses, config);
            for ((&index, guesses), logits) in active.iter().zip(guesses).zip(logits) {
                let sequence = &mut sequences[index];
                let mut kept = 0;
                for (i, logits) in logits.iter().enumerate() {
                    let token = chooser.choose(sequence, index, logits, on_step)?;
                    if sequence.finish.is_some() || guesses.get(i) != Some(&token) {
                        break;
                    }
                    kept += 1;
                }
                if let Some(speculation) = &mut self.speculation {
                    speculation.learn(index, logits.len() - 1, kept);
                }
                if sequence.finish.is_some() {
                    self.finish(index);
                }
            }
        }
        Ok(sequences.into_iter().map(finished).collect())
    }

    /// How many tokens were computed so far, what a cache held left out. `None` where the model has no plan.
    pub fn n_computed(&self) -> Option<usize> {
        match &self.passes {
            Passes::Planned(planned) => Some(planned.n_computed),
            Passes::Tensors(_) => None,
        }
    }

    /// Passes of the model so far.
    #[cfg(test)]
    pub(super) fn n_passes(&self) -> usize {
        match &self.passes {
            Passes::Planned(planned) => planned.n_passes,
            Passes::Tensors(_) => 0,
        }
    }

    /// What may follow each active sequence.
    fn guesses(
        &mut self,
        sequences: &[Sequence],
        active: &[usize],
        config: &GenerateConfig,
    ) -> Vec<Vec<u32>> {
        let Some(speculation) = &mut self.speculation else {
            return vec![Vec::new(); active.len()];
        };
        let max_len = longest_context(self.model);
        let guess = |&index: &usize| {
            let sequence = &sequences[index];
            let context = sequence.context();
            // The last token of all needs no successor, nor does one that fills the context.
            let wanted = config.max_new_tokens - sequence.n_new() - 1;
            let limit = wanted.min(max_len.saturating_sub(context.len()));
            speculation.guess(index, context, limit, active.len())
        };
        active.iter().map(guess).collect()
    }

    /// For each active sequence the logits after its last token, and after each of its guesses.
    fn logits(
        &mut self,
        sequences: &[Sequence],
        active: &[usize],
        guesses: &[Vec<u32>],
        config: &GenerateConfig,
    ) -> Vec<Vec<Vec<f32>>> {
        let planned = match &mut self.passes {
            Passes::Planned(planned) => planned,
            Passes::Tensors(tensors) => {
                let logits = tensors.logits(sequences, active, config.max_new_tokens);
                return logits.into_iter().map(|logits| vec![logits]).collect();
            }
        };
        let max_len = longest_context(self.model);
        let mut logits = vec![Vec::new(); active.len()];
        let requests = active.iter().zip(guesses).zip(&mut logits);
        let request = |((&index, guesses), logits)| {
            let sequence: &Sequence = &sequences[index];
            let guesses: &Vec<u32> = guesses;
            let known = sequence.context();
            Request {
                sequence: index,
                context: known.iter().chain(guesses).copied().collect(),
                n_guessed: guesses.len(),
                capacity: (known.len() + config.max_new_tokens - sequence.n_new()).min(max_len),
                logits,
            }
        };
        planned.run(requests.map(request).collect());
        logits
    }

    fn finish(&mut self, sequence: usize) {
        if let Passes::Planned(planned) = &mut self.passes {
            planned.finish(sequence);
        }
        if let Some(speculation) = &mut self.speculation {
            speculation.finish(sequence);
        }
    }
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
                mirostat_mu: None,
                finish: None,
            });
        }
    }
    Ok(sequences)
}

/// The model's longest context in tokens. A sliding window needs no limit: nothing older than it is read.
pub(super) fn longest_context(model: &LanguageModel) -> usize {
    match model.architecture().window() {
        Some(_) => usize::MAX,
        None => model.architecture().max_seq_len(),
    }
}

/// Lets no context be longer than the model's.
fn make_room(
    model: &LanguageModel,
    sequences: &mut [Sequence],
    overflow: ContextOverflow,
) -> Result<(), ModelError> {
    let max_seq_len = longest_context(model);
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

fn finished(mut sequence: Sequence) -> Generated {
    Generated {
        prompt: sequence.prompt,
        tokens: sequence.tokens.split_off(sequence.prompt_len),
        logprobs: sequence.logprobs,
        finish: sequence.finish.unwrap_or(Finish::Length),
    }
}
