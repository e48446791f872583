//! Models of the Hugging Face hub, which are downloaded once into its own cache. Needs the feature `hub`.

use std::path::PathBuf;

use crate::failure::usage;

/// A repository of the hub, at a revision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// `owner/name`.
    pub(crate) id: String,
    /// Branch, tag or commit.
    revision: Option<String>,
}

impl Repository {
    /// Reads `owner/name` or `owner/name@revision`.
    ///
    /// # Errors
    /// It is neither; ends with exit code 2.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let (id, revision) = match text.split_once('@') {
            Some((id, revision)) => (id, Some(revision)),
            None => (text, None),
        };
        let is_name = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part != "." && part != ".." && part.chars().all(plain)
        };
        let parts: Vec<&str> = id.split('/').collect();
        let named = matches!(parts[..], [owner, name] if is_name(owner) && is_name(name));
        if !named || revision.is_some_and(str::is_empty) {
            return Err(usage(format_args!(
                "hf://{text}: expected hf://owner/name or hf://owner/name@revision"
            )));
        }
        Ok(Self {
            id: id.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }
}

/// Downloads what a model needs, unless it is in the cache, and returns the folder.
///
/// # Errors
/// The feature is not compiled in; ends with exit code 2.
#[cfg(not(feature = "hub"))]
pub(crate) fn download(repository: &Repository) -> anyhow::Result<PathBuf> {
    let Repository { id, revision } = repository;
    let revision = revision.as_deref().unwrap_or("main");
    Err(usage(format_args!(
        "{id} at {revision} is not a folder here, and this program was built without downloads: build it with --features hub, or name a folder"
    )))
}

/// Downloads what a model needs, unless it is in the cache, and returns the folder.
///
/// # Errors
/// The hub can't be reached, or has no such model.
#[cfg(feature = "hub")]
pub(crate) fn download(repository: &Repository) -> anyhow::Result<PathBuf> {
    download::folder(repository)
}

#[cfg(feature = "hub")]
mod download {
    use std::path::PathBuf;

    use anyhow::{Context, bail};
    use hf_hub::api::sync::ApiBuilder;
    use hf_hub::{Repo, RepoType};

    use super::Repository;

    /// Files of text that a model may need beside its configuration.
    const EXTRAS: [&str; 8] = [
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "vocab.json",
        "merges.txt",
        "encoder.json",
        "vocab.bpe",
    ];

    /// Indexes of shards and single files of weights, the preferred ones first.
    const WEIGHTS: [(&str, &str); 2] = [
        ("model.safetensors", "model.safetensors.index.json"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json"),
    ];

    pub(super) fn folder(repository: &Repository) -> anyhow::Result<PathBuf> {
        let revision = repository.revision.clone().unwrap_or_else(|| "main".into());
        let repo = Repo::with_revision(repository.id.clone(), RepoType::Model, revision);
        let api = ApiBuilder::from_env()
            .with_progress(true)
            .build()?
            .repo(repo);
        let info = api
            .info()
            .context("the hub has no such model, or can't be reached: check the name and the network, or name a folder that is here")?;
        let has = |name: &str| info.siblings.iter().any(|file| file.rfilename == name);
        let config = api.get("config.json")?;
        for name in EXTRAS.into_iter().filter(|name| has(name)) {
            api.get(name)?;
        }
        let Some((single, index)) = WEIGHTS
            .into_iter()
            .find(|(single, index)| has(single) || has(index))
        else {
            bail!("it has neither model.safetensors nor pytorch_model.bin");
        };
        if has(single) {
            api.get(single)?;
        } else {
            api.get(index)?;
            let extension = single.rsplit('.').next().unwrap_or_default();
            let stem = single.split('.').next().unwrap_or_default();
            let is_shard = |name: &str| name.starts_with(stem) && name.ends_with(extension);
            for file in info
                .siblings
                .iter()
                .filter(|file| is_shard(&file.rfilename))
            {
                api.get(&file.rfilename)?;
            }
        }
        let folder = config.parent().context("the cache has no folder for it")?;
        Ok(folder.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_an_owner_and_a_name() {
        let parse = |text| Repository::parse(text).ok();
        let repository = |id: &str, revision: Option<&str>| Repository {
            id: id.into(),
            revision: revision.map(Into::into),
        };
        assert_eq!(parse("a/b-c.1"), Some(repository("a/b-c.1", None)));
        assert_eq!(parse("a/b@main"), Some(repository("a/b", Some("main"))));
        for text in ["", "a", "a/b/c", "a/", "/b", "a/..", "a/b@", "a b/c"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
