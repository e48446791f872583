"""Prefill and greedy decoding of a GGUF file in llama.cpp on the CPU, batch 1.

A value is tokens a second: of a prompt of 512 tokens (prefill, logits of the last position only), of 128 new tokens after a prompt of
32, which counts in the time (decode). Threads are the cores, keys and values are cached in f32, flash attention is llama-cpp-python's
default. With `--json`, prints a JSON object a line: `name`, `value`, `unit`.

    python llama_cpp_generate.py [--json] [--only SECTION]... FILE.gguf

Run it in one sitting with our own benchmark, alternating (`cargo xtask bench --peers PYTHON` does): absolute times drift.
"""

import argparse
import json
import os
import statistics
import time

import numpy
from llama_cpp import GGML_TYPE_F32, Llama

PROMPT = [i * 97 % 50_257 for i in range(512)]


def prefill(model):
    model.reset()
    model.eval(PROMPT)
    return len(PROMPT)


def decode(model):
    model.reset()
    model.eval(PROMPT[:32])
    for _ in range(127):
        model.eval([best(model)])
    best(model)
    return 128


def best(model):
    """The likeliest next token, from the logits of the last position."""
    logits = model._ctx.get_logits_ith(-1)
    return int(numpy.ctypeslib.as_array(logits, shape=(model.n_vocab(),)).argmax())


SECTIONS = {"prefill": prefill, "decode": decode}


def measure(model, section, repeats):
    work = SECTIONS[section]
    work(model)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        count = work(model)
        times.append(time.perf_counter() - start)
    return count / statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure this; may be given several times")
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many runs is reported")
    args = parser.parse_args()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = Llama(
        args.file,
        n_ctx=1024,
        n_batch=512,
        n_threads=threads,
        n_threads_batch=threads,
        type_k=GGML_TYPE_F32,
        type_v=GGML_TYPE_F32,
        verbose=False,
    )
    for section in args.only or SECTIONS:
        row = {"name": f"gpt2-124m {section}", "value": measure(model, section, args.repeats), "unit": "tokens/s"}
        print(json.dumps(row) if args.json else f"{row['name']:24} {row['value']:9.1f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
