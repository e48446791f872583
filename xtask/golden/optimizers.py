"""Parameter trajectories of AdamW, Muon, SGD and Lion under given gradients, and gradients clipped by their global norm.

Writes `optimizers.json` for `llm-train`. AdamW, SGD and clipping are `torch.optim.AdamW`, `torch.optim.SGD` and
`torch.nn.utils.clip_grad_norm_` in f64; the weight decay of SGD is decoupled, so PyTorch's is 0 and the decay is applied
here. Lion is written out after Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2. Muon is written out here in f64 after Keller Jordan (<https://kellerjordan.github.io/posts/muon/>), because
`torch.optim.Muon` orthogonalises in bfloat16; the script checks the two against each other.
"""

import math

import numpy
import torch

from common import normal, output_folder, plain, tensor, write_json

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
MUON_EPS = 1e-7


def adamw(generator, name, shape, rates, betas, weight_decay, zero_at=None):
    parameter = torch.nn.Parameter(normal(generator, *shape))
    start = parameter.detach().clone()
    optimizer = torch.optim.AdamW([parameter], lr=rates[0], betas=betas, eps=1e-8, weight_decay=weight_decay)
    gradients, after = [], []
    for step, rate in enumerate(rates):
        gradient = normal(generator, *shape, std=0.5)
        if step == zero_at:
            gradient.zero_()
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = gradient
        optimizer.step()
        gradients.append(tensor(gradient))
        after.append(tensor(parameter))
    return {
        "name": name,
        "settings": {"beta1": betas[0], "beta2": betas[1], "eps": 1e-8, "weight_decay": weight_decay},
        "learning_rates": rates,
        "parameter": tensor(start),
        "gradients": gradients,
        "after": after,
    }


def sgd(generator, name, shape, rates, momentum, nesterov, weight_decay):
    parameter = torch.nn.Parameter(normal(generator, *shape))
    start = parameter.detach().clone()
    optimizer = torch.optim.SGD([parameter], lr=rates[0], momentum=momentum, nesterov=nesterov)
    gradients, after = [], []
    for rate in rates:
        gradient = normal(generator, *shape, std=0.5)
        optimizer.param_groups[0]["lr"] = rate
        with torch.no_grad():
            parameter.mul_(1.0 - rate * weight_decay)
        parameter.grad = gradient.clone()
        optimizer.step()
        gradients.append(tensor(gradient))
        after.append(tensor(parameter))
    return {
        "name": name,
        "settings": {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay},
        "learning_rates": rates,
        "parameter": tensor(start),
        "gradients": gradients,
        "after": after,
    }


def lion(generator, name, shape, rates, betas, weight_decay, zero_at=None):
    parameter = normal(generator, *shape)
    start, momentum = parameter.clone(), torch.zeros_like(parameter)
    gradients, after = [], []
    for step, rate in enumerate(rates):
        gradient = normal(generator, *shape, std=0.5)
        if step == zero_at:
            gradient.zero_()
        direction = torch.sign(betas[0] * momentum + (1.0 - betas[0]) * gradient)
        parameter = parameter - rate * (direction + weight_decay * parameter)
        momentum = betas[1] * momentum + (1.0 - betas[1]) * gradient
        gradients.append(tensor(gradient))
        after.append(tensor(parameter))
    return {
        "name": name,
        "settings": {"betas": betas, "weight_decay": weight_decay},
        "learning_rates": rates,
        "parameter": tensor(start),
        "gradients": gradients,
        "after": after,
    }


def newton_schulz(update, steps=5):
    a, b, c = NEWTON_SCHULZ
    x = update.T if update.shape[0] > update.shape[1] else update
    x = x / (numpy.linalg.norm(x) + MUON_EPS)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if update.shape[0] > update.shape[1] else x


def muon(generator, name, shape, rates, momentum, nesterov, weight_decay, adjust):
    start = normal(generator, *shape, std=0.5)
    gradients = [normal(generator, *shape, std=0.3) for _ in rates]
    rows, columns = shape
    scale = {
        "original": math.sqrt(max(1.0, rows / columns)),
        "match_rms_adamw": 0.2 * math.sqrt(max(rows, columns)),
    }[adjust]

    parameter, buffer, after = start.numpy().copy(), numpy.zeros(shape), []
    for rate, gradient in zip(rates, gradients):
        gradient = gradient.numpy()
        buffer = momentum * buffer + (1.0 - momentum) * gradient
        update = momentum * buffer + (1.0 - momentum) * gradient if nesterov else buffer
        parameter = parameter * (1.0 - rate * weight_decay) - rate * scale * newton_schulz(update)
        after.append(parameter)

    check_against_torch(start, gradients, rates, momentum, nesterov, weight_decay, adjust, after)
    return {
        "name": name,
        "settings": {
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
            "adjust": adjust,
            "newton_schulz": NEWTON_SCHULZ,
            "newton_schulz_steps": 5,
            "eps": MUON_EPS,
        },
        "learning_rates": rates,
        "parameter": tensor(start),
        "gradients": [tensor(gradient) for gradient in gradients],
        "orthogonalized_first_gradient": tensor(newton_schulz(gradients[0].numpy())),
        "after": [tensor(value) for value in after],
    }


def check_against_torch(start, gradients, rates, momentum, nesterov, weight_decay, adjust, after):
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.Muon(
        [parameter], lr=rates[0], momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, adjust_lr_fn=adjust
    )
    for rate, gradient, expected in zip(rates, gradients, after):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        optimizer.step()
        # bfloat16 keeps 8 bits, and an update's entries are at most about 1.2 times the rate and its scale.
        error = float((parameter.detach() - torch.from_numpy(expected)).abs().max())
        assert error < 0.05 * sum(rates), f"differs from torch.optim.Muon by {error}"


def clipping(generator, name, max_norm, shapes, std):
    gradients = [normal(generator, *shape, std=std) for shape in shapes]
    parameters = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return {
        "name": name,
        "max_norm": max_norm,
        "gradients": [tensor(gradient) for gradient in gradients],
        "norm": norm,
        "clipped": [tensor(parameter.grad) for parameter in parameters],
    }


def main():
    folder = output_folder("train", __doc__)
    generator = torch.Generator().manual_seed(11)
    rates = [1e-2, 2e-2, 3e-2, 2e-2, 1e-2, 5e-3]
    result = {
        "adamw": [
            adamw(generator, "gpt-betas", (3, 4), rates, (0.9, 0.95), 0.1, zero_at=3),
            adamw(generator, "default-betas", (2, 3), [1e-3] * 5, (0.9, 0.999), 0.1),
            adamw(generator, "no-decay", (5,), rates, (0.9, 0.95), 0.0),
        ],
        "muon": [
            muon(generator, "wide", (4, 6), [2e-2] * 4, 0.95, True, 0.1, "original"),
            muon(generator, "tall", (8, 3), rates[:4], 0.95, True, 0.1, "original"),
            muon(generator, "square-plain-momentum", (4, 4), [2e-2] * 4, 0.9, False, 0.0, "original"),
            muon(generator, "wide-match-rms", (4, 6), [1e-3] * 4, 0.95, True, 0.1, "match_rms_adamw"),
            muon(generator, "tall-match-rms", (8, 3), [1e-3] * 4, 0.95, True, 0.1, "match_rms_adamw"),
        ],
        "sgd": [
            sgd(generator, "plain", (3, 4), rates, 0.0, False, 0.1),
            sgd(generator, "momentum", (2, 5), rates, 0.9, False, 0.1),
            sgd(generator, "nesterov", (4, 3), rates, 0.8, True, 0.0),
        ],
        "lion": [
            lion(generator, "default-betas", (3, 4), rates, (0.9, 0.99), 0.1, zero_at=0),
            lion(generator, "other-betas", (2, 3), rates, (0.95, 0.98), 1.0),
        ],
        "clip_grad_norm": [
            clipping(generator, "clipped", 1.0, [(3, 4), (5,), (2, 2)], 1.0),
            clipping(generator, "below-the-limit", 1.0, [(3, 4), (5,)], 0.05),
        ],
    }
    write_json(folder / "optimizers.json", plain(result), lines=4)


if __name__ == "__main__":
    main()
