"""Tiny random models in the files in which OpenAI released GPT and GPT-2, with what transformers computes with the same weights.

Writes `openai/<name>/` for `llm-models`, with the `expected.json` of `tiny_models.py`: `gpt2` has `hparams.json` and what TensorFlow's
`Saver` writes, `gpt` has `params_shapes.json` and ten numpy files, cut without regard to the tensors as the released ones are. Names,
shapes and their order are those of <https://github.com/openai/gpt-2> (`src/model.py`) and of
<https://github.com/openai/finetune-transformer-lm> (`train.py`). GPT has heads of 64, which its files do not say.
"""

import itertools
import json
import os
import re
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # Read when TensorFlow is imported.

import numpy

from common import output_folder, write_json
from tiny_models import GPT_SIZES, Case, expectations, gpt, gpt2, randomize

# Behind torch, which those import: the other way round, the two copies of LLVM inside them end the process.
import tensorflow

# In the order of making, with the names that transformers has for the parts of a block.
BLOCK = ["attn/c_attn/w", "attn/c_attn/b", "attn/c_proj/w", "attn/c_proj/b", "ln_1/g", "ln_1/b"]
BLOCK += ["mlp/c_fc/w", "mlp/c_fc/b", "mlp/c_proj/w", "mlp/c_proj/b", "ln_2/g", "ln_2/b"]
KINDS = {"w": "weight", "b": "bias", "g": "weight"}
FILES = 10


def released(model, name):
    """The tensor that OpenAI calls `name`. Its matrices are convolutions of width 1."""
    path = re.sub(r"^h(\d+)/", r"h.\1.", name).replace("/", ".")
    path, kind = path.rsplit(".", 1) if "." in path else (path, "w")
    array = model.transformer.get_parameter(f"{path}.{KINDS[kind]}").detach().numpy()
    return array[None] if name.endswith("/w") else array


def write_gpt2(model, folder):
    config = model.config
    hparams = {
        "n_vocab": config.vocab_size,
        "n_ctx": config.n_positions,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_layer": config.n_layer,
    }
    (folder / "hparams.json").write_text(json.dumps(hparams, indent=2) + "\n")
    names = [f"h{i}/{part}" for i in range(config.n_layer) for part in BLOCK]
    v1 = tensorflow.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        for name in ["wpe", "wte", *names, "ln_f/g", "ln_f/b"]:
            v1.get_variable(f"model/{name}", initializer=released(model, name))
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(save_relative_paths=True)
        saver.save(session, str(folder / "model.ckpt"), write_meta_graph=False)


def write_gpt(model, folder):
    names = [f"h{i}/{part}" for i in range(model.config.n_layer) for part in BLOCK]
    arrays = [released(model, name) for name in ["positions_embed", "tokens_embed", *names]]
    (folder / "params_shapes.json").write_text(json.dumps([array.shape for array in arrays]))
    flat = numpy.concatenate([array.reshape(-1) for array in arrays])
    for index, part in enumerate(numpy.array_split(flat, FILES)):
        numpy.save(folder / f"params_{index}.npy", part)


CASES = {
    "gpt2": (Case(gpt2(**GPT_SIZES)), write_gpt2),
    "gpt": (Case(gpt(**{**GPT_SIZES, "n_embd": 64, "n_head": 1})), write_gpt),
}


def make(folder, case, write, first_seed):
    for seed in itertools.count(first_seed):
        model = case.build().eval()
        randomize(model, seed)
        expected = expectations(model, case, seed)
        if expected is not None:
            break
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(model, folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    write_json(folder / "expected.json", expected, lines=3)


def main():
    folder = output_folder("models", __doc__) / "openai"
    for index, (name, (case, write)) in enumerate(CASES.items()):
        make(folder / name, case, write, first_seed=20_000 + 100 * index)


if __name__ == "__main__":
    main()
