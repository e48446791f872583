//! Runs plans: one pass over the new tokens of some sequences.

use rayon::prelude::*;

use super::cache::SequenceCache;
use super::linear::{Linear, Weights, multiply};
use super::plan::{AttentionStep, FeedForwardStep, NormStep, Operation, Plan, Register};
use crate::kernels::simd::vectorized;
use crate::kernels::{activation, attention, attention_row, layer_norm, rms_norm, rope, swiglu};

/// Rows of a norm that one thread takes at a time.
const NORM_ROWS: usize = 16;

/// New tokens of a sequence up to which each is a query of its own.
const FEW_QUERIES: usize = 8;

/// New tokens of one sequence in a pass.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// What the sequence has seen; takes the new tokens.
    pub cache: &'a mut SequenceCache,
    /// The new tokens, at least one.
    pub tokens: &'a [u32],
    /// After how many of them, the last ones, scores are wanted.
    pub n_scored: usize,
}

/// Runs one [`Plan`], with buffers that are used again from pass to pass.
#[derive(Debug)]
pub struct Executor {
    plan: Plan,
    buffers: Buffers,
}

/// Each `[rows, width]`.
#[derive(Debug, Default)]
struct Buffers {
    stream: Vec<f32>,
    branch: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    mixed: Vec<f32>,
    inner: Vec<f32>,
    gate: Vec<f32>,
    logits: Vec<f32>,
}

impl Executor {
    /// An executor of `plan`.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            buffers: Buffers::default(),
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs the new tokens of all chunks through the model. The scores of the next token, `[Σ n_scored, vocab_size]`, in the order of the
    /// chunks.
    ///
    /// In passes of at most 32 tokens the bits of chunks of at most 8 do not depend on how their tokens are spread over passes, nor on
    /// the chunks beside them. No bits depend on the number of threads.
    ///
    /// # Panics
    /// When a chunk has no token or scores more than it has, or when a token or a position has no embedding.
    pub fn run(&mut self, chunks: &mut [Chunk<'_>]) -> &[f32] {
        let Self { plan, buffers } = self;
        for chunk in &*chunks {
            let n = chunk.tokens.len();
            assert!(n > 0 && chunk.n_scored <= n, "{} of {n}", chunk.n_scored);
        }
        let mut rows: usize = chunks.iter().map(|chunk| chunk.tokens.len()).sum();
        buffers.embed(plan, chunks);
        let rotations: Vec<_> = chunks.iter().map(|chunk| rotation(plan, chunk)).collect();
        let n_layers = plan.attentions().count();
        let mut layer = 0;
        for operation in &plan.operations {
            match operation {
                Operation::Norm { norm, from, to } => buffers.norm(norm, *from, *to),
                Operation::Attention { attention, from } => {
                    buffers.attend(attention, *from, chunks, &rotations, layer);
                    layer += 1;
                    if layer == n_layers {
                        // No later token reads the others: from here on only the scored rows count.
                        rows = buffers.keep_scored(chunks, rows);
                    }
                }
                Operation::FeedForward { feed_forward, from } => {
                    buffers.feed_forward(feed_forward, *from, rows);
                }
                Operation::Add => add(&mut buffers.stream, &buffers.branch),
            }
        }
        for chunk in chunks {
            chunk.cache.advance(chunk.tokens.len());
        }
        if rows > 0 {
            multiply(&buffers.stream, rows, [(&plan.head, &mut buffers.logits)]);
        }
        &buffers.logits[..rows * plan.vocab_size()]
    }
}

impl Buffers {
    fn register(&self, register: Register) -> &[f32] {
        match register {
            Register::Stream => &self.stream,
            Register::Branch => &self.branch,
        }
    }

    fn embed(&mut self, plan: &Plan, chunks: &[Chunk<'_>]) {
        self.stream.clear();
        for chunk in chunks {
            for (position, &token) in (chunk.cache.len()..).zip(chunk.tokens) {
                let start = self.stream.len();
                self.stream
                    .extend_from_slice(plan.token_embedding.row(token as usize));
                if let Some(positions) = &plan.position_embedding {
                    add(&mut self.stream[start..], positions.row(position));
                }
            }
        }
        self.branch.resize(self.stream.len(), 0.0);
    }

    fn norm(&mut self, norm: &NormStep, from: Register, to: Register) {
        // The other register is free: a norm in place goes through it.
        let (x, y) = match from {
            Register::Stream => (&self.stream, &mut self.branch),
            Register::Branch => (&self.branch, &mut self.stream),
        };
        match norm {
            NormStep::Layer { weight, bias, eps } => {
                let gamma = weight.values();
                let zeros = bias.is_none().then(|| vec![0.0; gamma.len()]);
                let beta = bias.as_ref().map(Weights::values);
                let beta = beta.or(zeros.as_deref()).expect("one of the two");
                by_rows(x, y, gamma.len(), |x, y| {
                    vectorized(
                        #[inline(always)]
                        || layer_norm::flex::forward_row(y, x, gamma, beta, *eps),
                    );
                });
            }
            NormStep::Rms { weight, eps } => {
                let gamma = weight.values();
                by_rows(x, y, gamma.len(), |x, y| {
                    vectorized(
                        #[inline(always)]
                        || rms_norm::flex::forward_row(y, x, gamma, *eps),
                    );
                });
            }
        }
        if from == to {
            std::mem::swap(&mut self.stream, &mut self.branch);
        }
    }

    fn attend(
        &mut self,
        step: &AttentionStep,
        from: Register,
        chunks: &mut [Chunk<'_>],
        rotations: &[Option<Rotation>],
        layer: usize,
    ) {
        let rows = chunks.iter().map(|chunk| chunk.tokens.len()).sum();
        let (mut query, mut key, mut value) = (
            std::mem::take(&mut self.query),
            std::mem::take(&mut self.key),
            std::mem::take(&mut self.value),
        );
        let x = self.register(from);
        let products = [
            (&step.query, &mut query),
            (&step.key, &mut key),
            (&step.value, &mut value),
        ];
        multiply(x, rows, products);

        self.mixed.resize(query.len(), 0.0);
        let (q_width, kv_width) = (step.n_heads * step.d_head, step.n_kv_heads * step.d_head);
        let mut start = 0;
        for (chunk, rotation) in chunks.iter_mut().zip(rotations) {
            let n = chunk.tokens.len();
            let [q, k, v] = [
                &mut query[start * q_width..][..n * q_width],
                &mut key[start * kv_width..][..n * kv_width],
                &mut value[start * kv_width..][..n * kv_width],
            ];
            if let Some(Rotation { cos, sin }) = rotation {
                rope::flex::rotate_rows(q, step.d_head, cos, sin);
                rope::flex::rotate_rows(k, step.d_head, cos, sin);
            }
            chunk.cache.extend(layer, k, v);
            let mixed = &mut self.mixed[start * q_width..][..n * q_width];
            mix(step, chunk.cache, layer, q, mixed);
            start += n;
        }
        (self.query, self.key, self.value) = (query, key, value);
        multiply(
            &self.mixed[..rows * q_width],
            rows,
            [(&step.output, &mut self.branch)],
        );
    }

    /// Moves the rows whose scores are wanted to the front; their number.
    fn keep_scored(&mut self, chunks: &[Chunk<'_>], rows: usize) -> usize {
        let width = self.stream.len() / rows;
        let (mut start, mut kept) = (0, 0);
        for chunk in chunks {
            let end = start + chunk.tokens.len();
            let scored = (end - chunk.n_scored) * width..end * width;
            self.stream.copy_within(scored.clone(), kept * width);
            self.branch.copy_within(scored, kept * width);
            kept += chunk.n_scored;
            start = end;
        }
        self.stream.truncate(kept * width);
        self.branch.truncate(kept * width);
        kept
    }

    fn feed_forward(&mut self, step: &FeedForwardStep, from: Register, rows: usize) {
        if rows == 0 {
            return;
        }
        let (mut inner, mut gate) = (
            std::mem::take(&mut self.inner),
            std::mem::take(&mut self.gate),
        );
        let x = self.register(from);
        let down: &Linear = match step {
            FeedForwardStep::Plain {
                up,
                activation,
                down,
            } => {
                multiply(x, rows, [(up, &mut inner)]);
                activation::flex::in_place(&mut inner, *activation);
                down
            }
            FeedForwardStep::Gated { gate: by, up, down } => {
                multiply(x, rows, [(by, &mut gate), (up, &mut inner)]);
                swiglu::flex::in_place(&gate, &mut inner);
                down
            }
        };
        multiply(&inner, rows, [(down, &mut self.branch)]);
        (self.inner, self.gate) = (inner, gate);
    }
}

/// Attention of the newest tokens of one sequence, whose keys and values its cache has taken.
fn mix(step: &AttentionStep, cache: &SequenceCache, layer: usize, q: &[f32], out: &mut [f32]) {
    let heads = attention_row::Heads {
        n_heads: step.n_heads,
        n_kv_heads: step.n_kv_heads,
        d_head: step.d_head,
    };
    let [keys, values] = cache.held(layer);
    let n = q.len() / (step.n_heads * step.d_head);
    let held = keys.len() / (step.n_kv_heads * step.d_head);
    if n <= FEW_QUERIES {
        attention_row::attend(q, keys, values, heads, step.window, out);
    } else {
        attention::flex::attend(q, keys, values, [n, held], heads, step.window, out);
    }
}

/// Cosines and sines of new positions, `[tokens, d_head / 2]` each.
struct Rotation {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

fn rotation(plan: &Plan, chunk: &Chunk<'_>) -> Option<Rotation> {
    let start = chunk.cache.len();
    let positions = start..start + chunk.tokens.len();
    let length = positions.end;
    let turns = plan.rope.as_ref()?.turns(positions, length);
    let [cos, sin] = turns.map(|values| values.into_iter().map(|value| value as f32).collect());
    Some(Rotation { cos, sin })
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// Applies `f` to every row of `x` and of `y`.
fn by_rows(x: &[f32], y: &mut [f32], width: usize, f: impl Fn(&[f32], &mut [f32]) + Sync) {
    y.par_chunks_mut(NORM_ROWS * width)
        .zip(x.par_chunks(NORM_ROWS * width))
        .for_each(|(y, x)| {
            x.chunks_exact(width)
                .zip(y.chunks_exact_mut(width))
                .for_each(|(x, y)| f(x, y));
        });
}
