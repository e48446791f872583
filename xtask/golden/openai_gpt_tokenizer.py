"""Tokenizers of the family openai-gpt: as transformers saves them, ids of texts, and what the ids decode to, token by token.

Writes `openai_gpt_tokenizer.json` for `llm-tokenizer`. A small vocabulary is trained here; that of the published model is far too large. It stands in
the file as OpenAI writes its pairs of files, as transformers converts such a pair, and as its own tokenizer is saved, alone and with more tokens.
"""

import json
import pathlib
import tempfile
import types

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AddedToken, OpenAIGPTTokenizer
from transformers.convert_slow_tokenizer import OpenAIGPTConverter

from common import output_folder, write_json

TEXT = """The quick brown fox jumps over the lazy dog, and the dog doesn't mind: it's asleep, isn't it?
There were 1984 foxes and 20 dogs in the year 2001; they'll have 12345 more, and we've seen them all.
The fox and the dog and the fox and the dog: thereafter, otherwise, nothing, another, together, weather.
"""

TEXTS = [
    "",
    " ",
    "a",
    "The fox",
    " the  fox\n\nand\tthe dog. ",
    "It's 1984, isn't it?! (They'll say so...)",
    "otherwise nothing rather unweathered foxlike",
    "THE QUICK Fox; Der Fuchs läuft über größte Straße; ça và là",
    "敏捷的狐狸 fox キツネ 🦊dog лиса",
    "the</w> fox </w> w> <unk> unk",
    "the _start_ fox <tool>dog</tool> _classify_",
    "the a</w>b</w>c</w> a</w>b</w>c</w>dog",
    "a</w>b</w>c</w>",
    "a\u0000b\u00a0c\u200bd\ufffde\u0301",
    "the" * 12,
]

# Ids that no text has, by tokens: the middle of words at their end, one end after the other, special tokens between and after.
STREAMS = [
    ["the</w>"],
    ["the</w>", "the</w>"],
    ["fo", "x</w>", "fo"],
    ["th", "<unk>", "the</w>", "<unk>"],
    ["<unk>", "the</w>", "<unk>", "<unk>", ".</w>", "a"],
    ["s</w>"] * 5,
]


def trained():
    """A vocabulary and its merges, in the order they are applied."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=160, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def stream(tokenizer, ids):
    """What each beginning of `ids` decodes to."""
    return [tokenizer.decode(ids[: end + 1], skip_special_tokens=True) for end in range(len(ids))]


def encode(tokenizer, text, as_text):
    return tokenizer(text, add_special_tokens=False, split_special_tokens=as_text).input_ids


def saved(tokenizer):
    """The files of a tokenizer, and what it does."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        folder = pathlib.Path(folder)
        files = {name: json.loads((folder / name).read_text()) for name in ("tokenizer.json", "tokenizer_config.json")}
    texts = []
    for text in TEXTS:
        ids = encode(tokenizer, text, as_text=True)
        special = encode(tokenizer, text, as_text=False)
        texts.append({"text": text, "ids": ids, "stream": stream(tokenizer, ids), "with_special": special})
    streams = [tokenizer.convert_tokens_to_ids(tokens) for tokens in STREAMS]
    streams += [encode(tokenizer, text, as_text=False) for text in TEXTS]
    return {
        "files": files,
        "texts": texts,
        "streams": [{"ids": ids, "stream": stream(tokenizer, ids)} for ids in streams],
    }


def main():
    output = output_folder("tokenizer", __doc__)
    vocab, merges = trained()
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    converter = OpenAIGPTConverter(types.SimpleNamespace(encoder=vocab, bpe_ranks=ranks, unk_token="<unk>"))

    plain = OpenAIGPTTokenizer(vocab=vocab, merges=merges)
    # As the model is fine-tuned in its paper, and with tokens that are text.
    more = OpenAIGPTTokenizer(vocab=vocab, merges=merges)
    more.add_special_tokens({"additional_special_tokens": ["_start_", "_delimiter_", "_classify_"]})
    text = ["<tool>", "</tool>", "a</w>b</w>c</w>"]
    more.add_tokens([AddedToken(token, normalized=False) for token in text])
    golden = {
        "vocab": vocab,
        "merges": "\n".join(["#version: 0.2", *map(" ".join, merges), ""]),
        "converted": json.loads(converter.converted().to_str()),
        "saved": {"plain": saved(plain), "more": saved(more)},
    }
    write_json(output / "openai_gpt_tokenizer.json", golden, lines=5)


if __name__ == "__main__":
    main()
