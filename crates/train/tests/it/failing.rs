//! Errors that name what is wrong.

use llm_models::Family;
use llm_train::{ScheduleKind, Settings, Start, TrainError, has_checkpoint};

use crate::runs::{SEQ, model, run, run_on, settings, text};

fn exploding(learning_rate: f64) -> Settings {
    let mut settings = settings(50);
    settings.optimizer.learning_rate = learning_rate;
    settings.schedule.kind = ScheduleKind::Constant;
    settings.schedule.warmup_steps = Some(0);
    settings
}

#[test]
fn an_exploding_run_names_the_step_and_a_tensor() {
    for family in Family::ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let start = Start::Fresh(Box::new(model(family, 0.0)));
        // Beyond f32: the first step makes the weights infinite, the second sees it.
        let error = run(folder.path(), start, &exploding(1e39), None).expect_err("not finite");
        let TrainError::NotFinite { step, what } = error else {
            panic!("{family:?}: {error}")
        };
        assert_eq!(step, 2, "{family:?}");
        assert!(what.starts_with("the weight "), "{family:?}: {what}");
    }
}

#[test]
fn a_loss_that_overflows_ends_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Gpt2, 0.0)));
    // The weights are finite, their products are not.
    let error = run(folder.path(), start, &exploding(1e30), None).expect_err("not finite");
    assert!(
        matches!(error, TrainError::NotFinite { step: 2, .. }),
        "{error}"
    );
}

#[test]
fn weights_that_are_not_finite_reach_no_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::Fresh(Box::new(model(Family::Gpt2, 0.0)));
    let mut settings = exploding(1e39);
    settings.train.checkpoint_every = 1;
    let error = run(folder.path(), start, &settings, None).expect_err("not finite");
    let TrainError::NotFinite { step: 1, what } = &error else {
        panic!("{error}")
    };
    assert!(what.starts_with("the weight "), "{what}");
    assert!(!has_checkpoint(folder.path()));
}

#[test]
fn too_little_text_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for (lengths, expected) in [([SEQ, 100], "training"), ([100, SEQ], "validation")] {
        let [training, validation] = lengths.map(text);
        let start = Start::Fresh(Box::new(model(Family::Gpt, 0.0)));
        let parts = [&training, &validation];
        let error = run_on(folder.path(), start, &settings(1), None, parts).expect_err(expected);
        let TrainError::TooLittleText {
            part,
            tokens,
            needed,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((part, tokens, needed), (expected, SEQ, SEQ + 1));
    }
    // One window is enough.
    let [training, validation] = [text(SEQ + 1), text(SEQ + 1)];
    let start = Start::Fresh(Box::new(model(Family::Gpt, 0.0)));
    let parts = [&training, &validation];
    run_on(folder.path(), start, &settings(1), None, parts).expect("trained");
}

#[test]
fn a_window_longer_than_the_context_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(1);
    settings.train.seq_len = Some(SEQ + 1);
    let start = Start::Fresh(Box::new(model(Family::Gpt, 0.0)));
    let error = run(folder.path(), start, &settings, None).expect_err("too long");
    assert!(
        matches!(
            error,
            TrainError::WindowTooLong {
                seq_len: 9,
                max_seq_len: 8
            }
        ),
        "{error}"
    );
}
