//! Locally typical sampling: tokens whose surprise is nearest to the expected one stay, until they reach the probability.
//!
//! A token's surprise is `-ln p`, the expected one the entropy. So a token that is far too probable goes too, where the model expects to be
//! surprised. Of equally near tokens all stay.
//!
//! Source: Meister et al. 2022, "Locally Typical Sampling", as transformers has it.

use llm_core::kernels::log_sum_exp;

use super::{Moment, Sampler};

/// The probability, in `(0, 1]`.
#[derive(Debug)]
pub(super) struct Typical(pub(super) f32);

impl Sampler for Typical {
    fn key(&self) -> &'static str {
        "typical_p"
    }

    fn apply(&self, logits: &mut [f32], _: &Moment<'_>) -> Option<f32> {
        if self.0 >= 1.0 {
            return None;
        }
        let (best, log_sum) = log_sum_exp(logits);
        let surprise = |logit: f32| best + log_sum - logit;
        let candidates = || logits.iter().filter(|logit| **logit > f32::NEG_INFINITY);
        let entropy: f32 = candidates()
            .map(|&logit| surprise(logit) * (-surprise(logit)).exp())
            .sum();
        let distance = |logit: f32| (surprise(logit) - entropy).abs();
        let mut order: Vec<f32> = candidates().copied().collect();
        order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));

        let mut reached = 0.0;
        let last = order.iter().position(|&logit| {
            reached += f64::from((-surprise(logit)).exp());
            reached >= f64::from(self.0)
        });
        let furthest = distance(order[last?]);
        for logit in logits {
            if distance(*logit) > furthest {
                *logit = f32::NEG_INFINITY;
            }
        }
        None
    }
}
