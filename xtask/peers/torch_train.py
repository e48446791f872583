"""Training steps of GPT-2 and LLaMA models in PyTorch on the CPU: the baseline that our training is measured against.

A step is forward, backward, clipping of the gradient norm and AdamW, on random tokens; a value is tokens a second at the
median step. With `--json`, prints a JSON object a line: `name`, `value`, `unit`, and what else was measured.

    python torch_train.py [--json] [--compiled] [--only NAME]...

Run it in one sitting with our own benchmark, alternating (`cargo xtask bench --peers PYTHON` does): absolute times drift.
"""

import argparse
import json
import resource
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


def attend(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Gpt2Block(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, rope):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in self.qkv(self.norm1(x)).split(c, 2))
        x = x + self.out(attend(q, k, v).transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class LlamaBlock(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.heads = heads
        hidden = -(-8 * width // 3 // 8) * 8  # 8/3 of the width, rounded up to a multiple of 8
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, rope):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.heads, c // self.heads).transpose(1, 2) for p in self.qkv(self.norm1(x)).split(c, 2))
        x = x + self.out(attend(rotate(q, rope), rotate(k, rope), v).transpose(1, 2).reshape(b, t, c))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def rotary(context, d_head, theta=10000.0):
    angles = torch.outer(torch.arange(context), theta ** (-torch.arange(0, d_head, 2) / d_head))
    angles = torch.cat((angles, angles), -1)
    return angles.cos(), angles.sin()


def rotate(x, rope):
    cos, sin = rope
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Model(nn.Module):
    def __init__(self, family, layers, heads, width, context, vocab):
        super().__init__()
        self.tok = nn.Embedding(vocab, width)
        if family == "gpt2":
            self.pos, self.norm, self.rope = nn.Embedding(context, width), nn.LayerNorm(width), None
        else:
            self.pos, self.norm, self.rope = None, nn.RMSNorm(width, eps=1e-5), rotary(context, width // heads)
        block = Gpt2Block if family == "gpt2" else LlamaBlock
        self.blocks = nn.ModuleList(block(heads, width) for _ in range(layers))
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tok.weight
        for parameter in self.parameters():
            if parameter.dim() == 2:  # as GPT-2; PyTorch's own N(0, 1) embeddings would saturate the softmax
                nn.init.normal_(parameter, std=0.02)

    def forward(self, x, y):
        h = self.tok(x)
        if self.pos is not None:
            h = h + self.pos(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h, self.rope)
        logits = self.head(self.norm(h))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.reshape(-1))


def measure(name, compiled, steps):
    family, layers, heads, width, context, batch, vocab = CONFIGS[name]
    torch.manual_seed(1)
    model = Model(family, layers, heads, width, context, vocab)
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    step_model = torch.compile(model) if compiled else model
    times = []
    for i in range(steps + 3):
        x, y = torch.randint(0, vocab, (2, batch, context))
        start = time.perf_counter()
        loss = step_model(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        float(loss.detach())
        if i >= 3:
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    return {
        "name": name,
        "value": batch * context / median,
        "unit": "tokens/s",
        "mode": "compiled" if compiled else "eager",
        "ms_per_step": median * 1e3,
        "parameters": sum(p.numel() for p in model.parameters()),
        # Of the whole process so far: choose one with --only.
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CONFIGS, action="append", help="measure this; may be given several times")
    parser.add_argument("--compiled", action="store_true", help="also measure torch.compile")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for name in args.only or CONFIGS:
        steps = 40 if name == "char-small" else 8
        for compiled in [False, True] if args.compiled else [False]:
            row = measure(name, compiled, steps)
            text = f"{row['name']:16} {row['mode']:9} {row['ms_per_step']:9.1f} ms/step {row['value']:9.0f} tokens/s"
            print(json.dumps(row) if args.json else text, flush=True)


if __name__ == "__main__":
    main()
