//! Dropout whose mask is a pure function of (seed, step, micro-batch, layer, place): a recomputed pass sees the same mask.

use burn::prelude::*;
use rayon::prelude::*;

use crate::kernels::DropoutMask;
use crate::random::{RandomKey, Stream};
use crate::tape::{Operation, Tape, Value};

/// Names the masks of one forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutKey(RandomKey);

impl DropoutKey {
    /// The masks of one micro-batch of one optimizer step.
    pub fn new(seed: u64, step: u64, micro_batch: u64) -> Self {
        Self(
            RandomKey::new(seed, Stream::Dropout)
                .child(step)
                .child(micro_batch),
        )
    }

    /// The mask of one call of a layer; `place` tells its calls apart.
    pub(crate) fn mask(self, p: f64, layer: usize, place: u64) -> DropoutMask {
        DropoutMask::new(self.0.child(layer as u64).child(place), p)
    }

    /// Sets each value to 0 with probability `p` and divides the others by `1 - p`.
    pub(crate) fn apply<const D: usize>(
        self,
        x: Tensor<D>,
        p: f64,
        layer: usize,
        place: u64,
    ) -> Tensor<D> {
        if p == 0.0 {
            return x;
        }
        let mask = self.mask(p, layer, place);
        let shape = x.dims();
        let mask: Vec<f32> = (0..shape.iter().product::<usize>())
            .into_par_iter()
            .with_min_len(4096)
            .map(|i| mask.factor(i as u64))
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, shape), (&x.device(), x.dtype()));
        x * mask
    }
}

impl Tape {
    /// Records that values of `x` are dropped with probability `p` in training; the factors are kept.
    pub fn dropout(&mut self, x: Value, p: f64) -> Value {
        if p == 0.0 || !self.is_training() {
            return x;
        }
        let operation = Operation {
            inputs: vec![x],
            keeps_more: x.len(),
            in_place: true,
            ..Operation::default()
        };
        self.push(operation, x.rows, x.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ones(device: &Device) -> Tensor<2> {
        Tensor::ones([100, 100], device)
    }

    #[test]
    fn the_share_and_the_mean_are_right() {
        let y = DropoutKey::new(1, 2, 3).apply(ones(&Device::flex()), 0.2, 0, 0);
        let values: Vec<f32> = y.into_data().try_to_vec().expect("f32");
        let zeros = values.iter().filter(|v| **v == 0.0).count();
        assert!(
            (1_880..2_120).contains(&zeros),
            "{zeros} of 10000 dropped at p = 0.2"
        );
        assert!(values.iter().all(|v| *v == 0.0 || *v == 1.25));
    }

    #[test]
    fn the_mask_depends_on_every_part_of_its_name_and_on_nothing_else() {
        let device = Device::flex();
        let mask = |seed, step, micro, layer, place| {
            let y = DropoutKey::new(seed, step, micro).apply(ones(&device), 0.5, layer, place);
            y.into_data().try_to_vec::<f32>().expect("f32")
        };
        let one = mask(1, 1, 1, 1, 1);
        assert_eq!(one, mask(1, 1, 1, 1, 1));
        for other in [
            mask(2, 1, 1, 1, 1),
            mask(1, 2, 1, 1, 1),
            mask(1, 1, 2, 1, 1),
            mask(1, 1, 1, 2, 1),
            mask(1, 1, 1, 1, 2),
        ] {
            assert_ne!(one, other);
        }
    }
}
