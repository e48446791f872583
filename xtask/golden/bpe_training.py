"""Merges that reference trainers of byte-level BPE learn from a small text made here, full of ties and of several ways to one token.

Writes `bpe_training.json` for `llm-tokenizer`: the trainer of Hugging Face `tokenizers` with several options, and plain versions of the two
rules for ties that it does not have, the one of the course CS336 (the lexicographically greater pair) and the one of minbpe (the pair that
stands first in the text). Merges are in the spelling of GPT-2.
"""

import json
import random

import regex
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from common import output_folder, write_json

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = "<|endoftext|>"


def make_text():
    generator = random.Random(17)
    syllables = ["ab", "bc", "abc", "ca", "na", "an", "the", "he", "é", "лис", "狐", "🦊", "aa", "aaa"]
    words = ["".join(generator.choices(syllables, k=generator.randint(1, 4))) for _ in range(120)]
    lines = []
    for _ in range(160):
        line = [generator.choice(words) for _ in range(generator.randint(1, 6))]
        if generator.random() < 0.3:
            line.append(str(generator.randint(0, 99999)))
        text = " ".join(line) + generator.choice([".", "!\n", "'s", "'LL", "  x", "...\n\n", ""])
        lines.append(text + generator.choice(["\n", "\n", SPECIAL + "\n"]))
    return "".join(lines)


def make_ambiguous_text():
    """Words of two letters, where many tokens can be made in several ways."""
    generator = random.Random(5)
    words = ("".join(generator.choices("ab", k=generator.randint(1, 9))) for _ in range(400))
    return " ".join(words)


def symbols():
    """The printable symbol of each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + n) for n, b in enumerate(others)}}


SYMBOLS = symbols()


def spell(token):
    return "".join(SYMBOLS[byte] for byte in token)


def hugging_face(lines, pattern=GPT2, **options):
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), "isolated") if pattern else None
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_]) if split else bytes_
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        special_tokens=[SPECIAL], initial_alphabet=alphabet, show_progress=False, **options
    )
    tokenizer.train_from_iterator(lines, trainer)
    definition = json.loads(tokenizer.to_str())
    vocab = sorted(definition["model"]["vocab"], key=definition["model"]["vocab"].get)
    return {"merges": [" ".join(merge) for merge in definition["model"]["merges"]], "vocab": vocab}


def merge(word, pair, token):
    merged, place = [], 0
    while place < len(word):
        if tuple(word[place : place + 2]) == pair:
            merged.append(token)
            place += 2
        else:
            merged.append(word[place])
            place += 1
    return merged


def plain(words, n_merges, best):
    """Counts all pairs anew before every merge; a token is the bytes it stands for. `best` chooses from the counts, in the order of the text."""
    words = [[bytes([byte]) for byte in word.encode()] for word in words]
    merges = []
    while len({left + right for left, right in merges}) < n_merges:
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        pair = best(counts)
        merges.append(pair)
        words = [merge(word, pair, pair[0] + pair[1]) for word in words]
    merges = dict.fromkeys(merges)  # A pair that comes up again has its rank already.
    return {"merges": [f"{spell(left)} {spell(right)}" for left, right in merges]}


def greater_bytes(counts):
    return max(counts, key=lambda pair: (counts[pair], pair))


def first_in_text(counts):
    return max(counts, key=counts.get)


def main():
    folder = output_folder("tokenizer", __doc__)
    text = make_text()
    lines = text.splitlines(keepends=True)
    assert "".join(lines) == text
    parts = [word for part in text.split(SPECIAL) for word in regex.findall(GPT2, part)]
    gpt4 = regex.findall(GPT4, text)
    ambiguous = make_ambiguous_text()
    golden = {
        "text": text,
        "ambiguous": ambiguous,
        "hugging_face": {
            "gpt2": hugging_face(lines, vocab_size=600),
            "gpt4": hugging_face([text], GPT4, vocab_size=400),
            "none": hugging_face(lines, None, vocab_size=400),
            "frequent": hugging_face(lines, vocab_size=600, min_frequency=12),
            # A token of "short" has fewer symbols than this.
            "ambiguous": hugging_face([ambiguous], vocab_size=500),
            "short": hugging_face(lines, vocab_size=600, max_token_length=5),
        },
        "greater_bytes": {
            "cut": plain(parts, 300, greater_bytes),
            "ambiguous": plain(regex.findall(GPT2, ambiguous), 200, greater_bytes),
        },
        "first_in_text": {
            "gpt4": plain(gpt4, 300, first_in_text),
            "none": plain([text[:2000]], 150, first_in_text),
            "ambiguous": plain(regex.findall(GPT2, ambiguous), 200, first_in_text),
        },
    }
    write_json(folder / "bpe_training.json", golden, lines=3)


if __name__ == "__main__":
    main()
