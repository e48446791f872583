//! Keys and values of one sequence.

use super::plan::Plan;

/// Positions kept beyond a window, so that the newest tokens can be taken back.
const SLACK: usize = 64;

/// Keys and values of the tokens of one sequence, in all layers.
///
/// With a sliding window the oldest positions are let go: memory stays below two windows.
#[derive(Clone, Debug)]
pub struct SequenceCache {
    layers: Vec<Layer>,
    window: Option<usize>,
    /// First position that is held.
    first: usize,
    /// Positions seen, those let go included.
    len: usize,
}

/// Rows of `n_kv_heads * d_head` values, one for each position held.
#[derive(Clone, Debug)]
struct Layer {
    keys: Vec<f32>,
    values: Vec<f32>,
    width: usize,
}

/// Positions that a cache for `capacity` holds at most, with a window or without.
pub fn room(window: Option<usize>, capacity: usize) -> usize {
    window.map_or(capacity, |window| capacity.min(2 * (window + SLACK)))
}

impl SequenceCache {
    /// An empty cache for the layers of `plan`, with room for `capacity` positions; more may come.
    pub fn new(plan: &Plan, capacity: usize) -> Self {
        let window = plan.window();
        let room = room(window, capacity);
        let layer = |width| Layer {
            keys: Vec::with_capacity(room * width),
            values: Vec::with_capacity(room * width),
            width,
        };
        let widths = plan.attentions().map(|a| a.n_kv_heads * a.d_head);
        Self {
            layers: widths.map(layer).collect(),
            window,
            first: 0,
            len: 0,
        }
    }

    /// Tokens seen so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token was seen.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Size of what is held, in bytes.
    pub fn bytes(&self) -> usize {
        let values = |layer: &Layer| layer.keys.len() + layer.values.len();
        self.layers.iter().map(values).sum::<usize>() * size_of::<f32>()
    }

    /// Whether the tokens after the first `len` can be taken back. Always without a window; with one at least the 64 newest can.
    pub fn can_truncate(&self, len: usize) -> bool {
        let oldest_seen = self
            .window
            .map_or(0, |window| (len + 1).saturating_sub(window));
        len == 0 || (len <= self.len && oldest_seen >= self.first)
    }

    /// Takes back all tokens but the first `len`.
    ///
    /// # Panics
    /// When [`can_truncate`](Self::can_truncate) says no.
    pub fn truncate(&mut self, len: usize) {
        assert!(
            self.can_truncate(len),
            "{len} tokens of a cache with {}, from {} on",
            self.len,
            self.first
        );
        if len == 0 {
            self.first = 0;
        }
        for layer in &mut self.layers {
            let held = (len - self.first) * layer.width;
            layer.keys.truncate(held);
            layer.values.truncate(held);
        }
        self.len = len;
    }

    /// Stores keys and values of new tokens.
    pub(super) fn extend(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let layer = &mut self.layers[layer];
        layer.keys.extend_from_slice(keys);
        layer.values.extend_from_slice(values);
    }

    /// Keys and values of a layer for the newest positions, as many as are held, `[held, n_kv_heads * d_head]` each.
    pub(super) fn held(&self, layer: usize) -> [&[f32]; 2] {
        let layer = &self.layers[layer];
        [&layer.keys, &layer.values]
    }

    /// Counts `n` tokens that every layer has stored, and lets the oldest go that no window reaches.
    pub(super) fn advance(&mut self, n: usize) {
        self.len += n;
        let Some(window) = self.window else { return };
        let kept = window + SLACK;
        if self.len - self.first <= 2 * kept {
            return;
        }
        let dropped = self.len - self.first - kept;
        for layer in &mut self.layers {
            layer.keys.drain(..dropped * layer.width);
            layer.values.drain(..dropped * layer.width);
        }
        self.first += dropped;
    }
}
