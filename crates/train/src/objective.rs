//! What training makes small: the cross-entropy of the next token.

use burn::prelude::*;
use llm_core::kernels::{CrossEntropyOptions, cross_entropy};
use llm_core::layers::{DropoutKey, Pass};
use llm_models::LanguageModel;

use crate::batch::Batch;

/// Loss of every target in nats, `[batch * seq]`, also of those that are not to be predicted.
pub(crate) fn token_losses(
    model: &LanguageModel,
    batch: &Batch,
    options: CrossEntropyOptions,
    dropout: Option<DropoutKey>,
) -> Tensor<1> {
    let hidden = hidden(model, batch, dropout);
    cross_entropy(model.logits(hidden), batch.targets.clone(), options)
}

/// Sum of the losses of the targets that are to be predicted.
pub(crate) fn total_loss(losses: Tensor<1>, batch: &Batch) -> Tensor<1> {
    if batch.ignored.is_empty() {
        return losses.sum();
    }
    let mut counted = vec![1f32; losses.dims()[0]];
    for &index in &batch.ignored {
        counted[index] = 0.0;
    }
    let shape = [counted.len()];
    let device = (&losses.device(), losses.dtype());
    (losses * Tensor::from_data(TensorData::new(counted, shape), device)).sum()
}

/// What the head turns into scores, for the inputs `[batch, seq]`: `[batch * seq, d_model]`.
pub(crate) fn hidden(
    model: &LanguageModel,
    batch: &Batch,
    dropout: Option<DropoutKey>,
) -> Tensor<2> {
    let [rows, seq] = batch.inputs.dims();
    let pass = match &batch.first_columns {
        Some(first_columns) => Pass::of_documents(seq, first_columns.clone()),
        None => Pass::new(seq),
    };
    let hidden = model.hidden(batch.inputs.clone(), &mut pass.with_dropout(dropout));
    hidden.reshape([rows * seq, model.architecture().d_model()])
}
