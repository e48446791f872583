//! `llm chat`: talk with a model, in the words of its chat template.

mod answer;
mod entry;
mod history;
mod saved;
mod session;
mod settings;
mod slash;
mod stats;
mod template;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use llm_models::generate::{Generator, Method};

use crate::args::DeviceArgs;
use crate::interrupt;
use crate::named_model::NamedModel;
use crate::printer::Printer;
use crate::sampling::SamplingArgs;
use answer::Chat;
use entry::Reader;
use history::History;
use session::Session;
use settings::Settings;

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
    /// Go on with a conversation that /save wrote, or any file of messages with role and content, as JSON or JSON Lines
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// Say this, print the answer and end, in place of reading messages from the terminal or from stdin, one on each line
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
    let layers = args.sampling.layers()?;
    settings::check(&layers)?;
    let device = args.device.open()?;
    let named = NamedModel::load(&args.model, &device)?;
    let template = template::choose(args.template.as_deref(), &named.tokenizer, printer)?;
    let settings = Settings::new(layers, &named, template.stop_strings())?;
    let mut history = match &args.load {
        Some(path) => saved::load(path)?,
        None => History::default(),
    };
    if let Some(text) = &args.system {
        history.set_system(text);
    }
    let generator = Generator::new(&named.model, Method::Cached)?;
    let chat = Chat::new(&named, generator, template, history, printer);
    interrupt::defer();
    let mut session = Session::new(chat, settings, args.show_prompt, printer);
    if let Some(text) = &args.message {
        session.say(text)?;
        return Ok(interrupt::check()?);
    }
    let mut reader = Reader::new(printer);
    if reader.is_terminal() {
        interrupt::survive();
        session.welcome(&named.title());
    } else if io::stdin().is_terminal() {
        printer.note("one message on each line; Ctrl-D ends the chat");
    }
    session.converse(&mut reader)
}
