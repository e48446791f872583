"""Inverse frequencies and attention scaling of rotary positions, as transformers computes them for LLaMA.

Writes `rope.json` for `llm-models`: every kind of scaling in `ROPE_INIT_FUNCTIONS` that LLaMA-like checkpoints use, and the
default. transformers computes these in f32.
"""

from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from common import output_folder, write_json

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0, 1.0, 1.1, 1.2, 1.25, 1.5, 2.0, 2.5],
    "long_factor": [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 8.5],
    "original_max_position_embeddings": 16,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}

# name, head size, theta, max_position_embeddings, sequence length, rope_parameters without theta
CASES = [
    ("default", 16, 10000.0, 64, None, {"rope_type": "default"}),
    ("default-theta-500000", 64, 500000.0, 8192, None, {"rope_type": "default"}),
    ("linear", 16, 10000.0, 64, None, {"rope_type": "linear", "factor": 4.0}),
    ("dynamic-long", 16, 10000.0, 64, 100, {"rope_type": "dynamic", "factor": 2.0}),
    ("dynamic-short", 16, 10000.0, 64, 30, {"rope_type": "dynamic", "factor": 2.0}),
    ("yarn", 16, 10000.0, 256, None, YARN),
    ("yarn-head-64", 64, 10000.0, 256, None, YARN),
    ("yarn-betas", 32, 10000.0, 256, None, {**YARN, "beta_fast": 16.0, "beta_slow": 2.0}),
    ("yarn-attention-factor", 16, 10000.0, 256, None, {**YARN, "attention_factor": 1.25}),
    ("yarn-mscale", 16, 10000.0, 256, None, {**YARN, "mscale": 1.0, "mscale_all_dim": 0.5}),
    ("yarn-not-truncated", 64, 10000.0, 256, None, {**YARN, "truncate": False}),
    ("longrope-short", 16, 10000.0, 64, 16, LONGROPE),
    ("longrope-long", 16, 10000.0, 64, 17, LONGROPE),
    ("longrope-factor", 16, 10000.0, 64, 40, {**LONGROPE, "factor": 2.0}),
    ("longrope-attention-factor", 16, 10000.0, 64, 40, {**LONGROPE, "attention_factor": 1.5}),
    ("llama3", 64, 500000.0, 131072, None, LLAMA3),
    ("llama3-head-128", 128, 500000.0, 131072, None, LLAMA3),
]


def main():
    folder = output_folder("models", __doc__)
    cases = []
    for name, head_dim, theta, positions, seq, parameters in CASES:
        config = LlamaConfig(
            hidden_size=head_dim * 2,
            num_attention_heads=2,
            head_dim=head_dim,
            max_position_embeddings=positions,
            rope_parameters={"rope_theta": theta, **parameters},
        )
        init = ROPE_INIT_FUNCTIONS.get(parameters["rope_type"], LlamaRotaryEmbedding.compute_default_rope_parameters)
        inv_freq, scaling = init(config, device=None, seq_len=seq)
        cases.append(
            {
                "name": name,
                "head_dim": head_dim,
                "max_position_embeddings": positions,
                "seq_len": seq,
                "rope_parameters": {"rope_theta": theta, **parameters},
                "inv_freq": inv_freq,
                "attention_scaling": float(scaling),
            }
        )
    write_json(folder / "rope.json", cases, lines=2)


if __name__ == "__main__":
    main()
