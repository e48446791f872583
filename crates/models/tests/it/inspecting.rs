//! Attention and the logit lens against transformers (`xtask/golden/inspecting.py`), and what files hold without being loaded.

use std::path::PathBuf;

use burn::prelude::*;
use llm_core::layers::{Observer, Pass};
use llm_models::checkpoint::{Checkpoint, Difference};
use llm_models::inspect::{HeadSelection, Streams, attention, logit_lens};
use llm_models::{LanguageModel, checkpoint};
use serde_json::Value;

use crate::golden::{golden, ids, json};

/// The models that transformers has looked into, with what it saw.
fn cases() -> Vec<(String, LanguageModel, Value)> {
    let entries = std::fs::read_dir(golden("inspecting")).expect("golden folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 8);
    let case = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let folder = golden("tiny").join(&*name);
        let model = checkpoint::load(&folder, &Device::flex()).expect(&name);
        (name.into_owned(), model, json(&path))
    };
    paths.into_iter().map(case).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

#[track_caller]
fn check_close(name: &str, ours: &[f32], theirs: &Value, tolerance: f64) {
    let theirs = numbers(theirs);
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let apart = (f64::from(*ours) - theirs).abs();
        assert!(apart < tolerance, "{name}: {ours} and {theirs} at {i}");
    }
}

#[test]
fn attention_is_that_of_transformers() {
    for (name, model, expected) in cases() {
        let tokens = ids(&expected["ids"]);
        let maps = attention(&model, &tokens, HeadSelection::default());
        let (layers, heads) = (
            model.architecture().n_layers(),
            model.architecture().n_heads(),
        );
        assert_eq!(maps.len(), layers * heads, "{name}");
        let mut last = (0, 0);
        for (i, map) in maps.iter().enumerate() {
            assert_eq!((map.layer, map.head), (i / heads, i % heads), "{name}");
            let theirs = &expected["attention"][map.layer][map.head];
            let what = format!("{name}, layer {} head {}", map.layer, map.head);
            check_close(&what, &map.probabilities, theirs, 1e-5);
            for token in 0..map.seq {
                let row = map.row(token);
                let sum: f32 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-5, "{what}: a row sums to {sum}");
                assert!(
                    row[token + 1..].iter().all(|p| *p == 0.0),
                    "{what}: the future"
                );
                if let Some(window) = model.architecture().window() {
                    let before = (token + 1).saturating_sub(window);
                    assert!(
                        row[..before].iter().all(|p| *p == 0.0),
                        "{what}: the window"
                    );
                }
            }
            last = (map.layer, map.head);
        }
        let selection = HeadSelection {
            layer: Some(last.0),
            head: Some(last.1),
        };
        assert_eq!(
            attention(&model, &tokens, selection),
            maps[maps.len() - 1..]
        );
    }
}

#[test]
fn every_depth_of_the_lens_is_that_of_transformers_and_the_last_is_the_model() {
    for (name, model, expected) in cases() {
        let tokens = ids(&expected["ids"]);
        let streams = Streams::of(&model, &tokens);
        let n_depths = model.architecture().n_layers() + 1;
        assert_eq!(streams.n_depths(), n_depths, "{name}");
        for depth in 0..n_depths {
            let scores = streams.scores(depth, 0..tokens.len());
            check_close(
                &format!("{name}, depth {depth}"),
                &scores,
                &expected["lens"][depth],
                1e-4,
            );
        }
        let last = streams.scores(n_depths - 1, 0..tokens.len());
        assert_eq!(last, model.scores(&tokens), "{name}");
        // A part of the positions is the same as that part of all.
        let vocab_size = model.architecture().vocab_size();
        let some = streams.scores(1, 2..5);
        let all = streams.scores(1, 0..tokens.len());
        for (some, all) in some.iter().zip(&all[2 * vocab_size..]) {
            assert!((some - all).abs() < 1e-5, "{name}");
        }
    }
}

#[test]
fn the_lens_measures_what_the_scores_say() {
    for (name, model, expected) in cases() {
        let tokens = ids(&expected["ids"]);
        let depths = logit_lens(&model, &tokens, 3);
        let last = depths.len() - 1;
        let probabilities = |depth: usize, position: usize| -> Vec<f64> {
            let scores = numbers(&expected["lens"][depth][position]);
            let sum: f64 = scores.iter().map(|s| s.exp()).sum();
            scores.iter().map(|s| s.exp() / sum).collect()
        };
        for (depth, found) in depths.iter().enumerate() {
            assert_eq!((found.depth, found.readings.len()), (depth, tokens.len()));
            for (position, reading) in found.readings.iter().enumerate() {
                let here = probabilities(depth, position);
                let finally = probabilities(last, position);
                let kl: f64 = finally
                    .iter()
                    .zip(&here)
                    .map(|(p, q)| p * (p / q).ln())
                    .sum();
                assert!(
                    (reading.kl - kl).abs() < 1e-4,
                    "{name}: {} {kl}",
                    reading.kl
                );
                let best = reading.best[0];
                let most = here.iter().copied().fold(0.0, f64::max);
                assert_eq!(reading.best.len(), 3);
                assert!((best.probability - most).abs() < 1e-4, "{name}");
                assert!((here[best.token as usize] - most).abs() < 1e-4, "{name}");
                let Some(next) = reading.next else {
                    assert_eq!(position + 1, tokens.len());
                    continue;
                };
                assert_eq!(next.token, tokens[position + 1]);
                let p = here[next.token as usize];
                assert!((next.probability - p).abs() < 1e-4, "{name}");
                let better = |by: f64| here.iter().filter(|q| **q > p + by).count();
                assert!(
                    (better(1e-5) + 1..=better(-1e-5) + 1).contains(&next.rank),
                    "{name}"
                );
            }
        }
        assert!(
            depths[last]
                .readings
                .iter()
                .all(|reading| reading.kl == 0.0),
            "{name}"
        );
    }
}

/// Sees everything and keeps nothing.
#[derive(Debug)]
struct Onlooker;

impl Observer for Onlooker {
    fn wants_attention(&self, _: usize) -> bool {
        true
    }
}

#[test]
fn an_observer_changes_no_bit_of_any_family() {
    for (name, model, expected) in cases() {
        let tokens: Vec<i32> = ids(&expected["ids"]).iter().map(|id| *id as i32).collect();
        let seq = tokens.len();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(tokens, [1, seq]), &Device::flex());
        let plain = model.hidden(ids.clone(), &mut Pass::new(seq)).into_data();
        let mut onlooker = Onlooker;
        let observed = model.hidden(ids, &mut Pass::new(seq).observed(&mut onlooker));
        assert_eq!(plain, observed.into_data(), "{name}");
    }
}

#[test]
fn files_are_described_without_loading_them() {
    let mut folders = Vec::new();
    for kind in ["tiny", "openai"] {
        let entries = std::fs::read_dir(golden(kind)).expect("golden folders");
        folders.extend(entries.map(|entry| entry.expect("a folder").path()));
    }
    for gguf in std::fs::read_dir(golden("gguf")).expect("golden folders") {
        folders.push(gguf.expect("a folder").path().join("model.gguf"));
    }
    assert!(folders.len() > 35);
    for path in folders {
        let name = path.display().to_string();
        let files = Checkpoint::open(&path).expect(&name);
        let model = files.load(&Device::flex()).expect(&name);
        let parameters = files.parameters().expect(&name);
        let tensors = files.tensors().expect(&name);
        let count: usize = parameters.iter().map(|parameter| parameter.len()).sum();
        assert_eq!(count, model.num_params(), "{name}");
        let listed: Vec<_> = parameters
            .iter()
            .map(|parameter| (parameter.path.clone(), parameter.shape.clone()))
            .collect();
        assert_eq!(listed, files.architecture().parameters(), "{name}");
        // Every byte of the tensors is a parameter's, or the tensor's that the model does not need.
        let all: u64 = tensors.iter().filter_map(|tensor| tensor.bytes).sum();
        let unused = tensors.iter().filter(|tensor| tensor.unused);
        let unused: u64 = unused.filter_map(|tensor| tensor.bytes).sum();
        let used: u64 = parameters
            .iter()
            .filter_map(|parameter| parameter.bytes)
            .sum();
        let zero_biases = tensors.iter().any(|tensor| {
            tensor.name.ends_with(".bias")
                && parameters
                    .iter()
                    .all(|parameter| parameter.tensor != tensor.name)
                && !tensor.unused
        });
        assert!(
            used + unused == all || zero_biases,
            "{name}: {used} {unused} {all}"
        );
        for parameter in &parameters {
            let values = files
                .values(&parameter.path, &parameter.shape)
                .expect(&name);
            assert_eq!(values.len(), parameter.len(), "{name}");
            let same = Difference::of(&values, &values);
            assert_eq!((same.changed, same.cosine), (0, 1.0), "{name}");
        }
        for tensor in tensors.iter().filter(|tensor| tensor.readable) {
            let found = files.statistics(&tensor.name).expect(&name);
            let values: usize = tensor.shape.iter().product();
            assert_eq!(found.count, values as u64, "{name}");
            assert_eq!(found.nan + found.infinite, 0, "{name}");
            let range = [found.min, found.max];
            let bins = files.histogram(&tensor.name, range, 8).expect(&name);
            assert_eq!(
                bins.iter().sum::<u64>(),
                found.count,
                "{name}, {}",
                tensor.name
            );
        }
    }
}

#[test]
fn statistics_are_those_of_the_numbers() {
    let files = Checkpoint::open(&golden("tiny/gpt2")).expect("a model");
    // As the file has it: a whole parameter of ours.
    let name = "transformer.wte.weight";
    let found = files.statistics(name).expect("statistics");
    let values = files
        .values("token_embedding.weight", &[61, 32])
        .expect("values");
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    let std = (squares / n - mean * mean).sqrt();
    assert!((found.mean - mean).abs() < 1e-9 && (found.std - std).abs() < 1e-9);
    assert!((found.norm - squares.sqrt()).abs() < 1e-9);
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    assert_eq!((found.min, found.zeros), (min, 0));
    assert!(files.statistics("none").is_err());
}
