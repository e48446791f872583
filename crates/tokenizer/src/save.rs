//! Writing a tokenizer as the files that transformers reads.

use std::fs;
use std::path::Path;

use llm_files::WriteError;
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
        fs::create_dir_all(folder).map_err(WriteError::of(folder))?;
        for (name, source) in self.templates().files() {
            let path = folder.join(name);
            let folder = llm_files::folder_of(&path);
            fs::create_dir_all(folder).map_err(WriteError::of(folder))?;
            llm_files::write(&path, source.as_bytes())?;
        }
        for path in self
            .templates()
            .stale_files(folder)
            .map_err(WriteError::of(folder))?
        {
            fs::remove_file(&path).map_err(WriteError::of(&path))?;
        }
        let config = Value::Object(self.config_to_save(max_seq_len));
        let files = [
            (CONFIG, format!("{config:#}\n")),
            (DEFINITION, self.definition().to_owned()),
        ];
        for (name, content) in files {
            llm_files::write(&folder.join(name), content.as_bytes())?;
        }
        Ok(())
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
