//! Attention as decoding has it, a query at a time, against the attention of whole blocks.

use proptest::prelude::*;
use proptest::sample::select;

use super::properties::for_all;
use crate::gradient_check::normal;
use crate::kernels::attention::flex::attend as attend_blocks;
use crate::kernels::attention_row::{Heads, attend};

#[derive(Clone, Debug)]
struct Call {
    n: usize,
    held: usize,
    n_kv_heads: usize,
    group: usize,
    d_head: usize,
    window: Option<usize>,
    scale: f32,
    seed: u64,
}

fn calls() -> impl Strategy<Value = Call> {
    let sizes = (1usize..=8, 0usize..70, 1usize..=3, 1usize..=3);
    let widths = select(&[1usize, 2, 6, 16, 17, 31, 64, 67][..]);
    let window = prop_oneof![Just(None), (1usize..12).prop_map(Some)];
    let scale = select(&[1.0f32, 30.0, 1e4, 1e-40][..]);
    (sizes, widths, window, scale, 0u64..1 << 32).prop_map(
        |((n, before, n_kv_heads, group), d_head, window, scale, seed)| Call {
            n,
            held: before + n,
            n_kv_heads,
            group,
            d_head,
            window,
            scale,
            seed,
        },
    )
}

#[test]
fn a_query_at_a_time_is_the_block() {
    for_all(256, calls(), |call| {
        let &Call {
            n,
            held,
            n_kv_heads,
            d_head,
            window,
            ..
        } = call;
        let heads = Heads {
            n_heads: n_kv_heads * call.group,
            n_kv_heads,
            d_head,
        };
        let width = heads.n_heads * d_head;
        let numbers = |salt: u64, len: usize, scale: f32| -> Vec<f32> {
            let values = normal(call.seed ^ salt, len);
            values.into_iter().map(|v| v as f32 * scale).collect()
        };
        let q = numbers(1, n * width, call.scale);
        let [k, v] = [2, 3].map(|salt| numbers(salt, held * n_kv_heads * d_head, 1.0));

        let mut rows = vec![f32::NAN; q.len()];
        attend(&q, &k, &v, heads, window, &mut rows);
        let mut block = vec![f32::NAN; q.len()];
        attend_blocks(&q, &k, &v, [n, held], heads, window, &mut block);
        for (row, block) in rows.iter().zip(&block) {
            // Large scores are rounded to fewer digits, and not in the same order.
            let off = 1e-5 + 2e-6 * call.scale;
            prop_assert!((row - block).abs() <= off, "{} is not {}", row, block);
        }

        // The same bits one query after the other, each over what it may see.
        for i in 0..n {
            let seen = (held - n + i + 1) * n_kv_heads * d_head;
            let mut alone = vec![f32::NAN; width];
            let q = &q[i * width..][..width];
            attend(q, &k[..seen], &v[..seen], heads, window, &mut alone);
            prop_assert_eq!(&alone[..], &rows[i * width..][..width]);
        }
        Ok(())
    });
}
