"""What the golden scripts share: where their files go, and how numbers are written."""

import argparse
import json
import pathlib

import numpy
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]


def output_folder(crate, doc):
    """The folder to write to: the first argument, or `crates/<crate>/tests/golden`."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("output", nargs="?", type=pathlib.Path, default=ROOT / "crates" / crate / "tests" / "golden")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)  # The order of sums, and with it the last digits, must not depend on the machine.
    return folder


def plain(value):
    """Tensors and arrays as nested lists; f32 with the shortest digits that read back to the same f32."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, numpy.ndarray) and value.dtype == numpy.float32:
        return _f32(value)
    if isinstance(value, numpy.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _f32(array):
    if array.ndim:
        return [_f32(row) for row in array]
    return float(str(array)) if numpy.isfinite(array) else None


def tensor(value):
    """An array of any rank as `{"shape": [...], "values": [...]}`, row-major."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return {"shape": list(value.shape), "values": plain(value.reshape(-1))}


def write_json(path, value, lines):
    """Writes `value`; containers of containers spread over lines down to depth `lines`, everything else is one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_pretty(plain(value), lines, 0) + "\n")


def _pretty(value, lines, depth):
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if depth >= lines or not any(isinstance(item, (dict, list)) for item in items):
        return json.dumps(value, allow_nan=False)
    inner = "  " * (depth + 1)
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(key)}: {_pretty(item, lines, depth + 1)}" for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        rows = [inner + _pretty(item, lines, depth + 1) for item in value]
        opening, closing = "[", "]"
    return opening + "\n" + ",\n".join(rows) + "\n" + "  " * depth + closing


def normal(generator, *shape, std=1.0, mean=0.0, digits=3, dtype=torch.float64):
    """Normal numbers rounded to `digits` decimals, so that the inputs in a file are short and exact."""
    values = torch.randn(*shape, generator=generator, dtype=torch.float64) * std + mean
    return torch.round(values, decimals=digits).to(dtype)
