//! `llm convert`: write a model in another format or precision.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;
use llm_files::WriteError;
use llm_models::checkpoint::gguf::MetadataValue;
use llm_models::checkpoint::{Encoding, Export, Exported, Format, export};
use serde::Serialize;

use crate::args::DeviceArgs;
use crate::failure::usage;
use crate::gguf_tokenizer;
use crate::named_model::NamedModel;
use crate::output::{Overwrite, check_file, check_folder, write_by};
use crate::printer::Printer;

/// File of the model card.
const CARD: &str = "README.md";

/// Arguments of `llm convert`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, or .bin file of llama2.c
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Folder (hf) or file (gguf) to write
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,
    /// Format to write
    #[arg(long, value_enum)]
    to: To,
    /// How weights are stored
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Dtype,
    /// Cut the weights of a folder into files of at most this size, such as 500MB [default: 50GB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_shard_size: Option<u64>,
    /// Write over OUTPUT
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[command(flatten)]
    device: DeviceArgs,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// Folder of Hugging Face, for transformers
    Hf,
    /// File of llama.cpp
    Gguf,
}

/// The precisions.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dtype {
    /// 32-bit floats: nothing is lost
    F32,
    /// 16-bit floats
    F16,
    /// Upper halves of 32-bit floats
    Bf16,
    /// Blocks of 8-bit numbers with a scale (gguf)
    #[value(name = "q8_0")]
    Q8_0,
    /// Blocks of 4-bit numbers with a scale (gguf)
    #[value(name = "q4_0")]
    Q4_0,
}

impl Dtype {
    fn encoding(self) -> Encoding {
        match self {
            Self::F32 => Encoding::F32,
            Self::F16 => Encoding::F16,
            Self::Bf16 => Encoding::Bf16,
            Self::Q8_0 => Encoding::Q8_0,
            Self::Q4_0 => Encoding::Q4_0,
        }
    }
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    output: &'a Path,
    bytes: u64,
    dtype: &'static str,
    /// Over the tokens of the probe.
    largest_difference: f64,
    probe: usize,
    notes: &'a [String],
}

fn size(text: &str) -> Result<u64, String> {
    match llm_data::parse_size(text) {
        Ok(0) => Err("give a size of at least one byte".into()),
        Ok(size) => Ok(size),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the command.
///
/// # Errors
/// The model can't be read, the format can't hold it, the output can't be written, or does not give the model back.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    if args.to == To::Gguf && args.max_shard_size.is_some() {
        return Err(usage(
            "--max-shard-size: a gguf model is one file; leave it out",
        ));
    }
    if args.to == To::Hf && matches!(args.dtype, Dtype::Q8_0 | Dtype::Q4_0) {
        let dtype = args.dtype.encoding().name();
        return Err(usage(format_args!(
            "--dtype {dtype}: a folder holds f32, f16 or bf16; use --to gguf"
        )));
    }
    let device = args.device.open()?;
    let overwrite = Overwrite::from_force(args.force);
    let exported = match args.to {
        To::Hf => {
            check_folder(&args.output, overwrite)?;
            let named = NamedModel::load(&args.model, &device)?;
            refuse_same(&named.path, &args.output)?;
            folder(args, &named)?
        }
        To::Gguf => {
            if args.output.extension().is_none_or(|e| e != "gguf") {
                return Err(usage(format_args!(
                    "{}: a file of --to gguf must be called NAME.gguf",
                    args.output.display()
                )));
            }
            check_file(&args.output, overwrite)?;
            let named = NamedModel::load(&args.model, &device)?;
            refuse_same(&named.path, &args.output)?;
            file(args, &named, overwrite)?
        }
    };
    report(args, &exported, printer)
}

/// A model that is mapped into memory while it is replaced would change under the reader's hands.
fn refuse_same(model: &Path, output: &Path) -> anyhow::Result<()> {
    let same = |a: &Path, b: &Path| matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b);
    if same(model, output) {
        bail!(
            "{}: is the model itself; give another name",
            output.display()
        );
    }
    Ok(())
}

fn folder(args: &Args, named: &NamedModel) -> anyhow::Result<Exported> {
    let wanted = Export {
        format: Format::HuggingFace {
            special: named.special_ids(),
            // What transformers takes by default.
            max_shard_size: args.max_shard_size.unwrap_or(50_000_000_000),
        },
        encoding: args.dtype.encoding(),
    };
    let mut exported = None;
    llm_files::write_folder(&args.output, |folder| -> anyhow::Result<()> {
        named.save_tokenizer(folder)?;
        let card = fs::read_to_string(named.path.join(CARD)).unwrap_or_else(|_| card(named));
        let path = folder.join(CARD);
        fs::write(&path, card).map_err(WriteError::of(&path))?;
        exported = Some(export(&named.model, &wanted, folder)?);
        Ok(())
    })?;
    exported.context("nothing was written")
}

/// A card for a model that came without one.
fn card(named: &NamedModel) -> String {
    format!(
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\n---\n\n# {}\n\n- Family: {}\n- Tokenizer: {}\n",
        named.title(),
        named.model.family().name(),
        named.tokenizer.describe(),
    )
}

fn file(args: &Args, named: &NamedModel, overwrite: Overwrite) -> anyhow::Result<Exported> {
    let vocab_size = named.model.architecture().vocab_size();
    let mut metadata = gguf_tokenizer::write(&named.tokenizer, vocab_size)
        .with_context(|| format!("the tokenizer of {}", named.path.display()))?;
    let title = MetadataValue::String(named.title());
    metadata.insert("general.name".to_owned(), title);
    let wanted = Export {
        format: Format::Gguf { metadata },
        encoding: args.dtype.encoding(),
    };
    write_by(&args.output, overwrite, |partial| {
        let exported = export(&named.model, &wanted, partial)?;
        // The tokenizer must come back as well.
        let back = NamedModel::tokenizer(partial)?;
        if back.vocab_size() != named.tokenizer.vocab_size() {
            bail!(
                "{}: the tokenizer in it has {} tokens, not {}",
                args.output.display(),
                back.vocab_size(),
                named.tokenizer.vocab_size()
            );
        }
        Ok(exported)
    })
}

fn report(args: &Args, exported: &Exported, printer: Printer) -> anyhow::Result<()> {
    for note in &exported.notes {
        printer.note(format_args!("note: {note}"));
    }
    let bytes = bytes_of(&args.output)?;
    let dtype = args.dtype.encoding().name();
    if args.json {
        return printer.json(&Report {
            output: &args.output,
            bytes,
            dtype,
            largest_difference: exported.largest_difference,
            probe: exported.probe,
            notes: &exported.notes,
        });
    }
    printer.line(format_args!(
        "{}  {} bytes in {dtype}",
        args.output.display(),
        bytes
    ))?;
    printer.line(format_args!(
        "read back: every weight as {dtype} rounds it; scores of {} tokens differ from the model's by {:.3e} at most",
        exported.probe, exported.largest_difference
    ))?;
    Ok(())
}

/// Bytes of a file, or of all files of a folder.
fn bytes_of(path: &Path) -> anyhow::Result<u64> {
    let failed = || format!("{}: cannot read", path.display());
    let found = fs::metadata(path).with_context(failed)?;
    if found.is_file() {
        return Ok(found.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path).with_context(failed)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
