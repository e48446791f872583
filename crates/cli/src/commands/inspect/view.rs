//! Files for what was seen: their kinds, told by their names, and the flags that name them.

use std::path::{Path, PathBuf};

use crate::failure::usage;
use crate::output::{OutputFile, Overwrite};

/// Where a view of a text goes.
#[derive(Debug, clap::Args)]
pub(super) struct ViewArgs {
    /// File to write, in place of the table: a page (.html), a picture (.svg, .png), or numbers (.json, of attention also .safetensors)
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Write over --output
    #[arg(long, requires = "output")]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// A file on its way.
pub(super) struct ViewFile {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) file: OutputFile,
}

impl ViewArgs {
    /// Begins the file, if there is to be one, before anything is computed.
    ///
    /// # Errors
    /// Its name ends like none of `kinds`, or it can't be written.
    pub(super) fn create(&self, kinds: &[Kind]) -> anyhow::Result<Option<ViewFile>> {
        let create = |path: &PathBuf| {
            Ok(ViewFile {
                kind: Kind::of(path, kinds)?,
                file: OutputFile::create(path, Overwrite::from_force(self.force))?,
                path: path.clone(),
            })
        };
        self.output.as_ref().map(create).transpose()
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A page that stands alone.
    Html,
    /// A picture of strokes.
    Svg,
    /// A picture of pixels.
    Png,
    /// Numbers and words.
    Json,
    /// Numbers.
    Safetensors,
}

impl Kind {
    fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Json => "json",
            Self::Safetensors => "safetensors",
        }
    }

    /// The kind of the file with this name.
    ///
    /// # Errors
    /// None of `kinds` has its extension; ends with exit code 2.
    fn of(path: &Path, kinds: &[Self]) -> anyhow::Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let has = |kind: &&Self| extension.eq_ignore_ascii_case(kind.extension());
        kinds.iter().find(has).copied().ok_or_else(|| {
            let names = kinds.iter().map(|kind| format!(".{}", kind.extension()));
            usage(format_args!(
                "--output {}: expected a name that ends in {}",
                path.display(),
                names.collect::<Vec<_>>().join(", ")
            ))
        })
    }
}
