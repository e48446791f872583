//! The rules that cut a text into words before a byte-level BPE sees it, by their names in GGUF files.
//!
//! A file holds the name alone. The rule behind each is the one in the `tokenizer.json` of the models that have it; llama.cpp follows the
//! same expressions but knows no normalization, so that it gives other ids for text that is not in the form NFC where a rule asks for it.

use serde_json::{Value, json};

use crate::definition;
use crate::split::{GPT2, GPT4};

/// A rule.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    /// Names of the rule, the first one is written.
    names: &'static [&'static str],
    /// Whether the text is brought into the form NFC first.
    nfc: bool,
    steps: &'static [Step],
    /// Whether a word that is a token needs no merges.
    pub(super) ignore_merges: bool,
    /// Whether texts begin with a token of their own where a file does not say it.
    pub(super) add_bos: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Cuts out what the expression finds.
    Split(&'static str),
    /// Cuts out each digit.
    Digits,
    /// Cuts by the rule of GPT-2.
    Words,
}

const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

static ALL: [PreTokenizer; 8] = [
    rule(&["gpt-2", "phi-2"], &[Step::Words]),
    PreTokenizer {
        ignore_merges: true,
        add_bos: true,
        ..rule(&["llama-bpe", "llama3", "llama-v3"], &[Step::Split(GPT4)])
    },
    rule(&["smaug-bpe"], &[Step::Split(GPT4)]),
    PreTokenizer {
        nfc: true,
        ..rule(&["qwen2"], &[Step::Split(QWEN2)])
    },
    rule(&["deepseek-r1-qwen"], &[Step::Split(QWEN2)]),
    rule(
        &["smollm", "starcoder", "refact"],
        &[Step::Digits, Step::Words],
    ),
    PreTokenizer {
        nfc: true,
        ..rule(&["olmo", "mpt"], &[Step::Words])
    },
    // What llama.cpp does for files older than the names.
    rule(
        &["default"],
        &[
            Step::Split(r"[\p{P}\$\+<=>\^~\|]+"),
            Step::Split(GPT2),
            Step::Split(r"\p{N}+"),
            Step::Split("[0-9][0-9][0-9]"),
        ],
    ),
];

const fn rule(names: &'static [&'static str], steps: &'static [Step]) -> PreTokenizer {
    PreTokenizer {
        names,
        nfc: false,
        steps,
        ignore_merges: false,
        add_bos: false,
    }
}

/// The rule of a name.
pub(super) fn named(name: &str) -> Option<&'static PreTokenizer> {
    ALL.iter().find(|rule| rule.names.contains(&name))
}

/// All names, for messages.
pub(super) fn names() -> String {
    let names: Vec<_> = ALL.iter().flat_map(|rule| rule.names).copied().collect();
    names.join(", ")
}

/// The step that cuts out what an expression finds.
pub(crate) fn split(expression: &str) -> Value {
    json!({
        "type": "Split",
        "pattern": {"Regex": expression},
        "behavior": "Isolated",
        "invert": false,
    })
}

/// The rule of a definition.
pub(super) fn recognise(definition: &Value) -> Option<&'static PreTokenizer> {
    let nfc = match &definition["normalizer"] {
        Value::Null => false,
        normalizer if normalizer["type"] == "NFC" => true,
        _ => return None,
    };
    let ignore_merges = definition["model"]["ignore_merges"] == true;
    let steps = steps(&definition["pre_tokenizer"])?;
    ALL.iter().find(|rule| {
        rule.nfc == nfc && rule.ignore_merges == ignore_merges && rule.steps() == steps
    })
}

/// The steps of a pre-tokenizer, without what does not change the words.
fn steps(pre_tokenizer: &Value) -> Option<Vec<Value>> {
    let list = match pre_tokenizer["pretokenizers"].as_array() {
        Some(list) if pre_tokenizer["type"] == "Sequence" => list.clone(),
        _ => vec![pre_tokenizer.clone()],
    };
    let mut steps = Vec::new();
    for mut step in list {
        if step["type"] == "ByteLevel" {
            // About offsets, not about words.
            step["trim_offsets"] = json!(true);
        }
        steps.push(step);
    }
    Some(steps)
}

impl PreTokenizer {
    /// The name that is written.
    pub(super) fn name(&self) -> &'static str {
        self.names[0]
    }

    /// The normalizer of a definition.
    pub(super) fn normalizer(&self) -> Value {
        if self.nfc {
            json!({"type": "NFC"})
        } else {
            Value::Null
        }
    }

    /// The pre-tokenizer of a definition.
    pub(super) fn pre_tokenizer(&self) -> Value {
        let mut steps = self.steps();
        match steps.len() {
            1 => steps.remove(0),
            _ => json!({"type": "Sequence", "pretokenizers": steps}),
        }
    }

    fn steps(&self) -> Vec<Value> {
        let mut steps: Vec<_> = self.steps.iter().map(Step::definition).collect();
        if self.steps.last() != Some(&Step::Words) {
            // Still to be spelled in symbols.
            steps.push(definition::byte_level(false));
        }
        steps
    }
}

impl Step {
    fn definition(&self) -> Value {
        match self {
            Self::Split(expression) => split(expression),
            Self::Digits => json!({"type": "Digits", "individual_digits": true}),
            Self::Words => definition::byte_level(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_recognised_in_what_it_makes() {
        for rule in &ALL {
            let definition = json!({
                "normalizer": rule.normalizer(),
                "pre_tokenizer": rule.pre_tokenizer(),
                "model": {"ignore_merges": rule.ignore_merges},
            });
            let found = recognise(&definition).map(PreTokenizer::name);
            assert_eq!(found, Some(rule.name()));
            for name in rule.names {
                assert_eq!(named(name).map(PreTokenizer::name), found);
            }
        }
    }

    #[test]
    fn what_changes_words_is_told_apart_and_what_does_not_is_not() {
        let definition = |pre_tokenizer: Value| json!({"pre_tokenizer": pre_tokenizer});
        let name = |definition| recognise(&definition).map(PreTokenizer::name);

        let mut byte_level = definition::byte_level(true);
        byte_level["trim_offsets"] = json!(false);
        assert_eq!(name(definition(byte_level.clone())), Some("gpt-2"));
        byte_level["add_prefix_space"] = json!(true);
        assert_eq!(name(definition(byte_level)), None);
        assert_eq!(name(definition(definition::byte_level(false))), None);
        assert_eq!(name(definition(Value::Null)), None);
        let mut lowercase = definition(definition::byte_level(true));
        lowercase["normalizer"] = json!({"type": "Lowercase"});
        assert_eq!(name(lowercase), None);
    }
}
