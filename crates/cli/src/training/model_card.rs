//! The `README.md` of a model folder: what the model was made from, how, and how good it is.

use llm_data::Prepared;

use crate::config::Config;

/// The card. Says nothing of the time or the machine, so that equal runs write equal files.
pub(crate) fn text(config: &Config, prepared: &Prepared, validation_loss: Option<f64>) -> String {
    let sources = if config.data.sources.is_empty() {
        format!(
            "stories from the built-in grammar, seed {}, {}",
            config.data.synth.seed, config.data.synth.size
        )
    } else {
        let names = config.data.sources.iter().map(|source| {
            let path = &source.path;
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy()
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let measured = validation_loss.map_or_else(
        || "not measured yet".to_owned(),
        |loss| format!("{loss:.4} nats per token (perplexity {:.3})", loss.exp()),
    );
    // Paths of the machine that trained it are nobody else's business.
    let mut public = config.clone();
    let data = &mut public.data;
    let paths = data.sources.iter_mut().chain(&mut data.validation_sources);
    let paths = paths.map(|source| &mut source.path);
    for path in paths.chain(&mut public.tokenizer.path) {
        *path = path.file_name().map(Into::into).unwrap_or_default();
    }
    let settings = public.to_toml().unwrap_or_default();
    format!(
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\n---\n\n# A language model of family {}\n\n\
         - Trained on: {sources}; {} tokens, {} of them for validation\n\
         - Tokenizer: {}\n\
         - Validation loss: {measured}\n\n\
         ## Settings\n\n```toml\n{settings}```\n",
        config.model.family.name(),
        prepared.train.len() + prepared.validation.len(),
        prepared.validation.len(),
        prepared.tokenizer.describe(),
    )
}
