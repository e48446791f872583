"""Tiny random models in folders such as older versions of transformers and torch wrote, and what transformers makes of them now.

Writes `tiny/<name>/{config.json, weights, expected.json}` for `llm-models`, as `tiny_models.py` does. The weights lie in pickles of
`torch.save`: in its zip form, whole or in shards with an index, and in the form before it. They have what such files have: names
without the prefix of the model class, buffers that are no parameters, a tied head written out, tensors that are views into a larger
storage, and attributes on the dictionary. The `config.json` files have the keys of transformers 4, or of before it.
"""

import json
import unittest.mock
from collections import OrderedDict

import torch

from common import output_folder
from tiny_models import Case, gpt, gpt2, llama, make, mistral, rope

SHARD = "pytorch_model-{:05}-of-{:05}.bin"


def old_config(model, **changes):
    """`config.json` in the keys of transformers 4. A change to `None` leaves the key out."""
    config = model.config.to_diff_dict()
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config.pop("dtype", None)
    config["torch_dtype"] = str(model.dtype).removeprefix("torch.")
    config["transformers_version"] = "4.40.0"
    config["architectures"] = [type(model).__name__]
    config.update(changes)
    return {key: config[key] for key in sorted(config) if key not in changes or changes[key] is not None}


def write_config(folder, config):
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def without_prefix(tensors):
    """The names that the class without a head gave; it had no head to write either."""
    return {name.removeprefix("transformer."): tensor for name, tensor in tensors.items() if name != "lm_head.weight"}


def with_masks(tensors, model, prefix, dtype):
    """With the causal masks that attention kept as buffers."""
    positions = model.config.n_positions
    mask = torch.ones(positions, positions, dtype=dtype).tril().view(1, 1, positions, positions)
    for layer in range(model.config.n_layer):
        tensors[f"{prefix}h.{layer}.attn.bias"] = mask.clone()
        tensors[f"{prefix}h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return tensors


def with_frequencies(tensors, model):
    """With the inverse frequencies that rotary attention kept as a buffer of each layer."""
    rotary = model.model.rotary_emb.inv_freq
    for layer in range(model.config.num_hidden_layers):
        tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = rotary.clone()
    return tensors


def as_views(tensors):
    """The same values: every other matrix as the transpose of what lies in its storage, and the others behind some padding."""
    views = {}
    for index, (name, tensor) in enumerate(tensors.items()):
        if tensor.dim() != 2:
            views[name] = tensor
        elif index % 2:
            views[name] = tensor.t().contiguous().t()
        else:
            padded = torch.full((tensor.shape[0] + 2, tensor.shape[1] + 3), 7.0, dtype=tensor.dtype)
            padded[1:-1, 2:-1] = tensor
            views[name] = padded[1:-1, 2:-1]
    return views


def state(tensors):
    """What `state_dict()` gives: an ordered dictionary that has an attribute of its own."""
    ordered = OrderedDict(tensors)
    ordered._metadata = OrderedDict({"": {"version": 1}})
    return ordered


def save_before_zip(tensors, path):
    """`torch.save` in its first form, which names the storages by their addresses and sorts them by these names.

    Here the names are numbers that are the same in every run, and the order is backwards.
    """
    addresses = []

    def backwards(keys):
        addresses.extend(keys)
        return addresses[::-1]

    def pickled(text):
        return b"X" + len(text).to_bytes(4, "little") + text.encode()

    with unittest.mock.patch.object(torch.serialization, "sorted", backwards, create=True):
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    for number, address in enumerate(addresses):
        data = data.replace(pickled(address), pickled(str(94_000_000_000_999 - number)))
    path.write_bytes(data)


def write_shards(folder, tensors, count):
    """Consecutive tensors in each file, and the index of all."""
    names = list(tensors)
    index = {"metadata": {"total_size": sum(t.numel() * t.element_size() for t in tensors.values())}, "weight_map": {}}
    for shard in range(count):
        chosen = names[len(names) * shard // count : len(names) * (shard + 1) // count]
        file = SHARD.format(shard + 1, count)
        torch.save({name: tensors[name] for name in chosen}, folder / file)
        index["weight_map"].update({name: file for name in chosen})
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def parameters(model):
    """The tensors of `state_dict()`, each of its own storage."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def gpt_of_2018(model, folder):
    """Keys and names of the first published GPT, before there was `tie_word_embeddings`."""
    changes = {"n_ctx": model.config.n_positions, "n_special": 0, "predict_special_tokens": True}
    unknown = dict.fromkeys(["torch_dtype", "transformers_version", "tie_word_embeddings"])
    write_config(folder, old_config(model, **changes, **unknown))
    tensors = with_masks(without_prefix(parameters(model)), model, "", torch.float32)
    save_before_zip(state(tensors), folder / "pytorch_model.bin")


def gpt2_without_prefix(model, folder):
    write_config(folder, old_config(model, n_ctx=model.config.n_positions))
    tensors = with_masks(without_prefix(parameters(model)), model, "", torch.uint8)
    torch.save(state(as_views(tensors)), folder / "pytorch_model.bin")


def gpt2_in_shards(model, folder):
    """The head is the embedding, and is written as a tensor of its own."""
    write_config(folder, old_config(model, n_ctx=model.config.n_positions))
    write_shards(folder, with_masks(parameters(model), model, "transformer.", torch.bool), 3)


def gpt2_before_zip(model, folder):
    write_config(folder, old_config(model, n_ctx=model.config.n_positions))
    tensors = as_views(with_masks(parameters(model), model, "transformer.", torch.float32))
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]  # One storage under two names.
    save_before_zip(state(tensors), folder / "pytorch_model.bin")


def llama_1(model, folder):
    """Before grouped-query attention and any rotary setting, so without a key for them."""
    unknown = dict.fromkeys(["head_dim", "num_key_value_heads", "rope_theta", "rope_scaling", "attention_bias", "mlp_bias"])
    write_config(folder, old_config(model, **unknown))
    write_shards(folder, with_frequencies(parameters(model), model), 2)


def keys_of_4(model, folder):
    """Today's weights, with the `config.json` of transformers 4."""
    model.save_pretrained(folder)
    write_config(folder, old_config(model))


def rope_type_called_type(model, folder):
    """The first name of the key, from when there were two kinds."""
    model.save_pretrained(folder)
    config = old_config(model)
    config["rope_scaling"] = {"type": config["rope_scaling"].pop("rope_type"), **config["rope_scaling"]}
    write_config(folder, config)


def keys_of_both(model, folder):
    """What transformers 4 makes of a folder of 5 whose positions were stretched by hand: its own keys, and the stale one of 5."""
    model.save_pretrained(folder)
    write_config(folder, old_config(model, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}))


LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}

CASES = {
    "openai-gpt-2018": (Case(gpt()), gpt_of_2018),
    "gpt2-bin": (Case(gpt2()), gpt2_without_prefix),
    "gpt2-bin-shards": (Case(gpt2()), gpt2_in_shards),
    "gpt2-bin-before-zip": (Case(gpt2()), gpt2_before_zip),
    "llama-1": (Case(llama(num_key_value_heads=2), dtype=torch.float16), llama_1),
    "llama-keys-of-4": (
        Case(**rope(96, rope_type="llama3", factor=4.0, **LLAMA3), dtype=torch.bfloat16, ids=(1, 40)),
        keys_of_4,
    ),
    "llama-type-linear": (Case(**rope(80, rope_type="linear", factor=2.0)), rope_type_called_type),
    "llama-keys-of-both": (Case(**rope(80, rope_type="linear", factor=3.0)), keys_of_both),
    "mistral-keys-of-4": (
        Case(mistral(sliding_window=7, rope_parameters={"rope_theta": 100.0}), matters={"sliding_window": 8}),
        keys_of_4,
    ),
}


def main():
    folder = output_folder("models", __doc__) / "tiny"
    for index, (name, (case, save)) in enumerate(CASES.items()):
        make(folder / name, case, save, first_seed=10_000 + 100 * index)


if __name__ == "__main__":
    main()
