//! `llm search plot`: pictures of a search.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use llm_plot::Format;

use super::opened;
use crate::failure::as_usage;
use crate::output::{OutputFile, Overwrite};
use crate::printer::Printer;
use crate::search::{Figures, Picture};

/// Arguments of `llm search plot`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the search
    folder: PathBuf,
    /// File to write: .svg, .png or .html
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// What the picture shows; without it an .html file shows everything, and any other the history
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Picture>,
    /// Write over a file that exists
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let format = Format::of(&args.output).map_err(as_usage)?;
    let (settings, results) = opened(&args.folder)?;
    let figures = Figures::new(&results, &settings)?;
    let bytes = match (args.kind, format) {
        (None, Format::Html) => figures
            .page(&args.folder.display().to_string())?
            .html()
            .into_bytes(),
        (kind, format) => match figures.picture(kind.unwrap_or(Picture::History)) {
            Some(figure) => figure.encode(format)?,
            None => bail!(
                "{}: the search has nothing of this kind to show",
                args.folder.display()
            ),
        },
    };
    let mut file = OutputFile::create(&args.output, Overwrite::from_force(args.force))?;
    file.write_all(&bytes)?;
    file.finish()?;
    printer.line(args.output.display())?;
    Ok(())
}
