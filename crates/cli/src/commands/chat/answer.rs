//! One answer: the conversation as the template has it, and what the model says to it, as it comes.

use std::fmt::Display;
use std::io;
use std::time::Instant;

use anyhow::{anyhow, bail};
use llm_models::generate::{Decision, Finish, GenerateConfig, Generator, Step};
use llm_tokenizer::{ChatTemplate, Conversation};

use super::history::History;
use super::stats::Stats;
use crate::continuation::Continuation;
use crate::interrupt;
use crate::named_model::NamedModel;
use crate::palette::Palette;
use crate::printer::Printer;

/// A conversation that goes on.
pub(super) struct Chat<'m> {
    generator: Generator<'m>,
    named: &'m NamedModel,
    template: ChatTemplate,
    pub(super) history: History,
    /// Of the last answer.
    pub(super) stats: Option<Stats>,
    printer: Printer,
}

impl<'m> Chat<'m> {
    pub(super) fn new(
        named: &'m NamedModel,
        generator: Generator<'m>,
        template: ChatTemplate,
        history: History,
        printer: Printer,
    ) -> Self {
        Self {
            generator,
            named,
            template,
            history,
            stats: None,
            printer,
        }
    }

    /// Tokens that the model takes.
    pub(super) fn context(&self) -> usize {
        self.named.model.architecture().max_seq_len()
    }

    /// Prints what the template makes of the conversation with one more message, which is not kept.
    ///
    /// # Errors
    /// The template refuses the conversation.
    pub(super) fn show(&mut self, text: &str) -> anyhow::Result<()> {
        self.history.ask(text);
        let prompt = self.prompt();
        self.history.take_back();
        self.printer.line(prompt?.0)?;
        Ok(())
    }

    /// Prints the answer to one more message. What was said before an interruption is kept; a message that fails is not.
    ///
    /// # Errors
    /// The template refuses the conversation, it does not fit the context, or the model fails.
    pub(super) fn answer(
        &mut self,
        text: &str,
        config: &GenerateConfig,
        may_forget: bool,
    ) -> anyhow::Result<()> {
        self.history.ask(text);
        let answered = self
            .fitting_prompt(config.max_new_tokens, may_forget)
            .and_then(|ids| self.answer_to(ids, config));
        match answered {
            Ok(answer) => {
                self.history.answer(answer.trim());
                Ok(())
            }
            Err(error) => {
                self.history.take_back();
                Err(error)
            }
        }
    }

    /// The answer to a prompt, printed as it comes.
    fn answer_to(&mut self, ids: Vec<u32>, config: &GenerateConfig) -> anyhow::Result<String> {
        let tokenizer = &self.named.tokenizer;
        let mut answer = Continuation::new(tokenizer, &ids, &config.stop);
        let mut failure = None;
        let printer = self.printer;
        let mut begun = false;
        let mut tell = |piece: &str| -> io::Result<()> {
            // Templates end with what stands before an answer, which some models follow up with a space.
            let piece = if begun { piece } else { piece.trim_start() };
            begun |= !piece.is_empty();
            printer.text(piece)
        };
        let start = Instant::now();
        let (mut to_first, mut to_last) = (None, start.elapsed());
        let mut on_step = |step: Step| {
            to_last = start.elapsed();
            to_first.get_or_insert(to_last);
            let mut take = || -> anyhow::Result<()> {
                let piece = answer.push(step.token)?;
                Ok(tell(piece)?)
            };
            if let Err(error) = take() {
                failure.get_or_insert(error);
            }
            if failure.is_some() || interrupt::pending().is_some() || answer.is_over() {
                Decision::Stop
            } else {
                Decision::Continue
            }
        };
        let before = self.generator.n_computed();
        let n_prompt = ids.len();
        let special = self.named.special();
        let generated = self
            .generator
            .generate(&[ids], config, &special, &mut on_step);
        let generated = match (failure, generated) {
            (Some(error), _) => return Err(error),
            (None, Ok(mut all)) => all.pop().ok_or_else(|| anyhow!("no answer"))?,
            (None, Err(error)) => {
                printer.text("\n")?;
                return Err(error.into());
            }
        };
        tell(answer.finish()?)?;
        printer.text("\n")?;

        let n_new = generated.tokens.len();
        let computed = before.zip(self.generator.n_computed());
        let context = self.context();
        self.stats = Some(Stats {
            n_prompt,
            // Each new token but the last was computed too.
            n_computed: computed.map(|(before, after)| (after - before).saturating_sub(n_new - 1)),
            n_new,
            to_first: to_first.unwrap_or_default(),
            to_last,
            context,
        });
        if generated.finish == Finish::Length {
            self.tell_end(n_prompt + n_new, n_new, config, context);
        }
        Ok(answer.text().to_owned())
    }

    /// Says why an answer has no end.
    fn tell_end(&self, used: usize, n_new: usize, config: &GenerateConfig, context: usize) {
        if n_new >= config.max_new_tokens {
            self.tell(format_args!(
                "(cut after {n_new} tokens, generate.max_new_tokens)"
            ));
        } else {
            self.tell(format_args!(
                "(cut after {used} tokens: the context of the model is {context})"
            ));
        }
    }

    fn tell(&self, what: impl Display) {
        self.printer.note(Palette::stderr().faint(what));
    }

    /// The ids of the conversation, without its oldest turns where it has outgrown the context.
    fn fitting_prompt(&mut self, wanted: usize, may_forget: bool) -> anyhow::Result<Vec<u32>> {
        let context = self.context();
        // Room for an answer, if that does not take too much from the conversation.
        let room = wanted.min(context / 4).max(1);
        let mut forgotten = 0;
        loop {
            let (_, ids) = self.prompt()?;
            let n = ids.len();
            if n + room <= context || n < context && !may_forget {
                self.tell_forgotten(forgotten, context);
                return Ok(ids);
            }
            let more = if may_forget {
                self.history.forget_oldest()
            } else {
                0
            };
            if more == 0 && n < context {
                self.tell_forgotten(forgotten, context);
                return Ok(ids);
            }
            if more == 0 && self.history.len() < 2 {
                bail!(
                    "the message has {n} tokens with its template, but the context of the model is {context}: say it in fewer words"
                );
            }
            if more == 0 {
                bail!(
                    "the conversation has {n} tokens, but the context of the model is {context}: /reset it, or let older messages be forgotten with /set context_overflow=slide"
                );
            }
            forgotten += more;
        }
    }

    fn tell_forgotten(&self, forgotten: usize, context: usize) {
        if forgotten > 0 {
            self.tell(format_args!(
                "the conversation is longer than the context of {context} tokens: {forgotten} older messages are forgotten"
            ));
        }
    }

    /// The text of the conversation as the template has it, and its ids.
    fn prompt(&self) -> anyhow::Result<(String, Vec<u32>)> {
        let conversation = Conversation::to_answer(self.history.messages());
        let tokenizer = &self.named.tokenizer;
        let encoded = tokenizer.encode_chat(&self.template, &conversation)?;
        let mut ids = encoded.ids;
        // A model's own template writes all that it wants. A built-in one does not know whether the model's texts begin with a token.
        let is_built_in = !self.template.stop_strings().is_empty();
        let wanted = is_built_in && tokenizer.begins_with_bos();
        if let Some(bos) = tokenizer
            .bos()
            .filter(|bos| wanted && ids.first() != Some(bos))
        {
            ids.insert(0, bos);
        }
        Ok((encoded.text, ids))
    }
}
