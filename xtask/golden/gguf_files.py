"""GGUF files of tiny models, written by the `gguf` package, and what transformers computes with the weights in them.

Writes `gguf/<name>/{model.gguf, expected.json}` for `llm-models`: the tiny models of the same names, the first in f32, the others with
matrices in other encodings where their rows are whole blocks. The names of tensors come from the package; the order of rotary dimensions,
which llama.cpp has in pairs, is written out here.
"""

import gguf
import numpy
import torch
from gguf import GGMLQuantizationType, quants
from transformers import AutoModelForCausalLM

from common import output_folder, write_json

MODELS = [
    ("llama", "llama", "F32"),
    ("llama-q8_0", "llama-untied", "Q8_0"),
    ("llama-q4_0", "llama-biases", "Q4_0"),
    ("gpt2-f16", "gpt2", "F16"),
    ("gpt2-bf16", "gpt2-untied", "BF16"),
]


def pairs(weight, heads):
    """Rows of each head with the two dimensions that rotate together side by side."""
    rows = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return rows.swapaxes(1, 2).reshape(weight.shape)


def sizes(writer, config):
    llama = config.model_type == "llama"
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_feed_forward_length(config.intermediate_size if llama else config.n_inner or 4 * config.n_embd)
    if llama:
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_rope_dimension_count(config.head_dim)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    else:
        writer.add_layer_norm_eps(config.layer_norm_epsilon)


def write(path, model, encoding):
    """Writes the file, and leaves in `model` what the encoding leaves of its weights."""
    config = model.config
    architecture = config.model_type
    writer = gguf.GGUFWriter(path, architecture)
    sizes(writer, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    for name, parameter in model.named_parameters():
        weight = parameter.detach().numpy()
        transposed = architecture == "gpt2" and ".h." in name and weight.ndim == 2
        if transposed:
            weight = weight.T
        kind = GGMLQuantizationType[encoding]
        block = gguf.GGML_QUANT_SIZES[kind][0]
        if weight.ndim < 2 or weight.shape[1] % block or name.endswith("wpe.weight"):
            kind = GGMLQuantizationType.F32
        heads = {"q_proj": config.num_attention_heads, "k_proj": getattr(config, "num_key_value_heads", 0)}
        of = next((count for part, count in heads.items() if part in name), None)
        stored = weight if of is None else pairs(weight, of)
        writer.add_tensor(
            names.get_name(name, try_suffixes=(".weight", ".bias")),
            quants.quantize(numpy.ascontiguousarray(stored), kind),
            raw_dtype=kind,
        )
        # Blocks run along rows, whose order does not matter to what they leave.
        left = quants.dequantize(quants.quantize(numpy.ascontiguousarray(weight), kind), kind).reshape(weight.shape)
        parameter.data = torch.from_numpy(numpy.ascontiguousarray(left.T if transposed else left))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    root = output_folder("models", __doc__)
    for index, (name, tiny, encoding) in enumerate(MODELS):
        model = AutoModelForCausalLM.from_pretrained(root / "tiny" / tiny).eval()
        folder = root / "gguf" / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "model.gguf", model, encoding)
        generator = torch.Generator().manual_seed(index)
        ids = torch.randint(3, model.config.vocab_size, (1, 20), generator=generator)
        with torch.inference_mode():
            logits = model(ids).logits
        write_json(folder / "expected.json", {"ids": ids, "logits": logits}, lines=3)


if __name__ == "__main__":
    main()
