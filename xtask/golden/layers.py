"""Activations, norms, cross-entropy and attention with their gradients, by PyTorch's autograd in f64.

Writes `activations.json`, `norms.json`, `cross_entropy.json` and `attention.json` for `llm-core`.
"""

import math

import torch
import torch.nn.functional as F

from common import normal, output_folder, tensor, write_json


def activations():
    result = {"x": torch.linspace(-6, 6, 97, dtype=torch.float64)}  # a grid of 1/8
    functions = {
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "relu": F.relu,
    }
    for name, function in functions.items():
        x = result["x"].clone().requires_grad_()
        y = function(x)
        (derivative,) = torch.autograd.grad(y.sum(), x)
        result[name] = {"value": y, "derivative": derivative}
    return result


def norms(generator):
    x = normal(generator, 3, 8, std=2.0, mean=0.5)
    x[2] += 30.0  # a row whose mean is large against its spread
    weight, bias = normal(generator, 8, std=0.3, mean=1.0), normal(generator, 8, std=0.5)
    upstream = normal(generator, 3, 8)
    result = {}
    for name, eps in (("layer_norm", 1e-5), ("rms_norm", 1e-6)):
        inputs = [t.clone().requires_grad_() for t in (x, weight, bias)]
        if name == "layer_norm":
            y = F.layer_norm(inputs[0], (8,), inputs[1], inputs[2], eps)
        else:
            inputs.pop()
            y = F.rms_norm(inputs[0], (8,), inputs[1], eps)
        dx, *rest = torch.autograd.grad(y, inputs, upstream)
        result[name] = {"eps": eps, "x": tensor(x), "weight": weight}
        if name == "layer_norm":
            result[name]["bias"] = bias
        result[name] |= {"upstream": tensor(upstream), "y": tensor(y), "dx": tensor(dx), "dweight": rest[0]}
        if name == "layer_norm":
            result[name]["dbias"] = rest[1]
    return result


def cross_entropy(generator):
    logits = normal(generator, 5, 7, std=3.0)
    # exp() overflows without the shift by the maximum, in f32 and in f64. Multiples of 1/8 are exact in f32 even up there.
    logits[4] = torch.round(logits[4] * 8) / 8 + 800.0
    targets = torch.tensor([0, 6, 3, 3, 2])
    x = logits.clone().requires_grad_()
    losses = F.cross_entropy(x, targets, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    return {"logits": tensor(logits), "targets": targets, "losses": losses, "gradient_of_sum": tensor(gradient)}


def visible(queries, keys, causal, window):
    """True where query i, which stands at position `keys - queries + i`, sees key j."""
    i = torch.arange(keys - queries, keys)[:, None]
    j = torch.arange(keys)[None, :]
    mask = torch.ones(queries, keys, dtype=torch.bool)
    if causal:
        mask &= j <= i
    if window is not None:
        mask &= j > i - window
    return mask


def attention(generator):
    # name, key-value heads, queries, causal, window
    settings = [
        ("full", 4, 6, False, None),
        ("causal", 4, 6, True, None),
        ("causal-grouped", 2, 6, True, None),
        ("causal-grouped-window", 2, 6, True, 3),
        ("causal-window", 4, 6, True, 3),
        ("causal-one-kv-head", 1, 6, True, None),
        ("causal-cached", 2, 2, True, None),
        ("causal-cached-window", 2, 2, True, 3),
    ]
    batch, heads, seq, d_head = 2, 4, 6, 4
    cases = []
    for name, kv_heads, queries, causal, window in settings:
        q = normal(generator, batch, heads, queries, d_head).requires_grad_()
        k = normal(generator, batch, kv_heads, seq, d_head).requires_grad_()
        v = normal(generator, batch, kv_heads, seq, d_head).requires_grad_()
        upstream = normal(generator, batch, heads, queries, d_head)
        mask = visible(queries, seq, causal, window)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=kv_heads != heads)
        if causal and window is None and queries == seq:
            alone = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=kv_heads != heads)
            torch.testing.assert_close(y, alone)
        dq, dk, dv = torch.autograd.grad(y, (q, k, v), upstream)
        cases.append(
            {
                "name": name,
                "causal": causal,
                "window": window,
                "query_offset": seq - queries,
                "scale": 1.0 / math.sqrt(d_head),
                **{key: tensor(value) for key, value in {"q": q, "k": k, "v": v, "upstream": upstream}.items()},
                **{key: tensor(short(value)) for key, value in {"y": y, "dq": dq, "dk": dk, "dv": dv}.items()},
            }
        )
    return cases


def short(value):
    """Twelve decimals of numbers around one: far below any tolerance, and a smaller file."""
    return torch.round(value.detach(), decimals=12)


def main():
    folder = output_folder("core", __doc__)
    generator = torch.Generator().manual_seed(7)
    write_json(folder / "activations.json", activations(), lines=2)
    write_json(folder / "norms.json", norms(generator), lines=2)
    write_json(folder / "cross_entropy.json", cross_entropy(generator), lines=1)
    write_json(folder / "attention.json", attention(generator), lines=2)


if __name__ == "__main__":
    main()
