//! From the texts in `[generate]` to the ids that the samplers know, by the tokenizer of the model.

use llm_models::generate::GenerateConfig;
use llm_tokenizer::Tokenizer;

use crate::failure::{as_usage, usage};
use crate::named_model::NamedModel;

/// What ends a run of DRY where nothing else is asked for, as in llama.cpp.
const BREAKERS: [&str; 4] = ["\n", ":", "\"", "*"];

/// Adds the ids of the banned texts and of DRY's breakers to those in `config`, and checks all of them against the model.
///
/// # Errors
/// A banned text is not one token, no token holds a breaker, or an id is none of the model's; exit code 2.
pub(crate) fn resolve_tokens(
    config: &mut GenerateConfig,
    named: &NamedModel,
) -> anyhow::Result<()> {
    let tokenizer = &named.tokenizer;
    for text in &config.banned_texts {
        config.banned_tokens.extend(tokens_of(text, tokenizer)?);
    }
    if config.dry_multiplier > 0.0 {
        let is_default = config.dry_breakers.is_none();
        let breakers = match &config.dry_breakers {
            Some(breakers) => breakers.clone(),
            None => BREAKERS.map(str::to_owned).to_vec(),
        };
        let ids = holding(&breakers, tokenizer);
        if let Some(missing) = ids.iter().position(Vec::is_empty).filter(|_| !is_default) {
            return Err(usage(format_args!(
                "generate.dry_breakers: no token of the model holds {:?}",
                breakers[missing]
            )));
        }
        config.dry_breaker_tokens.extend(ids.concat());
    }
    let vocab_size = named.model.architecture().vocab_size();
    config
        .check_tokens(vocab_size, &named.special())
        .map_err(as_usage)?;
    config.validate().map_err(as_usage)
}

/// The tokens that are just this text, at the beginning of a word or inside.
fn tokens_of(text: &str, tokenizer: &Tokenizer) -> anyhow::Result<Vec<u32>> {
    let spaced = format!(" {text}");
    let one = |text: &str| match tokenizer.encode(text).as_deref() {
        Ok([id]) => Some(*id),
        _ => None,
    };
    let mut ids: Vec<u32> = [tokenizer.id_of(text), one(text), one(&spaced)]
        .into_iter()
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        let several = tokenizer
            .encode(text)
            .map_err(|error| usage(format_args!("generate.banned_texts: {text:?}: {error}")))?;
        return Err(usage(format_args!(
            "generate.banned_texts: {text:?} is {} tokens here, {several:?}: only single tokens can be banned; ban one of them by its id",
            several.len(),
        )));
    }
    Ok(ids)
}

/// For each text the tokens that hold it.
fn holding(texts: &[String], tokenizer: &Tokenizer) -> Vec<Vec<u32>> {
    let mut ids = vec![Vec::new(); texts.len()];
    for id in 0..tokenizer.vocab_size() as u32 {
        // Ids between the tokens have no text.
        let token = tokenizer.decode(&[id]).unwrap_or_default();
        for (ids, text) in ids.iter_mut().zip(texts) {
            if token.contains(text.as_str()) {
                ids.push(id);
            }
        }
    }
    ids
}
