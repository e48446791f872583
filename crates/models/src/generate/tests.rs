//! Generation against itself without a cache, alone and in batches.

use burn::prelude::*;

use super::*;
use crate::{Architecture, LanguageModel, ModelConfig, ModelError};

/// A model whose weights are large enough that every token of the context matters.
fn model(json: &str) -> LanguageModel {
    let config: ModelConfig = serde_json::from_str(json).expect("a configuration");
    let model = Architecture::resolve(&config, 31)
        .expect("sizes")
        .init(7, &Device::flex());
    model.map(&mut Louder)
}

struct Louder;

impl burn::module::ModuleMapper for Louder {
    fn map_float<const D: usize>(
        &mut self,
        p: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        if D == 2 {
            p.map(|t| t.mul_scalar(8.0))
        } else {
            p
        }
    }
}

const FAMILIES: [&str; 6] = [
    r#"{"family": "gpt", "d_model": 16, "n_layers": 2, "max_seq_len": 12}"#,
    r#"{"family": "gpt2", "d_model": 16, "n_layers": 2, "max_seq_len": 12}"#,
    r#"{"family": "llama", "d_model": 16, "n_layers": 2, "n_kv_heads": 2, "max_seq_len": 12}"#,
    r#"{"family": "llama", "d_model": 16, "n_layers": 2, "n_kv_heads": 1, "max_seq_len": 12, "tie_embeddings": false}"#,
    r#"{"family": "mistral", "d_model": 16, "n_layers": 2, "window": 5, "max_seq_len": 12}"#,
    r#"{"family": "mistral", "d_model": 16, "n_layers": 2, "max_seq_len": 12}"#,
];

fn greedy(max_new_tokens: usize) -> GenerateConfig {
    GenerateConfig {
        strategy: Strategy::Greedy,
        max_new_tokens,
        ..GenerateConfig::default()
    }
}

fn run(
    model: &LanguageModel,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
    method: Method<'_>,
) -> Vec<Generated> {
    let special = Special {
        bos: Some(0),
        ..Special::default()
    };
    generate(model, prompts, config, &special, method, &mut |_| {
        Decision::Continue
    })
    .expect("generated")
}

#[track_caller]
fn same(a: &[Generated], b: &[Generated]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((&a.tokens, a.finish), (&b.tokens, b.finish));
        assert!(
            a.logprobs
                .iter()
                .zip(&b.logprobs)
                .all(|(a, b)| (a - b).abs() < 1e-4)
        );
    }
}

#[test]
fn cached_equals_uncached_past_the_window_and_the_context() {
    for family in FAMILIES {
        let model = model(family);
        // 40 new tokens: three times the context, eight times the window.
        let prompts = [vec![3, 1, 4, 1, 5]];
        let oracle = run(&model, &prompts, &greedy(40), Method::Uncached);
        for method in [Method::Cached, Method::Tensors] {
            same(&run(&model, &prompts, &greedy(40), method), &oracle);
        }
    }
}

#[test]
fn a_batch_of_unequal_prompts_equals_each_alone() {
    for family in FAMILIES {
        let model = model(family);
        let prompts = [
            vec![3, 1, 4, 1, 5, 9, 2, 6],
            vec![7],
            vec![2, 7, 1, 8],
            (0..20).collect(),
        ];
        for method in [Method::Cached, Method::Tensors, Method::Uncached] {
            let together = run(&model, &prompts, &greedy(25), method);
            let alone: Vec<_> = prompts
                .iter()
                .flat_map(|p| run(&model, std::slice::from_ref(p), &greedy(25), method))
                .collect();
            same(&together, &alone);
        }
    }
}

#[test]
fn sequences_that_end_early_leave_the_others_alone() {
    for family in FAMILIES {
        let model = model(family);
        let prompts = [vec![3, 1, 4], vec![7, 7], vec![1]];
        let all = run(&model, &prompts, &greedy(20), Method::Cached);
        // The first sequence stops after 4 tokens, the second after 9.
        let mut counts = [0; 3];
        let stopped = generate(
            &model,
            &prompts,
            &greedy(20),
            &Special::default(),
            Method::Cached,
            &mut |step| {
                counts[step.sequence] += 1;
                let limit = [4, 9, 99][step.sequence];
                if counts[step.sequence] == limit {
                    Decision::Stop
                } else {
                    Decision::Continue
                }
            },
        )
        .expect("generated");
        assert_eq!(stopped[0].tokens, all[0].tokens[..4]);
        assert_eq!(stopped[1].tokens, all[1].tokens[..9]);
        assert_eq!(stopped[2].tokens, all[2].tokens);
        let ends: Vec<Finish> = stopped.iter().map(|s| s.finish).collect();
        assert_eq!(ends, [Finish::Stop, Finish::Stop, Finish::Length]);
    }
}

#[test]
fn guesses_change_no_bit() {
    for family in FAMILIES {
        let model = model(family);
        let other =
            self::model(r#"{"d_model": 8, "n_layers": 1, "n_heads": 2, "max_seq_len": 12}"#);
        let prompts = [vec![3, 1, 4, 1, 5, 3, 1, 4], vec![7, 7, 7]];
        let drawn = GenerateConfig {
            temperature: Some(0.3),
            ..greedy(40)
        };
        for config in [
            greedy(40),
            GenerateConfig {
                strategy: Strategy::Sample,
                ..drawn.clone()
            },
            GenerateConfig {
                strategy: Strategy::Sample,
                presence_penalty: 0.2,
                frequency_penalty: 0.1,
                dry_multiplier: 0.3,
                typical_p: Some(0.9),
                xtc_probability: 0.5,
                dynatemp_range: 0.2,
                ..drawn.clone()
            },
            GenerateConfig {
                strategy: Strategy::Mirostat,
                mirostat_tau: Some(0.5),
                ..drawn
            },
        ] {
            // One sequence and two: alone it has more guesses.
            for prompts in [&prompts[..1], &prompts] {
                let plain = run(&model, prompts, &config, Method::Cached);
                // The model guesses itself, rightly as long as neither forgets the older half of its context.
                for method in [Method::Lookup, Method::Draft(&model), Method::Draft(&other)] {
                    assert_eq!(
                        run(&model, prompts, &config, method),
                        plain,
                        "{family} {method:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn right_guesses_save_passes() {
    // A model whose next token is its last one: everything is guessed.
    let model = model(r#"{"family": "llama", "d_model": 16, "n_layers": 1, "max_seq_len": 512}"#);
    let prompt = vec![vec![5; 16]];
    let passes = |method| {
        let mut generator = Generator::new(&model, method).expect("a plan");
        let special = Special::default();
        let mut go_on = |_| Decision::Continue;
        generator
            .generate(&prompt, &greedy(200), &special, &mut go_on)
            .expect("generated");
        generator.n_passes()
    };
    assert_eq!(passes(Method::Cached), 200);
    assert!(
        passes(Method::Draft(&model)) < 35,
        "{}",
        passes(Method::Draft(&model))
    );
}

#[test]
fn guesses_need_a_plan_and_one_vocabulary() {
    let gpt2 = model(FAMILIES[1]);
    let config = ModelConfig::default();
    let other = Architecture::resolve(&config, 30).expect("sizes");
    let other = other.init(7, &Device::flex());
    let refused = |method| {
        Generator::new(&gpt2, method)
            .err()
            .expect("refused")
            .to_string()
    };
    assert!(refused(Method::Draft(&other)).contains("the draft model has 30 tokens, the model 31"));
}

#[test]
fn what_was_computed_serves_later_prompts() {
    for family in FAMILIES {
        let model = model(family);
        let mut generator = Generator::new(&model, Method::Cached).expect("a generator");
        let mut ask = |prompts: &[Vec<u32>]| {
            let special = Special::default();
            let mut go_on = |_| Decision::Continue;
            let generated = generator.generate(prompts, &greedy(2), &special, &mut go_on);
            (
                generated.expect("generated"),
                generator.n_computed().unwrap_or(0),
            )
        };
        let begin: Vec<u32> = vec![3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
        let longer = [&begin[..], &[8]].concat();
        let (first, one) = ask(std::slice::from_ref(&begin));
        let (again, two) = ask(std::slice::from_ref(&begin));
        same(&first, &again);
        let (together, three) = ask(&[longer.clone(), begin.clone()]);
        same(
            &together[1..]
                .iter()
                .map(|g| Generated {
                    prompt: 0,
                    ..g.clone()
                })
                .collect::<Vec<_>>(),
            &first,
        );
        same(
            &together[..1],
            &run(&model, &[longer], &greedy(2), Method::Uncached),
        );
        // Of a known prompt only the last token is computed again.
        if family.contains("window") || family.contains("mistral") {
            continue;
        }
        assert!(two - one < one - 8, "{family}: {one} then {}", two - one);
        assert!(
            three - two < 2 * one - 16,
            "{family}: {one} then {}",
            three - two
        );
    }
}

#[test]
fn the_end_of_the_context_does_what_was_asked() {
    let model = model(FAMILIES[1]);
    let with = |context_overflow| {
        let config = GenerateConfig {
            context_overflow,
            ..greedy(40)
        };
        generate(
            &model,
            &[vec![1, 2, 3]],
            &config,
            &Special::default(),
            Method::Cached,
            &mut |_| Decision::Continue,
        )
    };
    assert_eq!(
        with(ContextOverflow::Slide).expect("goes on")[0]
            .tokens
            .len(),
        40
    );
    // The twelfth token of the context still has a successor.
    let stopped = with(ContextOverflow::Stop).expect("stops");
    assert_eq!(
        (stopped[0].tokens.len(), stopped[0].finish),
        (10, Finish::Length)
    );
    assert!(matches!(
        with(ContextOverflow::Error),
        Err(ModelError::ContextOverflow {
            tokens: 13,
            max_seq_len: 12
        })
    ));
}

#[test]
fn a_sequence_does_not_depend_on_how_many_stand_beside_it() {
    let model = model(FAMILIES[2]);
    let many = GenerateConfig {
        num_return_sequences: 4,
        max_new_tokens: 20,
        ..GenerateConfig::default()
    };
    let four = run(&model, &[vec![1, 2]], &many, Method::Cached);
    let one = run(
        &model,
        &[vec![1, 2]],
        &GenerateConfig {
            num_return_sequences: 1,
            ..many.clone()
        },
        Method::Cached,
    );
    assert_eq!(four[0].tokens, one[0].tokens);
    assert_ne!(four[0].tokens, four[1].tokens);
    let other_seed = run(
        &model,
        &[vec![1, 2]],
        &GenerateConfig { seed: 43, ..many },
        Method::Cached,
    );
    assert_ne!(other_seed[0].tokens, four[0].tokens);
}

#[test]
fn stop_tokens_limits_and_unknown_ids_hold() {
    let model = model(FAMILIES[1]);
    let free = run(&model, &[vec![5]], &greedy(12), Method::Cached)
        .remove(0)
        .tokens;
    let stop = free[3];
    let first = free.iter().position(|t| *t == stop).expect("just taken");
    let config = GenerateConfig {
        stop_tokens: vec![stop],
        ..greedy(12)
    };
    assert_eq!(
        run(&model, &[vec![5]], &config, Method::Cached)[0].tokens,
        free[..=first]
    );
    let config = GenerateConfig {
        min_new_tokens: 12,
        ..config
    };
    assert!(
        !run(&model, &[vec![5]], &config, Method::Cached)[0]
            .tokens
            .contains(&stop)
    );
    let special = Special {
        n_tokens: Some(3),
        ..Special::default()
    };
    let few = generate(
        &model,
        &[vec![1]],
        &greedy(12),
        &special,
        Method::Cached,
        &mut |_| Decision::Continue,
    );
    assert!(few.expect("generated")[0].tokens.iter().all(|&t| t < 3));
    let none = generate(
        &model,
        &[vec![]],
        &greedy(1),
        &Special::default(),
        Method::Cached,
        &mut |_| Decision::Continue,
    );
    assert!(matches!(none, Err(ModelError::EmptyPrompt)));
    let unknown = generate(
        &model,
        &[vec![31]],
        &greedy(1),
        &special,
        Method::Cached,
        &mut |_| Decision::Continue,
    );
    assert!(matches!(
        unknown,
        Err(ModelError::TokenOutOfRange {
            id: 31,
            vocab_size: 31
        })
    ));
}

#[test]
fn named_tokens_exist_and_not_all_are_banned() {
    let model = model(FAMILIES[1]);
    let refused = |config: GenerateConfig| {
        let special = Special {
            n_tokens: Some(5),
            ..Special::default()
        };
        let method = Method::Cached;
        let end = generate(&model, &[vec![1]], &config, &special, method, &mut |_| {
            Decision::Continue
        });
        end.expect_err("refused").to_string()
    };
    let banned = |banned_tokens| GenerateConfig {
        banned_tokens,
        ..GenerateConfig::default()
    };
    assert!(refused(banned(vec![31])).contains("generate.banned_tokens names token 31"));
    assert!(refused(banned((0..5).collect())).contains("is every token"));
    assert!(
        refused(GenerateConfig {
            logit_bias: TokenBias::from_iter([(40, 1.0)]),
            ..GenerateConfig::default()
        })
        .contains("generate.logit_bias names token 40")
    );
    let mut allowed = banned(vec![0, 1, 2, 4]);
    allowed.max_new_tokens = 5;
    let special = Special {
        n_tokens: Some(5),
        ..Special::default()
    };
    let method = Method::Cached;
    let only = generate(&model, &[vec![1]], &allowed, &special, method, &mut |_| {
        Decision::Continue
    });
    assert_eq!(only.expect("generated")[0].tokens, [3; 5]);
}

#[test]
fn a_trace_tells_what_was_drawn_from() {
    let model = model(FAMILIES[2]);
    let config = GenerateConfig {
        top_k: Some(3),
        temperature: Some(0.7),
        max_new_tokens: 6,
        ..GenerateConfig::default()
    };
    let generator = Generator::new(&model, Method::Cached).expect("a generator");
    let mut seen = Vec::new();
    let mut on_step = |step: Step| {
        let trace = step.trace.expect("asked for");
        let keys: Vec<_> = trace.stages.iter().map(|stage| stage.key).collect();
        assert_eq!(keys, ["temperature", "top_k"]);
        assert!(trace.after()[step.token as usize] > 0.0);
        assert!((trace.before()[step.token as usize].ln() - step.logprob).abs() < 1e-4);
        assert_eq!(trace.after().iter().filter(|p| **p > 0.0).count(), 3);
        seen.push(step.token);
        Decision::Continue
    };
    let special = Special::default();
    let traced = generator
        .traced()
        .generate(&[vec![1, 2]], &config, &special, &mut on_step);
    assert_eq!(traced.expect("generated")[0].tokens, seen);
    assert_eq!(
        run(&model, &[vec![1, 2]], &config, Method::Cached)[0].tokens,
        seen
    );
}
