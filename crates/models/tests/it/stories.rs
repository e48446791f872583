//! A real trained model: `stories260K`, and the text that its author published for greedy generation.

use burn::prelude::*;
use llm_models::checkpoint;
use llm_models::generate::{Decision, GenerateConfig, Method, Special, Strategy, generate};
use serde_json::Value;

use crate::golden::logits;

fn oracle() -> Option<(Value, llm_models::LanguageModel)> {
    let text =
        std::fs::read(crate::data::path("oracles/stories260K_greedy.json")?).expect("oracle");
    let folder = crate::data::path("models/stories260K/hf")?;
    let model = checkpoint::load(&folder, &Device::flex()).expect("the model loads");
    Some((serde_json::from_slice(&text).expect("json"), model))
}

fn ids(oracle: &Value) -> Vec<u32> {
    let ids = oracle["ids_with_bos"].as_array().expect("ids");
    ids.iter()
        .map(|id| id.as_u64().expect("an id") as u32)
        .collect()
}

#[test]
fn greedy_generation_gives_the_published_tokens() {
    let Some((oracle, model)) = oracle() else {
        return;
    };
    let expected = ids(&oracle);
    let config = GenerateConfig {
        strategy: Strategy::Greedy,
        max_new_tokens: expected.len() - 1,
        ..GenerateConfig::default()
    };
    let special = Special {
        bos: Some(1),
        ..Special::default()
    };
    for caching in [Method::Cached, Method::Uncached] {
        let out = generate(&model, &[vec![]], &config, &special, caching, &mut |_| {
            Decision::Continue
        });
        assert_eq!(
            out.expect("generated")[0].tokens,
            expected[1..],
            "{caching:?}"
        );
    }
}

#[test]
fn the_file_of_llama2c_holds_the_same_model() {
    let Some((oracle, model)) = oracle() else {
        return;
    };
    let path = crate::data::path("models/stories260K/stories260K.bin").expect("found before");
    let same = checkpoint::load(&path, &Device::flex()).expect("the file loads");
    let row = ids(&oracle);
    assert_eq!(
        logits(&same, std::slice::from_ref(&row)),
        logits(&model, &[row]),
        "the same numbers in another order"
    );

    let bytes = std::fs::read(&path).expect("read");
    let folder = tempfile::tempdir().expect("a folder");
    let damaged = folder.path().join("model.bin");
    let refused = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).expect("written");
        let error = checkpoint::load(&damaged, &Device::flex()).map(drop);
        error.expect_err("refused").to_string()
    };
    assert!(refused(&bytes[..bytes.len() - 4]).contains("but the sizes at its beginning make"));
    let longer = [&bytes[..], &[0; 4]].concat();
    assert!(refused(&longer).contains("but the sizes at its beginning make"));
    assert!(refused(&bytes[..20]).contains("less than 28 bytes"));
    let with = |at: usize, number: i32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        refused(&bytes)
    };
    assert!(with(0, -64).contains("number 0 is -64"));
    assert!(with(4, i32::MAX).contains("sizes"));
    assert!(with(12, 0).contains("n_heads is 0"));
}

#[test]
fn logits_are_the_published_ones() {
    let Some((oracle, model)) = oracle() else {
        return;
    };
    let row = ids(&oracle);
    let ours = logits(&model, &[row]).remove(0);
    let positions = oracle["logits"].as_object().expect("positions");
    assert!(!positions.is_empty());
    for (position, theirs) in positions {
        let start = position.parse::<usize>().expect("a position") * 512;
        for (ours, theirs) in ours[start..start + 512]
            .iter()
            .zip(theirs.as_array().expect("logits"))
        {
            let theirs = theirs.as_f64().expect("a number");
            assert!(
                (f64::from(*ours) - theirs).abs() < 1e-4,
                "position {position}: {ours} against {theirs}"
            );
        }
    }
}
