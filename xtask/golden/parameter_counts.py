"""Numbers of parameters of published and small models, counted by transformers on the meta device, tied weights once.

Writes `parameter_counts.json` for `llm-models`. The counts of well-known models are checked against the published ones.
"""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from common import output_folder, write_json


def gpt(layers, heads, width, positions, vocab):
    return {"n_layer": layers, "n_head": heads, "n_embd": width, "n_positions": positions, "vocab_size": vocab}


def llama(layers, heads, kv_heads, width, feed_forward, positions, vocab, tied=False, **rest):
    return {
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "hidden_size": width,
        "intermediate_size": feed_forward,
        "max_position_embeddings": positions,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
        **rest,
    }


# name, model type, sizes, published count where there is one
MODELS = [
    ("openai-gpt", "openai-gpt", gpt(12, 12, 768, 512, 40478), 116_534_784),
    ("gpt2", "gpt2", gpt(12, 12, 768, 1024, 50257), 124_439_808),
    ("gpt2-medium", "gpt2", gpt(24, 16, 1024, 1024, 50257), 354_823_168),
    ("gpt2-large", "gpt2", gpt(36, 20, 1280, 1024, 50257), 774_030_080),
    ("gpt2-xl", "gpt2", gpt(48, 25, 1600, 1024, 50257), 1_557_611_200),
    ("Llama-2-7b", "llama", llama(32, 32, 32, 4096, 11008, 4096, 32000), 6_738_415_616),
    ("Llama-2-13b", "llama", llama(40, 40, 40, 5120, 13824, 4096, 32000), 13_015_864_320),
    ("Llama-2-70b", "llama", llama(80, 64, 8, 8192, 28672, 4096, 32000), 68_976_648_192),
    ("Llama-3-8B", "llama", llama(32, 32, 8, 4096, 14336, 8192, 128256), 8_030_261_248),
    ("Llama-3-70B", "llama", llama(80, 64, 8, 8192, 28672, 8192, 128256), 70_553_706_496),
    ("Llama-3.2-1B", "llama", llama(16, 32, 8, 2048, 8192, 131072, 128256, tied=True, head_dim=64), 1_235_814_400),
    ("Llama-3.2-3B", "llama", llama(28, 24, 8, 3072, 8192, 131072, 128256, tied=True, head_dim=128), 3_212_749_824),
    ("Mistral-7B-v0.1", "mistral", llama(32, 32, 8, 4096, 14336, 32768, 32000, sliding_window=4096), 7_241_732_096),
    ("openai-gpt-small", "openai-gpt", gpt(4, 4, 128, 64, 66), None),
    ("gpt2-small", "gpt2", gpt(4, 4, 128, 64, 66), None),
    ("llama-small", "llama", llama(4, 4, 4, 128, 344, 64, 66), None),
    ("llama-small-tied-grouped", "llama", llama(4, 4, 2, 128, 344, 64, 66, tied=True), None),
    ("mistral-small", "mistral", llama(4, 4, 2, 128, 344, 64, 66, sliding_window=32), None),
]


def main():
    folder = output_folder("models", __doc__)
    rows = []
    for name, model_type, sizes, published in MODELS:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **sizes))
        model.tie_weights()
        count = sum(parameter.numel() for parameter in model.parameters())
        assert published in (None, count), f"{name}: {count}, published {published}"
        rows.append({"name": name, "model_type": model_type, "config": sizes, "parameters": count})
    write_json(folder / "parameter_counts.json", rows, lines=1)


if __name__ == "__main__":
    main()
