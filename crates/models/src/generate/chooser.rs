//! From the logits of a sequence to its next token: the samplers, the pick, and what follows from it.

use std::sync::Arc;

use llm_core::kernels::arg_max;

use super::config::{GenerateConfig, Strategy};
use super::engine::{Decision, Finish, Special, Step};
use super::samplers::{Chain, Mirostat, draw, log_probability};
use super::sequence::Sequence;
use super::trace::Trace;
use crate::ModelError;

/// From the logits of a sequence to its next token.
pub(super) struct Chooser<'a> {
    config: &'a GenerateConfig,
    special: &'a Special,
    chain: Chain,
    mirostat: Option<Mirostat>,
    is_traced: bool,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(config: &'a GenerateConfig, special: &'a Special, is_traced: bool) -> Self {
        Self {
            config,
            special,
            chain: Chain::new(config, special),
            mirostat: config.mirostat(),
            is_traced,
        }
    }

    /// Adds the next token to the sequence, and tells `on_step`.
    ///
    /// # Errors
    /// A logit is not finite.
    pub(super) fn choose(
        &self,
        sequence: &mut Sequence,
        index: usize,
        raw: &[f32],
        on_step: &mut dyn FnMut(Step) -> Decision,
    ) -> Result<u32, ModelError> {
        let Self {
            config, special, ..
        } = self;
        // Without an early end the inner loop is vector code.
        let finite = |logits: &[f32]| logits.iter().fold(true, |ok, x| ok & x.is_finite());
        if !raw.chunks(1024).all(finite) {
            return Err(ModelError::NotFinite);
        }
        let n_new = sequence.n_new();
        let mut trace = self.is_traced.then(|| Trace {
            raw: raw.to_vec(),
            stages: Vec::new(),
        });
        let mut logits = raw.to_vec();
        self.chain
            .apply(&mut logits, &sequence.moment(), trace.as_mut());
        let token = match config.strategy {
            Strategy::Greedy => arg_max(&logits),
            _ => draw(&logits, sequence.key, n_new as u64),
        };
        if let Some(mirostat) = &self.mirostat {
            let mu = mirostat.learn(sequence.mirostat_mu, &logits, token);
            sequence.mirostat_mu = Some(mu);
        }
        let logprob = log_probability(raw, token);
        let token = token as u32;
        sequence.tokens.push(token);
        sequence.logprobs.push(logprob);
        let stopped = special.eos == Some(token) || config.stop_tokens.contains(&token);
        let decision = on_step(Step {
            sequence: index,
            token,
            logprob,
            trace: trace.map(Arc::new),
        });
        if stopped || decision == Decision::Stop {
            sequence.finish = Some(Finish::Stop);
        } else if n_new + 1 == config.max_new_tokens {
            sequence.finish = Some(Finish::Length);
        }
        Ok(token)
    }
}
