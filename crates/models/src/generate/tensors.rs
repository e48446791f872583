//! Passes over tensors, all active sequences as one batch: on any device, and the oracle of [`planned`](super::planned).
//!
//! Rows are padded on the left, so a batch of contexts of different lengths is one pass. Without a cache every pass is a fresh one over
//! the same tokens, so both give the same logits.

use burn::prelude::*;
use llm_core::layers::{KvCache, Pass};

use super::engine::longest_context;
use super::sequence::Sequence;
use crate::LanguageModel;

/// The model, and the cache of the last pass.
pub(super) struct Tensors<'m> {
    model: &'m LanguageModel,
    cached: bool,
    /// With the sequences that its rows belong to.
    cache: Option<(KvCache, Vec<usize>)>,
}

impl<'m> Tensors<'m> {
    pub(super) fn new(model: &'m LanguageModel, cached: bool) -> Self {
        Self {
            model,
            cached,
            cache: None,
        }
    }

    /// Logits after the whole context of each active sequence.
    pub(super) fn logits(
        &mut self,
        sequences: &[Sequence],
        active: &[usize],
        max_new_tokens: usize,
    ) -> Vec<Vec<f32>> {
        if !self.cached {
            return fresh_pass(self.model, sequences, active, None);
        }
        let reusable = self
            .cache
            .take()
            .and_then(|(cache, rows)| continued(cache, &rows, active, sequences));
        let (cache, logits) = match reusable {
            Some(mut cache) => {
                let logits = next_pass(self.model, sequences, active, &mut cache);
                (cache, logits)
            }
            None => {
                let mut cache = empty_cache(self.model, sequences, active, max_new_tokens);
                let logits = fresh_pass(self.model, sequences, active, Some(&mut cache));
                (cache, logits)
            }
        };
        self.cache = Some((cache, active.to_vec()));
        logits
    }
}

/// Columns of padding for each active row.
fn padding(sequences: &[Sequence], active: &[usize]) -> (usize, Vec<usize>) {
    let longest = active
        .iter()
        .map(|&i| sequences[i].context().len())
        .max()
        .unwrap_or(0);
    (
        longest,
        active
            .iter()
            .map(|&i| longest - sequences[i].context().len())
            .collect(),
    )
}

fn empty_cache(
    model: &LanguageModel,
    sequences: &[Sequence],
    active: &[usize],
    max_new_tokens: usize,
) -> KvCache {
    let (longest, padding) = padding(sequences, active);
    let wanted = active
        .iter()
        .map(|&i| max_new_tokens - sequences[i].n_new())
        .max()
        .unwrap_or(0);
    let limit = longest_context(model);
    model.cache((longest + wanted).min(limit).max(longest), padding)
}

/// The cache with the finished rows taken out, unless a fresh pass is needed.
fn continued(
    cache: KvCache,
    rows: &[usize],
    active: &[usize],
    sequences: &[Sequence],
) -> Option<KvCache> {
    let kept: Vec<usize> = active
        .iter()
        .filter_map(|i| rows.iter().position(|row| row == i))
        .collect();
    let in_step = kept.iter().zip(active).all(|(&row, &i)| {
        // One new column, and nothing forgotten since.
        cache.columns() + 1 == cache.padding()[row] + sequences[i].context().len()
    });
    if !in_step || cache.room() == Some(0) {
        return None;
    }
    Some(if kept.len() == rows.len() {
        cache
    } else {
        cache.select(&kept)
    })
}

/// Logits after the whole context of each active row.
fn fresh_pass(
    model: &LanguageModel,
    sequences: &[Sequence],
    active: &[usize],
    cache: Option<&mut KvCache>,
) -> Vec<Vec<f32>> {
    let (longest, padding) = padding(sequences, active);
    let ids = active.iter().zip(&padding).flat_map(|(&i, &padding)| {
        // Any token will do as padding: no one sees it.
        std::iter::repeat_n(0, padding).chain(sequences[i].context().iter().copied())
    });
    let ids: Vec<i32> = ids.map(|id| id as i32).collect();
    let pass = match cache {
        Some(cache) => Pass::cached(longest, cache),
        None => Pass::padded(longest, padding),
    };
    last_logits(model, ids, [active.len(), longest], pass)
}

/// Logits after the newest token of each active row.
fn next_pass(
    model: &LanguageModel,
    sequences: &[Sequence],
    active: &[usize],
    cache: &mut KvCache,
) -> Vec<Vec<f32>> {
    let newest = |&i: &usize| *sequences[i].tokens.last().expect("no sequence is empty") as i32;
    let ids = active.iter().map(newest).collect();
    last_logits(model, ids, [active.len(), 1], Pass::cached(1, cache))
}

fn last_logits(
    model: &LanguageModel,
    ids: Vec<i32>,
    shape: [usize; 2],
    mut pass: Pass<'_>,
) -> Vec<Vec<f32>> {
    let [batch, seq] = shape;
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &model.device());
    let hidden = model.hidden(ids, &mut pass);
    pass.finish();
    let d_model = hidden.dims()[2];
    let last = hidden
        .slice(s![.., seq - 1..seq, ..])
        .reshape([batch, d_model]);
    let logits = model.logits(last).into_data().convert::<f32>();
    let logits: Vec<f32> = logits.try_to_vec().expect("converted to f32");
    logits
        .chunks_exact(logits.len() / batch)
        .map(<[f32]>::to_vec)
        .collect()
}
