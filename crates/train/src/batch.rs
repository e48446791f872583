//! From windows of tokens to tensors.

use burn::prelude::*;
use llm_data::{TokenShard, Windows};

use crate::TrainError;

/// One micro-batch: inputs and, one token to the right, targets.
pub(crate) struct Batch {
    /// `[batch, seq]`.
    pub(crate) inputs: Tensor<2, Int>,
    /// `[batch * seq]`.
    pub(crate) targets: Tensor<1, Int>,
}

impl Batch {
    /// The windows of `seq` + 1 tokens that begin at `starts`.
    pub(crate) fn new(shard: &TokenShard, starts: &[usize], seq: usize, device: &Device) -> Self {
        let mut inputs = Vec::with_capacity(starts.len() * seq);
        let mut targets = Vec::with_capacity(starts.len() * seq);
        for &start in starts {
            let window = shard.tokens(start..start + seq + 1);
            inputs.extend(window[..seq].iter().map(|&id| id as i32));
            targets.extend(window[1..].iter().map(|&id| id as i32));
        }
        let rows = starts.len();
        Self {
            inputs: Tensor::from_data(TensorData::new(inputs, [rows, seq]), device),
            targets: Tensor::from_data(TensorData::new(targets, [rows * seq]), device),
        }
    }
}

/// The micro-batches of a run, each a pure function of its index.
#[derive(Debug)]
pub(crate) struct TrainingBatches<'a> {
    shard: &'a TokenShard,
    windows: Windows,
    seq: usize,
    batch_size: usize,
    device: Device,
}

impl<'a> TrainingBatches<'a> {
    pub(crate) fn new(
        shard: &'a TokenShard,
        seq: usize,
        batch_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let windows = Windows::new(shard.len(), seq, seed)?;
        Ok(Self {
            shard,
            windows,
            seq,
            batch_size,
            device: device.clone(),
        })
    }

    /// The micro-batch with this index, counted over the whole run.
    pub(crate) fn get(&mut self, index: u64) -> Batch {
        let first = index * self.batch_size as u64;
        let starts: Vec<usize> = (first..first + self.batch_size as u64)
            .map(|i| self.windows.start(i))
            .collect();
        Batch::new(self.shard, &starts, self.seq, &self.device)
    }

    /// Passes over the training tokens after so many micro-batches.
    pub(crate) fn epochs(&self, micro_batches: u64) -> f64 {
        (micro_batches * self.batch_size as u64) as f64 / self.windows.per_epoch() as f64
    }
}
