"""GGUF files that `llm convert` writes, in llama.cpp: the same scores and the same tokens as ours.

    check_llama_cpp.py --llm PATH [MODEL ...]

Without a MODEL the tiny folders of `crates/models/tests/golden` are taken, with a character tokenizer made for each. llama.cpp keeps its
cache in f32 and computes attention without its flash kernel here; the GELU of gpt2 comes from an f16 table, so that its bounds are wider.
Prints one line for each check and exits 1 when one fails. Needs the packages of `requirements.txt`.
"""

import argparse
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import llama_cpp
import numpy
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[3]
TINY = ROOT / "crates" / "models" / "tests" / "golden" / "tiny"

# Largest difference of a score, and largest mean KL divergence in nats.
BOUNDS = {"llama": (1e-3, 1e-5), "gpt2": (0.05, 1e-5)}
DTYPES = ["f32", "f16", "bf16", "q8_0", "q4_0"]
TEXTS = ["Once upon a time", "to be, or not to be: that is the question", "abc xyz", "x"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm", required=True, type=pathlib.Path)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    llm, failures = arguments.llm.resolve(), 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        models = arguments.models or [with_tokenizer(llm, tiny, folder) for tiny in tiny_folders()]
        for model in models:
            failures += check(llm, model, folder)
    sys.exit(1 if failures else 0)


def tiny_folders():
    return sorted(path for path in TINY.iterdir() if not path.name.startswith("openai-gpt"))


def with_tokenizer(llm, tiny, folder):
    """A copy of a tiny folder with a character tokenizer of as many tokens as it has."""
    copy = folder / tiny.name
    shutil.copytree(tiny, copy)
    text = folder / "letters.txt"
    text.write_text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,.:;'-\n")
    run(llm, "tokenizer", "train", "--data", text, "--kind", "character", "--output-dir", copy, "--force")
    return copy


def check(llm, model, folder):
    failures = 0
    for dtype in DTYPES:
        path = folder / f"{model.name}-{dtype}.gguf"
        run(llm, "convert", model, path, "--to", "gguf", "--dtype", dtype)
        theirs = llama_cpp.Llama(
            str(path), n_ctx=64, logits_all=True, verbose=False, flash_attn=False, n_threads=2,
            type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
        )
        architecture = theirs.metadata["general.architecture"]
        context = int(theirs.metadata[f"{architecture}.context_length"])
        ids = numpy.arange(1, min(40, context) + 1) * 7919 % theirs.n_vocab()
        # llama.cpp chooses LongRoPE's factors by the size of its context, which it makes no smaller than this.
        original = int(theirs.metadata.get(f"{architecture}.rope.scaling.original_context_length", 0))
        if theirs.metadata.get(f"{architecture}.rope.scaling.type") == "longrope" and len(ids) <= original < theirs.n_ctx():
            print(f"left    {model.name} {dtype}: its context is smaller than any of llama.cpp's", flush=True)
            continue
        output = folder / "logits.safetensors"
        run(llm, "eval", "logits", "--model", path, "--tokens", ",".join(map(str, ids)), "--output", output, "--force")
        ours = load_file(output)["logits"].astype(numpy.float64)
        theirs.eval(ids.tolist())
        other = numpy.array(theirs.scores[: len(ids)], dtype=numpy.float64)
        difference, kl = numpy.abs(ours - other).max(), divergence(ours, other)
        # Where weights are no f32 llama.cpp rounds what it multiplies with them as well: its own error, which is only shown.
        bound, most = BOUNDS[architecture] if dtype == "f32" else (math.inf, math.inf)
        ok = difference <= bound and kl <= most
        failures += not ok
        print(f"{'ok' if ok else 'FAILED':<7} {model.name} {dtype}: scores differ by {difference:.2e}, KL {kl:.2e}", flush=True)
        if dtype == "f32":
            for text in TEXTS:
                expected = json.loads(run(llm, "tokenizer", "encode", "--tokenizer", model, "--json", "--text", text))
                expected = expected["ids"] if isinstance(expected, dict) else expected
                found = theirs.tokenize(text.encode(), add_bos=False, special=False)
                if list(found) != list(expected):
                    failures += 1
                    print(f"FAILED  {model.name}: {text!r} is {found} there, {expected} here")
        path.unlink()
    return failures


def divergence(ours, theirs):
    """Mean KL divergence of their predictions from ours, in nats."""
    p, q = (scores - numpy.logaddexp.reduce(scores, axis=1, keepdims=True) for scores in (ours, theirs))
    return float((numpy.exp(p) * (p - q)).sum(axis=1).mean())


def run(llm, *arguments):
    done = subprocess.run([llm, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
