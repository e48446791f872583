//! What training does to the loss and the weights.

use burn::prelude::Device;
use llm_data::TokenShard;
use llm_models::Family;
use llm_models::checkpoint::load;
use llm_train::{
    Moments, OptimizerKind, Protocol, RateRange, ScheduleKind, Settings, Start, StopReason,
    evaluate, find_learning_rate,
};
use safetensors::SafeTensors;

use crate::runs::{SEQ, VOCAB, model, run, run_on, settings, text, weights};

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
fn every_optimizer_learns_a_sequence() {
    for (kind, learning_rate) in [
        (OptimizerKind::Muon, 1e-2),
        (OptimizerKind::Sgd, 0.3),
        (OptimizerKind::Lion, 3e-3),
    ] {
        let mut settings = settings(80);
        settings.optimizer.kind = kind;
        settings.optimizer.learning_rate = learning_rate;
        for family in [Family::Gpt2, Family::Llama] {
            let loss = final_loss(family, &settings);
            assert!(loss < 0.7, "{kind:?}, {family:?}: loss {loss}");
        }
    }
}

/// Validation loss at the end of a run.
fn final_loss(family: Family, settings: &Settings) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(family, 0.0)));
    let done = run(folder.path(), start, settings, None).expect("trained");
    done.outcome.evaluation.expect("not interrupted").loss
}

/// The least loss with a smoothed label, by its definition, is the entropy of that label.
#[test]
fn smooth_labels_leave_their_own_entropy() {
    let mut settings = settings(150);
    settings.train.label_smoothing = 0.2;
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Llama, 0.0)));
    let done = run(folder.path(), start, &settings, None).expect("trained");
    let (n, share) = (VOCAB as f64, 0.2 / VOCAB as f64);
    let entropy = -(0.8 + share) * (0.8 + share).ln() - (n - 1.0) * share * share.ln();
    let last = done.losses[done.losses.len() - 1];
    assert!(
        last > entropy && last < entropy + 0.3,
        "{last} over {entropy}"
    );
    // What is evaluated is the plain loss: that of a model which keeps a fifth for the other tokens.
    let loss = done.outcome.evaluation.expect("not interrupted").loss;
    assert!(loss > -(0.85f64.ln()) && loss < last, "{loss}");
}

#[test]
fn an_average_of_the_weights_is_what_is_kept() {
    let mut settings = settings(60);
    settings.schedule.kind = ScheduleKind::Constant;
    settings.optimizer.learning_rate = 3e-2;
    let plain = final_loss(Family::Llama, &settings);
    settings.train.ema = Some(0.95);
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Llama, 0.0)));
    let done = run(folder.path(), start, &settings, None).expect("trained");
    let averaged = done.outcome.evaluation.expect("not interrupted").loss;
    // A high rate makes the weights jump around their mean.
    assert!(averaged < plain, "{averaged} against {plain}");
    // The finished model is the one that was evaluated, the checkpoint the one that trains on.
    let checkpoint = folder.path().join("checkpoints/step-60/model.safetensors");
    assert!(weights(&done) != std::fs::read(checkpoint).expect("a checkpoint"));
    let text = text(600);
    let kept = load(&done.outcome.model.expect("finished"), &Device::flex()).expect("a model");
    let loss = evaluate(&kept, &text, &Protocol::side_by_side(SEQ)).expect("evaluated");
    assert!((loss.loss - averaged).abs() < 1e-6);
}

/// A text whose middle is noise: there the loss stands out.
#[test]
fn spikes_are_left_out_and_counted() {
    let calm = text(4000).tokens(0..4000);
    let noise = (0..200u32).map(|i| (i * i + 7 * i) % VOCAB as u32);
    let with_noise: Vec<u32> = calm[..3000]
        .iter()
        .copied()
        .chain(noise)
        .chain(calm[3000..].iter().copied())
        .collect();
    let [training, validation] = [with_noise, calm].map(TokenShard::from_tokens);
    let mut settings = settings(300);
    settings.train.batch_size = 1;
    let skipped = |settings: &Settings| {
        let folder = tempfile::tempdir().expect("a folder");
        let start = Start::Fresh(Box::new(model(Family::Llama, 0.0)));
        let parts = [&training, &validation];
        let done = run_on(folder.path(), start, settings, None, parts).expect("trained");
        let metrics = std::fs::read_to_string(folder.path().join("metrics.jsonl")).expect("read");
        assert_eq!(
            metrics.contains("skipped_steps"),
            settings.train.skip_spikes.is_some()
        );
        done.outcome.skipped_steps
    };
    assert_eq!(skipped(&settings), 0);
    settings.train.skip_spikes = Some(4.0);
    let found = skipped(&settings);
    assert!((3..60).contains(&found), "{found} steps left out");
}

#[test]
fn the_range_test_finds_a_rate_that_learns() {
    let mut settings = settings(80);
    let range = RateRange {
        from: 1e-6,
        to: 10.0,
        steps: 100,
    };
    let mut seen = 0;
    let found = find_learning_rate(
        model(Family::Llama, 0.0),
        &settings,
        &text(600),
        range,
        &mut |_| {
            seen += 1;
            true
        },
    )
    .expect("tested");
    assert_eq!(found.points.len(), seen);
    assert!(found.diverged_at.is_some() || seen == 100);
    let suggestion = found.suggestion.expect("the loss falls");
    assert!((1e-4..0.3).contains(&suggestion), "{suggestion}");
    settings.optimizer.learning_rate = suggestion;
    let loss = final_loss(Family::Llama, &settings);
    assert!(loss < 1.0, "{loss} at {suggestion}");
}

#[test]
fn moments_of_half_the_size_learn_as_well() {
    let loss = |moments| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = settings(80);
        settings.optimizer.moments = moments;
        // A thousandth of the second moment is new in each step: rounded to the nearest bf16 it would never change.
        settings.optimizer.betas = Some([0.9, 0.999]);
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
            settings.optimizer.eps = Some(1e-3);
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

#[test]
fn the_best_is_told_by_the_same_windows() {
    // What is learned, and then what nobody can know: the whole validation part is harder than its first windows.
    let period = text(4 * SEQ + 1);
    let noise = (0..200_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) % VOCAB as u32);
    let tokens = period.tokens(0..period.len()).into_iter().chain(noise);
    let validation = TokenShard::from_tokens(tokens.collect());
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Gpt2, 0.0)));
    let mut settings = settings(60);
    settings.train.eval_every = 20;
    settings.train.eval_windows = 4;
    let done = run_on(
        folder.path(),
        start,
        &settings,
        None,
        [&text(600), &validation],
    )
    .expect("trained");
    let whole = done.outcome.evaluation.expect("not interrupted").loss;
    assert!(whole > 2.0, "the noise is not hard: {whole}");
    assert_eq!(done.bests, [true, true, true]);
}
