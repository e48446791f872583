"""Logits after the processors of transformers' `generate()`, alone and chained in the order that it applies them.

Writes `sampling.json` for `llm-models`. The chain of a case is the one `generate()` builds from the case's parameters, so
the order (biases, repetition penalty, n-grams, banned tokens, temperature, top-k, top-p, min-p, typical) is the reference's own.
"""

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

from common import output_folder, write_json

ROW = [1.5, -0.75, 2.25, 0.0, -2.5, 3.0, 0.5, 1.0, -1.25, 2.0, -3.5, 0.25]
TIES = [1.0, 2.0, 2.0, 0.5, 2.0, -1.0, 1.0, 0.0, 3.0, 2.0, -2.0, 0.5]
# Probabilities 0.4, 0.3, 0.15, 0.1, 0.05 out of order: sums that a threshold falls between.
STEPS = torch.log(torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15], dtype=torch.float64)).tolist()
# One token has almost everything, and the entropy is far from its surprise.
SURE = [4.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.9, 1.8, 1.7, 1.6]
HISTORY = [5, 2, 9, 5, 2, 7, 10, 5, 2]

CASES = [
    ("nothing", ROW, HISTORY, {}),
    ("temperature-half", ROW, [], {"temperature": 0.5}),
    ("temperature-1.7", ROW, [], {"temperature": 1.7}),
    ("top-k-1", ROW, [], {"top_k": 1}),
    ("top-k-4", ROW, [], {"top_k": 4}),
    ("top-k-keeps-ties", TIES, [], {"top_k": 3}),
    ("top-k-above-vocabulary", ROW, [], {"top_k": 50}),
    ("top-p-0.9", ROW, [], {"top_p": 0.9}),
    ("top-p-0.5", ROW, [], {"top_p": 0.5}),
    ("top-p-exactly-one", ROW, [], {"top_p": 1.0}),
    ("top-p-tiny", ROW, [], {"top_p": 0.001}),
    ("top-p-below-first", STEPS, [], {"top_p": 0.35}),
    ("top-p-crossing-token-stays", STEPS, [], {"top_p": 0.6}),
    ("top-p-just-past-two", STEPS, [], {"top_p": 0.72}),
    ("top-p-all-but-last", STEPS, [], {"top_p": 0.94}),
    ("min-p-0.1", ROW, [], {"min_p": 0.1}),
    ("min-p-0.9", ROW, [], {"min_p": 0.9}),
    ("min-p-zero", ROW, [], {"min_p": 0.0}),
    ("repetition-1.3", ROW, HISTORY, {"repetition_penalty": 1.3}),
    ("repetition-reward", ROW, HISTORY, {"repetition_penalty": 0.8}),
    ("repetition-repeated-id-counts-once", ROW, [4, 4, 4, 5, 5], {"repetition_penalty": 2.0}),
    ("ngram-1", ROW, HISTORY, {"no_repeat_ngram_size": 1}),
    ("ngram-2", ROW, HISTORY, {"no_repeat_ngram_size": 2}),
    ("ngram-3", ROW, HISTORY, {"no_repeat_ngram_size": 3}),
    ("ngram-3-short-history", ROW, [5, 2], {"no_repeat_ngram_size": 3}),
    ("ngram-2-no-repeat", ROW, [1, 2, 3, 4], {"no_repeat_ngram_size": 2}),
    ("temperature-top-k-top-p", ROW, [], {"temperature": 0.8, "top_k": 6, "top_p": 0.85}),
    ("temperature-min-p", ROW, [], {"temperature": 2.0, "min_p": 0.2}),
    ("top-k-then-top-p-renormalises", ROW, [], {"top_k": 3, "top_p": 0.7}),
    ("typical-0.9", ROW, [], {"typical_p": 0.9}),
    ("typical-0.5", ROW, [], {"typical_p": 0.5}),
    ("typical-tiny", ROW, [], {"typical_p": 0.001}),
    ("typical-steps", STEPS, [], {"typical_p": 0.4}),
    ("typical-steps-all-but-some", STEPS, [], {"typical_p": 0.8}),
    ("typical-keeps-ties", TIES, [], {"typical_p": 0.3}),
    ("typical-drops-the-certain", SURE, [], {"typical_p": 0.2}),
    ("bias", ROW, HISTORY, {"sequence_bias": [[[5], -4.0], [[10], 2.5]]}),
    ("banned", ROW, HISTORY, {"bad_words_ids": [[5], [0]]}),
    (
        "bias-before-penalty-and-temperature",
        ROW,
        HISTORY,
        {"sequence_bias": [[[2], -4.0], [[9], 1.5]], "repetition_penalty": 1.3, "temperature": 0.6},
    ),
    (
        "everything-with-typical",
        ROW,
        HISTORY,
        {
            "sequence_bias": [[[1], 3.0]],
            "bad_words_ids": [[5]],
            "repetition_penalty": 1.1,
            "no_repeat_ngram_size": 3,
            "temperature": 1.3,
            "top_k": 9,
            "top_p": 0.97,
            "min_p": 0.03,
            "typical_p": 0.85,
        },
    ),
    (
        "everything",
        ROW,
        HISTORY,
        {
            "repetition_penalty": 1.2,
            "no_repeat_ngram_size": 3,
            "temperature": 0.7,
            "top_k": 8,
            "top_p": 0.95,
            "min_p": 0.05,
        },
    ),
    (
        "everything-hot",
        TIES,
        [8, 1, 8, 4, 8],
        {
            "repetition_penalty": 1.5,
            "no_repeat_ngram_size": 2,
            "temperature": 1.4,
            "top_k": 9,
            "top_p": 0.8,
            "min_p": 0.02,
        },
    ),
]


def main():
    folder = output_folder("models", __doc__)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=4, vocab_size=12, n_positions=8))
    rows = []
    for name, logits, history, parameters in CASES:
        off = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
        config = GenerationConfig(do_sample=True, pad_token_id=0, **{**off, **parameters})
        config._eos_token_tensor = None  # As `generate()` sets it for a model without an end.
        chain = model._get_logits_processor(generation_config=config, input_ids_seq_length=len(history))
        scores = torch.tensor([logits], dtype=torch.float32)
        output = chain(torch.tensor([history], dtype=torch.long).reshape(1, -1), scores.clone())
        rows.append(
            {
                "name": name,
                "parameters": parameters,
                "history": history,
                "logits": scores[0],
                "output": output[0],
                "processors": [type(processor).__name__ for processor in chain],
            }
        )
    write_json(folder / "sampling.json", rows, lines=2)


if __name__ == "__main__":
    main()
