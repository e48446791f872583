//! Positions of tokens, and the two ways of adding them to embeddings: learned vectors and sinusoids.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::DType;

use super::Initializer;
use crate::kernels::embedding;
use crate::tape::{Tape, Value};

/// The position of every token of a pass, `[batch, seq]`, or `[1, seq]` when all rows share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    rows: Vec<Vec<usize>>,
}

impl Positions {
    /// `seq` positions from `start` on, for rows whose first `padding[row]` columns are padding and do not count.
    pub(crate) fn new(start: usize, seq: usize, padding: &[usize]) -> Self {
        let row = |padding: usize| {
            (start..start + seq)
                .map(|column| column.saturating_sub(padding))
                .collect()
        };
        let same = padding.iter().all(|&p| p == 0);
        Self {
            rows: if same {
                vec![row(0)]
            } else {
                padding.iter().map(|&p| row(p)).collect()
            },
        }
    }

    /// Positions within documents, in rows of `seq` columns whose documents begin at `first_columns`.
    pub(crate) fn of_documents(seq: usize, first_columns: &[u32]) -> Self {
        let position = |(column, &first): (usize, &u32)| {
            column
                .checked_sub(first as usize)
                .expect("a document begins before its end")
        };
        let row = |first: &[u32]| first.iter().enumerate().map(position).collect();
        Self {
            rows: first_columns.chunks_exact(seq).map(row).collect(),
        }
    }

    /// Number of rows: the batch, or 1 when all rows share their positions.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of tokens in a row.
    pub fn seq(&self) -> usize {
        self.rows[0].len()
    }

    /// Row after row.
    pub fn iter(&self) -> impl Iterator<Item = usize> + Clone {
        self.rows.iter().flatten().copied()
    }

    /// The largest position.
    pub fn last(&self) -> usize {
        self.iter().max().unwrap_or(0)
    }
}

/// Sizes of [`LearnedPositions`].
#[derive(Clone, Copy, Debug)]
pub struct LearnedPositionsConfig {
    /// Number of positions.
    pub max_seq_len: usize,
    /// Width of a vector.
    pub d_model: usize,
    /// Standard deviation of the initial vectors.
    pub std: f64,
}

/// One trained vector for each position (Radford et al. 2018).
#[derive(Module, Debug)]
pub struct LearnedPositions {
    /// `[max_seq_len, d_model]`.
    pub weight: Param<Tensor<2>>,
}

impl LearnedPositionsConfig {
    /// Makes the vectors on `device`.
    pub fn init(&self, init: &mut Initializer, device: &Device) -> LearnedPositions {
        LearnedPositions {
            weight: init.normal([self.max_seq_len, self.d_model], self.std, device),
        }
    }
}

impl LearnedPositionsConfig {
    /// Records [`LearnedPositions::forward`] for rows that share their positions.
    pub fn record(&self, tape: &mut Tape) -> Value {
        let table = tape.parameter(self.max_seq_len * self.d_model);
        tape.embedding(table, tape.seq(), self.d_model)
    }
}

impl LearnedPositions {
    /// The vectors of the positions, `[batch or 1, seq, d_model]`.
    ///
    /// # Panics
    /// When a position is not below `max_seq_len`.
    pub fn forward(&self, positions: &Positions) -> Tensor<3> {
        let weight = self.weight.val();
        let [max_seq_len, d_model] = weight.dims();
        assert!(
            positions.last() < max_seq_len,
            "position {} of a model with {max_seq_len}",
            positions.last()
        );
        let ids: Vec<i32> = positions.iter().map(|p| p as i32).collect();
        let ids = Tensor::<1, Int>::from_data(ids.as_slice(), &weight.device());
        embedding(weight, ids).reshape([positions.n_rows(), positions.seq(), d_model])
    }
}

/// Fixed vectors of sines and cosines (Vaswani et al. 2017, section 3.5): `sin(p / 10000^(2i/d))` at `2i`, the cosine at `2i + 1`.
#[derive(Clone, Copy, Debug)]
pub struct SinusoidalPositions {
    /// Width of a vector.
    pub d_model: usize,
}

impl SinusoidalPositions {
    /// The vectors of the positions, `[batch or 1, seq, d_model]`.
    pub fn forward(&self, positions: &Positions, device: &Device, dtype: DType) -> Tensor<3> {
        let angle = |p: usize, i: usize| {
            p as f64 / 10_000f64.powf((i / 2 * 2) as f64 / self.d_model as f64)
        };
        let value = |p, i| {
            if i % 2 == 0 {
                angle(p, i).sin()
            } else {
                angle(p, i).cos()
            }
        };
        let values: Vec<f64> = positions
            .iter()
            .flat_map(|p| (0..self.d_model).map(move |i| value(p, i)))
            .collect();
        let shape = [positions.n_rows(), positions.seq(), self.d_model];
        Tensor::from_data(TensorData::new(values, shape), (device, dtype))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    #[test]
    fn padding_shifts_the_positions_of_its_row() {
        let positions = Positions::new(0, 4, &[0, 2]);
        assert_eq!(
            positions.iter().collect::<Vec<_>>(),
            [0, 1, 2, 3, 0, 0, 0, 1]
        );
        assert_eq!(Positions::new(5, 2, &[0, 0]).n_rows(), 1);
    }

    #[test]
    fn sinusoids_are_those_of_the_paper() {
        let device = Device::flex();
        let vectors = SinusoidalPositions { d_model: 4 }.forward(
            &Positions::new(0, 3, &[0]),
            &device,
            DType::F32,
        );
        // PE(1) = sin 1, cos 1, sin 0.01, cos 0.01.
        let expected = TensorData::from([[[0.841_470_98f32, 0.540_302_3, 0.009_999_83, 0.999_95]]]);
        vectors
            .slice(s![.., 1..2, ..])
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-6));
    }

    #[test]
    #[should_panic(expected = "position 4 of a model with 4")]
    fn a_position_past_the_table_is_named() {
        let device = Device::flex();
        let config = LearnedPositionsConfig {
            max_seq_len: 4,
            d_model: 2,
            std: 1.0,
        };
        config
            .init(&mut Initializer::new(0), &device)
            .forward(&Positions::new(3, 2, &[0]));
    }
}
