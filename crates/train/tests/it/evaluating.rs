//! The loss of a model over a text.

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use llm_data::TokenShard;
use llm_models::Family;
use llm_train::{TrainError, evaluate};

use crate::runs::{SEQ, VOCAB, model, text};

#[test]
fn a_model_that_knows_nothing_loses_the_log_of_its_vocabulary() {
    struct Zeros;

    impl ModuleMapper for Zeros {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            parameter.map(|value| value.zeros_like())
        }
    }

    for family in Family::ALL {
        let model = model(family, 0.5).map(&mut Zeros);
        let evaluation = evaluate(&model, &text(100), SEQ, None).expect("evaluated");
        let off = (evaluation.loss - (VOCAB as f64).ln()).abs();
        assert!(off < 1e-6, "{family:?}: {}", evaluation.loss);
    }
}

#[test]
fn windows_stand_side_by_side() {
    let tokens = text(3 * SEQ + 4).tokens(0..3 * SEQ + 4);
    let model = model(Family::Llama, 0.0);
    let loss = |from: usize, to: usize, max_windows| {
        let part = TokenShard::from_tokens(tokens[from..to].to_vec());
        evaluate(&model, &part, SEQ, max_windows).expect("evaluated")
    };
    let all = loss(0, tokens.len(), None);
    // Token 0 is not predicted; three windows take 24 of the other 27.
    assert_eq!((all.tokens, all.tokens_left_out), (24, 3));
    // Each window alone, with the token after it.
    let alone = [0, 1, 2].map(|window| loss(window * SEQ, (window + 1) * SEQ + 1, None));
    assert!(
        alone
            .iter()
            .all(|one| (one.tokens, one.tokens_left_out) == (8, 0))
    );
    let mean = alone.iter().map(|one| one.loss).sum::<f64>() / 3.0;
    assert!(
        (all.loss - mean).abs() < 1e-6,
        "{} against {mean}",
        all.loss
    );
    let first = loss(0, tokens.len(), Some(1));
    assert!((first.loss - alone[0].loss).abs() < 1e-6);
    assert_eq!((first.tokens, first.tokens_left_out), (8, 19));
    assert!(
        (first.loss - all.loss).abs() > 1e-4,
        "the windows must differ for this test"
    );
}

#[test]
fn an_evaluation_drops_nothing() {
    let model = model(Family::Gpt2, 0.5);
    let [a, b] = [&model, &model.clone().valid()]
        .map(|model| evaluate(model, &text(100), SEQ, None).expect("evaluated"));
    assert_eq!(a, b);
}

#[test]
fn a_text_without_a_window_is_refused() {
    let model = model(Family::Gpt, 0.0);
    let error = evaluate(&model, &text(SEQ), SEQ, None).expect_err("too little");
    assert!(
        matches!(
            error,
            TrainError::TooLittleText {
                tokens: 8,
                needed: 9,
                ..
            }
        ),
        "{error}"
    );
    let error = evaluate(&model, &text(100), SEQ + 1, None).expect_err("too long");
    assert!(
        matches!(error, TrainError::WindowTooLong { seq_len: 9, .. }),
        "{error}"
    );
}
