//! Writing a tokenizer as the files that transformers reads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::TokenizerError;
use crate::load::{CONFIG, DEFINITION};
use crate::tokenizer::Tokenizer;

impl Tokenizer {
    /// Writes `tokenizer.json` and `tokenizer_config.json` to `folder`, which is made if it is not there. `AutoTokenizer` of transformers and
    /// [`Tokenizer::load`] read them.
    ///
    /// Each file is there whole or as it was before: it is written under another name, synced and renamed. What a loaded
    /// `tokenizer_config.json` held beside our keys is kept, and so are chat templates, in the files that they came in. Files of other templates,
    /// which the folder had before, are removed: [`Tokenizer::load`] would take them for this tokenizer's.
    ///
    /// # Errors
    /// [`TokenizerError::Write`] with the file that could not be written or removed.
    pub fn save(&self, folder: &Path) -> Result<(), TokenizerError> {
        self.save_with(folder, None)
    }

    /// [`Tokenizer::save`] beside a model whose context is `max_seq_len` tokens: transformers warns of longer texts, and cuts them where asked to.
    ///
    /// # Errors
    /// Those of [`Tokenizer::save`].
    pub fn save_beside_model(
        &self,
        folder: &Path,
        max_seq_len: usize,
    ) -> Result<(), TokenizerError> {
        self.save_with(folder, Some(max_seq_len))
    }

    fn save_with(&self, folder: &Path, max_seq_len: Option<usize>) -> Result<(), TokenizerError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TokenizerError::Write { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        for (name, source) in self.templates().files() {
            let path = folder.join(name);
            let folder = path.parent().unwrap_or(folder);
            fs::create_dir_all(folder).map_err(failed(folder))?;
            replace(folder, &path, source.as_bytes()).map_err(failed(&path))?;
            sync_folder(folder).map_err(failed(folder))?;
        }
        for path in self
            .templates()
            .stale_files(folder)
            .map_err(failed(folder))?
        {
            fs::remove_file(&path).map_err(failed(&path))?;
        }
        let config = Value::Object(self.config_to_save(max_seq_len));
        let files = [
            (CONFIG, format!("{config:#}\n")),
            (DEFINITION, self.definition().to_owned()),
        ];
        for (name, content) in files {
            let path = folder.join(name);
            replace(folder, &path, content.as_bytes()).map_err(failed(&path))?;
        }
        sync_folder(folder).map_err(failed(folder))
    }

    /// What the loaded `tokenizer_config.json` held, and what transformers needs.
    fn config_to_save(&self, max_seq_len: Option<usize>) -> Map<String, Value> {
        let mut config = self.inner().config.clone();
        self.templates().add_to(&mut config);
        let defaults = [
            ("tokenizer_class", Some(json!("PreTrainedTokenizerFast"))),
            ("clean_up_tokenization_spaces", Some(json!(false))),
            ("bos_token", self.name_of(self.bos())),
            ("eos_token", self.name_of(self.eos())),
            ("model_max_length", max_seq_len.map(|len| json!(len))),
        ];
        for (key, value) in defaults {
            if let (Some(value), false) = (value, config.contains_key(key)) {
                config.insert(key.to_owned(), value);
            }
        }
        config
    }

    fn name_of(&self, id: Option<u32>) -> Option<Value> {
        Some(json!(self.token(id?)?))
    }
}

/// Puts `content` in the place of the file `path` in `folder`.
fn replace(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tokenizer-");
    // Temporary files are private, a model folder is as public as the rest of the person's files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes the new names last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
