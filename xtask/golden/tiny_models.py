"""Tiny random models of each family, saved by transformers, with the logits, loss and greedy continuation it computes.

Writes `tiny/<name>/{config.json, generation_config.json, model.safetensors or its shards, expected.json}` for `llm-models`. The
weights are much larger than a fresh model's, biases are not zero and norm weights differ from one, so that a wrong transpose, a
forgotten bias or a swapped norm shows in the first digits. What a file of f16 or bf16 gives is computed in f32 from the rounded
weights.

`expected.json` holds `ids`, their `logits` and `loss`, and a `greedy` continuation: `new` after `prompt`. The continuations are
the same with a cache and without. Dynamic and LongRoPE frequencies depend on the length, and transformers keeps the cached keys of
the old ones when a sequence grows past the border; so those continuations stay on one side of it, and the ids of the dynamic model
alone go past it.
"""

import itertools
import shutil
from typing import Callable, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
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

VOCAB, WIDTH, LAYERS, HEADS, POSITIONS, FEED_FORWARD = 61, 32, 2, 4, 80, 48
NEW = 64  # Ids of a continuation; with the prompt they must fit in the positions.
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

# For the folders that vary one thing each; they need no more than this to show it.
SMALL_GPT = {**GPT_SIZES, "n_embd": 16, "n_head": 2}
SMALL_LLAMA = {**LLAMA_SIZES, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1}
SHARDS = "5KB"


class Case(NamedTuple):
    """A folder to make."""

    build: Callable
    dtype: torch.dtype = torch.float32
    shards: str | None = None
    """Largest size of one file of weights."""
    ids: tuple[int, int] = (2, 17)
    prompt: int = 5
    matters: dict | None = None
    """Settings of `config.json` that would change the logits; a variation that changes nothing tests nothing."""


def gpt(**changes):
    return lambda: OpenAIGPTLMHeadModel(OpenAIGPTConfig(**{**SMALL_GPT, **changes}))


def gpt2(**changes):
    return lambda: GPT2LMHeadModel(GPT2Config(**{**SMALL_GPT, **SPECIAL, **changes}))


def llama(**changes):
    return lambda: LlamaForCausalLM(LlamaConfig(**{**SMALL_LLAMA, **changes}))


def mistral(**changes):
    return lambda: MistralForCausalLM(MistralConfig(**{**SMALL_LLAMA, **changes}))


def rope(positions, **parameters):
    """A LLaMA with these rotary parameters, of 4 frequencies. The small theta spreads them over short texts."""
    parameters = {"rope_theta": 500.0, **parameters}
    return {
        "build": llama(max_position_embeddings=positions, rope_parameters=parameters),
        "matters": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    }


LONGROPE = {
    "rope_type": "longrope",
    "factor": 4.0,
    "short_factor": [1.0, 1.1, 1.3, 1.6],
    "long_factor": [1.2, 2.5, 4.0, 6.5],
}

CASES = {
    "openai-gpt": Case(gpt(**GPT_SIZES)),
    "openai-gpt-untied": Case(gpt(tie_word_embeddings=False)),
    "openai-gpt-f16": Case(gpt(), dtype=torch.float16),
    "openai-gpt-deep": Case(gpt(n_layer=3, n_head=4, n_positions=96, layer_norm_epsilon=1e-3), ids=(2, 23)),
    "gpt2": Case(gpt2(**GPT_SIZES)),
    "gpt2-untied": Case(gpt2(n_inner=40, tie_word_embeddings=False)),
    "gpt2-bf16-shards": Case(gpt2(), dtype=torch.bfloat16, shards=SHARDS),
    "llama": Case(llama(**LLAMA_SIZES, tie_word_embeddings=True)),
    "llama-untied": Case(llama(**LLAMA_SIZES, attention_bias=True, head_dim=12)),
    "llama-multi-head": Case(llama(num_key_value_heads=2, num_hidden_layers=3, rms_norm_eps=1e-3)),
    "llama-biases": Case(llama(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama-bf16-shards": Case(llama(), dtype=torch.bfloat16, shards=SHARDS),
    "llama-rope-linear": Case(**rope(80, rope_type="linear", factor=4.0)),
    "llama-rope-dynamic": Case(**rope(72, rope_type="dynamic", factor=4.0), ids=(1, 80)),
    "llama-rope-yarn": Case(
        **rope(96, rope_type="yarn", factor=4.0, original_max_position_embeddings=24, beta_fast=2.0), ids=(1, 40)
    ),
    "llama-rope-llama3": Case(
        **rope(
            96,
            rope_type="llama3",
            factor=4.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
        ids=(1, 40),
    ),
    "llama-rope-longrope": Case(**rope(96, **LONGROPE, original_max_position_embeddings=16), ids=(1, 40), prompt=20),
    "llama-rope-longrope-short": Case(**rope(384, **LONGROPE, original_max_position_embeddings=96)),
    "mistral": Case(mistral(**LLAMA_SIZES, sliding_window=5), matters={"sliding_window": 6}),
    "mistral-no-window": Case(mistral(sliding_window=None, head_dim=12), ids=(1, 40), matters={"sliding_window": 30}),
    "mistral-f16-shards": Case(
        mistral(sliding_window=16, num_key_value_heads=2), dtype=torch.float16, shards=SHARDS, matters={"sliding_window": 15}
    ),
}


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator) * 0.2
        is_norm = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = noise + 1.0 if is_norm else noise


def greedy_without_cache(model, prompt):
    """The plain way: the whole sequence again for each id. `None` where a choice is a near tie."""
    ids = list(prompt)
    for _ in range(NEW):
        best = model(torch.tensor([ids])).logits[0, -1].topk(2)
        if best.values[0] - best.values[1] < 1e-3:
            return None
        ids.append(int(best.indices[0]))
    return ids[len(prompt) :]


def expectations(model, case, seed):
    """What `expected.json` holds, or `None` where the continuation of this seed is of no use."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCAB, case.ids, generator=generator)
    prompt = torch.randint(3, VOCAB, (case.prompt,), generator=generator).tolist()
    model.generation_config.eos_token_id = None
    with torch.inference_mode():
        new = greedy_without_cache(model, prompt)
        # One that soon says the same id over and over would not notice much; and ids below 3 may end a text.
        if new is None or len(set(new)) < 8 or min(new) < 3:
            return None
        cached = model.generate(torch.tensor([prompt]), max_new_tokens=NEW, do_sample=False, pad_token_id=0)[0].tolist()
        assert cached[len(prompt) :] == new, f"{cached[len(prompt):]} with a cache, {new} without"
        output = model(ids, labels=ids)
    return {"ids": ids, "loss": output.loss, "greedy": {"prompt": prompt, "new": new}, "logits": output.logits}


def assert_same(model, loaded):
    """A name that transformers did not recognise would leave it with fresh random weights."""
    weights = loaded.state_dict()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight.float(), weights[name]), name
    read = loaded.config.to_dict()
    for key, value in model.config.to_dict().items():
        if isinstance(value, dict):
            read[key] = {inner: read[key].get(inner) for inner in value}
        if key not in ("_name_or_path", "architectures", "dtype", "transformers_version"):
            assert read[key] == value, f"{key}: {read[key]}, not {value}"


def assert_tied_as_said(model):
    tied = torch.equal(model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    assert tied == model.config.tie_word_embeddings, f"tied: {tied}"


def assert_matters(folder, case, expected):
    config = AutoConfig.from_pretrained(folder)
    for key, value in case.matters.items():
        setattr(config, key, value)
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32)(expected["ids"]).logits
    assert (logits - expected["logits"]).abs().max() > 0.05, f"{folder.name}: {case.matters} changes nothing"


def make(folder, case, save, first_seed):
    """Fills `folder` with what `save` writes and what transformers makes of that, from the first seed that is of use."""
    for seed in itertools.count(first_seed):
        torch.manual_seed(seed)
        model = case.build().eval()
        randomize(model, seed)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        save(model.to(case.dtype), folder)
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        assert_same(model, loaded)
        assert_tied_as_said(loaded)
        expected = expectations(loaded, case, seed)
        if expected is not None:
            break
    if case.matters:
        assert_matters(folder, case, expected)
    for file in folder.iterdir():
        file.chmod(0o644)
    write_json(folder / "expected.json", expected, lines=3)


def main():
    folder = output_folder("models", __doc__) / "tiny"
    for index, (name, case) in enumerate(CASES.items()):
        limit = {"max_shard_size": case.shards} if case.shards else {}
        make(folder / name, case, lambda model, to: model.save_pretrained(to, **limit), first_seed=100 * (index + 1))


if __name__ == "__main__":
    main()
