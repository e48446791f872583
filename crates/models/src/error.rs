//! What can go wrong with models from outside: settings, files, prompts.

use std::path::PathBuf;

use llm_core::layers::LayerError;
use llm_files::WriteError;

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A setting is out of its range.
    #[error("{key} is {value}: it must be {allowed}")]
    Config {
        /// Dotted key.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A key that the family does not have.
    #[error("model.{key} does nothing for family {family}: remove it")]
    KeyOfOtherFamily {
        /// Key in the `[model]` table.
        key: &'static str,
        /// The family.
        family: &'static str,
    },
    /// No preset has this name.
    #[error("model.preset is {name}: the presets are {known}")]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// The preset is of another family than the one asked for.
    #[error("model.preset {preset} is of family {has}, but model.family is {wanted}")]
    PresetOfOtherFamily {
        /// The preset.
        preset: String,
        /// Its family.
        has: &'static str,
        /// The family asked for.
        wanted: &'static str,
    },
    /// The vocabulary of the settings is too small for the tokenizer.
    #[error(
        "model.vocab_size is {vocab_size}, but the tokenizer has {tokens} tokens: leave the key out or raise it"
    )]
    VocabularyTooSmall {
        /// Of the settings.
        vocab_size: usize,
        /// Of the tokenizer.
        tokens: usize,
    },
    /// Sizes that make no layer.
    #[error("model.{0}")]
    Layer(#[from] LayerError),
    /// Guessed tokens are checked by the plan alone.
    #[error(
        "guesses of the next tokens need f32 weights on the CPU: leave --lookup and --draft-model out"
    )]
    NoPlan,
    /// The draft model knows other tokens.
    #[error(
        "the draft model has {theirs} tokens, the model {ours}: both must have the same tokenizer"
    )]
    DraftVocabulary {
        /// Tokens of the model.
        ours: usize,
        /// Tokens of the draft model.
        theirs: usize,
    },
    /// The sizes in a file make no model.
    #[error("{}: {fault}", path.display())]
    Sizes {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        fault: Box<ModelError>,
    },
    /// A file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There is no model in the folder.
    #[error("{} is not a model folder: it has no {missing}", folder.display())]
    NotAModel {
        /// The folder.
        folder: PathBuf,
        /// The file that is missing.
        missing: &'static str,
    },
    /// `config.json` is not what it should be.
    #[error("{} is not a valid model configuration", path.display())]
    ConfigJson {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: serde_json::Error,
    },
    /// The index of shards is not what it should be.
    #[error("{} is not a valid index of shards", path.display())]
    ShardIndex {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: serde_json::Error,
    },
    /// `config.json` asks for something that is not built in.
    #[error("{}: {what} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Key and value.
        what: String,
    },
    /// `config.json` lacks a key.
    #[error("{}: the key {key} is missing", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A weight file is damaged.
    #[error("{} is not a whole safetensors file", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// A file that PyTorch saved is damaged.
    #[error("{} is not a whole PyTorch file of tensors", path.display())]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<pytorch_reader::PytorchError>,
    },
    /// A GGUF file is damaged.
    #[error("{} is not a whole GGUF file: {what}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file of a released model is damaged, or of a kind that is not read.
    #[error("{} is not a whole {kind}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A file without names of tensors is longer or shorter than its sizes say.
    #[error("{} has {bytes} bytes, but the sizes at its beginning make {}", path.display(), expected.map_or("more than there are addresses".into(), |n| n.to_string()))]
    FileSize {
        /// The file.
        path: PathBuf,
        /// How many there are.
        bytes: u64,
        /// How many there should be; `None` when that is no number.
        expected: Option<u64>,
    },
    /// No format of ours fits a file.
    #[error("{}: {what}; expected a model folder, a .gguf file, or a llama2.c .bin file", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: &'static str,
    },
    /// llama.cpp can't be told of this model.
    #[error("a GGUF file can't hold {what}; convert to a Hugging Face folder")]
    NoGguf {
        /// What has no place there.
        what: &'static str,
    },
    /// Only GGUF files have blocks of numbers.
    #[error(
        "a Hugging Face folder can't hold {encoding}: use f32, f16 or bf16, or convert to gguf"
    )]
    NoBlocks {
        /// The encoding.
        encoding: &'static str,
    },
    /// A number does not fit into the encoding asked for.
    #[error("tensor {name} has the value {value:e}, which {encoding} can't hold: use bf16 or f32")]
    TooLarge {
        /// The tensor.
        name: String,
        /// The number.
        value: f32,
        /// The encoding.
        encoding: &'static str,
    },
    /// What was written is not what was meant.
    #[error("{} does not give back what was written into it: {what}", path.display())]
    ReadBack {
        /// The file or folder.
        path: PathBuf,
        /// The first difference.
        what: String,
    },
    /// A tensor is not in the file.
    #[error("{} has no tensor {name}", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor is in the file that the model has no place for.
    #[error("{} holds the tensor {name}, which a model of this configuration does not have", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: tensor {name} is {found:?}, but the model's sizes make it {expected:?}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// In the file.
        found: Vec<usize>,
        /// From the configuration.
        expected: Vec<usize>,
    },
    /// A tensor has not as many bytes as its shape needs.
    #[error("{}: tensor {name} has {bytes} bytes, which its shape in {encoding} does not make", path.display())]
    TensorSize {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// In the file.
        bytes: usize,
        /// How they are stored.
        encoding: &'static str,
    },
    /// A tensor has a number type that models are not made of.
    #[error("{}: tensor {name} has type {dtype}: use F32, F16 or BF16, in GGUF files also Q8_0 or Q4_0", path.display())]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// A prompt without tokens, for a model without a token that begins a text.
    #[error("the prompt is empty and this model has no token to begin a text with: give a prompt")]
    EmptyPrompt,
    /// A token that the model does not know.
    #[error(
        "token id {id} is not below the model's vocabulary size {vocab_size}: the tokenizer is not this model's"
    )]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// Number of tokens.
        vocab_size: usize,
    },
    /// A setting names a token that the model has not.
    #[error("{key} names token {id}, but the model has {vocab_size} tokens, from 0 on")]
    SettingOutOfVocabulary {
        /// Dotted key.
        key: &'static str,
        /// The id.
        id: u32,
        /// Number of tokens.
        vocab_size: usize,
    },
    /// A sequence outgrew the context, and that was to be an error.
    #[error(
        "the sequence has {tokens} tokens, but the model's context is {max_seq_len}: use context overflow slide or stop"
    )]
    ContextOverflow {
        /// Tokens of the sequence.
        tokens: usize,
        /// Context of the model.
        max_seq_len: usize,
    },
    /// The model gives no number for the next token.
    #[error("the model's output for the next token is not finite: its weights are damaged")]
    NotFinite,
}
