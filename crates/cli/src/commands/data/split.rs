//! `llm data split`: a training and a validation part as files, for other programs or for keeps.

use std::path::PathBuf;

use clap::ValueEnum;
use llm_data::Part;

use crate::document_file::DocumentFile;
use crate::interrupt;
use crate::output::{self, Overwrite};
use crate::printer::Printer;
use crate::text_source::{TextArgs, no_text, tell_skipped};

/// Arguments of `llm data split`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text; data.validation and data.split say how it is split, as for `llm train`
    #[command(flatten)]
    text: TextArgs,
    /// Folder for the files `train` and `validation`
    #[arg(long, value_name = "DIR")]
    output_dir: PathBuf,
    /// Kind of the files
    #[arg(long, value_enum, default_value_t = Kind::Jsonl)]
    format: Kind,
    /// Write over files in --output-dir
    #[arg(long)]
    force: bool,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// An object with the key `text` in each line
    Jsonl,
    /// Documents as they are, with a line between them
    Txt,
}

/// Runs the command.
///
/// # Errors
/// The text can't be read or split, or the files can't be written.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let config = args.text.configuration("")?;
    if config.data.sources.is_empty() {
        return Err(no_text());
    }
    let overwrite = Overwrite::from_force(args.force);
    // Before the files, so that it goes after them.
    let _folder = output::create_folder(&args.output_dir, overwrite)?;
    let extension = match args.format {
        Kind::Jsonl => "jsonl",
        Kind::Txt => "txt",
    };
    let path = |part| args.output_dir.join(format!("{part}.{extension}"));
    let separator = &config.data.document_separator;
    let mut files = [
        DocumentFile::create(&path("train"), separator, overwrite)?,
        DocumentFile::create(&path("validation"), separator, overwrite)?,
    ];
    let mut counts = [(0u64, 0u64); 2];
    let skipped = llm_data::split::<anyhow::Error>(&config.data, |part, text, origin| {
        let index = match part {
            Part::Train => 0,
            Part::Validation => 1,
        };
        counts[index].0 += 1;
        counts[index].1 += text.len() as u64;
        files[index].write(text, origin)
    })?;
    tell_skipped(&skipped, printer);
    // They belong together.
    interrupt::defer();
    for file in files {
        file.finish()?;
    }
    for (name, (documents, bytes)) in ["train", "validation"].into_iter().zip(counts) {
        printer.line(format_args!(
            "{}  {documents} documents, {bytes} bytes",
            path(name).display()
        ))?;
    }
    Ok(())
}
