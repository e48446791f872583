//! Tiny models that transformers wrote, or TensorFlow and numpy as OpenAI did, and what transformers computed with them (`xtask/golden`).

use std::path::{Path, PathBuf};

use burn::prelude::*;
use llm_core::layers::Pass;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, Strategy, generate};
use llm_models::{Architecture, LanguageModel, checkpoint};
use serde_json::Value;

pub(crate) fn golden(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(relative)
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("golden file")).expect("golden json")
}

pub(crate) fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .expect("ids")
        .iter()
        .map(|id| id.as_u64().expect("an id") as u32)
        .collect()
}

/// Logits at every position of the rows, `[row][position × vocabulary]`.
pub(crate) fn logits(model: &LanguageModel, rows: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let seq = rows[0].len();
    let flat: Vec<i32> = rows.iter().flatten().map(|&id| id as i32).collect();
    let input =
        Tensor::<2, Int>::from_data(TensorData::new(flat, [rows.len(), seq]), &model.device());
    let hidden = model.hidden(input, &mut Pass::new(seq));
    let d_model = model.architecture().d_model();
    let logits = model.logits(hidden.reshape([rows.len() * seq, d_model]));
    let values: Vec<f32> = logits
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("f32");
    values
        .chunks(values.len() / rows.len())
        .map(<[f32]>::to_vec)
        .collect()
}

/// Models with what transformers computes with them: those that it wrote, those that OpenAI's formats hold, and those trained here.
fn folders() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for (kind, least) in [("tiny", 30), ("openai", 2), ("trained", 4)] {
        let entries = std::fs::read_dir(golden(kind)).expect("golden folders");
        let mut of_kind: Vec<PathBuf> = entries
            .map(|entry| entry.expect("a folder").path())
            .filter(|path| path.is_dir())
            .collect();
        assert!(of_kind.len() >= least, "{kind}");
        of_kind.sort();
        all.extend(of_kind);
    }
    all
}

#[test]
fn logits_and_loss_are_those_of_transformers() {
    for folder in folders() {
        let name = folder.display().to_string();
        let model = checkpoint::load(&folder, &Device::flex()).expect(&name);
        let expected = json(&folder.join("expected.json"));
        let rows: Vec<Vec<u32>> = expected["ids"]
            .as_array()
            .expect("rows")
            .iter()
            .map(ids)
            .collect();
        let ours = logits(&model, &rows);
        let mut worst = 0f64;
        for (ours, theirs) in ours
            .iter()
            .zip(expected["logits"].as_array().expect("rows"))
        {
            let theirs = theirs
                .as_array()
                .expect("positions")
                .iter()
                .flat_map(|p| p.as_array().expect("logits"));
            for (ours, theirs) in ours.iter().zip(theirs) {
                worst = worst.max((f64::from(*ours) - theirs.as_f64().expect("a number")).abs());
            }
        }
        assert!(worst < 1e-4, "{name}: logits are {worst} off");
        let Some(theirs) = expected["loss"].as_f64() else {
            continue;
        };
        let vocab = model.architecture().vocab_size();
        let mut losses = Vec::new();
        for (row, logits) in rows.iter().zip(&ours) {
            for (target, logits) in row[1..].iter().zip(logits.chunks(vocab)) {
                let sum: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
                losses.push(sum.ln() - f64::from(logits[*target as usize]));
            }
        }
        let loss = losses.iter().sum::<f64>() / losses.len() as f64;
        assert!((loss - theirs).abs() < 1e-4, "{name}: loss {loss}");
    }
}

#[test]
fn files_of_the_gguf_package_give_the_scores_of_transformers() {
    let entries = std::fs::read_dir(golden("gguf")).expect("golden folders");
    let folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder").path())
        .collect();
    assert!(folders.len() >= 5);
    for folder in folders {
        let name = folder.display().to_string();
        let file = folder.join("model.gguf");
        let model = checkpoint::load(&file, &Device::flex()).expect(&name);
        let expected = json(&folder.join("expected.json"));
        let ours = model.scores(&ids(&expected["ids"][0]));
        let positions = expected["logits"][0].as_array().expect("positions");
        let theirs = positions.iter().flat_map(|p| p.as_array().expect("logits"));
        let mut compared = 0;
        for (ours, theirs) in ours.iter().zip(theirs) {
            let distance = (f64::from(*ours) - theirs.as_f64().expect("a number")).abs();
            assert!(distance < 1e-4, "{name}: {distance}");
            compared += 1;
        }
        assert_eq!(compared, ours.len(), "{name}");
    }
}

#[test]
fn greedy_continuations_are_those_of_transformers() {
    for folder in folders() {
        let name = folder.display().to_string();
        let model = checkpoint::load(&folder, &Device::flex()).expect(&name);
        let expected = &json(&folder.join("expected.json"))["greedy"];
        let new = ids(&expected["new"]);
        assert_eq!(new.len(), 64);
        let config = GenerateConfig {
            strategy: Strategy::Greedy,
            max_new_tokens: new.len(),
            ..GenerateConfig::default()
        };
        for caching in [Method::Cached, Method::Uncached] {
            let prompts = [ids(&expected["prompt"])];
            let ours = generate(
                &model,
                &prompts,
                &config,
                &Special::default(),
                caching,
                &mut |_| Decision::Continue,
            );
            assert_eq!(ours.expect(&name)[0].tokens, new, "{name}, {caching:?}");
        }
    }
}

#[test]
fn parameter_counts_are_those_of_transformers() {
    let cases = json(&golden("parameter_counts.json"));
    let cases = cases.as_array().expect("a list");
    assert!(cases.len() >= 15);
    let folder = tempfile::tempdir().expect("a folder");
    for case in cases {
        // A folder with no weights: `load` fails at them, so the sizes go through a preset or a written configuration.
        let mut config = case["config"].clone();
        config["model_type"] = case["model_type"].clone();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config.to_string()).expect("written");
        let architecture = checkpoint::read_config(&path).expect("sizes");
        let expected = case["parameters"].as_u64().expect("a count");
        assert_eq!(
            architecture.parameter_count() as u64,
            expected,
            "{}",
            case["name"]
        );
    }
}

#[test]
fn presets_have_the_published_counts() {
    let count = |name| {
        llm_models::presets::Preset::find(name)
            .expect(name)
            .architecture()
            .parameter_count()
    };
    for (name, expected) in [
        ("gpt-117m", 116_534_784),
        ("gpt2-124m", 124_439_808),
        ("gpt2-355m", 354_823_168),
        ("gpt2-774m", 774_030_080),
        ("gpt2-1558m", 1_557_611_200),
        ("llama-2-7b", 6_738_415_616),
        ("llama-2-13b", 13_015_864_320),
        ("llama-2-70b", 68_976_648_192),
        ("llama-3-8b", 8_030_261_248),
        ("llama-3-70b", 70_553_706_496),
        ("llama-3.2-1b", 1_235_814_400),
        ("llama-3.2-3b", 3_212_749_824),
        ("mistral-7b", 7_241_732_096),
    ] {
        assert_eq!(count(name), expected, "{name}");
    }
}

#[test]
fn a_model_ignores_the_future() {
    for folder in folders() {
        let name = folder.display().to_string();
        let model = checkpoint::load(&folder, &Device::flex()).expect(&name);
        let vocab = model.architecture().vocab_size();
        let row: Vec<u32> = (0..17).map(|i| (i * 7) % 61).collect();
        let mut other = row.clone();
        other[9] = 60;
        let [a, b] = [row, other].map(|row| logits(&model, &[row]).remove(0));
        assert_eq!(
            a[..9 * vocab],
            b[..9 * vocab],
            "{name}: a position saw one after it"
        );
        assert_ne!(a[9 * vocab..10 * vocab], b[9 * vocab..10 * vocab], "{name}");
    }
}

#[test]
fn every_small_preset_computes() {
    for preset in llm_models::presets::ALL
        .iter()
        .filter(|p| p.name.ends_with("-tiny"))
    {
        let mut architecture = preset.architecture();
        match &mut architecture {
            Architecture::Gpt(c) => c.vocab_size = 20,
            Architecture::Gpt2(c) => c.vocab_size = 20,
            Architecture::Llama(c) => c.vocab_size = 20,
            Architecture::Mistral(c) => c.vocab_size = 20,
        }
        let model = architecture.init(1, &Device::flex());
        let all = logits(&model, &[(0..20).collect()]);
        assert!(all[0].iter().all(|l| l.is_finite()), "{}", preset.name);
    }
}
