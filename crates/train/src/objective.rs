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
    let [rows, seq] = batch.inputs.dims();
    let mut pass = Pass::new(seq).with_dropout(dropout);
    let hidden = model.hidden(batch.inputs, &mut pass);
    let d_model = model.architecture().d_model();
    cross_entropy(
        model.logits(hidden.reshape([rows * seq, d_model])),
        batch.targets,
    )
}
