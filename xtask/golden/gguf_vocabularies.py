"""Token ids that llama.cpp gives for the vocabularies which `llm-tokenizer` writes for GGUF files, and for some that the gguf package writes.

Writes `gguf_vocabularies.json` for `llm-tokenizer`. Small tokenizers are made here with the `tokenizers` package, or by ours from the text in
the file; those of real models lie in the folder that `LLM_DATA_DIR` names and are never copied. Each goes through the example
`gguf_vocabulary` of our crate, then with the gguf package into a file, which llama.cpp opens. The digest of a vocabulary in the golden file
says which one llama.cpp has seen.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unicodedata

import gguf
import llama_cpp
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.tokenization_utils_base import generate_merges

from common import ROOT, output_folder, write_json

# What the small tokenizers are trained on.
TEXT = """The quick brown fox jumps over the lazy dog, and the dog doesn't mind: it's asleep, isn't it?
There were 1984 foxes and 20 dogs in the year 2001; they'll have 12345 more, and we've seen them all.
def fox(jumps: int) -> str:\n    if jumps >= 3:\n        return f"{jumps:03d}"\n    return ""
Der schnelle braune Fuchs läuft über den faulen Hund. Быстрая лиса бежит, ленивая собака спит.
敏捷的狐狸跳过懒狗。キツネが走る。 الثعلب السريع
The fox and the dog and the fox and the dog.  Two  spaces,   three   spaces, and a\ttab.\r\n
"""

TEXTS = [
    "",
    " ",
    "   ",
    "\n",
    "\n\n \n\t\r\n  x",
    "a",
    "The fox jumps over the dog.",
    " the fox  and   the    dog     ",
    "They'll say it's THE DOG'S, WE'VE heard; 'tis so, isn't it?'",
    "0 1 12 123 1234 12345 1234567890 3.14159 ½ Ⅷ ٣٤ ²",
    "def f(x):\n    return x[0] + 3 * {'a': 1}['a']  # 100%\n\n\nprint(f([1]))\r\n",
    "+++ === --- !!! ... ??? $$$ ^^^ ~~~ |||",
    "🦊🦊 👩‍👩‍👧 🏳️‍🌈 ✨ a🙂b",
    "Fuchs läuft über größte Straße; ça và là, ñandú, İstanbul ıssız",
    "Быстрая лиса перепрыгнула через ленивую собаку",
    "敏捷的棕色狐狸跳过了懒狗。キツネは怠け者の犬を飛び越える。여우가 개를 뛰어넘는다",
    "الثعلب البني السريع يقفز فوق الكلب الكسول שועל מהיר",
    "สุนัขจิ้งจอกกระโดด लोमड़ी कूदती है cáo nhảy qua",
    "e\u0301 a\u0300 o\u0302\u0301 \u1e69 \u0073\u0323\u0307 \ufb01",
    "\u00a0\u2003\u3000 \u0085\u2028 \u200b\ufeff\u00ad",
    "tabs\t\tand\tmixed \t spaces\u00a0here  \n \n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "<|endoftext|> <s> </s> <unk> <0x0A> [PAD300] <tool>x</tool> <tool> ▁a ▁▁ b",
    "\u0000\u0001\u001c\u001f\u007f control",
    "the" * 40 + "  " * 20 + "\n" * 20 + "=" * 30,
]

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def split(expression):
    return pre_tokenizers.Split(Regex(expression), "isolated")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def words(*steps):
    return pre_tokenizers.Sequence([*steps, byte_level(use_regex=False)])


QWEN2 = words(split(LLAMA3.replace("{1,3}", "")))
# Name in GGUF files, pre-tokenizer, whether text is brought to NFC, whether a word that is a token needs no merges.
RULES = [
    ("gpt-2", byte_level(use_regex=True), False, False),
    ("llama-bpe", words(split(LLAMA3)), False, True),
    ("smaug-bpe", words(split(LLAMA3)), False, False),
    ("qwen2", QWEN2, True, False),
    ("deepseek-r1-qwen", QWEN2, False, False),
    ("smollm", pre_tokenizers.Sequence([pre_tokenizers.Digits(True), byte_level(use_regex=True)]), False, False),
    ("olmo", byte_level(use_regex=True), True, False),
    (
        "default",
        words(split(r"[\p{P}\$\+<=>\^~\|]+"), split(GPT2), split(r"\p{N}+"), split("[0-9][0-9][0-9]")),
        False,
        False,
    ),
]


def byte_level_tokenizer(pre_tokenizer, nfc, ignore_merges):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=340, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True), trainer)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("</tool>", normalized=False)])
    return tokenizer


def sentence_piece_tokenizer(prefix, across_words):
    """BPE as SentencePiece would make it: special tokens, bytes, pieces by the order of merging, then characters."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    if not across_words:
        trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trained.train_from_iterator(TEXT.splitlines() * 3, trainers.BpeTrainer(vocab_size=330, show_progress=False))
    by_id = sorted(trained.get_vocab().items(), key=lambda item: item[1])
    pieces = [piece for piece, _ in by_id if len(piece) > 1]
    characters = [piece for piece, _ in by_id if len(piece) == 1]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces, *characters]
    vocab = {token: id for id, token in enumerate(tokens)}

    tokenizer = Tokenizer(
        models.BPE(vocab, generate_merges(vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    replace = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace]) if prefix else replace
    decoder = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(decoder + [decoders.Strip(" ", 1, 0)] * prefix)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in tokens[:3]])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("</tool>", normalized=False)])
    return tokenizer


def metaspace_tokenizer(split):
    """The same without a space before the text, but with a pre-tokenizer in the place of the normalizer."""
    tokenizer = sentence_piece_tokenizer(prefix=False, across_words=not split)
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=split)
    return tokenizer


def llama_tokenizer():
    """The same as transformers itself makes it, which knows no unknown token."""
    model = json.loads(sentence_piece_tokenizer(prefix=False, across_words=True).to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = transformers.LlamaTokenizer(vocab=model["vocab"], merges=merges, add_prefix_space=False)
    return tokenizer.backend_tokenizer


def our_vocabulary(*arguments):
    """What the example of our crate prints, and its digest."""
    command = ["cargo", "run", "-q", "-p", "llm-tokenizer", "--example", "gguf_vocabulary", "--", *map(str, arguments)]
    printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(printed), hashlib.sha256(printed.rstrip(b"\n")).hexdigest()


def write_gguf(vocabulary, path):
    writer = gguf.GGUFWriter(path, "llama")
    adders = {
        "model": writer.add_tokenizer_model,
        "pre": writer.add_tokenizer_pre,
        "tokens": writer.add_token_list,
        "scores": writer.add_token_scores,
        "token_types": writer.add_token_types,
        "merges": writer.add_token_merges,
        "bos": writer.add_bos_token_id,
        "eos": writer.add_eos_token_id,
        "unknown": writer.add_unk_token_id,
        "padding": writer.add_pad_token_id,
        "add_bos": writer.add_add_bos_token,
        "add_eos": writer.add_add_eos_token,
        "add_space_prefix": writer.add_add_space_prefix,
        "chat_template": writer.add_chat_template,
    }
    for key, value in vocabulary.items():
        if value is not None and value != []:
            adders[key](value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path):
    """The vocabulary in a file, as the gguf package reads it."""
    fields = gguf.GGUFReader(path).fields
    keys = gguf.Keys.Tokenizer
    names = {
        "model": keys.MODEL,
        "pre": keys.PRE,
        "tokens": keys.LIST,
        "scores": keys.SCORES,
        "token_types": keys.TOKEN_TYPE,
        "merges": keys.MERGES,
        "bos": keys.BOS_ID,
        "eos": keys.EOS_ID,
        "unknown": keys.UNK_ID,
        "padding": keys.PAD_ID,
        "add_bos": keys.ADD_BOS,
        "add_eos": keys.ADD_EOS,
        "add_space_prefix": keys.ADD_PREFIX,
        "chat_template": keys.CHAT_TEMPLATE,
    }
    lists = ("tokens", "scores", "token_types", "merges")
    return {
        name: fields[key].contents() if key in fields else [] if name in lists else None for name, key in names.items()
    }


class LlamaCpp:
    """llama.cpp with a vocabulary."""

    def __init__(self, path):
        self.model = llama_cpp.Llama(model_path=str(path), vocab_only=True, n_ctx=1, verbose=False)

    @classmethod
    def with_vocabulary(cls, vocabulary, folder):
        path = pathlib.Path(folder) / "vocabulary.gguf"
        write_gguf(vocabulary, path)
        return cls(path)

    def encode(self, text):
        # Without its space the wrapper is handed an empty text, for which it makes no room.
        return self.model.tokenize(text.encode(), add_bos=False, special=False) if text else []

    def begins_with_bos(self):
        return self.model.tokenize(b"a", add_bos=True)[0] == self.model.token_bos()


def digest(ids):
    return hashlib.sha256(b"".join(id.to_bytes(4, "little") for id in ids)).hexdigest()


def small(name, made, vocabulary, sha256, folder, texts, definition=None):
    model = LlamaCpp.with_vocabulary(vocabulary, folder)
    case = {"name": name, "made": made, "sha256": sha256, "begins_with_bos": model.begins_with_bos()}
    if texts is not TEXTS:
        case["texts"] = texts
    case["ids"] = [model.encode(text) for text in texts]
    if definition is not None:
        case["definition"] = definition
    return case


def small_cases(folder):
    text_file = pathlib.Path(folder) / "text.txt"
    text_file.write_bytes(TEXT.encode())
    cases = [small("ours", "bpe", *our_vocabulary("bpe", text_file, 340), folder, TEXTS)]
    known = [text for text in TEXTS if set(text) <= set(TEXT)] + TEXT.splitlines(keepends=True)
    cases.append(small("characters", "characters", *our_vocabulary("characters", text_file), folder, known))
    made = [(name, byte_level_tokenizer(*rule), rule[1]) for name, *rule in RULES]
    for prefix in (True, False):
        for across_words in (True, False):
            name = f"sentence-piece-{'with' if prefix else 'no'}-prefix{'-across-words' if across_words else ''}"
            made.append((name, sentence_piece_tokenizer(prefix, across_words), False))
    made.append(("metaspace", metaspace_tokenizer(split=False), False))
    made.append(("metaspace-split", metaspace_tokenizer(split=True), False))
    made.append(("llama-tokenizer", llama_tokenizer(), False))
    for name, tokenizer, nfc in made:
        path = pathlib.Path(folder) / "tokenizer.json"
        tokenizer.save(str(path))
        # llama.cpp normalizes nothing, so it gets such texts normalized.
        texts = [unicodedata.normalize("NFC", text) for text in TEXTS] if nfc else TEXTS
        definition = json.loads(path.read_text())
        cases.append(small(name, "load", *our_vocabulary("load", path), folder, texts, definition))
    return cases


def their_cases(folder):
    """Vocabularies that the gguf package has taken from a folder and written, and read again."""
    folder = pathlib.Path(folder)
    byte_level_tokenizer(byte_level(use_regex=True), False, False).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "chat_template": "{{ x }}"}))
    vocab = gguf.vocab.BpeVocab(folder)
    tokens, scores, types = zip(*vocab.all_tokens())
    path = folder / "theirs.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(vocab.tokenizer_model)
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    special = gguf.SpecialVocab(folder, load_merges=True)
    special.add_to_gguf(writer, quiet=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = LlamaCpp(path)
    # The package takes all added tokens for control tokens, so that they are no part of a text.
    return [{"vocabulary": read_gguf(path), "ids": [model.encode(text) for text in TEXTS]}]


def data_cases(folder):
    data = pathlib.Path(os.environ["LLM_DATA_DIR"])
    cases = []
    for tokenizer in ["tokenizers/gpt2", "tokenizers/mistral/tokenizer.v1.json", "models/stories260K/hf/tokenizer.json"]:
        vocabulary, sha256 = our_vocabulary("load", data / tokenizer)
        model = LlamaCpp.with_vocabulary(vocabulary, folder)
        case = {"tokenizer": tokenizer, "sha256": sha256, "begins_with_bos": model.begins_with_bos()}
        case["ids"] = [model.encode(text) for text in TEXTS]
        case["files"] = {}
        for path in sorted((data / "corpora" / "udhr").glob("*.txt")):
            ids = model.encode(path.read_bytes().decode())
            case["files"][f"corpora/udhr/{path.name}"] = {"n_ids": len(ids), "sha256": digest(ids)}
        cases.append(case)
    return cases


def main():
    output = output_folder("tokenizer", __doc__)
    with tempfile.TemporaryDirectory() as folder:
        golden = {
            "text": TEXT,
            "texts": TEXTS,
            "small": small_cases(folder),
            "theirs": their_cases(folder),
            "data": data_cases(folder),
        }
    write_json(output / "gguf_vocabularies.json", golden, lines=3)


if __name__ == "__main__":
    main()
