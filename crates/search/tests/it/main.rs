//! Whole searches, from outside: studies, journals, samplers and what they cost.

mod cost;
mod crashes;
#[cfg(feature = "rdb")]
mod databases;
mod faults;
mod functions;
mod golden;
mod measure;
mod quality;
mod samplers;
mod studies;
mod workers;

use std::path::Path;

use llm_search::{JournalStorage, Space, SpaceConfig, Study, StudyOptions};

/// The space of a text in TOML.
fn space(text: &str) -> Space {
    let config: SpaceConfig = toml::from_str(text).unwrap();
    Space::new(config.parameters).unwrap()
}

/// A study in a journal that does not wait for the disk.
fn journal_study(path: &Path, space: Space, options: StudyOptions) -> Study {
    let storage = JournalStorage::open(path).unwrap().sync_to_disk(false);
    Study::open(Box::new(storage), space, options).unwrap()
}
