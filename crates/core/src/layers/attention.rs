//! Self-attention for every family: multi-head, grouped-query (Ainslie et al. 2023), multi-query (Shazeer 2019), with a sliding window
//! or without, cached or not.
//!
//! The fused operation serves passes without padding; those with it go through the same mathematics spelled out, with a mask, and so do
//! the probabilities that an observer wants to see.

use burn::prelude::*;
use burn::tensor::activation::softmax;

use super::{Initializer, LayerError, Pass, Projection, ProjectionConfig, Rope, at_least_one};
use crate::decode::{AttentionStep, Operation, Register};
use crate::kernels::{AttentionOptions, attention};
use crate::tape::{Tape, Value};

/// Sizes of an [`Attention`] layer.
#[derive(Clone, Copy, Debug)]
pub struct AttentionConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub d_head: usize,
    /// How many of the newest tokens a token sees, itself included; `None` for all.
    pub window: Option<usize>,
    /// Whether query, key and value projections have biases.
    pub qkv_bias: bool,
    /// Whether the output projection has a bias.
    pub out_bias: bool,
    /// Chance that a probability is dropped in training.
    pub dropout: f64,
    /// Standard deviation of the initial query, key and value weights.
    pub std: f64,
    /// Standard deviation of the initial output weights.
    pub out_std: f64,
}

/// Multi-head, grouped-query or multi-query self-attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[n_heads * d_head, d_model]`.
    pub query: Projection,
    /// `[n_kv_heads * d_head, d_model]`.
    pub key: Projection,
    /// `[n_kv_heads * d_head, d_model]`.
    pub value: Projection,
    /// `[d_model, n_heads * d_head]`.
    pub output: Projection,
    #[module(skip)]
    config: AttentionConfig,
}

impl AttentionConfig {
    /// Whether the sizes make a layer.
    ///
    /// # Errors
    /// Names the size that is zero, or does not divide, or the number out of its range.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one(&[
            ("d_model", self.d_model),
            ("n_heads", self.n_heads),
            ("n_kv_heads", self.n_kv_heads),
            ("d_head", self.d_head),
            ("window", self.window.unwrap_or(1)),
        ])?;
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return Err(LayerError::NotMultiple {
                name: "n_heads",
                value: self.n_heads,
                divisor_name: "n_kv_heads",
                divisor: self.n_kv_heads,
            });
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let allowed = "from 0 to below 1";
            return Err(LayerError::OutOfRange {
                name: "dropout",
                value: self.dropout,
                allowed,
            });
        }
        Ok(())
    }

    /// Makes the weights on `device`.
    ///
    /// # Panics
    /// When [`validate`](Self::validate) would fail.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> Attention {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        Attention {
            query: self.inward(self.n_heads).init(init, device),
            key: self.inward(self.n_kv_heads).init(init, device),
            value: self.inward(self.n_kv_heads).init(init, device),
            output: self.outward().init(init, device),
            config: *self,
        }
    }

    fn inward(&self, n_heads: usize) -> ProjectionConfig {
        ProjectionConfig {
            d_in: self.d_model,
            d_out: n_heads * self.d_head,
            bias: self.qkv_bias,
            std: self.std,
        }
    }

    fn outward(&self) -> ProjectionConfig {
        ProjectionConfig {
            d_in: self.n_heads * self.d_head,
            d_out: self.d_model,
            bias: self.out_bias,
            std: self.out_std,
        }
    }

    /// Records [`Attention::forward`] without a cache; `tables` are those of rotary positions.
    pub fn record(&self, tape: &mut Tape, x: Value, tables: Option<Value>) -> Value {
        let rotated = |tape: &mut Tape, n_heads| {
            let y = self.inward(n_heads).record(tape, x);
            tables.map_or(y, |tables| tape.rotate_half(y, tables))
        };
        let q = rotated(tape, self.n_heads);
        let k = rotated(tape, self.n_kv_heads);
        let v = self.inward(self.n_kv_heads).record(tape, x);
        let mixed = tape.attention([q, k, v], self.d_head, self.window);
        self.outward().record(tape, mixed)
    }
}

impl Attention {
    /// Mixes the positions of `x`; rotates queries and keys when the pass has rotary positions.
    ///
    /// # Shapes
    /// - `x`, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<3>, pass: &mut Pass<'_>, layer: usize) -> Tensor<3> {
        let AttentionConfig {
            n_heads,
            n_kv_heads,
            d_head,
            window,
            dropout,
            ..
        } = self.config;
        let [batch, seq, _] = x.dims();
        let mut q = self
            .query
            .forward(x.clone())
            .reshape([batch, seq, n_heads, d_head]);
        let mut k = self
            .key
            .forward(x.clone())
            .reshape([batch, seq, n_kv_heads, d_head]);
        let v = self
            .value
            .forward(x)
            .reshape([batch, seq, n_kv_heads, d_head]);
        if let Some(tables) = pass.rotary() {
            q = Rope::rotate(q, tables.clone());
            k = Rope::rotate(k, tables);
        }
        let mut options = AttentionOptions {
            window,
            first_keys: pass.first_keys(),
            dropout: pass.dropout_mask(dropout, layer, Self::DROPOUT_PLACE),
            ..AttentionOptions::causal(1.0 / (d_head as f64).sqrt())
        };
        // The mask counts the keys before the cache takes this pass's own.
        let (padded, observed) = (pass.has_padding(), pass.wants_attention(layer));
        let hidden = (padded || observed).then(|| pass.hidden(window, &q.device()));
        let [k, v] = match pass.cache() {
            Some(cache) => {
                options.causal = !cache.holds_only_the_window(seq);
                cache.extend(layer, [k, v])
            }
            None => [k, v],
        };
        let probabilities = hidden.map(|hidden| {
            let [q, k] = [q.clone(), k.clone()];
            probabilities(q, k, hidden, options.scale)
        });
        if let (true, Some(probabilities)) = (observed, &probabilities) {
            pass.show_attention(layer, probabilities.clone());
        }
        let mixed = match probabilities {
            Some(probabilities) if padded => mixed(probabilities, v),
            _ => attention(q, k, v, options),
        }; // [batch, seq, n_heads, d_head]
        self.output
            .forward(mixed.reshape([batch, seq, n_heads * d_head]))
    }

    /// This layer as a step of a plan; `None` where weights are not f32 on the CPU.
    pub fn plan(&self, from: Register) -> Option<Operation> {
        let attention = AttentionStep {
            query: self.query.plan()?,
            key: self.key.plan()?,
            value: self.value.plan()?,
            output: self.output.plan()?,
            n_heads: self.config.n_heads,
            n_kv_heads: self.config.n_kv_heads,
            d_head: self.config.d_head,
            window: self.config.window,
        };
        Some(Operation::Attention { attention, from })
    }

    /// Tells the dropout of probabilities apart from a block's own.
    const DROPOUT_PLACE: u64 = 0;
}

/// How much each query takes of each key, `[batch, heads, s, t]`. Shapes as of [`attention`]; `hidden` is `[batch or 1, 1, s, t]`.
fn probabilities(q: Tensor<4>, k: Tensor<4>, hidden: Tensor<4, Bool>, scale: f64) -> Tensor<4> {
    let [batch, s, heads, d] = q.dims();
    let [_, t, kv_heads, _] = k.dims();
    let group = heads / kv_heads;
    // A group's queries become rows of their key head: no copies of keys and values.
    let q = q.swap_dims(1, 2).reshape([batch, kv_heads, group * s, d]);
    let k = k.swap_dims(1, 2); // [batch, kv_heads, t, d]
    let scores = q
        .matmul(k.swap_dims(2, 3))
        .mul_scalar(scale)
        .reshape([batch, heads, s, t]);
    // Finite, so that rows of padding, which see nothing, give numbers and not NaN; nobody reads them.
    let scores = scores.mask_fill(hidden.expand([batch, heads, s, t]), -1e9);
    softmax(scores, 3)
}

/// The values in these proportions, `[batch, s, heads, d]`.
fn mixed(probabilities: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    let [batch, heads, s, t] = probabilities.dims();
    let [_, _, kv_heads, d] = v.dims();
    let p = probabilities.reshape([batch, kv_heads, heads / kv_heads * s, t]);
    let mixed = p.matmul(v.swap_dims(1, 2));
    mixed.reshape([batch, heads, s, d]).swap_dims(1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{KvCache, Observer, RopeConfig};
    use burn::tensor::{DType, Tolerance};

    fn config(n_kv_heads: usize, window: Option<usize>) -> AttentionConfig {
        AttentionConfig {
            d_model: 16,
            n_heads: 4,
            n_kv_heads,
            d_head: 6,
            window,
            qkv_bias: true,
            out_bias: true,
            dropout: 0.0,
            std: 0.4,
            out_std: 0.4,
        }
    }

    /// Runs `x` through the layer in the given chunks with a cache.
    fn cached(
        layer: &Attention,
        x: &Tensor<3>,
        window: Option<usize>,
        chunks: &[usize],
        padding: Vec<usize>,
    ) -> Tensor<3> {
        let rope = RopeConfig {
            d_head: 6,
            theta: 100.0,
            max_seq_len: 64,
            scaling: None,
        }
        .init();
        let mut cache = KvCache::new(1, 64, window, padding);
        let mut parts = Vec::new();
        let mut at = 0;
        for &seq in chunks {
            let mut pass = Pass::cached(seq, &mut cache);
            pass.set_rope(&rope, &x.device(), DType::F32);
            parts.push(layer.forward(x.clone().slice(s![.., at..at + seq, ..]), &mut pass, 0));
            pass.finish();
            at += seq;
        }
        Tensor::cat(parts, 1)
    }

    fn close(a: Tensor<3>, b: Tensor<3>) {
        a.into_data()
            .assert_approx_eq::<f32>(&b.into_data(), Tolerance::absolute(2e-5));
    }

    #[test]
    fn chunks_through_the_cache_equal_one_pass() {
        let device = Device::flex();
        for kv_heads in [1, 2, 4] {
            for window in [None, Some(1), Some(3), Some(5)] {
                let mut init = Initializer::new(5);
                let layer = config(kv_heads, window).init(&mut init, &device);
                let x = init.normal([2, 12, 16], 1.0, &device).val();
                let whole = cached(&layer, &x, window, &[12], vec![0, 0]);
                for chunks in [&[1; 12][..], &[4, 1, 1, 6], &[7, 2, 3]] {
                    close(
                        cached(&layer, &x, window, chunks, vec![0, 0]),
                        whole.clone(),
                    );
                }
            }
        }
    }

    #[test]
    fn a_window_is_exactly_as_wide_as_it_says() {
        let device = Device::flex();
        let mut init = Initializer::new(6);
        let layer = config(2, Some(3)).init(&mut init, &device);
        let x = init.normal([1, 8, 16], 1.0, &device).val();
        let last = |x: Tensor<3>| {
            layer
                .forward(x, &mut Pass::new(8), 0)
                .slice(s![.., 7..8, ..])
                .into_data()
        };
        let changed_at = |i: usize| {
            let other = Tensor::<3>::ones([1, 1, 16], &device);
            last(x.clone().slice_assign(s![.., i..i + 1, ..], other))
        };
        assert_eq!(
            last(x.clone()),
            changed_at(4),
            "the fourth newest token must not be seen"
        );
        assert_ne!(
            last(x.clone()),
            changed_at(5),
            "the third newest token must be seen"
        );
    }

    #[test]
    fn a_padded_row_equals_the_row_alone() {
        let device = Device::flex();
        for window in [None, Some(3)] {
            let mut init = Initializer::new(7);
            let layer = config(2, window).init(&mut init, &device);
            let x = init.normal([2, 9, 16], 1.0, &device).val();
            let alone = cached(
                &layer,
                &x.clone().slice(s![1..2, 4..9, ..]),
                window,
                &[5],
                vec![0],
            );
            for chunks in [&[9][..], &[6, 1, 1, 1], &[1; 9]] {
                let both = cached(&layer, &x, window, chunks, vec![0, 4]);
                close(both.slice(s![1..2, 4..9, ..]), alone.clone());
            }
        }
    }

    #[test]
    fn the_masked_form_equals_the_fused_one() {
        let device = Device::flex();
        let mut init = Initializer::new(8);
        let [q, k, v] = [4, 2, 2].map(|heads| init.normal([2, 7, heads, 6], 1.0, &device).val());
        let documents = vec![0, 0, 0, 3, 3, 3, 3, 0, 0, 2, 2, 2, 2, 6];
        for first_columns in [None, Some(documents)] {
            for window in [None, Some(3)] {
                let mut pass = match &first_columns {
                    Some(first_columns) => Pass::of_documents(7, first_columns.clone()),
                    None => Pass::new(7),
                };
                let options = AttentionOptions {
                    window,
                    first_keys: pass.first_keys(),
                    ..AttentionOptions::causal(0.4)
                };
                let hidden = pass.hidden(window, &device);
                let fused = attention(q.clone(), k.clone(), v.clone(), options);
                let probabilities = probabilities(q.clone(), k.clone(), hidden, 0.4);
                let masked = mixed(probabilities, v.clone());
                fused
                    .into_data()
                    .assert_approx_eq::<f32>(&masked.into_data(), Tolerance::absolute(1e-5));
            }
        }
    }

    /// Keeps what it is shown of layer 1.
    #[derive(Debug, Default)]
    struct Watcher(Vec<Tensor<4>>);

    impl Observer for Watcher {
        fn wants_attention(&self, layer: usize) -> bool {
            layer == 1
        }

        fn attention(&mut self, layer: usize, probabilities: Tensor<4>) {
            assert_eq!(layer, 1);
            self.0.push(probabilities);
        }
    }

    #[test]
    fn an_observer_sees_what_is_computed_and_changes_no_bit() {
        let device = Device::flex();
        let mut init = Initializer::new(9);
        let layer = config(2, Some(3)).init(&mut init, &device);
        let x = init.normal([1, 8, 16], 1.0, &device).val();
        let plain = layer.forward(x.clone(), &mut Pass::new(8), 1).into_data();
        let mut watcher = Watcher::default();
        let mut pass = Pass::new(8).observed(&mut watcher);
        layer.forward(x.clone(), &mut pass, 0);
        let observed = layer.forward(x.clone(), &mut pass, 1);
        assert_eq!(observed.into_data(), plain);
        assert_eq!(watcher.0.len(), 1);
        let p = watcher.0.remove(0);
        assert_eq!(p.dims(), [1, 4, 8, 8]);
        let v = layer.value.forward(x).reshape([1, 8, 2, 6]);
        let out = layer
            .output
            .forward(mixed(p.clone(), v).reshape([1, 8, 24]));
        out.into_data()
            .assert_approx_eq::<f32>(&plain, Tolerance::absolute(1e-5));
        let values: Vec<f32> = p.into_data().try_to_vec().expect("f32");
        for (i, row) in values.chunks(8).enumerate() {
            let query = i % 8;
            let sum: f32 = row.iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            for (key, p) in row.iter().enumerate() {
                let seen = key <= query && query < key + 3;
                assert_eq!(*p > 0.0, seen, "{query} {key} {p}");
            }
        }
    }

    #[test]
    fn sizes_that_make_no_layer_are_named() {
        let check = |change: fn(&mut AttentionConfig)| {
            let mut config = config(2, None);
            change(&mut config);
            config.validate().expect_err("refused").to_string()
        };
        assert!(
            check(|c| c.n_heads = 5)
                .contains("n_heads is 5: it must be a multiple of n_kv_heads = 2")
        );
        assert!(check(|c| c.n_kv_heads = 0).contains("n_kv_heads is 0"));
        assert!(check(|c| c.window = Some(0)).contains("window is 0"));
        assert!(check(|c| c.dropout = 1.0).contains("dropout is 1"));
        assert!(check(|c| c.dropout = f64::NAN).contains("dropout"));
    }
}
