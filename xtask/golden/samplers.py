"""Logits after the samplers that transformers has not: DRY, XTC, dynamic temperature, mirostat 2, and OpenAI's two penalties.

Writes `samplers.json` for `llm-models`. Each function follows the definition in words (llama.cpp's documentation, OpenAI's API
reference, the paper), in f64 and by plain search, not the code of any program.
"""

import numpy as np

from common import output_folder, write_json

ROW = [1.5, -0.75, 2.25, 0.0, -2.5, 3.0, 0.5, 1.0, -1.25, 2.0, -3.5, 0.25]
FLAT = [0.1, 0.0, -0.1, 0.2, -0.2, 0.05, 0.15, -0.05, 0.12, -0.12, 0.07, -0.07]
SURE = [9.0, 0.0, -0.1, 0.2, -0.2, 0.05, 0.15, -0.05, 0.12, -0.12, 0.07, -0.07]
TEXT = [5, 2, 9, 5, 2, 7, 10, 5, 2]
# a b c c b c y a b c, the example in the documentation of llama.cpp.
EXAMPLE = [1, 2, 3, 3, 2, 3, 7, 1, 2, 3]


def softmax(logits):
    e = np.exp(logits - np.max(logits))
    return e / e.sum()


def penalties(logits, new, presence_penalty=0.0, frequency_penalty=0.0):
    """mu[j] - c[j] * alpha_frequency - (c[j] > 0) * alpha_presence, c over what was sampled."""
    counts = np.bincount(np.array(new, dtype=int), minlength=len(logits))
    return logits - counts * frequency_penalty - (counts > 0) * presence_penalty


def dry(logits, tokens, dry_multiplier, dry_base=1.75, dry_allowed_length=2, dry_last_n=None, dry_breaker_tokens=()):
    """For every token: the longest end of the text that, at an earlier place, was followed by that token, without a breaker."""
    text = tokens[-dry_last_n:] if dry_last_n else tokens
    out = logits.copy()
    for token in set(text) - set(dry_breaker_tokens):
        longest = 0
        for at in range(1, len(text)):
            if text[at] != token:
                continue
            length = 0
            while length < at and text[at - 1 - length] == text[len(text) - 1 - length]:
                if text[at - 1 - length] in dry_breaker_tokens:
                    break
                length += 1
            longest = max(longest, length)
        if longest >= dry_allowed_length:
            out[token] -= dry_multiplier * dry_base ** (longest - dry_allowed_length)
    return out


def xtc(logits, xtc_threshold):
    """Of all tokens at or above the threshold only the least probable stays."""
    p = softmax(logits)
    top = [i for i in np.argsort(-p, kind="stable") if p[i] >= xtc_threshold]
    out = logits.copy()
    out[top[:-1]] = -np.inf
    return out


def dynamic_temperature(logits, temperature, dynatemp_range, dynatemp_exponent=1.0):
    p = softmax(logits)
    p = p[p > 0]
    if len(p) < 2:
        return logits
    share = -(p * np.log(p)).sum() / np.log(len(p))
    low, high = max(0.0, temperature - dynatemp_range), temperature + dynatemp_range
    return logits / (low + (high - low) * share**dynatemp_exponent)


def top_k(logits, k):
    return np.where(logits >= np.sort(logits)[-k], logits, -np.inf)


def mirostat(rows, chosen, mirostat_tau, mirostat_eta):
    """Algorithm 2 of the paper: cut at mu, choose among what is left, move mu. The tokens that are chosen are given."""
    mu, steps = 2 * mirostat_tau, []
    for row, wanted in zip(rows, chosen):
        p = softmax(row)
        keep = -np.log2(p) <= mu
        keep[np.argmax(p)] = True
        cut = np.where(keep, row, -np.inf)
        # The wanted rank among what is left.
        order = [i for i in np.argsort(-p, kind="stable") if keep[i]]
        token = int(order[min(wanted, len(order) - 1)])
        surprise = -np.log2(softmax(cut)[token])
        before, mu = mu, mu - mirostat_eta * (surprise - mirostat_tau)
        steps.append({"logits": row.tolist(), "output": cut.astype(np.float32), "mu": float(before), "token": token})
    return steps


def steps_of(settings, tokens, prompt_len, logits):
    row = np.array(logits, dtype=np.float64)
    of = lambda *names: {name: settings[name] for name in names if name in settings}
    row = penalties(row, tokens[prompt_len:], **of("presence_penalty", "frequency_penalty"))
    if "dry_multiplier" in settings:
        names = ("dry_multiplier", "dry_base", "dry_allowed_length", "dry_last_n", "dry_breaker_tokens")
        row = dry(row, tokens, **of(*names))
    if "temperature" in settings and "dynatemp_range" not in settings:
        row = row / settings["temperature"]
    if "top_k" in settings:
        row = top_k(row, settings["top_k"])
    if "xtc_probability" in settings:
        row = xtc(row, settings["xtc_threshold"])
    if "dynatemp_range" in settings:
        row = dynamic_temperature(row, settings.get("temperature", 1.0), **of("dynatemp_range", "dynatemp_exponent"))
    return row


CASES = [
    ("presence", ROW, TEXT, 3, {"presence_penalty": 0.5}),
    ("frequency", ROW, TEXT, 3, {"frequency_penalty": 0.25}),
    ("both", ROW, TEXT, 0, {"presence_penalty": -0.5, "frequency_penalty": 1.5}),
    ("penalties-leave-the-prompt-alone", ROW, TEXT, 9, {"presence_penalty": 2.0, "frequency_penalty": 2.0}),
    ("dry", ROW, TEXT, 0, {"dry_multiplier": 0.8}),
    ("dry-example", ROW, EXAMPLE, 0, {"dry_multiplier": 0.8, "dry_allowed_length": 1}),
    ("dry-example-of-two", ROW, EXAMPLE, 0, {"dry_multiplier": 2.0, "dry_base": 3.0}),
    ("dry-example-of-four", ROW, EXAMPLE, 0, {"dry_multiplier": 2.0, "dry_allowed_length": 4}),
    ("dry-last-n", ROW, EXAMPLE, 0, {"dry_multiplier": 2.0, "dry_allowed_length": 1, "dry_last_n": 5}),
    ("dry-breaker", ROW, EXAMPLE, 0, {"dry_multiplier": 2.0, "dry_allowed_length": 1, "dry_breaker_tokens": [2]}),
    ("dry-ends-with-breaker", ROW, EXAMPLE, 0, {"dry_multiplier": 2.0, "dry_allowed_length": 1, "dry_breaker_tokens": [3]}),
    ("dry-does-not-punish-a-breaker", ROW, EXAMPLE, 0, {"dry_multiplier": 2.0, "dry_breaker_tokens": [7]}),
    ("dry-row-of-one", ROW, [6] * 12, 0, {"dry_multiplier": 1.0, "dry_base": 1.5}),
    ("dry-alternating", ROW, [6, 8] * 7, 4, {"dry_multiplier": 0.5, "dry_base": 1.2, "dry_allowed_length": 3}),
    ("xtc", ROW, [], 0, {"xtc_probability": 1.0, "xtc_threshold": 0.1}),
    ("xtc-low", ROW, [], 0, {"xtc_probability": 1.0, "xtc_threshold": 0.03}),
    ("xtc-one-top-choice", SURE, [], 0, {"xtc_probability": 1.0, "xtc_threshold": 0.1}),
    ("xtc-no-top-choice", FLAT, [], 0, {"xtc_probability": 1.0, "xtc_threshold": 0.5}),
    ("dynamic-temperature", ROW, [], 0, {"temperature": 0.8, "dynatemp_range": 0.5}),
    ("dynamic-temperature-to-zero", ROW, [], 0, {"dynatemp_range": 1.0, "dynatemp_exponent": 2.0}),
    ("dynamic-temperature-sure", SURE, [], 0, {"temperature": 1.5, "dynatemp_range": 1.2}),
    ("dynamic-temperature-flat", FLAT, [], 0, {"temperature": 1.5, "dynatemp_range": 1.2, "dynatemp_exponent": 0.5}),
    ("dynamic-temperature-of-what-is-left", ROW, [], 0, {"top_k": 3, "dynatemp_range": 0.7}),
    (
        "everything",
        ROW,
        EXAMPLE,
        4,
        {
            "presence_penalty": 0.3,
            "frequency_penalty": 0.2,
            "dry_multiplier": 0.7,
            "dry_allowed_length": 1,
            "temperature": 0.9,
            "top_k": 9,
            "xtc_probability": 1.0,
            "xtc_threshold": 0.15,
            "dynatemp_range": 0.4,
        },
    ),
]


def main():
    folder = output_folder("models", __doc__)
    chains = []
    for name, logits, tokens, prompt_len, settings in CASES:
        output = steps_of(settings, tokens, prompt_len, logits)
        chains.append(
            {
                "name": name,
                "settings": settings,
                "tokens": tokens,
                "prompt_len": prompt_len,
                "logits": logits,
                "output": output.astype(np.float32),
            }
        )
    rows = [np.array(row, dtype=np.float64) for row in (ROW, FLAT, SURE, ROW, FLAT, ROW, SURE, ROW)]
    ranks = [0, 3, 0, 2, 1, 5, 0, 11]
    runs = []
    for tau, eta in ((3.0, 0.1), (1.5, 0.5), (0.4, 1.0)):
        steps = mirostat(rows, ranks, tau, eta)
        runs.append({"settings": {"strategy": "mirostat", "mirostat_tau": tau, "mirostat_eta": eta}, "steps": steps})
    write_json(folder / "samplers.json", {"chains": chains, "mirostat": runs}, lines=3)


if __name__ == "__main__":
    main()
