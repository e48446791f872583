//! What can go wrong with a tokenizer, with what a person needs to put it right.

use std::path::PathBuf;

use llm_files::WriteError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The configuration asks for a BPE smaller than its alphabet.
    #[error(
        "tokenizer.vocab_size is {found}, but byte-level BPE needs at least {least}: one token for each byte and each special token"
    )]
    VocabSize {
        /// Size asked for, in tokens.
        found: usize,
        /// The smallest size.
        least: usize,
    },
    /// A text that cannot be a special token.
    #[error("{token:?} cannot be a special token: {reason}")]
    SpecialToken {
        /// The text.
        token: String,
        /// Why not.
        reason: &'static str,
    },
    /// A limit that leaves nothing to merge.
    #[error(
        "the longest token must have at least 2 bytes, not {found}, or there is nothing to merge"
    )]
    MaxTokenLength {
        /// The limit, in bytes.
        found: usize,
    },
    /// A rule for cutting words that is no regular expression.
    #[error(
        "the pattern {pattern:?} is not a regular expression; correct it, or name one of gpt2, gpt4 and none"
    )]
    Pattern {
        /// The expression.
        pattern: String,
        /// What the engine reported.
        #[source]
        source: Box<fancy_regex::Error>,
    },
    /// A regular expression that cannot cope with a text.
    #[error(
        "the pattern gives up on a text after byte {position}, since it goes back too often; make it simpler, or cut the text into lines"
    )]
    PatternGaveUp {
        /// Bytes of the text that it has cut into words.
        position: usize,
        /// What the engine reported.
        #[source]
        source: Box<fancy_regex::Error>,
    },
    /// The caller stopped the training.
    #[error("the training of the tokenizer was stopped")]
    TrainingStopped,
    /// The configuration asks for a file and names none.
    #[error(
        "tokenizer.kind is \"file\" but tokenizer.path is not set; name a tokenizer.json or a folder that holds one"
    )]
    PathMissing,
    /// The configuration names a file that its kind does not read.
    #[error(
        "tokenizer.path is {path:?}, which only tokenizer.kind = \"file\" reads; set that kind or remove the path"
    )]
    PathUnused {
        /// The path given.
        path: PathBuf,
    },
    /// A tokenizer was to be trained on nothing.
    #[error("there is no text to make a tokenizer from; check that the source is not empty")]
    NoText,
    /// Training broke off.
    #[error("training the byte-level BPE failed")]
    Train {
        /// What `tokenizers` reported.
        #[source]
        source: tokenizers::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}; check that it exists, is a file and may be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system reported.
        #[source]
        source: std::io::Error,
    },
    /// A file or folder can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A folder holds no tokenizer.
    #[error("{} holds no tokenizer; looked for {looked_for}", folder.display())]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
        /// The names looked for.
        looked_for: &'static str,
    },
    /// One file of a pair is there, the other is not.
    #[error("{} needs {} beside it, which is missing", path.display(), partner.display())]
    NoPartner {
        /// The file that is there.
        path: PathBuf,
        /// The file that is not.
        partner: PathBuf,
    },
    /// A file has no content.
    #[error("{} is empty; get it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file is not text.
    #[error("{} is not UTF-8 from byte {position} on; it is no tokenizer file, or damaged", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Number of bytes before the first wrong one.
        position: usize,
        /// The decoding error.
        #[source]
        source: std::str::Utf8Error,
    },
    /// A file is not JSON.
    #[error("{}:{line}:{column}: not valid JSON; the file may be cut short, get it again", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser reported.
        #[source]
        source: serde_json::Error,
    },
    /// A key of a JSON file has a wrong value.
    #[error("{}: {key} must be {expected}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key, with dots for nesting.
        key: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// JSON, but no tokenizer that the `tokenizers` library reads.
    #[error("{} is JSON but not a usable tokenizer.json; export the tokenizer again", path.display())]
    Definition {
        /// The file.
        path: PathBuf,
        /// What `tokenizers` reported.
        #[source]
        source: tokenizers::Error,
    },
    /// A file is of a kind that holds no tokenizer.
    #[error(
        "{} is {found}, not a tokenizer; name a tokenizer.json, a .model file of SentencePiece or a file of tiktoken ranks",
        path.display()
    )]
    NotTokenizer {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: &'static str,
    },
    /// A file is none of SentencePiece, or damaged.
    #[error("{} is no whole SentencePiece model; get the file again", path.display())]
    SentencePiece {
        /// The file.
        path: PathBuf,
        /// What the parser reported.
        #[source]
        source: prost::DecodeError,
    },
    /// A SentencePiece model of a kind that is not read here.
    #[error(
        "{}: {key} is {found}, which is not supported; use a bpe or unigram model with the usual white space",
        path.display()
    )]
    SentencePieceUnsupported {
        /// The file.
        path: PathBuf,
        /// The field, with dots for nesting.
        key: &'static str,
        /// Its value.
        found: &'static str,
    },
    /// A SentencePiece model gives one piece two ids.
    #[error("{}: pieces has {piece:?} at {first} and at {second}; each piece needs its own text", path.display())]
    DuplicatePiece {
        /// The file.
        path: PathBuf,
        /// The piece.
        piece: String,
        /// Its first id.
        first: usize,
        /// Its second id.
        second: usize,
    },
    /// A line of a file of tiktoken ranks is wrong.
    #[error("{}:{line}: expected {expected}", path.display())]
    TiktokenLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// A file of tiktoken ranks lacks a byte, so that parts of a text would be lost.
    #[error("{} has no token for the byte 0x{byte:02X}; get the file again", path.display())]
    TiktokenByte {
        /// The file.
        path: PathBuf,
        /// The byte.
        byte: u8,
    },
    /// A file of tiktoken ranks leaves one out.
    #[error("{} has higher ranks but none of {rank}, nor is that a special token; get the file again", path.display())]
    TiktokenGap {
        /// The file.
        path: PathBuf,
        /// The first rank that no token has.
        rank: u32,
    },
    /// A file of tiktoken ranks is of no known encoding.
    #[error(
        "{} has {ranks} tokens, as no known encoding has: {known}; name the one whose rule for words it follows as \"tiktoken_encoding\" in a tokenizer_config.json beside it, and list its special tokens under \"added_tokens_decoder\"",
        path.display()
    )]
    TiktokenEncoding {
        /// The file.
        path: PathBuf,
        /// Number of tokens.
        ranks: usize,
        /// The encodings that are known, with their sizes.
        known: String,
    },
    /// A token cannot be added to a vocabulary.
    #[error("the token {token:?} cannot be added to the vocabulary: {reason}")]
    ExtendToken {
        /// The token.
        token: String,
        /// Why not.
        reason: &'static str,
    },
    /// A tokenizer of llama2.c breaks off within a token.
    #[error("{} does not hold whole tokens of llama2.c; export the tokenizer again", path.display())]
    Llama2c {
        /// The file.
        path: PathBuf,
    },
    /// Two tokens have one id.
    #[error("{}: id {id} is given to both {first:?} and {second:?}; each token needs its own", path.display())]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// The id.
        id: u32,
        /// One of the tokens.
        first: String,
        /// The other one.
        second: String,
    },
    /// An added token would get another id than its file says.
    #[error(
        "{}: the added token {token:?} is listed with id {listed} but its place in the vocabulary is {actual}; number the added tokens without gaps after the vocabulary",
        path.display()
    )]
    AddedTokenId {
        /// The file.
        path: PathBuf,
        /// The token.
        token: String,
        /// Id in the file.
        listed: u32,
        /// Id that encoding would give.
        actual: u32,
    },
    /// A decoder whose output cannot be streamed.
    #[error(
        "{}: the decoder {decoder} is not supported; use ByteLevel, Metaspace, WordPiece, BPEDecoder, Fuse or a Sequence of Replace, ByteFallback, Fuse and Strip",
        path.display()
    )]
    Decoder {
        /// The file.
        path: PathBuf,
        /// Type of the decoder as the file names it.
        decoder: String,
    },
    /// A line of a merges file is not two symbols.
    #[error("{}:{line}: expected two symbols with one space between them, found {found:?}", path.display())]
    MergeLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The line.
        found: String,
    },
    /// A merge names or makes a token that the vocabulary lacks.
    #[error("{}:{line}: the vocabulary {} has no token {token:?}; the two files do not belong together", path.display(), vocab.display())]
    MergeToken {
        /// The merges file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The vocabulary file.
        vocab: PathBuf,
        /// The token.
        token: String,
    },
    /// `tokenizer_config.json` names a token that the vocabulary lacks.
    #[error("{}: {key} is {token:?}, which is not in the vocabulary; name one of its tokens", path.display())]
    NamedToken {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// The token.
        token: String,
    },
    /// A character that no token stands for.
    #[error(
        "the character {character:?} (U+{:04X}) at position {position} is not in the vocabulary; remove it or make the tokenizer from a text that has it",
        u32::from(*character)
    )]
    UnknownCharacter {
        /// The character.
        character: char,
        /// Number of characters before it.
        position: usize,
    },
    /// Plain text for which the model insists on a special token.
    #[error(
        "the text is encoded as the special token {token:?}, which text must not become; remove it from the text or parse special tokens on purpose"
    )]
    SpecialInText {
        /// The special token.
        token: String,
    },
    /// Encoding broke off.
    #[error("encoding the text failed")]
    Encode {
        /// What `tokenizers` reported.
        #[source]
        source: tokenizers::Error,
    },
    /// A chat template that is not valid Jinja.
    #[error("{origin}:{line}: the chat template cannot be read; correct it, or choose another one")]
    ChatSyntax {
        /// The file, or what else the template comes from.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// What the template engine reported.
        #[source]
        source: Box<minijinja::Error>,
    },
    /// A chat template failed.
    #[error("{origin}:{line}: the chat template cannot render this conversation")]
    ChatRender {
        /// The file, or what else the template comes from.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// What the template engine reported.
        #[source]
        source: Box<minijinja::Error>,
    },
    /// A chat template raised an exception.
    #[error("the chat template refuses this conversation: {message}")]
    ChatRefused {
        /// What the template says.
        message: String,
    },
    /// A name that no built-in chat template has.
    #[error("there is no built-in chat template {name:?}; choose one of {known}")]
    UnknownChatTemplate {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A special token in a conversation that would be taken for the token.
    #[error(
        "the conversation has the text of the special token {token:?}, which this tokenizer would take for the token; remove it from the text"
    )]
    ChatSpecial {
        /// The special token.
        token: String,
    },
    /// A conversation that leaves no character to mark special tokens with.
    #[error(
        "the conversation has all of the noncharacters U+FDD0 to U+FDEF, which belong in no text; remove them"
    )]
    ChatNoncharacters,
    /// An id without a token.
    #[error(
        "token id {id} is not in the vocabulary of {vocab_size} tokens; check that the model and the tokenizer belong together"
    )]
    UnknownId {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A token could not be turned into text.
    #[error("decoding token id {id} failed")]
    Decode {
        /// The id.
        id: u32,
        /// What `tokenizers` reported.
        #[source]
        source: tokenizers::Error,
    },
    /// A GGUF file holds a kind of tokenizer that is not known here.
    #[error(
        "{}: tokenizer.ggml.model is {found:?}; only gpt2 (byte-level BPE) and llama (BPE in the way of SentencePiece) are read",
        path.display()
    )]
    GgufKind {
        /// The file.
        path: PathBuf,
        /// The kind.
        found: String,
    },
    /// A GGUF file names a rule for cutting text into words that is not known here.
    #[error("{}: tokenizer.ggml.pre is {found}; known are {known}", path.display())]
    GgufPre {
        /// The file.
        path: PathBuf,
        /// The name, or that it is missing.
        found: String,
        /// The names that are known.
        known: String,
    },
    /// A GGUF file gives one token two ids.
    #[error("{}: tokenizer.ggml.tokens has {token:?} at {first} and at {second}; each token needs its own text", path.display())]
    GgufDuplicate {
        /// The file.
        path: PathBuf,
        /// The token.
        token: String,
        /// Its first id.
        first: usize,
        /// Its second id.
        second: usize,
    },
    /// A merge of a GGUF file names or makes a token that the vocabulary lacks.
    #[error("{}: tokenizer.ggml.merges[{index}] is {merge:?}, but there is no token {token:?}; the file is damaged", path.display())]
    GgufMerge {
        /// The file.
        path: PathBuf,
        /// Place of the merge, from 0.
        index: usize,
        /// The merge.
        merge: String,
        /// The token.
        token: String,
    },
    /// A vocabulary of a GGUF file has nothing for characters without a token.
    #[error(
        "{}: tokenizer.ggml.tokens has {bytes} of the 256 byte tokens and none for the unknown, so that parts of a text would be lost; convert the model again",
        path.display()
    )]
    GgufBytes {
        /// The file.
        path: PathBuf,
        /// Number of byte tokens.
        bytes: usize,
    },
    /// A model has fewer rows than the tokenizer has ids.
    #[error(
        "the tokenizer has {tokens} ids but the model has {rows} rows; check that the model and the tokenizer belong together"
    )]
    GgufRows {
        /// Rows of the model.
        rows: usize,
        /// Ids of the tokenizer.
        tokens: usize,
    },
    /// A tokenizer that no GGUF vocabulary stands for.
    #[error("a GGUF file cannot hold this tokenizer, whose {part} is {found}: {reason}")]
    GgufUnfit {
        /// The part that does not fit.
        part: &'static str,
        /// What it is.
        found: String,
        /// Why it does not fit.
        reason: &'static str,
    },
}

impl TokenizerError {
    /// The same error in a text with so many characters before.
    pub(crate) fn after(self, characters: usize) -> Self {
        match self {
            Self::UnknownCharacter {
                character,
                position,
            } => Self::UnknownCharacter {
                character,
                position: position + characters,
            },
            other => other,
        }
    }
}
