//! What is said when a run has ended: how good the model is, where it is, and what to do with it.

use std::path::Path;

use burn::prelude::Device;
use llm_data::{Prepared, SEPARATOR, check};
use llm_models::checkpoint;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, generate};
use llm_train::{Outcome, StopReason};

use super::Narrator;
use crate::config::Config;
use crate::printer::Printer;

/// Stories that are sampled to see whether the grammar can parse them.
const STORIES: usize = 16;
/// More tokens than a story has.
const STORY_TOKENS: usize = 400;

/// The end of a run.
pub(crate) struct Summary<'a> {
    config: &'a Config,
    prepared: &'a Prepared,
    outcome: &'a Outcome,
}

impl<'a> Summary<'a> {
    pub(crate) fn new(config: &'a Config, prepared: &'a Prepared, outcome: &'a Outcome) -> Self {
        Self {
            config,
            prepared,
            outcome,
        }
    }

    /// The result on stdout, the advice on stderr.
    ///
    /// # Errors
    /// Stdout is closed, or the model that was just written can't be read back.
    pub(crate) fn print(&self, narrator: &Narrator, printer: Printer) -> anyhow::Result<()> {
        let Outcome {
            reason,
            steps,
            skipped_steps,
            tokens,
            seconds,
            evaluation,
            model,
        } = self.outcome;
        let (Some(evaluation), Some(model)) = (evaluation, model) else {
            return Ok(());
        };
        narrator.note(&format!(
            "{} after {steps} steps, {tokens} tokens, {seconds:.0} s",
            words(*reason)
        ));
        if self.config.train.skip_spikes.is_some() {
            narrator.note(&format!(
                "{skipped_steps} steps left out by train.skip_spikes"
            ));
        }
        printer.line(format_args!(
            "{} over {} tokens",
            narrator.validation(evaluation.loss),
            evaluation.tokens
        ))?;
        if self.config.data.sources.is_empty() {
            self.check_stories(model, printer)?;
        }
        printer.line(format_args!("model {}", model.display()))?;
        let (program, model) = (Narrator::program(), model.display());
        narrator.note("next:");
        let prompt = if self.config.data.sources.is_empty() {
            " --prompt \"One morning\""
        } else {
            " --prompt \"…\""
        };
        narrator.note(&format!("  {program} generate --model {model}{prompt}"));
        narrator.note(&format!(
            "  {program} train --data your-text.txt        a model of your own text"
        ));
        Ok(())
    }

    /// Says how many of the sentences that the model writes are sentences of the grammar.
    fn check_stories(&self, model: &Path, printer: Printer) -> anyhow::Result<()> {
        let tokenizer = &self.prepared.tokenizer;
        let special = Special {
            bos: tokenizer.bos(),
            eos: tokenizer.eos(),
            n_tokens: Some(tokenizer.vocab_size()),
        };
        let config = GenerateConfig {
            temperature: Some(0.8),
            max_new_tokens: STORY_TOKENS,
            num_return_sequences: STORIES,
            seed: self.config.train.seed,
            ..GenerateConfig::default()
        };
        let model = checkpoint::load(model, &Device::flex())?;
        let stories = generate(
            &model,
            &[vec![]],
            &config,
            &special,
            Method::Cached,
            &mut |_| Decision::Continue,
        )?;
        let mut text = String::new();
        for story in &stories {
            text += &tokenizer.decode(&story.tokens)?;
            text += &format!("\n{}\n", SEPARATOR);
        }
        let found = check(&text);
        printer.line(format_args!(
            "{} of {} sentences in {STORIES} sampled stories are sentences of the grammar ({:.0} %)",
            found.sentences_parsed,
            found.sentences,
            100.0 * found.sentence_share()
        ))?;
        Ok(())
    }
}

fn words(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Steps => "finished",
        StopReason::Tokens => "stopped by train.max_tokens",
        StopReason::Epochs => "stopped by train.max_epochs",
        StopReason::Time => "stopped by train.max_minutes",
        StopReason::Patience => "stopped by train.patience",
        StopReason::Interrupted => "interrupted",
    }
}
