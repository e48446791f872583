//! Where the templates of a tokenizer come from, and where they are written.
//!
//! transformers 5 writes `chat_template.jinja` and, for templates with other names, `additional_chat_templates/NAME.jinja`; from 4.47 on it
//! reads them. Before it kept templates in `tokenizer_config.json`, under `chat_template`: a text, or a list of names and texts. A file goes
//! before an entry of the same name there. What was loaded is written again in the way it came.
//!
//! A template without any text is none. transformers renders such a one, but to nothing, and nothing can be answered to that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use serde_json::{Map, Value};

use super::template::ChatTemplate;
use crate::error::TokenizerError;
use crate::load::{CONFIG, read_text};
use crate::tokenizer::Tokenizer;

/// The key of `tokenizer_config.json`.
const KEY: &str = "chat_template";
/// The file of the default template.
const FILE: &str = "chat_template.jinja";
/// The folder of the others.
const FOLDER: &str = "additional_chat_templates";
/// Name of the template that is meant where none is named.
const DEFAULT: &str = "default";

/// The templates of a tokenizer, not yet parsed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    /// The folder they were read from.
    folder: PathBuf,
    /// By name.
    files: BTreeMap<String, String>,
    in_config: Option<Value>,
}

impl Templates {
    /// Reads the files beside `path`, and takes the templates out of `config`.
    pub(crate) fn read(
        path: &Path,
        config: &mut Map<String, Value>,
    ) -> Result<Self, TokenizerError> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let failed = |source| TokenizerError::Read {
            path: folder.join(FOLDER),
            source,
        };
        let mut files = BTreeMap::new();
        for (name, path) in files_in(&folder).map_err(failed)? {
            match read_text(&path) {
                Err(TokenizerError::Empty { .. }) => {}
                source => {
                    files.insert(name, source?);
                }
            }
        }
        Ok(Self {
            folder,
            files,
            in_config: config.remove(KEY),
        })
    }

    /// The template that the file `path` holds beside other things, if it has one.
    pub(crate) fn of_file(path: &Path, source: Option<&str>) -> Self {
        let source = source.filter(|source| has_text(source));
        let file = |source: &str| (DEFAULT.to_owned(), source.to_owned());
        Self {
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            files: source.map(file).into_iter().collect(),
            in_config: None,
        }
    }

    /// The source of the template that is meant where none is named.
    ///
    /// # Errors
    /// Those of [`Tokenizer::chat_template_names`].
    pub(crate) fn default_source(&self) -> Result<Option<String>, TokenizerError> {
        let all = self.all()?;
        Ok(all.get(DEFAULT).map(|(_, source)| (*source).to_owned()))
    }

    /// The files to write, by their path in the folder of the tokenizer.
    pub(crate) fn files(&self) -> impl Iterator<Item = (PathBuf, &str)> {
        self.files
            .iter()
            .map(|(name, source)| (file_of(name), source.as_str()))
    }

    /// Files in `folder` from which templates would be read, though these ones are not written there.
    pub(crate) fn stale_files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut stale: Vec<_> = files_in(folder)?
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        stale.retain(|path| {
            self.files
                .keys()
                .all(|name| folder.join(file_of(name)) != *path)
        });
        Ok(stale)
    }

    /// Puts back into `config` what was taken out.
    pub(crate) fn add_to(&self, config: &mut Map<String, Value>) {
        if let Some(templates) = &self.in_config {
            config.insert(KEY.to_owned(), templates.clone());
        }
    }

    /// The same with another default template, which is a file.
    fn with_default(&self, source: &str) -> Self {
        let mut changed = self.clone();
        changed.files.remove(DEFAULT);
        if has_text(source) {
            changed.files.insert(DEFAULT.to_owned(), source.to_owned());
        }
        match &mut changed.in_config {
            Some(Value::Array(list)) => list.retain(|entry| entry["name"] != DEFAULT),
            Some(Value::Object(map)) => {
                map.remove(DEFAULT);
            }
            other => *other = None,
        }
        changed
    }

    /// Sources by name, each with the file it is from.
    fn all(&self) -> Result<BTreeMap<&str, (PathBuf, &str)>, TokenizerError> {
        let config = self.folder.join(CONFIG);
        let wrong = || TokenizerError::Key {
            path: config.clone(),
            key: KEY.to_owned(),
            expected: "a template, or a list of objects with the texts name and template",
        };
        let mut all = BTreeMap::new();
        match &self.in_config {
            None | Some(Value::Null) => {}
            Some(Value::String(source)) => {
                all.insert(DEFAULT, (config.clone(), source.as_str()));
            }
            Some(Value::Array(list)) => {
                for entry in list {
                    let (name, source) = (entry["name"].as_str(), entry["template"].as_str());
                    let (name, source) = name.zip(source).ok_or_else(wrong)?;
                    all.insert(name, (config.clone(), source));
                }
            }
            Some(Value::Object(map)) => {
                for (name, source) in map {
                    let source = source.as_str().ok_or_else(wrong)?;
                    all.insert(name, (config.clone(), source));
                }
            }
            Some(_) => return Err(wrong()),
        }
        for (name, source) in &self.files {
            all.insert(name, (self.folder.join(file_of(name)), source));
        }
        all.retain(|_, (_, source)| has_text(source));
        Ok(all)
    }
}

impl Tokenizer {
    /// The template that came with the tokenizer: `chat_template.jinja` beside its file, else `chat_template` in `tokenizer_config.json`.
    ///
    /// # Errors
    /// [`TokenizerError::ChatSyntax`] for a template that cannot be parsed, [`TokenizerError::Key`] for a `chat_template` that is none.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, TokenizerError> {
        self.chat_template_named(DEFAULT)
    }

    /// The template of that name, such as `tool_use`, where the tokenizer came with several; see [`Tokenizer::chat_template_names`].
    ///
    /// # Errors
    /// Those of [`Tokenizer::chat_template`].
    pub fn chat_template_named(&self, name: &str) -> Result<Option<ChatTemplate>, TokenizerError> {
        let all = self.templates().all()?;
        let parse = |(path, source): &(PathBuf, &str)| {
            ChatTemplate::parse_from(path.display().to_string(), source)
        };
        all.get(name).map(parse).transpose()
    }

    /// Names of the templates that came with the tokenizer; `default` is that of [`Tokenizer::chat_template`].
    ///
    /// # Errors
    /// [`TokenizerError::Key`] for a `chat_template` in `tokenizer_config.json` that is none.
    pub fn chat_template_names(&self) -> Result<Vec<String>, TokenizerError> {
        let all = self.templates().all()?;
        Ok(all.into_keys().map(str::to_owned).collect())
    }

    /// The tokenizer with `template` for its own: [`Tokenizer::save`] writes it as `chat_template.jinja`, which transformers reads from 4.47
    /// on.
    pub fn with_chat_template(&self, template: &ChatTemplate) -> Self {
        let templates = self.templates().with_default(template.source());
        self.with_templates(Arc::new(templates))
    }
}

/// Whether there is anything to render.
fn has_text(source: &str) -> bool {
    !source.trim_ascii().is_empty()
}

/// The files of templates in the folder of a tokenizer, each with the name of its template. The last one of a name counts.
fn files_in(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let default = folder.join(FILE);
    if default.exists() {
        files.push((DEFAULT.to_owned(), default));
    }
    let others = folder.join(FOLDER);
    if others.is_dir() {
        for entry in fs::read_dir(others)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            if let (Some(name), true) = (name, path.extension().is_some_and(|e| e == "jinja")) {
                files.push((name.to_owned(), path));
            }
        }
    }
    Ok(files)
}

/// Where the template of that name stands in the folder of a tokenizer.
fn file_of(name: &str) -> PathBuf {
    match name {
        DEFAULT => FILE.into(),
        other => Path::new(FOLDER).join(format!("{other}.jinja")),
    }
}
