"""Training and encoding with BPE by Hugging Face `tokenizers`: the baseline that `tokenizer_speed`, an example of `llm-tokenizer`, is measured against.

    python hf_tokenizer_speed.py train TEXT VOCAB_SIZE TOKENIZER_DIR
    python hf_tokenizer_speed.py encode TEXT TOKENIZER_DIR

Prints a JSON object: megabytes of text a second, and seconds, of the work itself. Threads are set with `RAYON_NUM_THREADS`. Texts are trained on
line by line and encoded paragraph by paragraph, as ours are.
"""

import json
import pathlib
import sys
import time

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def cut_after(text, end):
    parts = text.split(end)
    return [part + end for part in parts[:-1]] + parts[-1:]


def train(text, vocab_size, folder):
    lines = cut_after(text, "\n")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=int(vocab_size),
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    start = time.perf_counter()
    tokenizer.train_from_iterator(lines, trainer)
    seconds = time.perf_counter() - start
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return seconds, tokenizer.get_vocab_size()


def encode(text, folder):
    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    paragraphs = cut_after(text, "\n\n")
    start = time.perf_counter()
    encodings = tokenizer.encode_batch_fast(paragraphs, add_special_tokens=False)
    seconds = time.perf_counter() - start
    return seconds, sum(len(encoding.ids) for encoding in encodings)


def main():
    command, path, *rest = sys.argv[1:]
    text = pathlib.Path(path).read_text(encoding="utf-8")
    seconds, tokens = {"train": train, "encode": encode}[command](text, *rest)
    rate = len(text.encode()) / 1e6 / seconds
    print(json.dumps({"value": round(rate, 2), "unit": "MB/s", "seconds": round(seconds, 4), "tokens": tokens}))


if __name__ == "__main__":
    main()
