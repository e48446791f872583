"""Writes the files that the fuzz targets begin with into `corpus/`, one folder for each target.

Models of a few numbers, so that a change is likely to hit what describes them; and the smaller ones of the test models, which transformers
wrote. Needs the packages of `xtask/golden/requirements.txt`.
"""

import io
import json
import pathlib
import struct

import gguf
import numpy
import torch

FUZZ = pathlib.Path(__file__).resolve().parent
CRATES = FUZZ.parent / "crates"
# What the targets cut their input at.
BETWEEN = b"\n====\n"
# Larger folders among the test models are left out.
LARGEST = 64_000

D, FF, VOCAB, CONTEXT, N_HEADS = 4, 6, 7, 8, 2

HEADS = {"hidden_size": D, "num_attention_heads": N_HEADS, "intermediate_size": FF, "num_hidden_layers": 1}
LLAMA = {"model_type": "llama", "vocab_size": VOCAB, "max_position_embeddings": CONTEXT, **HEADS}
GPT = {"vocab_size": VOCAB, "n_positions": CONTEXT, "n_embd": D, "n_layer": 1, "n_head": N_HEADS}
ROPE = {
    "linear": {"factor": 2.0},
    "dynamic": {"factor": 2.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 4, "mscale": 1.0, "mscale_all_dim": 0.5},
    "longrope": {"short_factor": [1.0], "long_factor": [2.0], "original_max_position_embeddings": 4},
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 4},
}

RANDOM = numpy.random.default_rng(1)


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(numpy.float32)


def llama_tensors(biases=False, tied=False):
    block = "model.layers.0."
    tensors = {"model.embed_tokens.weight": numbers(VOCAB, D), "model.norm.weight": numbers(D)}
    for norm in ("input_layernorm", "post_attention_layernorm"):
        tensors[f"{block}{norm}.weight"] = numbers(D)
    for name in "qkvo":
        tensors[f"{block}self_attn.{name}_proj.weight"] = numbers(D, D)
    for name, shape in (("gate", (FF, D)), ("up", (FF, D)), ("down", (D, FF))):
        tensors[f"{block}mlp.{name}_proj.weight"] = numbers(*shape)
    if biases:
        for name, of in [(f"{block}self_attn.{name}_proj", D) for name in "qkvo"] + [
            (f"{block}mlp.gate_proj", FF),
            (f"{block}mlp.up_proj", FF),
            (f"{block}mlp.down_proj", D),
        ]:
            tensors[f"{name}.bias"] = numbers(of)
    if not tied:
        tensors["lm_head.weight"] = numbers(VOCAB, D)
    return tensors


def gpt_tensors(embeddings, final_norm):
    tensors = {f"transformer.{embeddings[0]}.weight": numbers(VOCAB, D), f"transformer.{embeddings[1]}.weight": numbers(CONTEXT, D)}
    norms = ["h.0.ln_1", "h.0.ln_2"] + (["ln_f"] if final_norm else [])
    for norm in norms:
        tensors[f"transformer.{norm}.weight"] = numbers(D)
        tensors[f"transformer.{norm}.bias"] = numbers(D)
    for name, d_in, d_out in (("attn.c_attn", D, 3 * D), ("attn.c_proj", D, D), ("mlp.c_fc", D, 4 * D), ("mlp.c_proj", 4 * D, D)):
        tensors[f"transformer.h.0.{name}.weight"] = numbers(d_in, d_out)
        tensors[f"transformer.h.0.{name}.bias"] = numbers(d_out)
    return tensors


def safetensors(tensors, dtype):
    header, data = {}, b""
    for name, values in sorted(tensors.items()):
        # The upper half of a float is a bfloat16.
        bits = values.view(numpy.uint32)
        stored = {"F32": values, "F16": values.astype(numpy.float16), "BF16": (bits >> 16).astype(numpy.uint16)}[dtype].tobytes()
        header[name] = {"dtype": dtype, "shape": values.shape, "data_offsets": [len(data), len(data) + len(stored)]}
        data += stored
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def index_of(shards, ending):
    names = [f"{ending[0]}-{i + 1:05}-of-{len(shards):05}.{ending[1]}" for i in range(len(shards))]
    return json.dumps({"weight_map": {name: file for file, shard in zip(names, shards) for name in shard}}).encode()


def pickled(tensors, **options):
    file = io.BytesIO()
    torch.save({name: torch.from_numpy(values) for name, values in tensors.items()}, file, **options)
    return file.getvalue()


def small_folders():
    """Names, configurations and tensors of models in Hugging Face's layout."""
    yield "llama", LLAMA, llama_tensors()
    yield "llama-tied", LLAMA | {"tie_word_embeddings": True}, llama_tensors(tied=True)
    yield "llama-biases", LLAMA | {"attention_bias": True, "mlp_bias": True}, llama_tensors(biases=True)
    yield "mistral", LLAMA | {"model_type": "mistral", "sliding_window": 4, "num_key_value_heads": N_HEADS, "head_dim": 2}, llama_tensors()
    for kind, parameters in ROPE.items():
        yield f"llama-{kind}", LLAMA | {"rope_parameters": {"rope_type": kind, "rope_theta": 1e4} | parameters}, llama_tensors()
        yield f"llama-old-{kind}", LLAMA | {"rope_scaling": {"type": kind} | parameters}, llama_tensors()
    yield "gpt2", GPT | {"model_type": "gpt2"}, gpt_tensors(("wte", "wpe"), final_norm=True)
    yield "gpt2-without-biases", GPT | {"model_type": "gpt2", "llm": {"bias": False}}, gpt_tensors(("wte", "wpe"), final_norm=True)
    yield "gpt", GPT | {"model_type": "openai-gpt"}, gpt_tensors(("tokens_embed", "positions_embed"), final_norm=False)


def cut(tensors):
    """The tensors in two shards."""
    names = sorted(tensors)
    half = len(names) // 2
    return [{name: tensors[name] for name in part} for part in (names[:half], names[half:])]


def folders(safetensors_folder, pytorch_folder):
    for name, config, tensors in small_folders():
        config = json.dumps(config).encode()
        for dtype in ("F32", "F16", "BF16"):
            safetensors_folder(f"{name}-{dtype}", BETWEEN.join([config, safetensors(tensors, dtype)]))
        shards = cut(tensors)
        files = [safetensors(shard, "F32") for shard in shards]
        safetensors_folder(f"{name}-shards", BETWEEN.join([config, index_of(shards, ("model", "safetensors")), *files]))
        pytorch_folder(name, BETWEEN.join([config, pickled(tensors)]))
        pytorch_folder(f"{name}-before-zip", BETWEEN.join([config, pickled(tensors, _use_new_zipfile_serialization=False)]))
        files = [pickled(shard) for shard in shards]
        pytorch_folder(f"{name}-shards", BETWEEN.join([config, index_of(shards, ("pytorch_model", "bin")), *files]))
    for folder in sorted((CRATES / "models/tests/golden/tiny").iterdir()):
        for seed, index, weights in (
            (safetensors_folder, "model.safetensors.index.json", "*.safetensors"),
            (pytorch_folder, "pytorch_model.bin.index.json", "*.bin"),
        ):
            files = [path for path in [folder / index] if path.exists()] + sorted(folder.glob(weights))
            whole = BETWEEN.join(path.read_bytes() for path in [folder / "config.json", *files])
            if files and len(whole) <= LARGEST:
                seed(f"golden-{folder.name}", whole)


def gguf_tensors(architecture, d, biases=False):
    """Tensors under llama.cpp's names, `d` wide."""
    tensors = {"token_embd.weight": numbers(VOCAB, d), "output_norm.weight": numbers(d), "output.weight": numbers(VOCAB, d)}
    if architecture == "gpt2":
        tensors |= {"position_embd.weight": numbers(CONTEXT, d), "output_norm.bias": numbers(d)}
        layers = {"attn_qkv": (3 * d, d), "attn_output": (d, d), "ffn_up": (4 * d, d), "ffn_down": (d, 4 * d)}
    else:
        layers = {f"attn_{name}": (d, d) for name in ("q", "k", "v", "output")}
        layers |= {"ffn_gate": (d, d), "ffn_up": (d, d), "ffn_down": (d, d)}
    for name, shape in layers.items():
        tensors[f"blk.0.{name}.weight"] = numbers(*shape)
        if biases or architecture == "gpt2":
            tensors[f"blk.0.{name}.bias"] = numbers(shape[0])
    for norm in ("attn_norm", "ffn_norm"):
        tensors[f"blk.0.{norm}.weight"] = numbers(d)
        if architecture == "gpt2":
            tensors[f"blk.0.{norm}.bias"] = numbers(d)
    return tensors


def gguf_file(path, architecture="llama", encoding="F32", biases=False, more=None, tensors=None, vocabulary=None):
    d = 32 if encoding.startswith("Q") else D
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(d)
    writer.add_block_count(1)
    writer.add_feed_forward_length(4 * d if architecture == "gpt2" else d)
    writer.add_head_count(N_HEADS)
    if architecture == "gpt2":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-6)
    for key, value in (more or {}).items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}[type(value)]
        add(f"{architecture}.{key}", value)
    if vocabulary:
        add_vocabulary(writer, vocabulary)
    kind = gguf.GGMLQuantizationType[encoding]
    for name, values in (gguf_tensors(architecture, d, biases) | (tensors or {})).items():
        # Vectors stay as they are in all of llama.cpp's files.
        of = kind if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(values, of), raw_dtype=of)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_vocabulary(writer, vocabulary):
    """The keys of a vocabulary as the golden file of the tokenizers has it."""
    writer.add_tokenizer_model(vocabulary["model"])
    if vocabulary.get("pre"):
        writer.add_tokenizer_pre(vocabulary["pre"])
    writer.add_token_list(vocabulary["tokens"])
    for key, add in (
        ("scores", writer.add_token_scores),
        ("token_types", writer.add_token_types),
        ("merges", writer.add_token_merges),
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unknown", writer.add_unk_token_id),
        ("padding", writer.add_pad_token_id),
        ("add_bos", writer.add_add_bos_token),
        ("add_eos", writer.add_add_eos_token),
        ("add_space_prefix", writer.add_add_space_prefix),
    ):
        if vocabulary.get(key) not in (None, []):
            add(vocabulary[key])
    writer.add_chat_template("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")


def small_vocabularies():
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + ["▁", "a", "b", "▁a", "ab"]
    types = [2, 3, 3] + [6] * 256 + [1] * 5
    scores = [0.0] * 259 + [-1.0, -2.0, -3.0, -4.0, -5.0]
    special = {"bos": 1, "eos": 2, "unknown": 0}
    yield "sentence-piece", {"model": "llama", "tokens": pieces, "token_types": types, "scores": scores, **special}
    characters = ["<unk>", "<s>", "a", "b", " ", "\n"]
    yield "characters", {"model": "llama", "tokens": characters, "token_types": [2, 3, 1, 1, 1, 1], "scores": [0.0] * 6, "add_space_prefix": False}
    yield "byte-level", {"model": "gpt2", "pre": "gpt-2", "tokens": ["a", "b", "Ġ", "Ġa", "ab", "<|end|>"], "token_types": [1] * 5 + [3], "merges": ["Ġ a", "a b"], "eos": 5}


def gguf_files(folder):
    seed = lambda name, **options: gguf_file(folder / name, **options)
    for encoding in ("F32", "F16", "BF16", "Q8_0", "Q4_0"):
        seed(f"llama-{encoding}", encoding=encoding)
        seed(f"gpt2-{encoding}", encoding=encoding, architecture="gpt2")
    seed("biases", biases=True)
    heads = {"attention.head_count_kv": 2, "attention.key_length": 2, "attention.value_length": 2, "rope.dimension_count": 2}
    seed("heads", more=heads | {"rope.freq_base": 1e4, "expert_count": 0})
    seed("window", more={"attention.sliding_window": 4})
    seed("linear", more={"rope.scaling.type": "linear", "rope.scaling.factor": 2.0})
    yarn = {"rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 4, "rope.scaling.attn_factor": 1.0}
    seed("yarn", more=yarn | {"rope.scaling.type": "yarn", "rope.scaling.yarn_beta_fast": 32.0, "rope.scaling.yarn_beta_slow": 1.0})
    factors = {"rope_factors_short.weight": numpy.ones(1, numpy.float32), "rope_factors_long.weight": numpy.ones(1, numpy.float32)}
    seed("longrope", more={"rope.scaling.type": "longrope", "rope.scaling.original_context_length": 4}, tensors=factors)
    seed("rope-factors", tensors={"rope_freqs.weight": numpy.ones(1, numpy.float32)})
    for name, vocabulary in small_vocabularies():
        seed(f"vocabulary-{name}", vocabulary=vocabulary)


def llama2c(version, tied):
    sizes = [D, FF, 1, N_HEADS, N_HEADS, VOCAB if tied or version else -VOCAB, CONTEXT]
    header = struct.pack("<7i", *sizes)
    if version:
        header = (struct.pack("<2I", 0x616B3432, version) + header + struct.pack("<B", tied)).ljust(256, b"\0")
    count = VOCAB * D + 3 * D + 4 * D * D + 3 * D * FF + (0 if tied else VOCAB * D)
    # Version 0 has tables of the positions.
    count += 0 if version else CONTEXT * D // N_HEADS
    return header + numbers(count).tobytes()


def main():
    def into(target):
        folder = FUZZ / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def seed(target):
        folder = into(target)
        return lambda name, content: (folder / name).write_bytes(content)

    folders(seed("safetensors_folder"), seed("pytorch_folder"))
    gguf_files(into("gguf_file"))
    write = seed("llama2c_file")
    for version in (0, 1):
        for tied in (False, True):
            write(f"version-{version}-{'tied' if tied else 'untied'}", llama2c(version, tied))


main()
