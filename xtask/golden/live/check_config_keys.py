"""Live check: which keys of `config.json` the installed version of transformers reads.

    python xtask/golden/live/check_config_keys.py

Takes golden folders of `tiny_models.py`, one for each kind of rotary positions, and writes their `config.json` in several ways:
with the keys of transformers 5 (`rope_parameters`, `dtype`), with those of 4 (`rope_theta`, `rope_scaling`, `torch_dtype`), with
both. Prints for each how far the logits are from the golden ones. A program that writes for both versions writes the last way, and
only that one is checked: the exit code is 1 where it fails.
"""

import json
import pathlib
import shutil
import tempfile

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

TINY = pathlib.Path(__file__).resolve().parents[3] / "crates" / "models" / "tests" / "golden" / "tiny"
FOLDERS = [
    "llama",
    "llama-rope-linear",
    "llama-rope-dynamic",
    "llama-rope-yarn",
    "llama-rope-llama3",
    "llama-rope-longrope",
    "llama-rope-longrope-short",
    "llama-bf16-shards",
    "mistral",
    "mistral-f16-shards",
    "gpt2-bf16-shards",
    "openai-gpt-f16",
]


def of_5(config):
    return config


def of_4(config):
    config = dict(config)
    rope = dict(config.pop("rope_parameters", {}))
    if rope:
        config["rope_theta"] = rope.pop("rope_theta")
        config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    return config


def both(config):
    return {**of_4(config), **config}


def both_and_border(config):
    """Transformers 4 looks for the border of LongRoPE outside of `rope_scaling`, and takes the factor from it."""
    config = both(config)
    rope = config.get("rope_scaling") or {}
    if rope.get("rope_type") == "longrope":
        original = rope["original_max_position_embeddings"]
        factor = config["max_position_embeddings"] / original
        config["original_max_position_embeddings"] = original
        config["rope_scaling"] = {**rope, "attention_factor": attention_factor(rope.get("factor", factor), original)}
        config["rope_parameters"] = {**config["rope_parameters"], **config["rope_scaling"]}
    return config


def attention_factor(factor, original):
    return (1 + torch.log(torch.tensor(factor)) / torch.log(torch.tensor(float(original)))).sqrt().item()


WAYS = {"keys of 5": of_5, "keys of 4": of_4, "both": both, "both, border outside": both_and_border}


def off(folder, expected):
    """How far logits are from the golden ones, and the type that the weights would be loaded in."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = model(torch.tensor(expected["ids"])).logits
    read = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").dtype
    return (logits - torch.tensor(expected["logits"])).abs().max().item(), str(read).removeprefix("torch.")


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}")
    failed = 0
    for name in FOLDERS:
        config = json.loads((TINY / name / "config.json").read_text())
        expected = json.loads((TINY / name / "expected.json").read_text())
        for way, write in WAYS.items():
            with tempfile.TemporaryDirectory() as temporary:
                folder = pathlib.Path(temporary) / name
                shutil.copytree(TINY / name, folder)
                (folder / "config.json").write_text(json.dumps(write(config)))
                difference, dtype = off(folder, expected)
                ok = difference < 1e-5 and dtype == config["dtype"]
                AutoConfig.from_pretrained(folder).save_pretrained(folder / "again")
                again = json.loads((folder / "again" / "config.json").read_text())
            keys = [key for key in again if key.startswith("rope_") or key in ("dtype", "torch_dtype")]
            last = way == list(WAYS)[-1]
            failed += last and not ok
            mark = "ok  " if ok else "FAIL" if last else "no  "
            print(f"{mark} {name}, {way}: {difference:.1e} off, {dtype}; saved again with {', '.join(keys)}")
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
