//! The order of the samplers.
//!
//! Bans, then what looks at single tokens and at the text so far, then temperature, then what cuts the candidates, then dynamic temperature.
//! Those that transformers has stand in its order (temperature before the cuts), with its typical filter after min-p; DRY, XTC and
//! dynamic temperature stand where llama.cpp has them: after the penalties, after min-p, and last. llama.cpp's own order differs in
//! this: temperature last, typical before top-p. Greedy choice has no use for anything after the history.

use super::ban::Ban;
use super::dry::Dry;
use super::dynamic_temperature::DynamicTemperature;
use super::logit_bias::LogitBias;
use super::min_new_tokens::MinNewTokens;
use super::min_p::MinP;
use super::mirostat::Mirostat;
use super::no_repeat_ngram::NoRepeatNgram;
use super::presence_frequency::{FrequencyPenalty, PresencePenalty};
use super::repetition_penalty::RepetitionPenalty;
use super::temperature::Temperature;
use super::top_k::TopK;
use super::top_p::TopP;
use super::typical::Typical;
use super::xtc::Xtc;
use super::{Moment, Sampler};
use crate::generate::config::{GenerateConfig, Strategy};
use crate::generate::engine::Special;
use crate::generate::trace::{Stage, Trace};

/// The samplers that a configuration asks for, in order.
#[derive(Debug)]
pub(in crate::generate) struct Chain(Vec<Box<dyn Sampler>>);

impl Chain {
    pub(in crate::generate) fn new(config: &GenerateConfig, special: &Special) -> Self {
        let mut chain = Self(Vec::new());
        if !config.banned_tokens.is_empty() || special.n_tokens.is_some() {
            chain.add(Ban {
                ids: config.banned_tokens.clone(),
                known: special.n_tokens,
            });
        }
        chain.add_of_history(config, special);
        if config.strategy != Strategy::Greedy {
            chain.add_of_shape(config);
        }
        chain
    }

    /// Applies all of them, and writes down what each did if that is wanted.
    pub(in crate::generate) fn apply(
        &self,
        logits: &mut [f32],
        moment: &Moment<'_>,
        mut trace: Option<&mut Trace>,
    ) {
        for sampler in &self.0 {
            let found = sampler.apply(logits, moment);
            if let Some(trace) = &mut trace {
                trace.stages.push(Stage {
                    key: sampler.key(),
                    found,
                    logits: logits.to_vec(),
                });
            }
        }
    }

    fn add(&mut self, sampler: impl Sampler + 'static) {
        self.0.push(Box::new(sampler));
    }

    /// What looks at single tokens and at the text so far.
    fn add_of_history(&mut self, config: &GenerateConfig, special: &Special) {
        if !config.logit_bias.is_empty() {
            self.add(LogitBias(config.logit_bias.by_token()));
        }
        if config.repetition_penalty != 1.0 {
            self.add(RepetitionPenalty(config.repetition_penalty));
        }
        if config.presence_penalty != 0.0 {
            self.add(PresencePenalty(config.presence_penalty));
        }
        if config.frequency_penalty != 0.0 {
            self.add(FrequencyPenalty(config.frequency_penalty));
        }
        if config.dry_multiplier > 0.0 {
            self.add(Dry {
                multiplier: config.dry_multiplier,
                base: config.dry_base.unwrap_or(1.75),
                allowed_length: config.dry_allowed_length.unwrap_or(2),
                breakers: config.dry_breaker_tokens.iter().copied().collect(),
                last_n: config.dry_last_n.unwrap_or(usize::MAX),
            });
        }
        if config.no_repeat_ngram > 0 {
            self.add(NoRepeatNgram(config.no_repeat_ngram));
        }
        if config.min_new_tokens > 0 {
            let ends = special.eos.iter().chain(&config.stop_tokens);
            self.add(MinNewTokens {
                least: config.min_new_tokens,
                ends: ends.copied().collect(),
            });
        }
    }

    /// What looks at the probabilities alone.
    fn add_of_shape(&mut self, config: &GenerateConfig) {
        let is_dynamic = config.dynatemp_range > 0.0;
        let is = |strategy| config.strategy == strategy;
        if let Some(temperature) = config.temperature.filter(|t| *t != 1.0 && !is_dynamic) {
            self.add(Temperature(temperature));
        }
        let k = is(Strategy::TopK).then_some(50);
        if let Some(k) = config.top_k.or(k) {
            self.add(TopK(k));
        }
        let p = is(Strategy::TopP).then_some(0.9);
        if let Some(p) = config.top_p.or(p) {
            self.add(TopP(p));
        }
        let share = is(Strategy::MinP).then_some(0.05);
        if let Some(share) = config.min_p.or(share) {
            self.add(MinP(share));
        }
        if let Some(p) = config.typical_p {
            self.add(Typical(p));
        }
        if config.xtc_probability > 0.0 {
            self.add(Xtc {
                probability: config.xtc_probability,
                threshold: config.xtc_threshold.unwrap_or(0.1),
            });
        }
        if let Some(mirostat) = config.mirostat() {
            self.add(mirostat);
        }
        if is_dynamic {
            self.add(DynamicTemperature {
                temperature: config.temperature.unwrap_or(1.0),
                range: config.dynatemp_range,
                exponent: config.dynatemp_exponent.unwrap_or(1.0),
            });
        }
    }
}

impl GenerateConfig {
    /// Mirostat's settings, where it is the strategy.
    pub(in crate::generate) fn mirostat(&self) -> Option<Mirostat> {
        (self.strategy == Strategy::Mirostat).then(|| Mirostat {
            tau: self.mirostat_tau.unwrap_or(5.0),
            eta: self.mirostat_eta.unwrap_or(0.1),
        })
    }
}
