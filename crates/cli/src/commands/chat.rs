//! `llm chat`: talk with a model, in the words of its chat template.

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llm_models::generate::{ContextOverflow, Decision, GenerateConfig, Generator, Method, Step};
use llm_tokenizer::{ChatTemplate, Conversation, Message, Tokenizer};

use crate::args::DeviceArgs;
use crate::continuation::Continuation;
use crate::failure::usage;
use crate::interrupt;
use crate::named_model::NamedModel;
use crate::printer::Printer;
use crate::sampling::SamplingArgs;

/// The template for models that came without one.
const DEFAULT: &str = "plain";

/// Arguments of `llm chat`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(long, value_name = "MODEL")]
    model: PathBuf,
    /// Chat template: chatml, llama-2, llama-3, mistral, alpaca, plain, the name of one that came with the model, or a .jinja file [default: the model's own, else plain]
    #[arg(long, value_name = "NAME|FILE")]
    template: Option<String>,
    /// What the model is told before the conversation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    system: Option<String>,
    /// Say this, print the answer and end, in place of reading messages from stdin, one on each line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<String>,
    /// Print the text that the template makes, special tokens and all, in place of an answer
    #[arg(long)]
    show_prompt: bool,
    /// How the next token is picked, and when an answer ends
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs the command.
///
/// # Errors
/// A fault in the settings, the template or the model; a signal.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let mut config = args.sampling.layers()?.resolve()?.generate;
    if config.num_return_sequences != 1 {
        return Err(usage(
            "generate.num_return_sequences: a chat has one answer to each message; leave it out",
        ));
    }
    // An answer that outgrows the context would forget the question.
    config.context_overflow = ContextOverflow::Stop;
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let template = template(args, &named.tokenizer, printer)?;
    let stops = template
        .stop_strings()
        .iter()
        .map(|stop| (*stop).to_owned());
    config.stop.extend(stops);
    config.stop_tokens.extend(&named.end_ids);

    let mut chat = Chat {
        generator: Generator::new(&named.model, Method::Cached)?,
        named: &named,
        template,
        config,
        system: args
            .system
            .as_deref()
            .map(|text| Message::new("system", text)),
        turns: Vec::new(),
        printer,
    };
    interrupt::defer();
    let say = |chat: &mut Chat<'_>, text: &str| {
        if args.show_prompt {
            chat.show(text)
        } else {
            chat.answer(text)
        }
    };
    if let Some(text) = &args.message {
        say(&mut chat, text)?;
        return Ok(interrupt::check()?);
    }
    if io::stdin().is_terminal() {
        printer.note("one message on each line; Ctrl-D ends the chat");
    }
    for line in io::stdin().lock().lines() {
        let line = line.context("stdin: cannot read")?;
        if !line.trim().is_empty() {
            say(&mut chat, &line)?;
            interrupt::check()?;
        }
    }
    Ok(())
}

/// The template of `--template`, the model's own, or the plain one.
fn template(args: &Args, tokenizer: &Tokenizer, printer: Printer) -> anyhow::Result<ChatTemplate> {
    let Some(name) = &args.template else {
        if let Some(own) = tokenizer.chat_template()? {
            return Ok(own);
        }
        printer.note(format_args!(
            "the model has no chat template: taking {DEFAULT}; choose another with --template"
        ));
        return Ok(ChatTemplate::builtin(DEFAULT)?);
    };
    if ChatTemplate::BUILTIN.contains(&name.as_str()) {
        return Ok(ChatTemplate::builtin(name)?);
    }
    if let Some(own) = tokenizer.chat_template_named(name)? {
        return Ok(own);
    }
    let path = Path::new(name);
    if path
        .extension()
        .is_some_and(|extension| extension == "jinja")
    {
        let source = fs::read_to_string(path).with_context(|| format!("{name}: cannot read"))?;
        return ChatTemplate::parse(&source).with_context(|| name.clone());
    }
    let mut known = tokenizer.chat_template_names()?;
    known.extend(ChatTemplate::BUILTIN.map(str::to_owned));
    Err(usage(format_args!(
        "--template {name}: expected one of {}, or a .jinja file",
        known.join(", ")
    )))
}

/// A conversation that goes on.
struct Chat<'m> {
    generator: Generator<'m>,
    named: &'m NamedModel,
    template: ChatTemplate,
    config: GenerateConfig,
    system: Option<Message>,
    /// What the person and the model said, in turn.
    turns: Vec<Message>,
    printer: Printer,
}

impl Chat<'_> {
    /// Prints what the template makes of the conversation with one more message.
    fn show(&mut self, text: &str) -> anyhow::Result<()> {
        self.turns.push(Message::new("user", text));
        let (text, _) = self.prompt()?;
        self.printer.line(text)?;
        self.turns.pop();
        Ok(())
    }

    /// Prints the answer to one more message.
    fn answer(&mut self, text: &str) -> anyhow::Result<()> {
        self.turns.push(Message::new("user", text));
        let ids = self.fitting_prompt()?;
        let tokenizer = &self.named.tokenizer;
        let mut answer = Continuation::new(tokenizer, &ids, &self.config.stop);
        let mut failure = None;
        let printer = self.printer;
        let mut begun = false;
        let mut tell = |piece: &str| -> io::Result<()> {
            // Templates end with what stands before an answer, which some models follow up with a space.
            let piece = if begun { piece } else { piece.trim_start() };
            begun |= !piece.is_empty();
            printer.text(piece)
        };
        let mut on_step = |step: Step| {
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
        let special = self.named.special();
        let generated = self
            .generator
            .generate(&[ids], &self.config, &special, &mut on_step);
        if let Some(error) = failure {
            return Err(error);
        }
        generated?;
        tell(answer.finish()?)?;
        printer.text("\n")?;
        let said = answer.text().trim();
        self.turns.push(Message::new("assistant", said));
        Ok(())
    }

    /// The ids of the conversation, without its oldest turns where it has outgrown the context.
    fn fitting_prompt(&mut self) -> anyhow::Result<Vec<u32>> {
        let context = self.named.model.architecture().max_seq_len();
        let mut forgotten = 0;
        loop {
            let (_, ids) = self.prompt()?;
            if ids.len() < context {
                if forgotten > 0 {
                    self.printer.note(format_args!(
                        "the conversation is longer than the context of {context} tokens: {forgotten} older messages are forgotten"
                    ));
                }
                return Ok(ids);
            }
            if self.turns.len() < 3 {
                bail!(
                    "the message has {} tokens with its template, but the context of the model is {context}: say it in fewer words",
                    ids.len()
                );
            }
            // A question goes with its answer.
            self.turns.drain(..2);
            forgotten += 2;
        }
    }

    /// The text of the conversation as the template has it, and its ids.
    fn prompt(&self) -> anyhow::Result<(String, Vec<u32>)> {
        let messages = self.system.iter().chain(&self.turns).cloned().collect();
        let conversation = Conversation::to_answer(messages);
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
