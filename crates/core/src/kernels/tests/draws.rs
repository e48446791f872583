//! What proptest draws: every kernel with its sizes.

use proptest::prelude::*;
use proptest::sample::select;

use super::calls::{Angles, Kernel, View};
use crate::kernels::{ActivationKind, CrossEntropyOptions};

/// Sizes at and around those of vector registers, of [`LANES`](crate::kernels::simd) and of blocks of rows.
fn size() -> impl Strategy<Value = usize> {
    const EDGES: [usize; 15] = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 67];
    prop_oneof![3 => select(&EDGES[..]), 1 => 1usize..=70]
}

/// Sizes that give several threads something to do.
fn large() -> impl Strategy<Value = usize> {
    select(&[1usize, 8, 9, 33, 129, 200, 257][..])
}

fn boxed<S: Strategy<Value = Kernel> + 'static>(strategy: S) -> BoxedStrategy<Kernel> {
    strategy.boxed()
}

/// Which sizes to draw.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sizes {
    Edges,
    Large,
}

impl Sizes {
    fn draw(self) -> BoxedStrategy<usize> {
        match self {
            Sizes::Edges => size().boxed(),
            Sizes::Large => large().boxed(),
        }
    }

    fn pair(self) -> BoxedStrategy<(usize, usize)> {
        (self.draw(), self.draw()).boxed()
    }
}

pub(super) fn linears(sizes: Sizes) -> BoxedStrategy<Kernel> {
    // Half of the cases have as few rows as decoding has.
    let rows = prop_oneof![1usize..=9, sizes.draw()];
    boxed((rows, sizes.draw(), sizes.draw(), any::<bool>()).prop_map(
        |(rows, d_in, d_out, bias)| Kernel::Linear {
            rows,
            d_in,
            d_out,
            bias,
        },
    ))
}

pub(super) fn rms_norms(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        sizes
            .pair()
            .prop_map(|(rows, width)| Kernel::RmsNorm { rows, width }),
    )
}

pub(super) fn layer_norms(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        sizes
            .pair()
            .prop_map(|(rows, width)| Kernel::LayerNorm { rows, width }),
    )
}

pub(super) fn cross_entropies(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        (
            sizes.pair(),
            select(&[0.0, 0.1][..]),
            select(&[0.0, 1e-4][..]),
        )
            .prop_map(
                |((rows, vocab), label_smoothing, z_loss)| Kernel::CrossEntropy {
                    rows,
                    vocab,
                    options: CrossEntropyOptions {
                        label_smoothing,
                        z_loss,
                    },
                },
            ),
    )
}

pub(super) fn attentions(sizes: Sizes) -> BoxedStrategy<Kernel> {
    let seq = match sizes {
        Sizes::Edges => size().boxed(),
        Sizes::Large => select(&[1usize, 65, 130][..]).boxed(),
    };
    let more_keys = select(&[0usize, 0, 1, 5, 64][..]);
    let heads = (1usize..=2, 1usize..=2, 1usize..=3);
    let window = prop_oneof![
        Just(None),
        select(&[1usize, 2, 3, 31, 32, 33, 64, 1000][..]).prop_map(Some)
    ];
    let document = select(&[None, Some(1usize), Some(3), Some(40)][..]);
    let dropout = select(&[None, Some(0.25)][..]);
    let options = (any::<bool>(), window, document, dropout);
    boxed((seq, more_keys, heads, size(), options).prop_map(
        |(s, more_keys, (batch, kv_heads, group), d, (causal, window, document, dropout))| {
            // Without order there may also be fewer keys than queries.
            let t = if causal {
                s + more_keys
            } else {
                (s + more_keys).div_ceil(2)
            };
            Kernel::Attention {
                batch,
                s,
                t,
                kv_heads,
                group,
                d,
                causal,
                window,
                document: document.filter(|_| causal),
                dropout,
            }
        },
    ))
}

pub(super) fn rotations(sizes: Sizes) -> BoxedStrategy<Kernel> {
    let angles = select(&[Angles::Shared, Angles::OfEachSequence][..]);
    boxed(
        (1usize..=3, angles, sizes.draw(), 1usize..=3, size()).prop_map(
            |(batch, angles, seq, heads, half)| Kernel::RotateHalf {
                batch,
                angles,
                seq,
                heads,
                half,
            },
        ),
    )
}

pub(super) fn activations(sizes: Sizes) -> BoxedStrategy<Kernel> {
    let kinds = [
        ActivationKind::Gelu,
        ActivationKind::GeluTanh,
        ActivationKind::Silu,
        ActivationKind::Relu,
    ];
    boxed(
        (sizes.pair(), select(kinds.to_vec()))
            .prop_map(|((rows, width), kind)| Kernel::Activation { rows, width, kind }),
    )
}

pub(super) fn swiglus(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        sizes
            .pair()
            .prop_map(|(rows, width)| Kernel::SwiGlu { rows, width }),
    )
}

pub(super) fn adamw_steps(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        (sizes.pair(), select(&[1u64, 2, 1000, 1_000_000][..]))
            .prop_map(|((rows, width), step)| Kernel::AdamW { rows, width, step }),
    )
}

pub(super) fn sums_of_squares(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        sizes
            .pair()
            .prop_map(|(rows, width)| Kernel::SumOfSquares { rows, width }),
    )
}

pub(super) fn orthogonalizations(sizes: Sizes) -> BoxedStrategy<Kernel> {
    boxed(
        sizes
            .pair()
            .prop_map(|(rows, width)| Kernel::Orthogonalize { rows, width }),
    )
}

pub(super) fn views() -> impl Strategy<Value = View> {
    select(&[View::Whole, View::Inside, View::Swapped][..])
}
