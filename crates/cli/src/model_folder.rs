//! A model as the command line names it: a model folder, or a run folder, whose final model is meant.

use std::path::{Path, PathBuf};

use anyhow::bail;
use burn::prelude::Device;
use llm_data::DataConfig;
use llm_models::{LanguageModel, checkpoint};
use llm_tokenizer::Tokenizer;

/// A model with the tokenizer it was trained on.
#[derive(Debug)]
pub(crate) struct ModelFolder {
    /// The network.
    pub(crate) model: LanguageModel,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
}

impl ModelFolder {
    /// Loads the folder onto `device`, tokenizer and weights side by side.
    ///
    /// # Errors
    /// There is no model in the folder, or a file of it is damaged.
    pub(crate) fn load(path: &Path, device: &Device) -> anyhow::Result<Self> {
        let path = find(path)?;
        let (tokenizer, model) = rayon::join(
            || Tokenizer::load(&path),
            || checkpoint::load(&path, device),
        );
        Ok(Self {
            tokenizer: tokenizer?,
            model: model?,
        })
    }

    /// The documents of files and folders, one after the other, as this model's tokenizer cuts them.
    ///
    /// # Errors
    /// A file can't be read, or holds what the tokenizer has no token for.
    pub(crate) fn read_tokens(&self, paths: &[PathBuf]) -> anyhow::Result<Vec<u32>> {
        let data = DataConfig::default();
        let (field, separator) = (&data.text_field, &data.document_separator);
        Ok(llm_data::read_tokens(paths, field, separator, &self.tokenizer)?.tokens)
    }
}

/// The folder with `config.json`: `path`, or `model` within it.
fn find(path: &Path) -> anyhow::Result<PathBuf> {
    let name = path.display();
    if !path.exists() {
        bail!("{name}: does not exist; expected a folder with config.json and model.safetensors");
    }
    if !path.is_dir() {
        bail!("{name}: is a file; expected a folder with config.json and model.safetensors");
    }
    let inner = path.join("model");
    if !path.join("config.json").exists() && inner.join("config.json").exists() {
        return Ok(inner);
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_folder_stands_for_its_final_model() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        assert_eq!(find(run).unwrap(), run);
        fs::create_dir(run.join("model")).unwrap();
        fs::write(run.join("model/config.json"), "{}").unwrap();
        assert_eq!(find(run).unwrap(), run.join("model"));
        fs::write(run.join("config.json"), "{}").unwrap();
        assert_eq!(find(run).unwrap(), run);
        assert!(
            find(&run.join("config.json"))
                .unwrap_err()
                .to_string()
                .contains("is a file")
        );
        assert!(
            find(&run.join("none"))
                .unwrap_err()
                .to_string()
                .contains("does not exist")
        );
    }
}
