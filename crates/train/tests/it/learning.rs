//! What training does to the loss and the weights.

use llm_models::Family;
use llm_train::{Moments, OptimizerKind, Start, StopReason};
use safetensors::SafeTensors;

use crate::runs::{SEQ, model, run, run_on, settings, text, weights};

#[test]
fn every_family_learns_a_sequence() {
    for family in Family::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let start = Start::Fresh(Box::new(model(family, 0.0)));
        let done = run(folder.path(), start, &settings(80), None).expect("trained");
        let evaluation = done.outcome.evaluation.expect("not interrupted");
        // Guessing costs ln 11 = 2.40, knowing only how often each token comes 2.15. The first token of a window leaves a rest.
        assert!(
            (2.0..3.0).contains(&done.losses[0]),
            "{family:?}: {}",
            done.losses[0]
        );
        assert!(
            evaluation.loss < 0.7,
            "{family:?}: loss {}",
            evaluation.loss
        );
        assert_eq!(
            (done.outcome.reason, done.outcome.steps),
            (StopReason::Steps, 80)
        );
        assert_eq!(done.outcome.tokens, 80 * 4 * SEQ as u64);
    }
}

#[test]
fn muon_learns_a_sequence() {
    let mut settings = settings(80);
    settings.optimizer.kind = OptimizerKind::Muon;
    for family in [Family::Gpt2, Family::Llama] {
        let folder = tempfile::tempdir().expect("a folder");
        let start = Start::Fresh(Box::new(model(family, 0.0)));
        let done = run(folder.path(), start, &settings, None).expect("trained");
        let evaluation = done.outcome.evaluation.expect("not interrupted");
        assert!(
            evaluation.loss < 0.7,
            "{family:?}: loss {}",
            evaluation.loss
        );
    }
}

#[test]
fn moments_of_half_the_size_learn_as_well() {
    let loss = |moments| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(80);
        settings.optimizer.moments = moments;
        // A thousandth of the second moment is new in each step: rounded to the nearest bf16 it would never change.
        settings.optimizer.betas = [0.9, 0.999];
        let start = Start::Fresh(Box::new(model(Family::Llama, 0.0)));
        let done = run(folder.path(), start, &settings, None).expect("trained");
        done.outcome.evaluation.expect("not interrupted").loss
    };
    let [wide, narrow] = [Moments::F32, Moments::Bf16].map(loss);
    assert!(
        wide != narrow && (narrow / wide - 1.0).abs() < 0.05,
        "{wide} and {narrow}"
    );
}

#[test]
fn accumulated_gradients_are_those_of_one_large_batch() {
    for family in Family::ALL {
        let [large, summed] = [(8, 1), (2, 4)].map(|(batch_size, grad_accumulation)| {
            let folder = tempfile::tempdir().expect("a folder");
            let mut settings = settings(8);
            settings.train.batch_size = batch_size;
            settings.train.grad_accumulation = grad_accumulation;
            // AdamW divides by the size of the gradient. Some gradients are zero but for rounding, such as that of a key's bias, and a
            // small `eps` would make whole steps of their noise.
            settings.optimizer.eps = 1e-3;
            let start = Start::Fresh(Box::new(model(family, 0.0)));
            let done = run(folder.path(), start, &settings, None).expect("trained");
            let weights = weights(&done);
            (done, weights)
        });
        for (a, b) in large.0.losses.iter().zip(&summed.0.losses) {
            assert!((a - b).abs() < 1e-5, "{family:?}: loss {a} against {b}");
        }
        assert_eq!(large.0.outcome.tokens, summed.0.outcome.tokens);
        let [a, b] =
            [&large.1, &summed.1].map(|bytes| SafeTensors::deserialize(bytes).expect("a file"));
        for (name, a) in a.iter() {
            let b = b.tensor(name).expect("the same tensors");
            let numbers = |bytes: &[u8]| -> Vec<f32> {
                let (numbers, rest) = bytes.as_chunks();
                assert!(rest.is_empty());
                numbers
                    .iter()
                    .map(|&bytes| f32::from_le_bytes(bytes))
                    .collect()
            };
            for (a, b) in numbers(a.data()).into_iter().zip(numbers(b.data())) {
                assert!((a - b).abs() < 1e-5, "{family:?}, {name}: {a} against {b}");
            }
        }
    }
}

#[test]
fn patience_ends_a_run_that_no_longer_gets_better() {
    let backwards: Vec<u32> = text(600).tokens(0..600).into_iter().rev().collect();
    let validation = llm_data::TokenShard::from_tokens(backwards);
    let mut settings = settings(400);
    settings.train.eval_every = 4;
    settings.train.patience = Some(3);
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Gpt2, 0.0)));
    let parts = [&text(600), &validation];
    let done = run_on(folder.path(), start, &settings, None, parts).expect("trained");
    assert_eq!(done.outcome.reason, StopReason::Patience);
    assert!(done.outcome.steps < 400, "{:?}", done.outcome);
    // Three evaluations without a best, and the last one, over the whole part.
    let evaluations = done.outcome.steps / 4 + 1;
    assert_eq!(done.bests.len() as u64, evaluations);
    let in_training = &done.bests[..done.bests.len() - 1];
    assert!(
        in_training.ends_with(&[true, false, false, false]),
        "{in_training:?}"
    );
}

#[test]
fn a_schedule_longer_than_the_time_limit_is_cut_to_it() {
    let mut settings = settings(10_000_000);
    settings.train.max_minutes = Some(0.05);
    settings.train.log_every = 1;
    settings.schedule.warmup_steps = Some(5);
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Gpt2, 0.0)));
    let done = run(folder.path(), start, &settings, None).expect("trained");
    // On a machine that is busy with something else the clock may still strike first.
    let ended = [StopReason::Steps, StopReason::Time];
    assert!(ended.contains(&done.outcome.reason), "{:?}", done.outcome);
    let metrics = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("metrics");
    let last = metrics
        .lines()
        .rfind(|line| line.contains("\"train\""))
        .expect("a step");
    let record: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let rate = record["learning_rate"].as_f64().expect("a number");
    assert!(rate < 0.5 * settings.optimizer.learning_rate, "{last}");
}
