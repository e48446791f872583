//! A model as the command line names it: a model folder, a run folder, whose final model is meant, a GGUF file, a file of llama2.c, or
//! `hf://owner/name[@revision]`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::prelude::Device;
use llm_data::DataConfig;
use llm_models::LanguageModel;
use llm_models::checkpoint::{Checkpoint, SpecialIds};
use llm_models::generate::Special;
use llm_tokenizer::Tokenizer;
use llm_train::has_checkpoint;

use crate::{gguf_tokenizer, hub, input};

/// What names a model, for messages.
const EXPECTED: &str = "a folder with config.json and model.safetensors or of OpenAI's release, a .gguf file, or a .bin file of llama2.c";

/// A model with the tokenizer it was trained on.
#[derive(Debug)]
pub(crate) struct NamedModel {
    /// The network.
    pub(crate) model: LanguageModel,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Ids beside the tokenizer's own that end a text, as the model's files list them.
    pub(crate) end_ids: Vec<u32>,
    /// Where it was found.
    pub(crate) path: PathBuf,
}

impl NamedModel {
    /// Loads the model onto `device`, tokenizer and weights side by side.
    ///
    /// # Errors
    /// There is no such model, or a file of it is damaged.
    pub(crate) fn load(name: &Path, device: &Device) -> anyhow::Result<Self> {
        let (checkpoint, path) = open(name)?;
        let (tokenizer, model) = rayon::join(
            || tokenizer_of(&checkpoint, &path),
            || checkpoint.load(device),
        );
        Ok(Self {
            tokenizer: tokenizer?,
            model: model?,
            end_ids: checkpoint.end_ids()?,
            path,
        })
    }

    /// The tokenizer alone of the model that `path` names.
    ///
    /// # Errors
    /// As [`NamedModel::load`].
    pub(crate) fn tokenizer(path: &Path) -> anyhow::Result<Tokenizer> {
        let (checkpoint, path) = open(path)?;
        tokenizer_of(&checkpoint, &path)
    }

    /// The documents of `data.sources`, one after the other, as this model's tokenizer cuts them.
    ///
    /// # Errors
    /// A file can't be read, or holds what the tokenizer has no token for.
    pub(crate) fn read_tokens(&self, data: &DataConfig) -> anyhow::Result<Vec<u32>> {
        Ok(llm_data::read_tokens(&data.sources, data, &self.tokenizer)?.tokens)
    }

    /// Ids that generation needs.
    pub(crate) fn special(&self) -> Special {
        Special {
            bos: self.tokenizer.bos(),
            eos: self.tokenizer.eos(),
            n_tokens: Some(self.tokenizer.vocab_size()),
        }
    }

    /// Ids that model files carry.
    pub(crate) fn special_ids(&self) -> SpecialIds {
        let mut eos: Vec<u32> = self.tokenizer.eos().into_iter().collect();
        eos.extend(
            self.end_ids
                .iter()
                .filter(|id| Some(**id) != self.tokenizer.eos()),
        );
        SpecialIds {
            bos: self.tokenizer.bos(),
            eos,
        }
    }

    /// Writes the files of its tokenizer into `folder`.
    ///
    /// # Errors
    /// Names the file that can't be written.
    pub(crate) fn save_tokenizer(&self, folder: &Path) -> anyhow::Result<()> {
        let max_seq_len = self.model.architecture().max_seq_len();
        Ok(self.tokenizer.save_beside_model(folder, max_seq_len)?)
    }

    /// The last part of its name, without what marks the format: the name of a new model made of it.
    pub(crate) fn title(&self) -> String {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let name = if path.is_dir() {
            path.file_name()
        } else {
            path.file_stem()
        };
        // The final model of a run is always called `model`: the run has the name.
        let run = path.parent().and_then(Path::file_name);
        let name = if name.is_some_and(|name| name == "model") {
            run
        } else {
            name
        };
        name.unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The files of the model that `name` names, opened and not yet loaded, and where they were found.
///
/// # Errors
/// As [`NamedModel::load`].
pub(crate) fn open(name: &Path) -> anyhow::Result<(Checkpoint, PathBuf)> {
    let path = find(name)?;
    Ok((Checkpoint::open(&path)?, path))
}

/// The tokenizer that `path` names: a file or folder of its own, or a GGUF file that holds one.
///
/// # Errors
/// There is none, or it is damaged.
pub(crate) fn load_tokenizer(path: &Path) -> anyhow::Result<Tokenizer> {
    if path.is_file()
        && path
            .extension()
            .is_some_and(|extension| extension == "gguf")
    {
        return NamedModel::tokenizer(path);
    }
    Ok(Tokenizer::load(path)?)
}

/// The tokenizer that belongs to an opened model.
fn tokenizer_of(checkpoint: &Checkpoint, path: &Path) -> anyhow::Result<Tokenizer> {
    if let Some(metadata) = checkpoint.gguf_metadata() {
        return gguf_tokenizer::read(metadata, path);
    }
    if !checkpoint.is_llama2c() {
        return Ok(Tokenizer::load(path)?);
    }
    // llama2.c keeps it in a file beside the model, named for its size where it is not the common one.
    let size = checkpoint.architecture().vocab_size();
    let names = [
        "tokenizer.bin".to_owned(),
        format!("tok{size}.bin"),
        "tokenizer.json".to_owned(),
    ];
    let candidates = names.each_ref().map(|name| path.with_file_name(name));
    match candidates.iter().find(|candidate| candidate.exists()) {
        Some(file) => Ok(Tokenizer::load(file)?),
        None => bail!(
            "{}: its tokenizer is missing; put one of {} beside it",
            path.display(),
            names.join(", ")
        ),
    }
}

/// Where the model is: `name`, `model` within it, or what the hub has downloaded.
fn find(name: &Path) -> anyhow::Result<PathBuf> {
    let shown = name.display();
    if let Some(repository) = name.to_str().and_then(|name| name.strip_prefix("hf://")) {
        let repository = hub::Repository::parse(repository)?;
        let local = PathBuf::from(&repository.id);
        if local.is_dir() {
            return find(&local);
        }
        return hub::download(&repository).with_context(|| format!("{shown}: cannot download"));
    }
    if !input::exists(name)? {
        bail!("{shown}: does not exist; expected {EXPECTED}");
    }
    if name.is_file() && name.file_name().is_some_and(|file| file == "config.json") {
        bail!("{shown}: is a file of a model folder; name the folder");
    }
    let inner = name.join("model");
    if name.join("config.json").exists() {
        return Ok(name.to_owned());
    }
    if inner.join("config.json").exists() {
        return Ok(inner);
    }
    if has_checkpoint(name) {
        bail!(
            "{shown}: this run has stopped before its end, where it writes its model; go on with `llm train --resume {shown}`, or name one of the folders in {}",
            name.join("checkpoints").display()
        );
    }
    Ok(name.to_owned())
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
        #[track_caller]
        fn check(path: &Path, expected: &str) {
            let error = find(path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        check(&run.join("config.json"), "name the folder");
        check(&run.join("none"), "does not exist");
        check(Path::new("hf://name"), "owner/name");
    }
}
