"""What transformers computes with models that `llm train` wrote.

The folders `trained/<family>` of `llm-models` hold what a short run left in `RUN/model`, unchanged; the model card of each says with which
settings. Writes `expected.json` beside each: ids of a text by transformers' own reading of the tokenizer, their logits, and a greedy
continuation of 64 tokens, past the window where there is one.
"""

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import output_folder, write_json

FAMILIES = ["gpt", "gpt2", "llama", "mistral"]
TEXT = "One morning Mia found a red kite"


def main():
    folder = output_folder("models", __doc__) / "trained"
    for family in FAMILIES:
        model = AutoModelForCausalLM.from_pretrained(folder / family).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder / family)
        ids = tokenizer(TEXT)["input_ids"]
        model.generation_config.eos_token_id = None
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits
            settings = {"max_new_tokens": 64, "do_sample": False, "pad_token_id": 0}
            greedy = model.generate(torch.tensor([ids]), **settings)[0].tolist()
        expected = {"text": TEXT, "ids": [ids], "greedy": {"prompt": ids, "new": greedy[len(ids) :]}, "logits": logits}
        write_json(folder / family / "expected.json", expected, lines=3)


if __name__ == "__main__":
    main()
