//! Attention in files, the kind of which their names tell.

use std::io::Write;

use llm_models::inspect::Tendencies;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;

use super::super::seen::Token;
use super::super::view::Kind;
use super::{Seen, page};
use crate::failure::usage;
use crate::output::OutputFile;

/// Probabilities that a page may hold.
const MOST_ON_A_PAGE: usize = 32 << 20;
/// Cells that a picture may have.
const MOST_IN_A_PICTURE: usize = 1 << 20;

/// What a JSON file holds.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    tokens: &'a [Token],
    heads: Vec<Head<'a>>,
}

#[derive(Serialize)]
struct Head<'a> {
    layer: usize,
    head: usize,
    /// Mean entropy in nats.
    entropy: f64,
    to_first: f64,
    to_self: f64,
    to_previous: f64,
    /// Rows look, columns are looked at.
    probabilities: Vec<&'a [f32]>,
}

/// Whether a file of this kind can show so many maps of so many tokens.
///
/// # Errors
/// They are too many; ends with exit code 2.
pub(super) fn check_size(kind: Kind, n_maps: usize, seq: usize) -> anyhow::Result<()> {
    let most = match kind {
        Kind::Html => MOST_ON_A_PAGE,
        Kind::Svg | Kind::Png => MOST_IN_A_PICTURE,
        Kind::Json | Kind::Safetensors => return Ok(()),
    };
    let cells = n_maps * seq * seq;
    if cells <= most {
        return Ok(());
    }
    Err(usage(format_args!(
        "--output: {n_maps} heads on {seq} tokens are {cells} probabilities, the most for this kind of file is {most}: give --layer and --head, or a shorter text, or a .safetensors file"
    )))
}

/// Writes what was seen.
///
/// # Errors
/// It can't be drawn or written.
pub(super) fn write(kind: Kind, seen: &Seen, file: &mut OutputFile) -> anyhow::Result<()> {
    match kind {
        Kind::Html => file.write_all(page::html(seen)?.as_bytes())?,
        Kind::Svg => file.write_all(page::figure(seen).svg()?.as_bytes())?,
        Kind::Png => file.write_all(&page::figure(seen).png()?)?,
        Kind::Json => serde_json::to_writer(file, &report(seen))?,
        Kind::Safetensors => file.write_all(&safetensors(seen)?)?,
    }
    Ok(())
}

/// What is written as JSON.
pub(super) fn report(seen: &Seen) -> Report<'_> {
    let heads = seen.maps.iter().map(|map| {
        let Tendencies {
            entropy,
            to_first,
            to_self,
            to_previous,
        } = map.tendencies();
        Head {
            layer: map.layer,
            head: map.head,
            entropy,
            to_first,
            to_self,
            to_previous,
            probabilities: map.probabilities.chunks(map.seq).collect(),
        }
    });
    Report {
        tokens: &seen.tokens,
        heads: heads.collect(),
    }
}

/// `tokens [seq]`, and `attention [heads, seq, seq]` with the `layers [heads]` and `heads [heads]` that they are.
fn safetensors(seen: &Seen) -> anyhow::Result<Vec<u8>> {
    let (n, seq) = (seen.maps.len(), seen.tokens.len());
    let words = |numbers: &mut dyn Iterator<Item = u32>| -> Vec<u8> {
        numbers.flat_map(u32::to_le_bytes).collect()
    };
    let tokens = words(&mut seen.tokens.iter().map(|token| token.id));
    let layers = words(&mut seen.maps.iter().map(|map| map.layer as u32));
    let heads = words(&mut seen.maps.iter().map(|map| map.head as u32));
    let probabilities = seen.maps.iter().flat_map(|map| &map.probabilities);
    let probabilities: Vec<u8> = probabilities.flat_map(|p| p.to_le_bytes()).collect();
    let tensors = [
        ("tokens", TensorView::new(Dtype::U32, vec![seq], &tokens)?),
        ("layers", TensorView::new(Dtype::U32, vec![n], &layers)?),
        ("heads", TensorView::new(Dtype::U32, vec![n], &heads)?),
        (
            "attention",
            TensorView::new(Dtype::F32, vec![n, seq, seq], &probabilities)?,
        ),
    ];
    Ok(safetensors::serialize(tensors, None)?)
}
