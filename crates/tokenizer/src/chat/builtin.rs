//! Formats of well-known families, for models that come without a template.
//!
//! - `chatml`: `<|im_start|>role`, the text, `<|im_end|>`; any role. Of OpenAI, used by Qwen, SmolLM and many others.
//! - `llama-2`: `[INST] … [/INST]` with the system prompt in `<<SYS>>` inside the first turn.
//! - `llama-3`: `<|start_header_id|>role<|end_header_id|>`, the text, `<|eot_id|>`; any role.
//! - `mistral`: that of the tokenizer version 3 (Mistral 7B Instruct v0.3). The system prompt goes before the last message of the user, as in
//!   the template published with that model; version 1 put it before the first.
//! - `alpaca`: `### Instruction:` and `### Response:`, each on a line of its own. Without a system prompt the text begins with the preamble
//!   of Stanford Alpaca.
//! - `plain`: a transcript, `User: …` and `Assistant: …` line by line, which a base model can go on with.

use super::template::ChatTemplate;
use crate::error::TokenizerError;

struct Builtin {
    name: &'static str,
    source: &'static str,
    stop_strings: &'static [&'static str],
}

const BUILTINS: [Builtin; 6] = [
    Builtin {
        name: "chatml",
        source: include_str!("templates/chatml.jinja"),
        stop_strings: &["<|im_end|>"],
    },
    Builtin {
        name: "llama-2",
        source: include_str!("templates/llama-2.jinja"),
        stop_strings: &["</s>"],
    },
    Builtin {
        name: "llama-3",
        source: include_str!("templates/llama-3.jinja"),
        stop_strings: &["<|eot_id|>", "<|end_of_text|>"],
    },
    Builtin {
        name: "mistral",
        source: include_str!("templates/mistral.jinja"),
        stop_strings: &["</s>"],
    },
    Builtin {
        name: "alpaca",
        source: include_str!("templates/alpaca.jinja"),
        stop_strings: &["### Instruction:"],
    },
    Builtin {
        name: "plain",
        source: include_str!("templates/plain.jinja"),
        stop_strings: &["\nUser:"],
    },
];

impl ChatTemplate {
    /// The names of the built-in templates.
    pub const BUILTIN: [&'static str; BUILTINS.len()] = {
        let mut names = [""; BUILTINS.len()];
        let mut index = 0;
        while index < names.len() {
            names[index] = BUILTINS[index].name;
            index += 1;
        }
        names
    };

    /// The built-in template `name`, one of [`ChatTemplate::BUILTIN`]. Where its format begins or ends with a special token, that is the
    /// tokenizer's own `bos_token` and `eos_token`.
    ///
    /// | name | model family | an answer ends at |
    /// |---|---|---|
    /// | `chatml` | Qwen, SmolLM and others | `<\|im_end\|>` |
    /// | `llama-2` | Llama 2 Chat | `eos_token`, `</s>` |
    /// | `llama-3` | Llama 3 Instruct | `<\|eot_id\|>` |
    /// | `mistral` | Mistral 7B Instruct v0.3; the system prompt before the last message of the user | `eos_token`, `</s>` |
    /// | `alpaca` | Alpaca | `eos_token`, `### Instruction:` |
    /// | `plain` | base models, as a transcript | a new line with `User:` |
    ///
    /// # Errors
    /// [`TokenizerError::UnknownChatTemplate`] for another name.
    pub fn builtin(name: &str) -> Result<Self, TokenizerError> {
        let builtin = BUILTINS.iter().find(|builtin| builtin.name == name);
        let builtin = builtin.ok_or_else(|| TokenizerError::UnknownChatTemplate {
            name: name.to_owned(),
            known: Self::BUILTIN.join(", "),
        })?;
        let origin = format!("built-in {name}.jinja");
        Self::parse_from(origin, builtin.source)
    }

    /// The texts that end an answer, of a built-in template, also one that was saved with a model and loaded again. None for any other, whose
    /// model says by its tokens where it ends.
    pub fn stop_strings(&self) -> &'static [&'static str] {
        let builtin = BUILTINS.iter().find(|b| b.source == self.source());
        builtin.map_or(&[], |builtin| builtin.stop_strings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_template_and_stop_strings() {
        for name in ChatTemplate::BUILTIN {
            let template = ChatTemplate::builtin(name).unwrap();
            assert!(!template.stop_strings().is_empty(), "{name}");
        }
        let error = ChatTemplate::builtin("llama").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no built-in chat template \"llama\"; choose one of chatml, llama-2, llama-3, mistral, alpaca, plain"
        );
    }
}
