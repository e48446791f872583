//! `llm inspect model`: the parameters of a model as a tree, from its files without loading it, or of sizes alone.

use std::path::PathBuf;

use clap::ArgGroup;
use llm_models::Architecture;
use llm_models::checkpoint::StoredTensor;
use llm_models::presets::Preset;
use llm_tokenizer::TokenizerKind;
use serde::Serialize;

use super::tensors::{percent, shape_text};
use super::tree::{Leaf, MIXED, Node, Row, View};
use crate::config::{Config, Layers};
use crate::failure::{as_usage, usage};
use crate::named_model::{self, load_tokenizer};
use crate::printer::Printer;
use crate::quantity::{bytes, with_commas};
use crate::screen;
use crate::table::{Align, Table};

/// Arguments of `llm inspect model`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(["model", "preset", "config"])))]
pub(crate) struct Args {
    /// Model or run folder, .gguf file, .bin file of llama2.c, or hf://owner/name
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The sizes of this preset, one of those that `llm models` lists, without weights
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The sizes of the model that this configuration file would train, without weights
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration, such as model.d_model=256. May be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "config")]
    set: Vec<String>,
    /// Levels of the tree [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    depth: Option<u16>,
    /// Show every block, also those that are like the one before
    #[arg(long)]
    all: bool,
    /// Print one JSON object, with every parameter
    #[arg(long, conflicts_with_all = ["depth", "all"])]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report {
    /// Where the sizes are from.
    source: String,
    family: &'static str,
    sizes: Sizes,
    /// Tied ones once.
    n_parameters: u64,
    /// As they are stored; without weights, as f32.
    bytes: Option<u64>,
    parameters: Vec<ParameterRow>,
    /// Tensors of the files that are no parameters: masks, tables, the head of a tied model once more.
    unused_tensors: Vec<Unused>,
}

/// The sizes that every family has.
#[derive(Serialize)]
struct Sizes {
    n_layers: usize,
    n_heads: usize,
    d_model: usize,
    d_ff: usize,
    vocab_size: usize,
    max_seq_len: usize,
    /// Of the sliding window.
    window: Option<usize>,
    /// Whether the head is the token embedding, which is counted once.
    tie_embeddings: bool,
}

#[derive(Serialize)]
struct ParameterRow {
    path: String,
    shape: Vec<usize>,
    dtype: String,
    n_parameters: u64,
    bytes: Option<u64>,
    /// Of all parameters.
    share: f64,
    /// Name of the tensor that holds it in the file.
    tensor: Option<String>,
}

#[derive(Serialize)]
struct Unused {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    bytes: Option<u64>,
}

/// What is shown, wherever it came from.
struct Contents {
    source: String,
    architecture: Architecture,
    leaves: Vec<Leaf>,
    /// Names of the tensors that hold the leaves; none without weights.
    tensors: Vec<String>,
    unused: Vec<StoredTensor>,
}

/// Runs the command.
///
/// # Errors
/// The model or the configuration can't be read.
pub(crate) fn run(args: &Args, printer: Printer) -> anyhow::Result<()> {
    let contents = match (&args.model, &args.preset, &args.config) {
        (Some(model), ..) => Contents::of_files(model)?,
        (_, Some(preset), _) => {
            let preset = Preset::find(preset).map_err(as_usage)?;
            Contents::of_sizes(format!("preset {}", preset.name), preset.architecture())
        }
        (_, _, Some(file)) => {
            let config = Layers::new().file(file)?.set(&args.set)?.resolve()?;
            Contents::of_sizes(file.display().to_string(), sizes_of(&config)?)
        }
        (None, None, None) => unreachable!("the group is required"),
    };
    if args.json {
        return printer.json(&contents.report());
    }
    contents.print(args, printer)
}

/// The sizes of the model that a run with this configuration trains, as far as they are known before its tokenizer is made.
fn sizes_of(config: &Config) -> anyhow::Result<Architecture> {
    let tokenizer = &config.tokenizer;
    let n_tokens = match (tokenizer.kind, &tokenizer.path, config.model.vocab_size) {
        (TokenizerKind::File, Some(path), _) => load_tokenizer(path)?.vocab_size(),
        (TokenizerKind::Bpe, ..) => tokenizer.vocab_size,
        (_, _, Some(size)) => size,
        _ => {
            return Err(usage(
                "the number of characters is not known before training: say it with --set model.vocab_size=N",
            ));
        }
    };
    Ok(Architecture::resolve(&config.model, n_tokens)?)
}

impl Contents {
    fn of_files(name: &std::path::Path) -> anyhow::Result<Self> {
        let (checkpoint, path) = named_model::open(name)?;
        let parameters = checkpoint.parameters()?;
        let (leaves, tensors) = parameters
            .into_iter()
            .map(|parameter| {
                let leaf = Leaf {
                    path: parameter.path,
                    shape: parameter.shape,
                    dtype: parameter.dtype,
                    bytes: parameter.bytes,
                };
                (leaf, parameter.tensor)
            })
            .unzip();
        let mut unused = checkpoint.tensors()?;
        unused.retain(|tensor| tensor.unused);
        Ok(Self {
            source: path.display().to_string(),
            architecture: checkpoint.architecture().clone(),
            leaves,
            tensors,
            unused,
        })
    }

    fn of_sizes(source: String, architecture: Architecture) -> Self {
        let leaves = architecture.parameters().into_iter();
        let leaves = leaves.map(|(path, shape)| Leaf {
            path,
            dtype: "f32".into(),
            bytes: Some(4 * shape.iter().map(|n| *n as u64).product::<u64>()),
            shape,
        });
        Self {
            source,
            leaves: leaves.collect(),
            architecture,
            tensors: Vec::new(),
            unused: Vec::new(),
        }
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            n_layers: self.architecture.n_layers(),
            n_heads: self.architecture.n_heads(),
            d_model: self.architecture.d_model(),
            d_ff: self.architecture.d_ff(),
            vocab_size: self.architecture.vocab_size(),
            max_seq_len: self.architecture.max_seq_len(),
            window: self.architecture.window(),
            tie_embeddings: self.architecture.tie_embeddings(),
        }
    }

    fn report(&self) -> Report {
        let tree = Node::of("model", &self.leaves);
        let parameters = self.leaves.iter().enumerate().map(|(i, leaf)| {
            let n_parameters = leaf.shape.iter().map(|n| *n as u64).product();
            ParameterRow {
                path: leaf.path.clone(),
                shape: leaf.shape.clone(),
                dtype: leaf.dtype.clone(),
                n_parameters,
                bytes: leaf.bytes,
                share: n_parameters as f64 / tree.parameters() as f64,
                tensor: self.tensors.get(i).cloned(),
            }
        });
        let unused = self.unused.iter().map(|tensor| Unused {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.dtype.clone(),
            bytes: tensor.bytes,
        });
        Report {
            source: self.source.clone(),
            family: self.architecture.family().name(),
            sizes: self.sizes(),
            n_parameters: tree.parameters(),
            bytes: tree.bytes(),
            parameters: parameters.collect(),
            unused_tensors: unused.collect(),
        }
    }

    fn print(&self, args: &Args, printer: Printer) -> anyhow::Result<()> {
        let tree = Node::of(self.architecture.family().name(), &self.leaves);
        let view = View {
            depth: args.depth.map_or(usize::MAX, usize::from),
            all: args.all,
        };
        let rows = tree.rows(view);
        // Where everything is stored in one way, that is said once.
        let mixed = tree.dtype() == MIXED;
        let mut headings = vec![("module", Align::Left), ("shape", Align::Left)];
        if mixed {
            headings.push(("type", Align::Left));
        }
        let numbers = ["parameters", "bytes", "share"];
        headings.extend(numbers.map(|name| (name, Align::Right)));
        let mut table = Table::new(&headings);
        for row in rows {
            table.push(cells(row, tree.parameters(), mixed));
        }
        for line in table.lines(screen::width()) {
            printer.line(line)?;
        }
        printer.line("")?;
        for line in self.summary(tree.dtype()) {
            printer.line(line)?;
        }
        Ok(())
    }

    /// What the tree does not say.
    fn summary(&self, dtype: &str) -> Vec<String> {
        let sizes = self.sizes();
        let window = sizes.window.map(|window| format!(", window {window}"));
        let mut lines = vec![format!(
            "{} layers, {} heads, width {}, feed-forward {}, {} tokens, context {}{}",
            sizes.n_layers,
            sizes.n_heads,
            sizes.d_model,
            sizes.d_ff,
            with_commas(sizes.vocab_size as u64),
            sizes.max_seq_len,
            window.unwrap_or_default()
        )];
        if sizes.tie_embeddings {
            lines.push("the head is token_embedding.weight once more, and is counted once".into());
        }
        if self.tensors.is_empty() {
            lines.push("sizes without weights; bytes as f32, as models are trained here".into());
        } else if dtype != MIXED {
            lines.push(format!("all of it stored as {dtype}"));
        }
        if !self.unused.is_empty() {
            let n = self.unused.len();
            let size: u64 = self.unused.iter().filter_map(|tensor| tensor.bytes).sum();
            let example = &self.unused[0].name;
            lines.push(format!(
                "beside them {n} tensors that the model does not need, of {}, such as {example}",
                bytes(size)
            ));
        }
        lines
    }
}

fn cells(row: Row, all: u64, mixed: bool) -> Vec<String> {
    let shape = row.shape.as_deref().map(shape_text);
    let mut cells = vec![row.name, shape.unwrap_or_default()];
    if mixed {
        cells.push(row.dtype);
    }
    cells.extend([
        with_commas(row.parameters),
        row.bytes.map_or("?".into(), bytes),
        percent(row.parameters as f64 / all as f64),
    ]);
    cells
}
