//! The same run again, in one go or in several.

use burn::prelude::Device;
use llm_models::Family;
use llm_train::{Moments, OptimizerConfig, OptimizerKind, Packing, Settings, Start, StopReason};

use crate::runs::{model, run, settings, weights};

const STEPS: u64 = 12;

/// Everything that could depend on more than the index of a step.
fn busy() -> Settings {
    let mut settings = settings(STEPS);
    settings.train.grad_accumulation = 2;
    settings.train.eval_every = 3;
    settings.train.checkpoint_every = 4;
    settings.train.sample_every = 5;
    settings.train.sample_tokens = 3;
    settings.optimizer = OptimizerConfig::default();
    settings
}

#[test]
fn the_same_settings_give_the_same_weights() {
    for family in Family::ALL {
        let [a, b] = [(); 2].map(|()| {
            let folder = tempfile::tempdir().expect("a folder");
            let start = Start::Fresh(Box::new(model(family, 0.1)));
            let settings = busy();
            let done = run(folder.path(), start, &settings, None).expect("trained");
            (weights(&done), done.losses)
        });
        assert!(a == b, "{family:?}: {:?} against {:?}", a.1, b.1);
    }
}

#[test]
fn another_seed_gives_other_weights() {
    let [a, b] = [42, 43].map(|seed| {
        let folder = tempfile::tempdir().expect("a folder");
        let start = Start::Fresh(Box::new(model(Family::Llama, 0.1)));
        let mut settings = busy();
        settings.train.seed = seed;
        weights(&run(folder.path(), start, &settings, None).expect("trained"))
    });
    assert!(a != b);
}

/// Compares a run in one go with one that is interrupted after each number of steps in `stops`, counted from the stop before.
#[track_caller]
fn check_resume(family: Family, stops: &[u64], change: impl Fn(&mut Settings)) {
    let mut settings = busy();
    change(&mut settings);
    let fresh = || Start::Fresh(Box::new(model(family, 0.1)));
    let whole_folder = tempfile::tempdir().expect("a folder");
    let whole = run(whole_folder.path(), fresh(), &settings, None).expect("trained");

    let folder = tempfile::tempdir().expect("a folder");
    let mut losses = Vec::new();
    let mut start = fresh();
    for &stop in stops {
        let part = run(folder.path(), start, &settings, Some(stop)).expect("trained");
        assert_eq!(part.outcome.reason, StopReason::Interrupted);
        assert!(part.outcome.model.is_none() && part.outcome.evaluation.is_none());
        losses.extend(part.losses);
        assert_eq!(part.outcome.steps, losses.len() as u64);
        start = Start::Resume(Device::flex());
    }
    let rest = run(folder.path(), start, &settings, None).expect("trained");
    losses.extend(&rest.losses);
    let what = format!("{family:?}, {settings:?}, stopped after {stops:?}");
    assert_eq!(losses, whole.losses, "{what}");
    assert_eq!(rest.outcome.evaluation, whole.outcome.evaluation, "{what}");
    assert_eq!(rest.outcome.tokens, whole.outcome.tokens, "{what}");
    assert!(weights(&rest) == weights(&whole), "{what}: other weights");
    for file in ["optimizer.safetensors", "trainer.json"] {
        let [a, b] = [&folder, &whole_folder].map(|folder| {
            let checkpoint = folder
                .path()
                .join(format!("checkpoints/step-{}", settings.train.max_steps));
            std::fs::read(checkpoint.join(file)).expect(file)
        });
        assert!(a == b, "{what}: another {file}");
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    for family in Family::ALL {
        check_resume(family, &[5], |_| {});
    }
}

#[test]
fn a_run_may_be_interrupted_anywhere_and_often() {
    for stops in [&[1][..], &[4], &[11], &[12], &[1, 1, 1], &[3, 5, 3]] {
        check_resume(Family::Llama, stops, |_| {});
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_with_every_optimizer() {
    for kind in [OptimizerKind::Muon, OptimizerKind::Sgd, OptimizerKind::Lion] {
        check_resume(Family::Gpt2, &[5, 4], |settings| {
            settings.optimizer.kind = kind
        });
    }
}

#[test]
fn a_resumed_run_with_narrow_moments_is_the_uninterrupted_one() {
    check_resume(Family::Llama, &[5, 4], |settings| {
        settings.optimizer.moments = Moments::Bf16;
    });
}

#[test]
fn a_resumed_run_with_an_average_and_spikes_is_the_uninterrupted_one() {
    check_resume(Family::Llama, &[5, 4], |settings| {
        settings.train.ema = Some(0.9);
        settings.train.skip_spikes = Some(3.0);
        settings.train.label_smoothing = 0.1;
        settings.train.z_loss = 1e-3;
        settings.packing = Packing::Within { separator: None };
    });
}

/// Where the loss does not fall, one step in six or so is a standard deviation above the mean.
#[test]
fn a_run_resumed_among_spikes_is_the_uninterrupted_one() {
    let settings = |settings: &mut Settings| {
        settings.train.max_steps = 60;
        settings.train.skip_spikes = Some(1.0);
        settings.optimizer.learning_rate = 1e-7;
    };
    check_resume(Family::Llama, &[40, 11], settings);
    let mut once = busy();
    settings(&mut once);
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Llama, 0.1)));
    let done = run(folder.path(), start, &once, None).expect("trained");
    assert!(done.outcome.skipped_steps > 0, "no step was left out");
}
