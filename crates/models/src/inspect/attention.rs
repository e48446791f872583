//! The attention probabilities of a text, head by head.
//!
//! The measures of a head are those by which heads are told apart: how spread its attention is, and how much of it goes to the first
//! token (a "sink"; Xiao et al. 2023), to the token itself and to the one before it (Clark et al. 2019, "What Does BERT Look At?",
//! section 3; Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits").

use burn::prelude::*;
use llm_core::layers::{Observer, Pass};

use super::row;
use crate::LanguageModel;

/// Which heads are looked at, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadSelection {
    /// One layer; `None` for all.
    pub layer: Option<usize>,
    /// One head of each layer; `None` for all.
    pub head: Option<usize>,
}

/// The attention of one head.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionMap {
    /// Layer, from 0.
    pub layer: usize,
    /// Query head, from 0.
    pub head: usize,
    /// Tokens of the text.
    pub seq: usize,
    /// How much each token takes of each, `[seq, seq]` row-major: rows look, columns are looked at. Rows sum to 1.
    pub probabilities: Vec<f32>,
}

/// What a head tends to do: means over the tokens from the second on, which have a choice; of a single token, over that one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tendencies {
    /// Entropy of the row in nats: 0 where all attention goes to one token.
    pub entropy: f64,
    /// Attention on the first token.
    pub to_first: f64,
    /// Attention of a token on itself.
    pub to_self: f64,
    /// Attention on the token before.
    pub to_previous: f64,
}

impl AttentionMap {
    /// The row of one token.
    ///
    /// # Panics
    /// When there is no such token.
    pub fn row(&self, token: usize) -> &[f32] {
        &self.probabilities[token * self.seq..][..self.seq]
    }

    /// What the head tends to do.
    pub fn tendencies(&self) -> Tendencies {
        let first = usize::from(self.seq > 1);
        let n = (self.seq - first) as f64;
        let mean = |of: &dyn Fn(usize, &[f32]) -> f64| {
            let rows = (first..self.seq).map(|token| of(token, self.row(token)));
            rows.sum::<f64>() / n
        };
        let entropy = |row: &[f32]| {
            let terms = row.iter().filter(|p| **p > 0.0).map(|p| {
                let p = f64::from(*p);
                -p * p.ln()
            });
            terms.sum::<f64>()
        };
        Tendencies {
            entropy: mean(&|_, row| entropy(row)),
            to_first: mean(&|_, row| f64::from(row[0])),
            to_self: mean(&|token, row| f64::from(row[token])),
            to_previous: mean(&|token, row| {
                token.checked_sub(1).map_or(0.0, |i| f64::from(row[i]))
            }),
        }
    }
}

/// The attention of the selected heads while `model` reads `tokens`, in the order of layers and heads.
///
/// # Panics
/// When there are no tokens, or one is not below the vocabulary's size.
pub fn attention(
    model: &LanguageModel,
    tokens: &[u32],
    selection: HeadSelection,
) -> Vec<AttentionMap> {
    let mut collector = Collector {
        selection,
        seq: tokens.len(),
        maps: Vec::new(),
    };
    let ids = row(tokens, model.architecture().vocab_size(), &model.device());
    model.hidden(ids, &mut Pass::new(tokens.len()).observed(&mut collector));
    collector.maps
}

#[derive(Debug)]
struct Collector {
    selection: HeadSelection,
    seq: usize,
    maps: Vec<AttentionMap>,
}

impl Observer for Collector {
    fn wants_attention(&self, layer: usize) -> bool {
        self.selection.layer.is_none_or(|wanted| wanted == layer)
    }

    fn attention(&mut self, layer: usize, probabilities: Tensor<4>) {
        let [_, n_heads, ..] = probabilities.dims();
        let heads = match self.selection.head {
            Some(head) => head..(head + 1).min(n_heads),
            None => 0..n_heads,
        };
        for head in heads {
            let one = probabilities
                .clone()
                .slice(s![0..1, head..head + 1, .., ..]);
            let data = one.into_data().convert::<f32>();
            self.maps.push(AttentionMap {
                layer,
                head,
                seq: self.seq,
                probabilities: data.try_to_vec().expect("converted to f32"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tendencies_are_means_over_tokens_with_a_choice() {
        let map = AttentionMap {
            layer: 0,
            head: 0,
            seq: 3,
            probabilities: vec![1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.25, 0.75],
        };
        let found = map.tendencies();
        assert_eq!(found.to_first, 0.25);
        assert_eq!(found.to_self, (0.5 + 0.75) / 2.0);
        assert_eq!(found.to_previous, (0.5 + 0.25) / 2.0);
        let last = -(0.25f64 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
        assert!((found.entropy - (2f64.ln() + last) / 2.0).abs() < 1e-9);
        let one = AttentionMap {
            seq: 1,
            probabilities: vec![1.0],
            ..map
        };
        assert_eq!(
            (one.tendencies().to_self, one.tendencies().entropy),
            (1.0, 0.0)
        );
    }
}
