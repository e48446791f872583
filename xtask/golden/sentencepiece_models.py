"""Files of SentencePiece: small models trained here, the ids of difficult texts, and what ids decode to.

Writes `sentencepiece.json` for `llm-tokenizer`. The table of characters is one of a few rules: that of NFKC would fill the file.
"""

import base64
import io
import pathlib
import random
import tempfile

import sentencepiece

from common import output_folder, write_json

WORDS = """the quick brown fox jumps over lazy dog and doesn't mind it's asleep there were foxes dogs in year they'll have more we've seen
them all thereafter otherwise nothing another together weather der Fuchs läuft über größte Straße ça et là où naïve façade лиса бежит через
лес собака спит キツネ が 走る 犬 は 寝る 敏捷 的 狐狸 1984 2001 12345 x=y+1; foo(bar) a/b, ... ?! "so" -- (say) 🦊 🐕""".split()

# Full-width letters, ligatures, accents put together, spaces of other kinds, characters to drop.
RULES = [(chr(0xFF01 + i), chr(0x21 + i)) for i in range(94)] + [
    ("ﬁ", "fi"), ("ﬃ", "ffi"), ("①", "1"), ("½", "1⁄2"), ("™", "TM"), ("e\u0301", "é"), ("e\u0302", "ê"), ("e\u0302\u0301", "ế"), ("u\u0308", "ü"),
    ("か\u3099", "が"), ("ｶ\uff9e", "ガ"), ("ｶ", "カ"), ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("\u00b4", " \u0301"),
    ("\u200b", ""), ("\u0001", ""), ("\ufeff", ""),
]  # fmt: skip

TEXTS = [
    "", " ", "  ", "\n", "\t\t", "a", "The fox", " the  fox\n\nand\tthe dog. ", "   the fox   ", "it's  the   year 1984,\r\nisn't it?!",
    "otherwise nothing rather unweathered foxlike", "ＦＵＬＬ　ｗｉｄｔｈ ｆｏｘ", "ﬁ ﬃ oﬃce ①½™", "e\u0301 e\u0302\u0301 e\u0302 u\u0308ber e\u0301\u0301",
    "ｶ\uff9eｶ か\u3099 が", "①\u0301 ①\u0302\u0301", "敏捷的狐狸 fox キツネ 🦊dog лиса", "👨‍👩‍👧‍👦 🏳️‍🌈", "<s>the fox</s>", "<unk> <pad> ⁇", "▁the ▁▁fox▁", "▁", "▁▁▁",
    " ▁ ", "<sep>", "the<sep>fox", "the <sep> fox", "<sep><sep>the", " <sep>", "<sep> ", "<s<sep>s>", "new york is new  york", "xnew yorkx", "New York",
    "\u0000", "the\u0000fox", "\u0001\u0002\u001f\u007f", "a\u200bb\ufeffc\u00adb", "\ufffd", "\ue000\U0010ffff", "\u00a0the\u00a0\u00a0fox\u3000", "\u00b4a", "the\u2028fox\u2029\u0085",
    "<0x41><0x0A>", "the" * 12, "aaaaaaaaaaaaaaa", "thethe  thethe", "....!!!???", "größte größte STRASSE ſ", "ไทย हिन्दी עברית العربية", "한국어 각", "Z\u0351\u036b\u0343", "ab\u0301c\u0302d",
    "foo(bar) = x=y+1; // a/b", "0 00 000 1234567890", "ααα ωωω ααω", "the fox\n", "\n the fox", "it''s they'll've",
]  # fmt: skip

# Ids in no order that a text has.
STREAMS = 12

MODELS = {
    "bpe": dict(model_type="bpe"),
    "bpe_llama": dict(
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, split_digits=True, vocab_size=620,
    ),
    "bpe_symbols": dict(
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
        user_defined_symbols=["<sep>", "new york", "▁▁▁", "fo"], control_symbols=["<ctrl>"], pad_id=3, vocab_size=620,
    ),
    "unigram": dict(model_type="unigram"),
    "unigram_bytes": dict(
        model_type="unigram", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, vocab_size=580, pad_id=0,
        bos_id=2, eos_id=1, unk_id=3, unk_surface="[?]",
    ),
    "unigram_symbols": dict(
        model_type="unigram", user_defined_symbols=["<sep>", "new york", "fox"], add_dummy_prefix=False, bos_id=-1, vocab_size=340,
    ),
}  # fmt: skip


def main():
    folder = output_folder("tokenizer", __doc__)
    draw = random.Random(7)
    text = [" ".join(draw.choices(WORDS, k=9)) for _ in range(800)]
    models = {}
    with tempfile.TemporaryDirectory() as scratch:
        rules = pathlib.Path(scratch) / "rules.tsv"
        points = lambda characters: " ".join(f"{ord(c):X}" for c in characters)
        rules.write_text("".join(f"{points(a)}\t{points(b)}\n" for a, b in RULES))
        for name, options in MODELS.items():
            options = {"vocab_size": 300, "pad_id": -1, "hard_vocab_limit": False} | options
            if "normalization_rule_name" not in options:
                options["normalization_rule_tsv"] = str(rules)
            file = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(text), model_writer=file, character_coverage=0.995, num_threads=1, minloglevel=2, **options
            )
            models[name] = record(file.getvalue(), draw)
        # Pieces as other tools add them: one score for many, and some that are not to be used.
        models["bpe_edited"] = record(edited(base64.b64decode(models["bpe_llama"]["model"]), draw), draw)
        models["unigram_edited"] = record(edited(base64.b64decode(models["unigram"]["model"]), draw), draw)
    write_json(folder / "sentencepiece.json", {"texts": TEXTS, "models": models}, 3)


def record(model, draw):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = processor.get_piece_size()
    streams = [[draw.randrange(pieces) for _ in range(draw.randrange(1, 7))] for _ in range(STREAMS)]
    ids = [processor.encode(text) for text in TEXTS]
    return {
        "model": base64.b64encode(model).decode(),
        "special": [processor.bos_id(), processor.eos_id(), processor.pad_id(), processor.unk_id()],
        "ids": ids,
        "decoded": [processor.decode(ids) for ids in ids],
        "streams": [[ids, processor.decode(ids)] for ids in streams],
    }


def edited(model, draw):
    """The file with the scores of some pieces made equal, and some pieces unused."""
    out, place = bytearray(), 0
    index = 0
    while place < len(model):
        if model[place] != 0x0A:
            return bytes(out + model[place:])
        length = model[place + 1]
        assert length < 128
        piece = model[place + 2 : place + 2 + length]
        place += 2 + length
        # Field 3, the type, is written for other types than normal alone.
        text, end = piece[2 : 2 + piece[1]].decode(), 2 + piece[1]
        assert piece[end] == 0x15
        if len(piece) == end + 5 and len(text) > 1:
            choice = draw.random()
            if choice < 0.3:
                piece = piece[: end + 1] + b"\x00\x00\x80\xbf"
            elif choice < 0.45:
                piece = piece + b"\x18\x05"
        out += bytes([0x0A, len(piece)]) + piece
        index += 1
    return bytes(out)


main()
