//! Where tokens and other things that can be made again are kept between runs.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use etcetera::BaseStrategy;

/// The variable that names another folder.
const VARIABLE: &str = "LLM_CACHE_DIR";

/// The folder `LLM_CACHE_DIR`, or `llm` in the cache folder of the platform. It need not exist yet.
///
/// # Errors
/// The variable is not set and the user has no home folder.
pub(crate) fn find() -> anyhow::Result<PathBuf> {
    match env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(folder) => Ok(folder.into()),
        None => {
            let base = etcetera::choose_base_strategy();
            let base = base
                .with_context(|| format!("there is no home folder for a cache; set {VARIABLE}"))?;
            Ok(base.cache_dir().join("llm"))
        }
    }
}
