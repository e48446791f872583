"""What transformers sees inside the tiny models of `tiny_models.py`: attention probabilities, and the logit lens.

Writes `inspecting/<name>.json` for `llm-models`: `ids` of one row; `attention [layers, heads, seq, seq]`, as `output_attentions` gives it
with eager attention; and `lens [depths, seq, vocab]`, the scores that the last norm and the head make of every hidden state: of the
embedding, then of each block. The last of transformers' hidden states has gone through the norm already.
"""

import json

import torch
from transformers import AutoModelForCausalLM

from common import output_folder, write_json

NAMES = [
    "openai-gpt",
    "gpt2",
    "gpt2-untied",
    "llama",
    "llama-untied",
    "llama-multi-head",
    "llama-rope-llama3",
    "mistral",
]
SEQ = 9  # More than the window of the tiny Mistral.


def final_norm(model):
    """The norm before the head; GPT has none."""
    if hasattr(model, "model"):
        return model.model.norm
    return getattr(model.transformer, "ln_f", torch.nn.Identity())


def see(folder):
    ids = json.loads((folder / "expected.json").read_text())["ids"][0][:SEQ]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.inference_mode():
        output = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
        norm = final_norm(model)
        states = [norm(state) for state in output.hidden_states[:-1]] + [output.hidden_states[-1]]
        lens = torch.cat([model.lm_head(state) for state in states])
    assert torch.equal(lens[-1], output.logits[0]), folder.name
    attention = torch.cat(output.attentions)
    assert attention.shape[0] == len(states) - 1
    window = getattr(model.config, "sliding_window", None)
    if window:
        assert (attention[:, :, -1, : SEQ - window] == 0).all(), f"{folder.name}: a query sees more than its window"
    return {"ids": ids, "attention": attention, "lens": lens}


def main():
    folder = output_folder("models", __doc__)
    for name in NAMES:
        write_json(folder / "inspecting" / f"{name}.json", see(folder / "tiny" / name), lines=3)


if __name__ == "__main__":
    main()
