"""Learning rates of every schedule at chosen steps, in plain Python.

Writes `schedules.json` for `llm-train`. The warm-up and the cosine are `get_lr` of nanoGPT's `train.py`
(<https://github.com/karpathy/nanoGPT/blob/master/train.py>); the other kinds share that warm-up, and Noam is the formula of its paper. `decay_steps` is nanoGPT's
`lr_decay_iters`: from that step on the rate is `min_learning_rate`.
"""

import math

from common import output_folder, write_json


def warmup(step, s):
    return s["learning_rate"] * (step + 1) / (s["warmup_steps"] + 1)


def between(ratio, s):
    """Linear from the full rate (ratio 0) to the smallest (ratio 1)."""
    return s["learning_rate"] + ratio * (s["min_learning_rate"] - s["learning_rate"])


def constant(step, s):
    return warmup(step, s) if step < s["warmup_steps"] else s["learning_rate"]


def cosine(step, s):
    if step < s["warmup_steps"]:
        return warmup(step, s)
    if step > s["decay_steps"]:
        return s["min_learning_rate"]
    decay_ratio = (step - s["warmup_steps"]) / (s["decay_steps"] - s["warmup_steps"])
    coefficient = 0.5 * (1.0 + math.cos(math.pi * decay_ratio))
    return s["min_learning_rate"] + coefficient * (s["learning_rate"] - s["min_learning_rate"])


def linear(step, s):
    if step < s["warmup_steps"]:
        return warmup(step, s)
    if step > s["decay_steps"]:
        return s["min_learning_rate"]
    return between((step - s["warmup_steps"]) / (s["decay_steps"] - s["warmup_steps"]), s)


def wsd(step, s):
    """Warm-up, stable, decay: the last `decay_share` of the steps go down linearly."""
    if step < s["warmup_steps"]:
        return warmup(step, s)
    if step > s["decay_steps"]:
        return s["min_learning_rate"]
    decay_start = s["decay_steps"] * (1.0 - s["decay_share"])
    if step < decay_start:
        return s["learning_rate"]
    return between((step - decay_start) / (s["decay_steps"] - decay_start), s)


def noam(step, s):
    """Vaswani et al. 2017, equation 3, whose steps count from 1 and whose warm-up ends with the peak."""
    number, warmup_steps = step + 1, s["warmup_steps"] + 1
    return s["d_model"] ** -0.5 * min(number**-0.5, number * warmup_steps**-1.5)


def noam_settings(d_model, warmup_steps, decay_steps):
    peak = (d_model * (warmup_steps + 1)) ** -0.5
    return settings(peak, None, warmup_steps, decay_steps, d_model=d_model)


def settings(rate, smallest, warmup_steps, decay_steps, **rest):
    return {
        "learning_rate": rate,
        "min_learning_rate": smallest,
        "warmup_steps": warmup_steps,
        "decay_steps": decay_steps,
        **rest,
    }


CASES = [
    ("cosine", cosine, settings(1e-3, 1e-4, 10, 100)),
    ("cosine", cosine, settings(6e-4, 6e-5, 0, 50)),
    ("cosine", cosine, settings(1e-3, 0.0, 100, 2000)),
    ("constant", constant, settings(3e-4, 0.0, 0, 100)),
    ("constant", constant, settings(3e-4, 0.0, 20, 100)),
    ("linear", linear, settings(1e-3, 1e-4, 10, 100)),
    ("linear", linear, settings(1e-3, 0.0, 0, 40)),
    ("noam", noam, noam_settings(512, 40, 400)),
    ("noam", noam, noam_settings(64, 0, 100)),
    ("wsd", wsd, settings(1e-3, 1e-4, 10, 100, decay_share=0.2)),
    ("wsd", wsd, settings(2e-2, 0.0, 0, 50, decay_share=0.2)),
    ("wsd", wsd, settings(1e-3, 1e-5, 5, 200, decay_share=0.5)),
]


def main():
    folder = output_folder("train", __doc__)
    rows = []
    for kind, function, s in CASES:
        w, d = s["warmup_steps"], s["decay_steps"]
        decay_start = round(d * (1.0 - s.get("decay_share", 0.0)))
        edges = [step + offset for step in (w, decay_start, d) for offset in (-1, 0, 1)]
        steps = sorted({step for step in [0, 1, *edges, *range(0, d, d // 10), d + 7, d * 2] if step >= 0})
        rows.append({"kind": kind, "settings": s, "steps": steps, "learning_rates": [function(i, s) for i in steps]})
    write_json(folder / "schedules.json", rows, lines=2)


if __name__ == "__main__":
    main()
