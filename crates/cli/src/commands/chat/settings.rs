//! The settings of a chat: those it began with, and what `/set` changed since.

use llm_models::generate::{ContextOverflow, GenerateConfig};

use crate::config::Layers;
use crate::failure::usage;
use crate::named_model::NamedModel;
use crate::sampling::resolve_tokens;

/// The table that `/set` changes.
const TABLE: &str = "generate";

/// Settings on their way.
pub(super) struct Settings<'m> {
    layers: Layers,
    named: &'m NamedModel,
    /// Texts of the template that end an answer.
    stops: &'static [&'static str],
    /// As the user has set them.
    table: GenerateConfig,
    /// As the generator takes them, but for the end of the context.
    ready: GenerateConfig,
}

/// The table `generate`, if a chat can be had with it.
///
/// # Errors
/// A fault in a setting.
pub(super) fn check(layers: &Layers) -> anyhow::Result<GenerateConfig> {
    let table = layers.clone().resolve()?.generate;
    if table.num_return_sequences != 1 {
        return Err(usage(
            "generate.num_return_sequences: a chat has one answer to each message; leave it out",
        ));
    }
    Ok(table)
}

impl<'m> Settings<'m> {
    /// Settings for this model, and a template that ends answers with `stops`.
    ///
    /// # Errors
    /// A fault in a setting.
    pub(super) fn new(
        layers: Layers,
        named: &'m NamedModel,
        stops: &'static [&'static str],
    ) -> anyhow::Result<Self> {
        let table = check(&layers)?;
        let ready = ready(&table, named, stops)?;
        Ok(Self {
            layers,
            named,
            stops,
            table,
            ready,
        })
    }

    /// Changes a key, written `key=value` or `generate.key=value`; an empty value is the default. A fault changes nothing.
    ///
    /// # Errors
    /// The key is unknown, the value is not allowed, or the key is of another table.
    pub(super) fn set(&mut self, assignment: &str) -> anyhow::Result<()> {
        let key = assignment.split('=').next().unwrap_or_default().trim();
        let table = key.split('.').next().unwrap_or_default();
        let assignment = if table == TABLE {
            assignment.to_owned()
        } else if crate::config::tables().contains(&table) {
            return Err(usage(format_args!(
                "/set {assignment}: only keys of the table {TABLE} can be set in a chat"
            )));
        } else {
            format!("{TABLE}.{assignment}")
        };
        let layers = self.layers.clone().assign("/set", &assignment)?;
        let table = check(&layers)?;
        self.ready = ready(&table, self.named, self.stops)?;
        (self.layers, self.table) = (layers, table);
        Ok(())
    }

    /// Every key that has a value, as TOML.
    ///
    /// # Errors
    /// A number is larger than TOML can hold.
    pub(super) fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string(&self.table)?)
    }

    /// Whether older messages may be forgotten.
    pub(super) fn may_forget(&self) -> bool {
        self.table.context_overflow == ContextOverflow::Slide
    }

    /// The settings of the answer after so many: each has draws of its own, which the conversation alone decides.
    pub(super) fn of_answer(&self, n_answers: usize) -> GenerateConfig {
        GenerateConfig {
            seed: self.ready.seed.wrapping_add(n_answers as u64),
            ..self.ready.clone()
        }
    }
}

fn ready(
    table: &GenerateConfig,
    named: &NamedModel,
    stops: &[&str],
) -> anyhow::Result<GenerateConfig> {
    let mut config = table.clone();
    resolve_tokens(&mut config, named)?;
    if config.context_overflow == ContextOverflow::Slide {
        // Whole messages are forgotten, before an answer: one that outgrows the context would forget the question.
        config.context_overflow = ContextOverflow::Stop;
    }
    config
        .stop
        .extend(stops.iter().map(|&stop| stop.to_owned()));
    config.stop_tokens.extend(&named.end_ids);
    Ok(config)
}
