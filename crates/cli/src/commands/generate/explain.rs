//! `--explain`: for each new token the candidates, and what each sampler removed or changed.

use llm_models::generate::{GenerateConfig, Stage, Step, Trace};
use llm_tokenizer::Tokenizer;
use serde::Serialize;
use serde_json::Value;

/// Tokens that are named of those that a sampler removed or changed.
const NAMED: usize = 5;

/// How one token came about.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// Place among the new tokens, from 0.
    pub(super) position: usize,
    pub(super) token: Token,
    /// Natural logarithm of its probability before all samplers.
    pub(super) logprob: f32,
    /// The best before all samplers, and the chosen one.
    pub(super) candidates: Vec<Candidate>,
    /// In the order of the chain.
    pub(super) samplers: Vec<Effect>,
}

/// A token in words.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Token {
    pub(super) id: u32,
    pub(super) text: String,
}

/// What became of a token that could be chosen.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    #[serde(flatten)]
    pub(super) token: Token,
    pub(super) logit: f32,
    /// After all samplers; none where one removed it.
    pub(super) logit_after: Option<f32>,
    pub(super) probability: f32,
    pub(super) probability_after: f32,
    /// The key of the sampler that removed it.
    pub(super) removed_by: Option<&'static str>,
}

/// What one sampler did.
#[derive(Debug, Serialize)]
pub(super) struct Effect {
    /// Its key in `[generate]`.
    pub(super) sampler: &'static str,
    /// The value of that key; null where a strategy's default acts.
    pub(super) setting: Value,
    /// What it worked with at this step: the temperature of `dynatemp_range`, the bound in bits of `mirostat_tau`.
    pub(super) found: Option<f32>,
    /// Tokens that it left.
    pub(super) left: usize,
    /// Tokens that it removed.
    pub(super) removed: usize,
    /// Their probability together, just before.
    pub(super) removed_probability: f32,
    /// The most probable of them.
    pub(super) removed_tokens: Vec<Token>,
    /// Tokens whose logit it changed.
    pub(super) changed: usize,
    /// Those that it changed most, unless it changed all.
    pub(super) changed_tokens: Vec<Change>,
}

/// A logit that a sampler changed.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    #[serde(flatten)]
    pub(super) token: Token,
    pub(super) logit: f32,
    pub(super) logit_after: f32,
}

/// Explains the tokens of one call.
#[derive(Debug)]
pub(super) struct Explainer<'a> {
    tokenizer: &'a Tokenizer,
    config: &'a GenerateConfig,
    /// Candidates that are told.
    most: usize,
    /// The last token of each sequence.
    lasts: Vec<u32>,
    told: Vec<Vec<Explanation>>,
}

impl<'a> Explainer<'a> {
    /// Tells `most` candidates of every token of the sequences that go on after `lasts`.
    pub(super) fn new(
        tokenizer: &'a Tokenizer,
        config: &'a GenerateConfig,
        most: usize,
        lasts: Vec<u32>,
    ) -> Self {
        let mut told = Vec::new();
        told.resize_with(lasts.len(), Vec::new);
        Self {
            tokenizer,
            config,
            most,
            lasts,
            told,
        }
    }

    /// How the token of `step` came about; nothing where the step does not tell.
    pub(super) fn explain(&mut self, step: &Step) -> Option<&Explanation> {
        let (position, last) = (self.told[step.sequence].len(), self.lasts[step.sequence]);
        let explanation = self.explained(step, step.trace.as_deref()?, position, last);
        self.lasts[step.sequence] = step.token;
        self.told[step.sequence].push(explanation);
        self.told[step.sequence].last()
    }

    /// What was told of a sequence.
    pub(super) fn told(&self, sequence: usize) -> &[Explanation] {
        &self.told[sequence]
    }

    fn explained(&self, step: &Step, trace: &Trace, position: usize, last: u32) -> Explanation {
        let named = |id: usize| Token {
            id: id as u32,
            text: self.text(last, id as u32),
        };
        let (before, after) = (trace.before(), trace.after());
        let chosen = step.token as usize;
        let mut best = largest(self.most, &before, |_| true);
        if !best.contains(&chosen) {
            best.push(chosen);
        }
        let removed_by = |id: usize| {
            let stage = trace.stages.iter().find(|stage| is_out(stage.logits[id]));
            stage.map(|stage| stage.key)
        };
        let last_logits = trace
            .stages
            .last()
            .map_or(&trace.raw, |stage| &stage.logits);
        let candidate = |id: usize| Candidate {
            token: named(id),
            logit: trace.raw[id],
            logit_after: Some(last_logits[id]).filter(|logit| !is_out(*logit)),
            probability: before[id],
            probability_after: after[id],
            removed_by: removed_by(id),
        };
        let befores = std::iter::once(&trace.raw).chain(trace.stages.iter().map(|s| &s.logits));
        let effects = befores.zip(&trace.stages);
        let settings = serde_json::to_value(self.config).unwrap_or_default();
        let samplers = effects
            .map(|(logits, stage)| self.effect(&settings, logits, stage, &named))
            // Ids of a padded vocabulary are removed unasked.
            .filter(|effect| effect.sampler != "banned_tokens" || effect.removed > 0)
            .collect();
        Explanation {
            position,
            token: named(chosen),
            logprob: step.logprob,
            candidates: best.into_iter().map(candidate).collect(),
            samplers,
        }
    }

    fn effect(
        &self,
        settings: &Value,
        before: &[f32],
        stage: &Stage,
        named: &dyn Fn(usize) -> Token,
    ) -> Effect {
        let after = &stage.logits;
        let removed = |id: usize| !is_out(before[id]) && is_out(after[id]);
        let change = |id: usize| (before[id] - after[id]).abs();
        let changed = |id: usize| !is_out(after[id]) && change(id) > 0.0;
        let count = |test: &dyn Fn(usize) -> bool| (0..after.len()).filter(|&id| test(id)).count();
        let (n_removed, n_changed) = (count(&removed), count(&changed));
        let left = count(&|id| !is_out(after[id]));
        let probabilities = Trace {
            raw: before.to_vec(),
            stages: Vec::new(),
        }
        .before();
        let lost = (0..after.len()).filter(|&id| removed(id));
        let changes: Vec<f32> = (0..after.len()).map(change).collect();
        let most_changed = if n_changed == left {
            Vec::new()
        } else {
            largest(NAMED, &changes, changed)
        };
        Effect {
            sampler: stage.key,
            setting: settings[stage.key].clone(),
            found: stage.found,
            left,
            removed: n_removed,
            removed_probability: lost.fold(0.0, |sum, id| sum + probabilities[id]),
            removed_tokens: largest(NAMED, &probabilities, removed)
                .into_iter()
                .map(named)
                .collect(),
            changed: n_changed,
            changed_tokens: most_changed
                .into_iter()
                .map(|id| Change {
                    token: named(id),
                    logit: before[id],
                    logit_after: after[id],
                })
                .collect(),
        }
    }

    /// What the token says after `last`; a part of a character is written as the vocabulary has it.
    fn text(&self, last: u32, id: u32) -> String {
        let text = self.tokenizer.decoder_after(&[last]).push(id);
        match text {
            Ok(text) if !text.is_empty() => text,
            _ => self.tokenizer.token(id).unwrap_or_default(),
        }
    }
}

fn is_out(logit: f32) -> bool {
    logit == f32::NEG_INFINITY
}

/// The indices of the `n` largest values that pass `test`, the largest first.
fn largest(n: usize, values: &[f32], test: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).filter(|&i| test(i)).collect();
    let better = |a: &usize, b: &usize| values[*b].total_cmp(&values[*a]).then(a.cmp(b));
    if n < order.len() {
        order.select_nth_unstable_by(n, better);
        order.truncate(n);
    }
    order.sort_unstable_by(better);
    order
}
