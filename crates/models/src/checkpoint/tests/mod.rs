//! Models written, read back and damaged, in every format.

mod damage;
mod exports;
mod folders;
mod sizes;

use burn::prelude::*;

use super::outputs::parameters;
use crate::{Architecture, LanguageModel, ModelConfig};

/// A model with 50 tokens and the weights of `seed`.
fn model(json: &str, seed: u64) -> LanguageModel {
    let config: ModelConfig = serde_json::from_str(json).expect("a configuration");
    Architecture::resolve(&config, 50)
        .expect("sizes")
        .init(seed, &Device::flex())
}

/// Every parameter, in the order of fields.
fn values(model: &LanguageModel) -> Vec<Vec<f32>> {
    parameters(model).iter().map(|p| p.values()).collect()
}
