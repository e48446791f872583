//! Samplers against transformers and against a reference written from the definitions; what holds for every chain.

use llm_core::random::{RandomKey, Stream};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::generate::config::{GenerateConfig, Strategy as Rule};
use crate::generate::engine::Special;
use crate::generate::token_bias::TokenBias;
use crate::generate::trace::Trace;

fn key() -> RandomKey {
    RandomKey::new(42, Stream::Sampling).child(0)
}

fn moment(tokens: &[u32], prompt_len: usize) -> Moment<'_> {
    Moment {
        tokens,
        prompt_len,
        key: key(),
        mirostat_mu: None,
    }
}

/// The logits after the chain of a configuration.
fn sampled(config: &GenerateConfig, mut logits: Vec<f32>, moment: &Moment<'_>) -> Vec<f32> {
    config.validate().expect("allowed");
    Chain::new(config, &Special::default()).apply(&mut logits, moment, None);
    logits
}

#[track_caller]
fn same(name: &str, ours: &[f32], theirs: &[Option<f32>]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (a, b) in ours.iter().zip(theirs) {
        let b = b.unwrap_or(f32::NEG_INFINITY);
        // The reference rounds f64, or sums f32 in another order.
        let near = *a == b || (a - b).abs() < 1e-5 * b.abs().max(1.0);
        assert!(near, "{name}: {ours:?} {theirs:?}");
    }
}

#[derive(Deserialize)]
struct OfTransformers {
    name: String,
    parameters: Parameters,
    history: Vec<u32>,
    logits: Vec<f32>,
    output: Vec<Option<f32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    typical_p: Option<f32>,
    repetition_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
    #[serde(default)]
    sequence_bias: Vec<([u32; 1], f32)>,
    #[serde(default)]
    bad_words_ids: Vec<[u32; 1]>,
}

#[test]
fn samplers_are_those_of_transformers() {
    let golden = include_str!("../../../tests/golden/sampling.json");
    let cases: Vec<OfTransformers> = serde_json::from_str(golden).expect("golden values");
    assert!(cases.len() >= 40);
    for case in cases {
        let p = case.parameters;
        let config = GenerateConfig {
            temperature: p.temperature,
            top_k: p.top_k,
            top_p: p.top_p,
            min_p: p.min_p,
            typical_p: p.typical_p,
            repetition_penalty: p.repetition_penalty.unwrap_or(1.0),
            no_repeat_ngram: p.no_repeat_ngram_size.unwrap_or(0),
            logit_bias: p.sequence_bias.iter().map(|&([id], b)| (id, b)).collect(),
            banned_tokens: p.bad_words_ids.concat(),
            ..GenerateConfig::default()
        };
        let ours = sampled(&config, case.logits, &moment(&case.history, 0));
        same(&case.name, &ours, &case.output);
    }
}

#[derive(Deserialize)]
struct Reference {
    chains: Vec<OfReference>,
    mirostat: Vec<MirostatRun>,
}

#[derive(Deserialize)]
struct OfReference {
    name: String,
    settings: GenerateConfig,
    tokens: Vec<u32>,
    prompt_len: usize,
    logits: Vec<f32>,
    output: Vec<Option<f32>>,
}

#[derive(Deserialize)]
struct MirostatRun {
    settings: GenerateConfig,
    steps: Vec<MirostatStep>,
}

#[derive(Deserialize)]
struct MirostatStep {
    logits: Vec<f32>,
    output: Vec<Option<f32>>,
    mu: f32,
    token: usize,
}

fn reference() -> Reference {
    let golden = include_str!("../../../tests/golden/samplers.json");
    serde_json::from_str(golden).expect("golden values")
}

#[test]
fn samplers_are_those_of_their_definitions() {
    let cases = reference().chains;
    assert!(cases.len() >= 24);
    for case in cases {
        let moment = moment(&case.tokens, case.prompt_len);
        let ours = sampled(&case.settings, case.logits, &moment);
        same(&case.name, &ours, &case.output);
    }
}

#[test]
fn mirostat_follows_the_surprise_of_the_chosen_tokens() {
    for run in reference().mirostat {
        let mirostat = run.settings.mirostat().expect("the strategy");
        let mut mu = None;
        for step in run.steps {
            let mut moment = moment(&[], 0);
            moment.mirostat_mu = mu;
            let ours = sampled(&run.settings, step.logits, &moment);
            let expected = mu.unwrap_or(2.0 * mirostat.tau);
            assert!((expected - step.mu).abs() < 1e-4, "{expected} {}", step.mu);
            same("mirostat", &ours, &step.output);
            mu = Some(mirostat.learn(mu, &ours, step.token));
        }
    }
}

#[test]
fn xtc_acts_as_often_as_asked_and_by_position_alone() {
    let config = GenerateConfig {
        xtc_probability: 0.3,
        ..GenerateConfig::default()
    };
    let tokens = vec![0; 4000];
    let acts = |n: usize| {
        let logits = sampled(&config, vec![1.0, 1.5, 0.0], &moment(&tokens[..n], 0));
        logits[1] == f32::NEG_INFINITY
    };
    let n_acts = (0..tokens.len()).filter(|&n| acts(n)).count();
    assert!((1100..1300).contains(&n_acts), "{n_acts} of 4000");
    assert!((0..50).all(|n| acts(n) == acts(n)));
}

#[test]
fn bans_hold_where_a_rule_would_forbid_all_others() {
    let config = GenerateConfig {
        banned_tokens: vec![1],
        no_repeat_ngram: 1,
        min_new_tokens: 3,
        stop_tokens: vec![2],
        logit_bias: TokenBias::from_iter([(0, -3.0)]),
        ..GenerateConfig::default()
    };
    // Everything has come before, so the rule of 1-grams forbids all: it is left out, and the end stays forbidden.
    let logits = sampled(&config, vec![1.0, 9.0, 2.0], &moment(&[0, 1, 2], 3));
    assert_eq!(logits, [-2.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
}

#[test]
fn extreme_numbers_leave_a_token() {
    let extremes = [
        GenerateConfig {
            temperature: Some(f32::MIN_POSITIVE),
            ..GenerateConfig::default()
        },
        GenerateConfig {
            temperature: Some(f32::MAX),
            ..GenerateConfig::default()
        },
        GenerateConfig {
            dry_multiplier: 100.0,
            dry_base: Some(100.0),
            dry_allowed_length: Some(1),
            temperature: Some(0.01),
            ..GenerateConfig::default()
        },
        GenerateConfig {
            dynatemp_range: 1.0,
            dynatemp_exponent: Some(f32::MAX),
            ..GenerateConfig::default()
        },
        GenerateConfig {
            strategy: Rule::Mirostat,
            mirostat_tau: Some(f32::MIN_POSITIVE),
            ..GenerateConfig::default()
        },
        GenerateConfig {
            strategy: Rule::Mirostat,
            mirostat_tau: Some(f32::MAX),
            ..GenerateConfig::default()
        },
    ];
    for config in extremes {
        let logits = sampled(&config, vec![40.0, 60.0, -80.0], &moment(&[1; 300], 1));
        let chosen = draw(&logits, key(), 0);
        assert!(logits[chosen] > f32::NEG_INFINITY, "{config:?} {logits:?}");
        assert!(!logits.iter().any(|l| l.is_nan()), "{config:?} {logits:?}");
    }
    let cold = GenerateConfig {
        temperature: Some(f32::MIN_POSITIVE),
        ..GenerateConfig::default()
    };
    let logits = sampled(&cold, vec![40.0, 60.0, -80.0], &moment(&[1], 1));
    assert_eq!(draw(&logits, key(), 0), 1);
}

fn any_config() -> impl Strategy<Value = GenerateConfig> {
    let cuts = (
        prop::option::of(1usize..12),
        prop::option::of(0.01f32..=1.0),
        prop::option::of(0f32..=1.0),
        prop::option::of(0.01f32..=1.0),
        prop_oneof![Just(0.0f32), 0.1f32..=1.0],
        0.05f32..=3.0,
        prop_oneof![Just(0.0f32), 0.0f32..=1.0],
    );
    let history = (
        0.5f32..2.0,
        -2f32..2.0,
        -2f32..2.0,
        prop_oneof![Just(0.0f32), 0.1f32..3.0],
        0usize..3,
        prop::collection::vec(0u32..10, 0..3),
        0usize..4,
    );
    let drawn_by = prop_oneof![Just(Rule::Sample), Just(Rule::Mirostat), Just(Rule::Greedy)];
    (cuts, history, drawn_by).prop_map(|(cuts, history, strategy)| {
        let mut config = GenerateConfig {
            strategy,
            repetition_penalty: history.0,
            presence_penalty: history.1,
            frequency_penalty: history.2,
            dry_multiplier: history.3,
            no_repeat_ngram: history.4,
            banned_tokens: history.5,
            min_new_tokens: history.6,
            stop_tokens: vec![11],
            ..GenerateConfig::default()
        };
        if strategy == Rule::Sample {
            (config.top_k, config.top_p) = (cuts.0, cuts.1);
            (config.min_p, config.typical_p) = (cuts.2, cuts.3);
            (config.xtc_probability, config.dynatemp_range) = (cuts.4, cuts.6 * cuts.5);
        }
        if strategy != Rule::Greedy {
            config.temperature = Some(cuts.5);
        }
        config
    })
}

proptest! {
    #[test]
    fn what_is_forbidden_stays_so_and_something_is_left(
        config in any_config(),
        logits in prop::collection::vec(-8f32..8.0, 12),
        tokens in prop::collection::vec(0u32..12, 1..20),
    ) {
        prop_assert!(config.validate().is_ok(), "{:?}", config.validate());
        let chain = Chain::new(&config, &Special::default());
        let mut trace = Trace { raw: logits.clone(), stages: Vec::new() };
        let mut after = logits.clone();
        chain.apply(&mut after, &moment(&tokens, 1), Some(&mut trace));
        let mut before = &trace.raw;
        for stage in &trace.stages {
            for (old, new) in before.iter().zip(&stage.logits) {
                prop_assert!(!new.is_nan() && *new < f32::INFINITY);
                prop_assert!(*old > f32::NEG_INFINITY || *new == f32::NEG_INFINITY, "{}", stage.key);
            }
            prop_assert!(n_candidates(&stage.logits) > 0, "{}", stage.key);
            before = &stage.logits;
        }
        let sum: f32 = trace.after().iter().sum();
        prop_assert!((sum - 1.0).abs() < 1e-5);
        prop_assert!(after[draw(&after, key(), 3)] > f32::NEG_INFINITY);
    }
}

#[test]
fn neutral_settings_change_nothing() {
    let logits = vec![1.5, -0.75, 2.25, 0.0, -2.5, 3.0];
    let neutral = GenerateConfig {
        temperature: Some(1.0),
        top_k: Some(6),
        top_p: Some(1.0),
        min_p: Some(0.0),
        typical_p: Some(1.0),
        ..GenerateConfig::default()
    };
    let tokens = [5, 2, 5, 2, 5];
    assert_eq!(
        sampled(&neutral, logits.clone(), &moment(&tokens, 1)),
        logits
    );
    let default = GenerateConfig::default();
    assert_eq!(
        sampled(&default, logits.clone(), &moment(&tokens, 1)),
        logits
    );
}
