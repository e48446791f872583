"""Loads a Hugging Face folder in transformers and writes one token: what a user waits for, from the start of Python on.

    python hf_first_token.py FOLDER PROMPT

The time is that of the whole process, and taken by whoever starts it.
"""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, prompt = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
with torch.inference_mode():
    output = model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=1, do_sample=False, pad_token_id=0)
print(tokenizer.decode(output[0]), flush=True)
