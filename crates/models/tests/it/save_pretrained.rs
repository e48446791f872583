//! What we write beside what transformers' `save_pretrained` writes for the same sizes (`xtask/golden/save_pretrained.py`).

use std::collections::BTreeMap;

use burn::prelude::*;
use llm_models::checkpoint::{self, SpecialIds};
use serde_json::Value;

#[test]
fn our_files_hold_all_that_theirs_do() {
    let golden: Value =
        serde_json::from_str(include_str!("../golden/save_pretrained.json")).expect("golden");
    let families = golden.as_array().expect("families");
    assert_eq!(families.len(), 4);
    for family in families {
        let folder = tempfile::tempdir().expect("a folder");
        let theirs = &family["config.json"];
        let path = folder.path().join("config.json");
        std::fs::write(&path, theirs.to_string()).expect("written");
        let architecture = checkpoint::read_config(&path).expect("sizes");
        let id = |key: &str| theirs[key].as_u64().map(|id| id as u32);
        let special = SpecialIds {
            bos: id("bos_token_id"),
            eos: id("eos_token_id").into_iter().collect(),
        };
        let model = architecture.init(1, &Device::flex());
        checkpoint::save(&model, &special, folder.path()).expect("written");

        for file in ["config.json", "generation_config.json"] {
            let text = std::fs::read(folder.path().join(file)).expect("read");
            let ours: Value = serde_json::from_slice(&text).expect("JSON");
            for (key, value) in family[file].as_object().expect("keys") {
                let ours = ours
                    .get(key)
                    .unwrap_or_else(|| panic!("{file} has no {key}"));
                // The width of GPT-2's feed-forward block, which theirs leave to the reader.
                if key != "n_inner" {
                    assert_eq!(ours, value, "{file}: {key} of {}", family["model_type"]);
                }
            }
        }
        let bytes = std::fs::read(folder.path().join("model.safetensors")).expect("read");
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("whole");
        let format = header.metadata().as_ref().and_then(|all| all.get("format"));
        assert_eq!(format.map(String::as_str), Some("pt"));
        let ours: BTreeMap<String, Vec<usize>> = header
            .tensors()
            .into_iter()
            .map(|(name, info)| (name, info.shape.clone()))
            .collect();
        let theirs: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(family["tensors"].clone()).expect("shapes");
        assert_eq!(ours, theirs);
    }
}
