"""Prefill and cached greedy decoding of a randomly initialised GPT-2 124M in Hugging Face transformers on the CPU.

A value is tokens a second: of a prompt of 512 tokens (prefill, logits of the last position only), of 128 new tokens after a
prompt of 32 (decode), of 64 new tokens for each of 8 prompts (decode-batch8). With `--json`, prints a JSON object a line:
`name`, `value`, `unit`, `dtype`.

    python hf_generate.py [--json] [--dtype f32|bf16]... [--only SECTION]...

Run it in one sitting with our own benchmark, alternating (`cargo xtask bench --peers PYTHON` does): absolute times drift.
"""

import argparse
import json
import statistics
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
OPTIONS = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}


def tokens(batch, seq):
    return torch.randint(0, 50257, (batch, seq))


def prefill(model):
    prompt = tokens(1, 512)
    return 512, lambda: model(prompt, logits_to_keep=1)


def decode(model):
    prompt = tokens(1, 32)
    return 128, lambda: generate(model, prompt, 128)


def decode_batch8(model):
    prompts = tokens(8, 32)
    return 8 * 64, lambda: generate(model, prompts, 64)


def generate(model, prompts, new):
    output = model.generate(prompts, max_new_tokens=new, **OPTIONS)
    assert output.shape[1] == prompts.shape[1] + new, "stopped early"


SECTIONS = {"prefill": prefill, "decode": decode, "decode-batch8": decode_batch8}


def measure(model, section, repeats):
    count, work = SECTIONS[section](model)
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return count / statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="default: f32 and bf16")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure this; may be given several times")
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many runs is reported")
    args = parser.parse_args()
    logging.set_verbosity_error()
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    model.generation_config.eos_token_id = None
    for dtype in args.dtype or DTYPES:
        model = model.to(DTYPES[dtype])
        for section in args.only or SECTIONS:
            with torch.inference_mode():
                value = measure(model, section, args.repeats)
            row = {"name": f"gpt2-124m {section}", "value": value, "unit": "tokens/s", "dtype": dtype}
            print(json.dumps(row) if args.json else f"{row['name']:24} {dtype:5} {value:9.1f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
