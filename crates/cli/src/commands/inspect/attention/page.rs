//! Attention as pictures: a page with every head, small, and the chosen one large; or the heads side by side in one picture.

use llm_models::inspect::AttentionMap;
use llm_plot::{Figure, HeatMap, Page, PlotError};

use super::Seen;

/// Heads up to which a picture has the tokens beside each of them.
const LABELLED: usize = 4;
/// Side of a head in a picture without tokens, in units, and with them.
const SMALL: u32 = 150;
/// Width of a column of tokens that can be read.
const READABLE: u32 = 16;

/// The page.
pub(super) fn html(seen: &Seen) -> Result<String, PlotError> {
    let labels = labels(seen);
    let maps: Vec<HeatMap> = seen.maps.iter().map(|map| picture(map, &labels)).collect();
    let text: Vec<&str> = seen
        .tokens
        .iter()
        .map(|token| token.label.as_str())
        .collect();
    let page = Page::new(format!("Attention of {}", seen.title))
        .note(&format!("{} heads, {} tokens", maps.len(), labels.len()))
        .paragraph(
            "Each row is a token that looks, each column a token that is looked at, and a row sums to 1. \
             Bright is much; the colours follow the square root, so that little is told from nothing. \
             A token sees nothing after itself: that half is blank. \
             L0 H3 is head 3 of layer 0, both counted from 0. Choose a head to see it large; point at a bright cell to read its number.",
        )
        .gallery(&maps, columns(seen))?
        .text("the text, a bar between its tokens", &text.join("│"));
    Ok(page.html())
}

/// The heads side by side, a row for each layer.
pub(super) fn figure(seen: &Seen) -> Figure {
    let labelled = seen.maps.len() <= LABELLED;
    let labels = if labelled {
        labels(seen)
    } else {
        vec![String::new(); seen.tokens.len()]
    };
    let side = if labelled {
        120 + (READABLE * labels.len() as u32).max(260)
    } else {
        SMALL
    };
    let maps = seen.maps.iter().map(|map| picture(map, &labels));
    // Beside a map stands its scale.
    Figure::new(maps)
        .columns(columns(seen))
        .panel_size(side + 40, side + 28)
}

/// Heads in a row: those of one layer, or where there is one of each, as many as fit.
fn columns(seen: &Seen) -> usize {
    let first = seen.maps.first().map_or(0, |map| map.layer);
    let of_layer = seen.maps.iter().filter(|map| map.layer == first).count();
    if of_layer > 1 {
        of_layer.min(16)
    } else {
        seen.maps.len().clamp(1, 8)
    }
}

fn labels(seen: &Seen) -> Vec<String> {
    let labels = seen.tokens.iter().map(|token| token.label.clone());
    labels.collect()
}

fn picture(map: &AttentionMap, labels: &[String]) -> HeatMap {
    let values = map.probabilities.chunks(map.seq).enumerate();
    let values = values.map(|(token, row)| {
        let seen = row.iter().enumerate();
        // What can't be seen is blank; what could be and is not, is dark.
        let seen = seen.map(|(key, p)| if key > token { f64::NAN } else { f64::from(*p) });
        seen.collect()
    });
    let title = format!("L{} H{}", map.layer, map.head);
    HeatMap::new(title, labels.to_vec(), labels.to_vec(), values.collect())
        .range(0.0, 1.0)
        .rooted()
}
