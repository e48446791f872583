//! What `llm train` says, checks and writes around the trainer.

pub(crate) mod disk;
pub(crate) mod model_card;
mod narrator;
pub(crate) mod resume;
mod summary;

pub(crate) use narrator::Narrator;
pub(crate) use summary::Summary;
