"""Training steps of GPT-2 and LLaMA models in PyTorch on the CPU: the baseline that our training is measured against.

A step is a batch of windows of random tokens, forward, backward, clipping of the gradient norm and AdamW; a value is tokens a second
at the median step. GPT-2 is written out below, as nanoGPT does it; LLaMA is transformers' `LlamaForCausalLM`. With `--json`, prints a
JSON object a line: `name`, `value`, `unit`, and what else was measured.

    python torch_train.py [--json] [--compiled] [--only NAME]...

`--compiled` measures `torch.compile` instead of eager execution. It is not asked of the models of 124 M parameters: there the time goes
into matrix products, which are the same, and compiling takes longer than measuring. Run it in one sitting with our own benchmark,
alternating (`cargo xtask bench --peers PYTHON` does): absolute times drift.
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIGS = {  # family, layers, heads, width, context, batch, vocabulary
    "char-small": ("gpt2", 4, 4, 128, 64, 12, 65),
    "char-base": ("gpt2", 6, 6, 384, 256, 8, 65),
    "llama-base": ("llama", 6, 6, 384, 256, 8, 65),
    "gpt2-124m-t64": ("gpt2", 12, 12, 768, 64, 4, 50304),
    "gpt2-124m-t512": ("gpt2", 12, 12, 768, 512, 1, 50304),
}
FIRST_STEPS = 3  # not measured


class Block(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in self.qkv(self.norm1(x)).split(c, 2))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self, layers, heads, width, context, vocab):
        super().__init__()
        self.tok, self.pos = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(heads, width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tok.weight
        for parameter in self.parameters():
            if parameter.dim() == 2:  # as GPT-2; PyTorch's own N(0, 1) embeddings would saturate the softmax
                nn.init.normal_(parameter, std=0.02)

    def forward(self, x):
        h = self.tok(x) + self.pos(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class Llama(nn.Module):
    def __init__(self, layers, heads, width, context, vocab):
        from transformers import LlamaConfig, LlamaForCausalLM

        super().__init__()
        self.model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocab,
                hidden_size=width,
                intermediate_size=-(-8 * width // 3 // 8) * 8,  # 8/3 of the width, rounded up to a multiple of 8
                num_hidden_layers=layers,
                num_attention_heads=heads,
                max_position_embeddings=context,
                rms_norm_eps=1e-5,
                tie_word_embeddings=True,
                use_cache=False,
            )
        )

    def forward(self, x):
        return self.model(input_ids=x).logits


FAMILIES = {"gpt2": Gpt2, "llama": Llama}


def measure(name, compiled, steps):
    family, layers, heads, width, context, batch, vocab = CONFIGS[name]
    torch.manual_seed(1)
    model = FAMILIES[family](layers, heads, width, context, vocab).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if compiled else model
    text = torch.randint(0, vocab, (100_000,))
    times = []
    for i in range(steps + FIRST_STEPS):
        start = time.perf_counter()
        at = torch.randint(len(text) - context, (batch,))
        x = torch.stack([text[i : i + context] for i in at])
        y = torch.stack([text[i + 1 : i + 1 + context] for i in at])
        loss = F.cross_entropy(forward(x).view(-1, vocab), y.view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        if i >= FIRST_STEPS:
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    return {
        "name": name,
        "value": batch * context / median,
        "unit": "tokens/s",
        "mode": "compiled" if compiled else "eager",
        "ms_per_step": median * 1e3,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CONFIGS, action="append", help="measure this; may be given several times")
    parser.add_argument("--compiled", action="store_true", help="measure torch.compile instead of eager execution")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for name in args.only or CONFIGS:
        row = measure(name, args.compiled, steps=100 if name == "char-small" else 10)
        text = f"{row['name']:16} {row['mode']:9} {row['ms_per_step']:9.1f} ms/step {row['value']:9.0f} tokens/s"
        print(json.dumps(row) if args.json else text, flush=True)


if __name__ == "__main__":
    main()
