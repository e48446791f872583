//! The loss of a model over a text.
//!
//! Protocol: windows of `seq` tokens side by side, each predicted from its own window only; the rest that fills no window is left out.

use burn::module::Module;
use llm_data::TokenShard;
use llm_models::LanguageModel;

use crate::TrainError;
use crate::batch::Batch;
use crate::objective::token_losses;

/// Tokens in one pass of an evaluation.
const TOKENS_PER_PASS: usize = 4096;

/// Result of [`evaluate`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss in nats per token.
    pub loss: f64,
    /// Number of tokens that were predicted.
    pub tokens: u64,
    /// Number of tokens at the end that filled no window.
    pub tokens_left_out: u64,
}

/// Mean loss over the first `max_windows` windows of `seq` tokens, or over all.
///
/// Token 0 is not predicted: nothing stands before it.
///
/// # Errors
/// [`TrainError::TooLittleText`] when not one window fits; [`TrainError::WindowTooLong`] when the model's context is shorter.
pub fn evaluate(
    model: &LanguageModel,
    text: &TokenShard,
    seq: usize,
    max_windows: Option<usize>,
) -> Result<Evaluation, TrainError> {
    let starts = window_starts(model, text, seq, max_windows)?;
    // Shares the weights, without a graph.
    let model = model.valid();
    let device = model.device();
    let mut sum = 0.0;
    for starts in starts.chunks((TOKENS_PER_PASS / seq).max(1)) {
        let losses = token_losses(&model, Batch::new(text, starts, seq, &device), None);
        let losses: Vec<f32> = losses
            .into_data()
            .convert::<f32>()
            .try_to_vec()
            .expect("converted to f32");
        sum += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
    }
    let tokens = (starts.len() * seq) as u64;
    Ok(Evaluation {
        loss: sum / tokens as f64,
        tokens,
        tokens_left_out: (text.len() - 1) as u64 - tokens,
    })
}

/// Where the windows of the protocol begin, at most `max_windows` of them.
///
/// # Errors
/// Those of [`evaluate`].
pub(crate) fn window_starts(
    model: &LanguageModel,
    text: &TokenShard,
    seq: usize,
    max_windows: Option<usize>,
) -> Result<Vec<usize>, TrainError> {
    let max_seq_len = model.architecture().max_seq_len();
    if seq > max_seq_len {
        return Err(TrainError::WindowTooLong {
            seq_len: seq,
            max_seq_len,
        });
    }
    if text.len() <= seq {
        return Err(TrainError::TooLittleText {
            part: "validation",
            tokens: text.len(),
            needed: seq + 1,
        });
    }
    let all = (text.len() - 1) / seq;
    let windows = max_windows.map_or(all, |most| most.min(all));
    Ok((0..windows).map(|window| window * seq).collect())
}
