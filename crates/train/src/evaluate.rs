//! The loss of a model over a text.

use burn::module::Module;
use llm_core::kernels::CrossEntropyOptions;
use llm_data::TokenShard;
use llm_models::LanguageModel;

use crate::TrainError;
use crate::batch::Batch;
use crate::objective::token_losses;
use crate::packing::Packing;

/// Tokens in one pass of an evaluation.
const TOKENS_PER_PASS: usize = 4096;
/// Scores of tokens in one pass, beyond which it takes fewer of them: 64 MB. With a vocabulary of fifty thousand the scores of a whole pass
/// would be the most memory of a run.
const SCORES_PER_PASS: usize = 1 << 24;

/// Windows of `seq` tokens in one pass of an evaluation.
pub(crate) fn windows_per_pass(seq: usize, vocab_size: usize) -> usize {
    let tokens = TOKENS_PER_PASS.min(SCORES_PER_PASS / vocab_size);
    (tokens / seq).max(1)
}

/// How a loss is measured; two losses compare only under the same protocol.
///
/// Windows go over the text in strides, and each predicts the tokens that no window before it has predicted: with strides as long as the
/// window each token from its own window only, with shorter ones from at least `window - stride` tokens before it. The last window is
/// moved back to end with the text. Token 0 is not predicted: nothing stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Tokens in one window.
    pub window: usize,
    /// Tokens from one window to the next, at most `window`.
    pub stride: usize,
    /// What is made of the borders of documents.
    pub packing: Packing,
    /// How many windows are taken, from the beginning of the text; `None` for all.
    pub max_windows: Option<usize>,
}

impl Protocol {
    /// All windows of so many tokens, side by side.
    pub fn side_by_side(window: usize) -> Self {
        Self {
            window,
            stride: window,
            packing: Packing::Across,
            max_windows: None,
        }
    }
}

/// Result of [`evaluate`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss in nats per token.
    pub loss: f64,
    /// Number of tokens that were predicted.
    pub tokens: u64,
}

/// Mean loss over a text.
///
/// # Errors
/// [`TrainError::TooLittleText`] when there is nothing to predict; [`TrainError::WindowTooLong`] when the model's context is shorter.
///
/// # Panics
/// When the window or the stride is 0, or the stride longer than the window.
pub fn evaluate(
    model: &LanguageModel,
    text: &TokenShard,
    protocol: &Protocol,
) -> Result<Evaluation, TrainError> {
    let windows = windows(model, text, protocol)?;
    // All windows have one length: only a text that is shorter than one has a shorter one, its only.
    let seq = windows[0].seq;
    // Shares the weights, without a graph.
    let model = model.valid();
    let device = model.device();
    let (mut sum, mut tokens) = (0.0, 0);
    let vocab_size = model.architecture().vocab_size();
    for windows in windows.chunks(windows_per_pass(seq, vocab_size)) {
        let starts: Vec<usize> = windows.iter().map(|window| window.start).collect();
        let batch = Batch::new(text, &starts, seq, protocol.packing, &device);
        let losses = token_losses(&model, &batch, CrossEntropyOptions::default(), None);
        let mut losses: Vec<f32> = losses
            .into_data()
            .convert::<f32>()
            .try_to_vec()
            .expect("converted to f32");
        for &index in &batch.ignored {
            losses[index] = 0.0;
        }
        for (row, window) in windows.iter().enumerate() {
            let first = row * seq + window.first_target;
            let of_window = first..(row + 1) * seq;
            sum += losses[of_window.clone()]
                .iter()
                .map(|&loss| f64::from(loss))
                .sum::<f64>();
            let ignored = batch.ignored.iter().filter(|i| of_window.contains(i));
            tokens += (of_window.len() - ignored.count()) as u64;
        }
    }
    if tokens == 0 {
        return Err(nothing_to_predict(text));
    }
    Ok(Evaluation {
        loss: sum / tokens as f64,
        tokens,
    })
}

/// A window of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScoredWindow {
    /// Its first input.
    pub(crate) start: usize,
    /// Number of its inputs.
    pub(crate) seq: usize,
    /// The first of its targets that no window before it has predicted.
    pub(crate) first_target: usize,
}

/// The windows of the protocol, at least one.
///
/// # Errors
/// Those of [`evaluate`].
pub(crate) fn windows(
    model: &LanguageModel,
    text: &TokenShard,
    protocol: &Protocol,
) -> Result<Vec<ScoredWindow>, TrainError> {
    let max_seq_len = model.architecture().max_seq_len();
    if protocol.window > max_seq_len {
        return Err(TrainError::WindowTooLong {
            seq_len: protocol.window,
            max_seq_len,
        });
    }
    if text.len() < 2 {
        return Err(nothing_to_predict(text));
    }
    let all = over(text.len() - 1, protocol.window, protocol.stride);
    let most = protocol.max_windows.unwrap_or(usize::MAX);
    Ok(all.take(most.max(1)).collect())
}

fn nothing_to_predict(text: &TokenShard) -> TrainError {
    TrainError::TooLittleText {
        part: "validation",
        tokens: text.len(),
        needed: 2,
    }
}

/// The windows over so many targets.
fn over(n_targets: usize, window: usize, stride: usize) -> impl Iterator<Item = ScoredWindow> {
    assert!(
        (1..=window).contains(&stride),
        "strides of {stride} under windows of {window}"
    );
    let seq = window.min(n_targets);
    let ends = (seq..n_targets).step_by(stride).chain([n_targets]);
    ends.scan(0, move |done, end| {
        let start = end - seq;
        let first_target = *done - start;
        *done = end;
        Some(ScoredWindow {
            start,
            seq,
            first_target,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_target_is_predicted_once_and_from_far_enough(
            n_targets in 1usize..200,
            window in 1usize..40,
            stride in 1usize..40,
        ) {
            let stride = stride.min(window);
            let mut done = 0;
            for found in over(n_targets, window, stride) {
                proptest::prop_assert_eq!(found.start + found.first_target, done);
                proptest::prop_assert!(found.first_target < found.seq && found.seq <= window);
                // All but the first window see what their stride leaves them.
                proptest::prop_assert!(found.start == 0 || found.first_target >= window - stride);
                done = found.start + found.seq;
            }
            proptest::prop_assert_eq!(done, n_targets);
        }
    }
}
