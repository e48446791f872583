"""Tiny random models of each family, saved by transformers, with the logits, loss and greedy continuation it computes.

Writes `tiny/<name>/{config.json, generation_config.json, model.safetensors, expected.json}` for `llm-models`. The weights
are much larger than a fresh model's, biases are not zero and norm weights differ from one, so that a wrong transpose, a
forgotten bias or a swapped norm shows in the first digits.
"""

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
)

from common import output_folder, write_json

VOCAB, WIDTH, LAYERS, HEADS, POSITIONS, FEED_FORWARD = 61, 32, 2, 4, 24, 48
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2}
GPT_SIZES = {"vocab_size": VOCAB, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": POSITIONS}
LLAMA_SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": WIDTH,
    "intermediate_size": FEED_FORWARD,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": POSITIONS,
    **SPECIAL,
}

MODELS = {
    "openai-gpt": lambda: OpenAIGPTLMHeadModel(OpenAIGPTConfig(**GPT_SIZES)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**GPT_SIZES, **SPECIAL)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA_SIZES, tie_word_embeddings=True)),
    "llama-untied": lambda: LlamaForCausalLM(
        LlamaConfig(**LLAMA_SIZES, tie_word_embeddings=False, attention_bias=True, head_dim=12)
    ),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**LLAMA_SIZES, sliding_window=5)),
}


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator) * 0.2
        is_norm = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = noise + 1.0 if is_norm else noise


def greedy_without_cache(model, prompt, new):
    """The plain way: the whole sequence again for each id. Also checks that no choice is a near tie."""
    ids = list(prompt)
    for _ in range(new):
        best = model(torch.tensor([ids])).logits[0, -1].topk(2).values
        assert best[0] - best[1] > 1e-3, "near tie: choose another seed"
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def main():
    folder = output_folder("models", __doc__) / "tiny"
    for index, (name, build) in enumerate(MODELS.items()):
        torch.manual_seed(index)
        model = build().eval()
        randomize(model, seed=100 + index)
        model.save_pretrained(folder / name)
        (folder / name / "model.safetensors").chmod(0o644)

        generator = torch.Generator().manual_seed(200 + index)
        ids = torch.randint(3, VOCAB, (2, 17), generator=generator)
        prompt = torch.randint(3, VOCAB, (5,), generator=generator).tolist()
        with torch.inference_mode():
            output = model(ids, labels=ids)
            model.generation_config.eos_token_id = None
            generated = model.generate(
                torch.tensor([prompt]), max_new_tokens=15, do_sample=False, pad_token_id=0
            )[0].tolist()
            assert generated[5:] == greedy_without_cache(model, prompt, 15), name
        write_json(
            folder / name / "expected.json",
            {
                "ids": ids,
                "loss": output.loss,
                "greedy": {"prompt": prompt, "new": generated[5:]},
                "logits": output.logits,
            },
            lines=3,
        )


if __name__ == "__main__":
    main()
