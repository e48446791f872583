//! What training makes small: the cross-entropy of the next token.

use burn::prelude::*;
use llm_core::kernels::cross_entropy;
use llm_core::layers::{DropoutKey, Pass};
use llm_models::LanguageModel;

use crate::batch::Batch;

/// Loss of every target in nats, `[batch * seq]`.
pub(crate) fn token_losses(
    model: &LanguageModel,
    batch: Batch,
    dropout: Option<DropoutKey>,
) -> Tensor<1> {
    let hidden = hidden(model, batch.inputs, dropout);
    cross_entropy(model.logits(hidden), batch.targets)
}

/// What the head turns into scores, for `inputs` `[batch, seq]`: `[batch * seq, d_model]`.
pub(crate) fn hidden(
    model: &LanguageModel,
    inputs: Tensor<2, Int>,
    dropout: Option<DropoutKey>,
) -> Tensor<2> {
    let [rows, seq] = inputs.dims();
    let mut pass = Pass::new(seq).with_dropout(dropout);
    let hidden = model.hidden(inputs, &mut pass);
    hidden.reshape([rows * seq, model.architecture().d_model()])
}
