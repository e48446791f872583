//! Keys and values of the tokens seen so far, preallocated.
//!
//! A column is a place in the (left-padded) rows, counted from the first token. Without a window column `c` stands in slot `c`. With a
//! window of `W` only the last `W` columns are kept and column `c` stands in slot `c mod W`, while positions go on past `W`.

use burn::prelude::*;

/// The cache of all layers of a model.
#[derive(Clone, Debug)]
pub struct KvCache {
    layers: Vec<Option<[Tensor<4>; 2]>>,
    slots: usize,
    rolling: bool,
    columns: usize,
    padding: Vec<usize>,
}

impl KvCache {
    /// An empty cache for `padding.len()` rows, whose first `padding[row]` columns will be padding.
    ///
    /// Holds `capacity` columns, or with a smaller `window` only the newest `window` and then any number of columns.
    ///
    /// # Panics
    /// When capacity or window is 0.
    pub fn new(
        n_layers: usize,
        capacity: usize,
        window: Option<usize>,
        padding: Vec<usize>,
    ) -> Self {
        let rolling = window.is_some_and(|window| window < capacity);
        let slots = if rolling {
            window.unwrap_or(capacity)
        } else {
            capacity
        };
        assert!(slots > 0, "a cache needs room for a token");
        Self {
            layers: vec![None; n_layers],
            slots,
            rolling,
            columns: 0,
            padding,
        }
    }

    /// Columns stored so far, those no longer held included.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Columns of padding at the start of each row.
    pub fn padding(&self) -> &[usize] {
        &self.padding
    }

    /// How many more columns fit; `None` for any number.
    pub fn room(&self) -> Option<usize> {
        (!self.rolling).then(|| self.slots - self.columns)
    }

    /// Size of the buffers in bytes, once each layer has stored something.
    pub fn bytes(&self) -> usize {
        let size = |t: &Tensor<4>| t.dims().iter().product::<usize>() * t.dtype().size();
        self.layers.iter().flatten().flatten().map(size).sum()
    }

    /// Keeps the given rows, in the given order; a row may be named more than once.
    #[must_use]
    pub fn select(self, rows: &[usize]) -> Self {
        let padding = rows.iter().map(|&row| self.padding[row]).collect();
        let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let pick = |t: Tensor<4>| {
            let ids = Tensor::<1, Int>::from_data(ids.as_slice(), &t.device());
            t.select(0, ids)
        };
        let layers = self
            .layers
            .into_iter()
            .map(|layer| layer.map(|pair| pair.map(pick)))
            .collect();
        Self {
            layers,
            padding,
            ..self
        }
    }

    /// The column of each key that [`extend`](Self::extend) returns for `seq` new columns.
    pub(crate) fn key_columns(&self, seq: usize) -> Vec<usize> {
        if self.rolling && seq == 1 {
            // Slot order: the newest column that belongs in each slot.
            let newest = self.columns;
            let held = (newest + 1).min(self.slots);
            return (0..held)
                .map(|slot| newest - (newest % self.slots + self.slots - slot) % self.slots)
                .collect();
        }
        let first = if self.rolling {
            self.columns.saturating_sub(self.slots)
        } else {
            0
        };
        (first..self.columns + seq).collect()
    }

    /// Whether the keys that [`extend`](Self::extend) returns for `seq` columns are exactly those that the one query sees.
    pub(crate) fn holds_only_the_window(&self, seq: usize) -> bool {
        self.rolling && seq == 1
    }

    /// Stores the keys and values of the next columns, `[batch, seq, kv_heads, d_head]` each, and gives all that the new queries may
    /// see, in the order of [`key_columns`](Self::key_columns).
    pub(crate) fn extend(&mut self, layer: usize, new: [Tensor<4>; 2]) -> [Tensor<4>; 2] {
        let [batch, seq, kv_heads, d_head] = new[0].dims();
        let (slots, start) = (self.slots, self.columns);
        assert!(
            self.rolling || start + seq <= slots,
            "{} columns in a cache of {slots}",
            start + seq
        );
        let device = new[0].device();
        let dtype = new[0].dtype();
        let stored = self.layers[layer].take().unwrap_or_else(|| {
            [0, 1].map(|_| Tensor::zeros([batch, slots, kv_heads, d_head], (&device, dtype)))
        });
        let write = |buffer: Tensor<4>, slot: usize, values: Tensor<4>| {
            let end = slot + values.dims()[1];
            buffer.slice_assign(s![.., slot..end, .., ..], values)
        };
        let mut seen = Vec::with_capacity(2);
        let mut kept = Vec::with_capacity(2);
        for (buffer, new) in stored.into_iter().zip(new) {
            if !self.rolling {
                let buffer = write(buffer, start, new);
                seen.push(buffer.clone().slice(s![.., 0..start + seq, .., ..]));
                kept.push(buffer);
            } else if seq == 1 {
                let buffer = write(buffer, start % slots, new);
                seen.push(
                    buffer
                        .clone()
                        .slice(s![.., 0..(start + 1).min(slots), .., ..]),
                );
                kept.push(buffer);
            } else {
                seen.push(Tensor::cat(
                    vec![in_column_order(&buffer, start, slots), new.clone()],
                    1,
                ));
                // Only the newest columns stay, in at most two pieces around the end of the buffer.
                let first = seq.saturating_sub(slots);
                let slot = (start + first) % slots;
                let until_end = (slots - slot).min(seq - first);
                let mut buffer = write(
                    buffer,
                    slot,
                    new.clone().slice(s![.., first..first + until_end, .., ..]),
                );
                if first + until_end < seq {
                    buffer = write(buffer, 0, new.slice(s![.., first + until_end..seq, .., ..]));
                }
                kept.push(buffer);
            }
        }
        let pair = |mut both: Vec<Tensor<4>>| {
            let second = both.pop().expect("keys and values");
            [both.pop().expect("keys and values"), second]
        };
        self.layers[layer] = Some(pair(kept));
        pair(seen)
    }

    /// Counts `seq` columns that every layer has stored.
    pub(crate) fn advance(&mut self, seq: usize) {
        self.columns += seq;
    }
}

/// The columns that a rolling buffer holds, oldest first.
fn in_column_order(buffer: &Tensor<4>, columns: usize, slots: usize) -> Tensor<4> {
    if columns <= slots {
        return buffer.clone().slice(s![.., 0..columns, .., ..]);
    }
    let oldest = columns % slots;
    if oldest == 0 {
        return buffer.clone();
    }
    let old = buffer.clone().slice(s![.., oldest..slots, .., ..]);
    Tensor::cat(
        vec![old, buffer.clone().slice(s![.., 0..oldest, .., ..])],
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds columns whose value is their number and reads back what each call returns.
    fn run(window: Option<usize>, chunks: &[usize]) -> Vec<(Vec<usize>, Vec<f32>)> {
        let device = Device::flex();
        let mut cache = KvCache::new(1, 16, window, vec![0]);
        let mut out = Vec::new();
        for &seq in chunks {
            let start = cache.columns();
            let values: Vec<f32> = (start..start + seq).map(|c| c as f32).collect();
            let new = Tensor::from_data(TensorData::new(values, [1, seq, 1, 1]), &device);
            let columns = cache.key_columns(seq);
            let [keys, _] = cache.extend(0, [new.clone(), new]);
            cache.advance(seq);
            out.push((columns, keys.into_data().try_to_vec().expect("f32")));
        }
        out
    }

    #[test]
    fn every_key_stands_where_its_column_says() {
        for chunks in [&[3, 1, 1, 4, 1][..], &[1; 12], &[9, 1, 2, 1], &[5, 5, 5]] {
            for window in [None, Some(3), Some(4), Some(5)] {
                for (columns, values) in run(window, chunks) {
                    assert_eq!(
                        columns.iter().map(|&c| c as f32).collect::<Vec<_>>(),
                        values,
                        "{chunks:?} {window:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_window_keeps_exactly_its_width() {
        let steps = run(Some(4), &[6, 1, 1]);
        let mut held = steps[2].0.clone();
        held.sort_unstable();
        assert_eq!(held, [4, 5, 6, 7]);
    }

    #[test]
    #[should_panic(expected = "17 columns in a cache of 16")]
    fn too_many_columns_are_named() {
        run(None, &[16, 1]);
    }
}
