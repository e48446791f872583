//! The loss of a model over a text.

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use llm_data::TokenShard;
use llm_models::{Family, LanguageModel};
use llm_train::{Packing, Protocol, TrainError, evaluate};

use crate::runs::{SEQ, VOCAB, model, text};

fn side_by_side() -> Protocol {
    Protocol::side_by_side(SEQ)
}

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
        let evaluation = evaluate(&model, &text(100), &side_by_side()).expect("evaluated");
        let off = (evaluation.loss - (VOCAB as f64).ln()).abs();
        assert!(off < 1e-6, "{family:?}: {}", evaluation.loss);
    }
}

/// Oracle: each window alone, and of the scores of one text those of its last tokens by hand.
#[test]
fn windows_stand_side_by_side_and_the_last_ends_with_the_text() {
    let tokens = text(3 * SEQ + 4).tokens(0..3 * SEQ + 4);
    let model = model(Family::Llama, 0.0);
    let total = |from: usize, to: usize, max_windows| {
        let part = TokenShard::from_tokens(tokens[from..to].to_vec());
        let protocol = Protocol {
            max_windows,
            ..side_by_side()
        };
        let found = evaluate(&model, &part, &protocol).expect("evaluated");
        (found.loss * found.tokens as f64, found.tokens)
    };
    // Token 0 is not predicted.
    let (all, n) = total(0, tokens.len(), None);
    assert_eq!(n, 27);
    let mut sum: f64 = [0, 1, 2]
        .map(|window| total(window * SEQ, (window + 1) * SEQ + 1, None).0)
        .iter()
        .sum();
    // The last three tokens are predicted from a window that ends with them.
    let first = tokens.len() - 1 - SEQ;
    sum += total(first, tokens.len(), None).0 - loss_of_the_first(&model, &tokens[first..], 5);
    assert!((all - sum).abs() < 1e-4, "{all} against {sum}");
    let (first, n) = total(0, tokens.len(), Some(1));
    assert_eq!(n, 8);
    assert!((first - total(0, SEQ + 1, None).0).abs() < 1e-5);
}

/// Loss of the first `n` targets of a window.
fn loss_of_the_first(model: &LanguageModel, window: &[u32], n: usize) -> f64 {
    let scores = model.valid().scores(&window[..n]);
    let rows = scores.chunks_exact(VOCAB).zip(&window[1..]);
    rows.map(|(row, &target)| {
        let sum: f64 = row.iter().map(|&score| f64::from(score).exp()).sum();
        sum.ln() - f64::from(row[target as usize])
    })
    .sum()
}

#[test]
fn a_shorter_stride_gives_every_token_more_to_see() {
    let tokens = text(40).tokens(0..40);
    let model = model(Family::Gpt2, 0.0);
    let protocol = Protocol {
        stride: 3,
        ..side_by_side()
    };
    let whole = TokenShard::from_tokens(tokens.clone());
    let found = evaluate(&model, &whole, &protocol).expect("evaluated");
    assert_eq!(found.tokens, 39);
    // By hand: targets 1 to 8 from the first window, then three at a time from the eight tokens that end before the last of them.
    let mut sum = loss_of_the_first(&model, &tokens, SEQ);
    let mut done = SEQ;
    while done < 39 {
        let end = (done + 3).min(39);
        let window = &tokens[end - SEQ..=end];
        sum += loss_of_the_first(&model, window, SEQ)
            - loss_of_the_first(&model, window, SEQ - (end - done));
        done = end;
    }
    assert!((found.loss * 39.0 - sum).abs() < 1e-4);
}

/// Oracle: every document alone, which is a property of documents kept apart, in every family.
#[test]
fn documents_that_are_kept_apart_are_predicted_as_if_alone() {
    // 0 ends documents; the last one has no end.
    let documents = [
        vec![0, 3, 1, 4],
        vec![0, 5],
        vec![0, 9, 2],
        vec![0, 6, 5, 3, 1],
    ];
    let packed: Vec<u32> = documents.concat();
    for family in Family::ALL {
        let model = model(family, 0.0);
        // One window of eight from each start, so that borders stand everywhere in it.
        for start in 0..packed.len() - SEQ {
            let text = TokenShard::from_documents(documents.clone());
            let protocol = Protocol {
                packing: Packing::Within { separator: Some(0) },
                ..side_by_side()
            };
            let window = shifted(&text, start);
            let found = evaluate(&model, &window, &protocol).expect("evaluated");
            assert_eq!(found.tokens, SEQ as u64, "the separators are predicted");
            let mut sum = 0.0;
            for (first, last) in borders(&documents, start, start + SEQ) {
                // With the token after it, which ends it.
                let alone = &packed[first..=last];
                sum += loss_of_the_first(&model, alone, alone.len() - 1);
            }
            let loss = found.loss * found.tokens as f64;
            assert!(
                (loss - sum).abs() < 1e-4,
                "{family:?} from {start}: {loss} against {sum}"
            );
        }
        let text = TokenShard::from_documents(documents.clone());
        let without = Protocol {
            packing: Packing::Within { separator: None },
            ..side_by_side()
        };
        let found = evaluate(&model, &text, &without).expect("evaluated");
        assert_eq!(
            found.tokens,
            13 - 3,
            "first tokens of documents do not count"
        );
    }
}

/// The window of `SEQ` + 1 tokens from `start` on, with what it has of each document.
fn shifted(text: &TokenShard, start: usize) -> TokenShard {
    let end = start + SEQ + 1;
    let mut from = 0;
    let ends = text.document_ends().iter().map(|&end| end as usize);
    let documents = ends.filter_map(|to| {
        let document = from.max(start)..to.min(end);
        from = to;
        (!document.is_empty()).then(|| text.tokens(document))
    });
    TokenShard::from_documents(documents.collect::<Vec<_>>())
}

/// Of each document, its first and its last target's index within `start..=end`.
fn borders(documents: &[Vec<u32>], start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut first = 0;
    let all = documents.iter().map(|document| {
        let from = first;
        first += document.len();
        (from.max(start), first.min(end))
    });
    all.filter(|(from, to)| from < to).collect()
}

#[test]
fn an_evaluation_drops_nothing() {
    let model = model(Family::Gpt2, 0.5);
    let [a, b] = [&model, &model.clone().valid()]
        .map(|model| evaluate(model, &text(100), &side_by_side()).expect("evaluated"));
    assert_eq!(a, b);
}

#[test]
fn a_text_without_a_target_is_refused() {
    let model = model(Family::Gpt, 0.0);
    let error = evaluate(&model, &text(1), &side_by_side()).expect_err("too little");
    assert!(
        matches!(
            error,
            TrainError::TooLittleText {
                tokens: 1,
                needed: 2,
                ..
            }
        ),
        "{error}"
    );
    let longer = Protocol::side_by_side(SEQ + 1);
    let error = evaluate(&model, &text(100), &longer).expect_err("too long");
    assert!(
        matches!(error, TrainError::WindowTooLong { seq_len: 9, .. }),
        "{error}"
    );
}
