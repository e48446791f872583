//! What the layers of one forward pass share, and what tells one pass from another.

use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::DType;

use super::{DropoutKey, KvCache, Observer, Positions, Rope};
use crate::kernels::DropoutMask;

/// One forward pass: positions, padding, documents, cache, dropout.
///
/// Rows are padded on the left, so that the newest token of every row stands in the last column. Padding is for decoding, dropout for
/// training: they do not come together.
#[derive(Debug)]
pub struct Pass<'a> {
    positions: Positions,
    padding: Vec<usize>,
    window: Option<usize>,
    rotary: Option<[Tensor<3>; 2]>,
    dropout: Option<DropoutKey>,
    cache: Option<&'a mut KvCache>,
    observer: Option<&'a mut dyn Observer>,
    /// For each column of each row, the first one of its document.
    first_columns: Option<Arc<[u32]>>,
    /// Made once for all layers; `None` until a layer needs it.
    hidden: Option<Tensor<4, Bool>>,
}

impl<'a> Pass<'a> {
    /// A pass over whole rows of `seq` tokens without padding.
    pub fn new(seq: usize) -> Self {
        Self::build(0, seq, vec![0], None)
    }

    /// A pass over whole rows of `seq` columns, of which the first `padding[row]` are padding.
    pub fn padded(seq: usize, padding: Vec<usize>) -> Self {
        Self::build(0, seq, padding, None)
    }

    /// A pass over whole rows of `seq` tokens in which documents stand one after another: none sees another, and each counts its
    /// positions from 0. `first_columns [rows * seq]` has, for each column, the first one of its document.
    ///
    /// # Panics
    /// When a first column lies behind its own.
    pub fn of_documents(seq: usize, first_columns: Vec<u32>) -> Self {
        let mut pass = Self::build(0, seq, vec![0], None);
        pass.positions = Positions::of_documents(seq, &first_columns);
        pass.first_columns = Some(first_columns.into());
        pass
    }

    /// A pass over the next `seq` columns of the rows that `cache` holds. Moves the cache on.
    pub fn cached(seq: usize, cache: &'a mut KvCache) -> Self {
        Self::build(cache.columns(), seq, cache.padding().to_vec(), Some(cache))
    }

    fn build(
        start: usize,
        seq: usize,
        padding: Vec<usize>,
        cache: Option<&'a mut KvCache>,
    ) -> Self {
        let positions = Positions::new(start, seq, &padding);
        Self {
            positions,
            padding,
            window: None,
            rotary: None,
            dropout: None,
            cache,
            observer: None,
            first_columns: None,
            hidden: None,
        }
    }

    /// Drops values by the masks of `key`.
    #[must_use]
    pub fn with_dropout(mut self, key: Option<DropoutKey>) -> Self {
        self.dropout = key;
        self
    }

    /// Lets `observer` look on.
    #[must_use]
    pub fn observed(mut self, observer: &'a mut dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Shows the residual stream to the observer, if there is one. See [`Observer::stream`].
    pub fn show_stream(&mut self, depth: usize, x: &Tensor<3>) {
        if let Some(observer) = &mut self.observer {
            observer.stream(depth, x);
        }
    }

    /// Computes the rotation of this pass's positions once for all layers.
    pub fn set_rope(&mut self, rope: &Rope, device: &Device, dtype: DType) {
        self.rotary = Some(rope.tables(&self.positions, device, dtype));
    }

    /// Positions of this pass.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Drops values of `x` with probability `p` when this pass is for training.
    pub fn dropout<const D: usize>(
        &self,
        x: Tensor<D>,
        p: f64,
        layer: usize,
        place: u64,
    ) -> Tensor<D> {
        match self.dropout {
            Some(key) => key.apply(x, p, layer, place),
            None => x,
        }
    }

    /// Tells the cache that every layer has stored this pass's keys and values.
    pub fn finish(self) {
        let seq = self.positions.seq();
        if let Some(cache) = self.cache {
            cache.advance(seq);
        }
    }

    /// The mask that [`dropout`](Self::dropout) would multiply by; `None` when nothing is dropped.
    pub(super) fn dropout_mask(&self, p: f64, layer: usize, place: u64) -> Option<DropoutMask> {
        let key = self.dropout.filter(|_| p > 0.0)?;
        Some(key.mask(p, layer, place))
    }

    /// For each query of each row, the first key that it may see; `None` for the first of all.
    pub(super) fn first_keys(&self) -> Option<Arc<[u32]>> {
        self.first_columns.clone()
    }

    pub(super) fn rotary(&self) -> Option<[Tensor<3>; 2]> {
        self.rotary.clone()
    }

    pub(super) fn cache(&mut self) -> Option<&mut KvCache> {
        self.cache.as_deref_mut()
    }

    pub(super) fn wants_attention(&self, layer: usize) -> bool {
        let observer = self.observer.as_ref();
        observer.is_some_and(|observer| observer.wants_attention(layer))
    }

    pub(super) fn show_attention(&mut self, layer: usize, probabilities: Tensor<4>) {
        if let Some(observer) = &mut self.observer {
            observer.attention(layer, probabilities);
        }
    }

    /// First column of this pass.
    fn start(&self) -> usize {
        self.cache.as_ref().map_or(0, |cache| cache.columns())
    }

    pub(super) fn has_padding(&self) -> bool {
        self.padding.iter().any(|&p| p > 0)
    }

    /// Whether each query must not see each key, `[batch or 1, 1, seq, keys]`, for causal attention.
    pub(super) fn hidden(&mut self, window: Option<usize>, device: &Device) -> Tensor<4, Bool> {
        if self.window != window {
            (self.window, self.hidden) = (window, None);
        }
        let (start, seq) = (self.start(), self.positions.seq());
        let keys = match &self.cache {
            Some(cache) => cache.key_columns(seq),
            None => (0..seq).collect(),
        };
        let documents = self.first_columns.as_deref();
        let rows = match documents {
            Some(first_columns) => first_columns.len() / seq,
            None if self.has_padding() => self.padding.len(),
            None => 1,
        };
        let padding = &self.padding;
        let hidden = self.hidden.get_or_insert_with(|| {
            let mut values = Vec::with_capacity(rows * seq * keys.len());
            for row in 0..rows {
                for query in start..start + seq {
                    // Documents come without padding, in passes that begin at 0.
                    let first_of_row = match documents {
                        Some(first_columns) => first_columns[row * seq + query] as usize,
                        None => padding[row],
                    };
                    let first = window
                        .map_or(0, |window| (query + 1).saturating_sub(window))
                        .max(first_of_row);
                    values.extend(keys.iter().map(|&key| key < first || key > query));
                }
            }
            Tensor::from_data(TensorData::new(values, [rows, 1, seq, keys.len()]), device)
        });
        hidden.clone()
    }
}
