"""Ranks of tiktoken: small ones made here, and the ids of difficult texts for the rule for words of each published encoding.

Writes `tiktoken.json` for `llm-tokenizer`. The ranks of the encodings themselves are far too large; their rules are in the package.
"""

import base64
import collections
import random

import tiktoken
import tiktoken_ext.openai_public as public

from common import output_folder, write_json

WORDS = """the quick brown fox jumps over lazy dog and doesn't mind it's asleep there were FOXES Dogs in year they'LL have more we've seen
them all thereafter otherwise nothing another together weather der Fuchs läuft über größte Straße ça là où лиса бежит через лес キツネ が 走る 犬
敏捷 的 狐狸 1984 2001 12345 x=y+1; foo(bar) a/b, ... ?! "so" -- camelCaseWord HTTPServer //path/to/file 🦊 🐕""".split()

TEXTS = [
    "", " ", "  ", "\n", "a", "the fox", " the  fox\n\nand\tthe dog. ", "a \n\n\n b", "a  \r\n\r\n  b\n", "a\n  ", "a  \n  \n", "   \n   x", "\t\t\tx\t\n\t",
    "it's IT'S they'LL they'll 'tis ''ve 'Re", "\u017f'\u017f", "0 12 123 1234 12345 1234567", "camelCase HTTPServer ABCdefGHI xY", "//path/to//file/ \n/x",
    "foo(bar) == {x: [1,2]}; // a\n", "größte STRASSE Ǆ ǅ ǆ ʰa Aʰ", "e\u0301 E\u0301 \u0301x", "敏捷的狐狸 fox キツネ 🦊dog лиса", "👨‍👩‍👧‍👦🏳️‍🌈", "<|endoftext|> <|im_start|>",
    "\u0000\u0001\u007f", "\u00a0the\u3000fox\u2028x\u0085", "....!!!???\n\n", "the" * 12, "aaaaaaaaaaaaa", "ไทย हिन्दी עברית العربية 한국어", "١٢٣٤ Ⅳ ½",
]  # fmt: skip

# Of Llama 3, which is no part of the package: `tokenizer.py` of the repository meta-llama/llama3.
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def pattern(make):
    """The rule of an encoding, without the ranks that it would download."""
    public.load_tiktoken_bpe = lambda *_, **__: {}
    return make()["pat_str"]


def main():
    folder = output_folder("tokenizer", __doc__)
    draw = random.Random(3)
    gaps = [" "] * 9 + ["  ", "\n", "\n\n", "\t"]
    text = "".join(draw.choice(WORDS) + draw.choice(gaps) for _ in range(4000))
    patterns = {
        "r50k_base": public.r50k_pat_str,
        "cl100k_base": pattern(public.cl100k_base),
        "o200k_base": pattern(public.o200k_base),
        "llama3": LLAMA3,
    }
    assert pattern(public.p50k_base) == public.r50k_pat_str
    # One set of ranks for all, of a text that is not cut into words, so that it is the rules that keep words apart.
    ranks = train(text, 700)
    lines = [f"{base64.b64encode(token).decode()} {rank}" for token, rank in ranks.items()]
    encodings = {}
    for name, rule in patterns.items():
        encoding = tiktoken.Encoding(name, pat_str=rule, mergeable_ranks=ranks, special_tokens={})
        encodings[name] = [encoding.encode(text, disallowed_special=()) for text in TEXTS]
    write_json(folder / "tiktoken.json", {"ranks": lines, "texts": TEXTS, "ids": encodings}, 2)


def train(text, size):
    # Bytes are not in their order in the published files either.
    order = sorted(range(256), key=lambda byte: (byte < 33, byte))
    ranks = {bytes([byte]): rank for rank, byte in enumerate(order)}
    parts = [bytes([byte]) for byte in text.encode()]
    while len(ranks) < size:
        pairs = collections.Counter(zip(parts, parts[1:]))
        pair = max(pairs, key=lambda pair: (pairs[pair], pair))
        ranks[pair[0] + pair[1]] = len(ranks)
        merged, index = [], 0
        while index < len(parts):
            if tuple(parts[index : index + 2]) == pair:
                merged.append(pair[0] + pair[1])
                index += 2
            else:
                merged.append(parts[index])
                index += 1
        parts = merged
    return ranks


main()
