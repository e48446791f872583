//! What `llm train` says, checks and writes around the trainer.

mod beginning;
mod blame;
pub(crate) mod disk;
pub(crate) mod memory;
pub(crate) mod model_card;
mod narrator;
mod range_test;
pub(crate) mod resume;
pub(crate) mod samples;
mod summary;

pub(crate) use beginning::{new_model, settle};
pub(crate) use blame::Blame;
pub(crate) use memory::MemoryArgs;
pub(crate) use narrator::{Narrator, Show};
pub(crate) use range_test::RangeArgs;
pub(crate) use summary::Summary;

use llm_tokenizer::Tokenizer;
use llm_train::{Packing, Settings};

use crate::config::Config;

/// The tables that the trainer reads.
pub(crate) fn settings(config: &Config, tokenizer: &Tokenizer) -> Settings {
    Settings {
        train: config.train.clone(),
        optimizer: config.optimizer.clone(),
        schedule: config.schedule.clone(),
        packing: packing(config, tokenizer),
    }
}

/// What a run makes of the borders of documents.
pub(crate) fn packing(config: &Config, tokenizer: &Tokenizer) -> Packing {
    if config.data.respect_documents {
        Packing::Within {
            separator: tokenizer.eos(),
        }
    } else {
        Packing::Across
    }
}
