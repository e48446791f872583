//! From windows of tokens to tensors.

use burn::prelude::*;
use llm_data::{TokenShard, Windows};

use crate::TrainError;
use crate::packing::Packing;

/// One micro-batch: inputs and, one token to the right, targets.
pub(crate) struct Batch {
    /// `[batch, seq]`.
    pub(crate) inputs: Tensor<2, Int>,
    /// `[batch * seq]`.
    pub(crate) targets: Tensor<1, Int>,
    /// For each input, the column at which its document begins, `[batch * seq]`; `None` when borders do not matter.
    pub(crate) first_columns: Option<Vec<u32>>,
    /// Indices of the targets that are not to be predicted.
    pub(crate) ignored: Vec<usize>,
}

impl Batch {
    /// The windows of `seq` + 1 tokens that begin at `starts`.
    pub(crate) fn new(
        text: &TokenShard,
        starts: &[usize],
        seq: usize,
        packing: Packing,
        device: &Device,
    ) -> Self {
        let rows = starts.len();
        let mut inputs = Vec::with_capacity(rows * seq);
        let mut targets = Vec::with_capacity(rows * seq);
        let mut first_columns = Vec::new();
        let mut ignored = Vec::new();
        for (row, &start) in starts.iter().enumerate() {
            let window = text.tokens(start..start + seq + 1);
            inputs.extend(window[..seq].iter().map(|&id| id as i32));
            targets.extend(window[1..].iter().map(|&id| id as i32));
            if let Some(borders) = packing.borders(text, start, seq) {
                first_columns.extend(borders.first_columns);
                ignored.extend(borders.ignored.iter().map(|column| row * seq + column));
            }
        }
        Self {
            inputs: Tensor::from_data(TensorData::new(inputs, [rows, seq]), device),
            targets: Tensor::from_data(TensorData::new(targets, [rows * seq]), device),
            first_columns: (!first_columns.is_empty()).then_some(first_columns),
            ignored,
        }
    }

    /// How many targets are to be predicted.
    pub(crate) fn n_targets(&self) -> usize {
        self.targets.dims()[0] - self.ignored.len()
    }
}

/// The micro-batches of a run, each a pure function of its index.
#[derive(Debug)]
pub(crate) struct TrainingBatches<'a> {
    text: &'a TokenShard,
    windows: Windows,
    seq: usize,
    batch_size: usize,
    packing: Packing,
    device: Device,
}

impl<'a> TrainingBatches<'a> {
    pub(crate) fn new(
        text: &'a TokenShard,
        seq: usize,
        batch_size: usize,
        packing: Packing,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let windows = Windows::new(text.len(), seq, seed)?;
        Ok(Self {
            text,
            windows,
            seq,
            batch_size,
            packing,
            device: device.clone(),
        })
    }

    /// The micro-batch with this index, counted over the whole run.
    pub(crate) fn get(&mut self, index: u64) -> Batch {
        let first = index * self.batch_size as u64;
        let starts: Vec<usize> = (first..first + self.batch_size as u64)
            .map(|i| self.windows.start(i))
            .collect();
        Batch::new(self.text, &starts, self.seq, self.packing, &self.device)
    }

    /// Passes over the training tokens after so many micro-batches.
    pub(crate) fn epochs(&self, micro_batches: u64) -> f64 {
        (micro_batches * self.batch_size as u64) as f64 / self.windows.per_epoch() as f64
    }
}
