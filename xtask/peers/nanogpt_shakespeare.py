"""nanoGPT's recipe for a CPU on tiny Shakespeare in PyTorch: training time, and loss over the whole validation part.

GPT-2 without biases, 4 layers, 4 heads, 128 wide, context 64, batch 12, 2000 steps of AdamW from random window starts. The validation
part is the last 111,540 characters, in windows of 64 side by side. With `--json`, prints a JSON object: `value` is the seconds that the
optimizer steps took, `loss` what they reached.

    python nanogpt_shakespeare.py [--json] [--seed N] FILE

Source of the settings: github.com/karpathy/nanoGPT, `config/train_shakespeare_char.py` with the README's changes for a CPU.
"""

import argparse
import json
import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, STEPS = 4, 4, 128, 64, 12, 2000
WARMUP, PEAK, LEAST = 100, 1e-3, 1e-4
N_VALIDATION = 111_540


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (p.view(b, t, HEADS, c // HEADS).transpose(1, 2) for p in self.qkv(self.norm1(x)).split(c, 2))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.tok, self.pos = nn.Embedding(vocab, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, vocab, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                narrow = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if narrow else 0.02)
        self.tok.weight = self.head.weight

    def forward(self, x, y):
        h = self.tok(x) + self.pos(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.head(self.norm(h)).flatten(0, 1), y.flatten())


def learning_rate(step):
    if step < WARMUP:
        return PEAK * (step + 1) / (WARMUP + 1)
    done = (step - WARMUP) / (STEPS - WARMUP)
    return LEAST + 0.5 * (1 + math.cos(math.pi * done)) * (PEAK - LEAST)


def train(model, text):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.99))
    start = time.perf_counter()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        at = torch.randint(len(text) - CONTEXT, (BATCH,))
        x = torch.stack([text[i : i + CONTEXT] for i in at])
        y = torch.stack([text[i + 1 : i + 1 + CONTEXT] for i in at])
        optimizer.zero_grad(set_to_none=True)
        model(x, y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - start


@torch.no_grad()
def evaluate(model, text):
    n = (len(text) - 1) // CONTEXT
    x, y = text[: n * CONTEXT].view(n, CONTEXT), text[1 : n * CONTEXT + 1].view(n, CONTEXT)
    return sum(model(x[i], y[i]).item() * len(i) for i in torch.arange(n).split(64)) / n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with open(args.file, encoding="utf-8", newline="") as file:
        text = file.read()
    ids = {character: i for i, character in enumerate(sorted(set(text)))}
    tokens = torch.tensor([ids[character] for character in text])
    torch.manual_seed(args.seed)
    model = Gpt(len(ids))
    seconds = train(model, tokens[:-N_VALIDATION])
    loss = evaluate(model, tokens[-N_VALIDATION:])
    row = {"name": "shakespeare", "value": seconds, "unit": "s", "loss": loss, "seed": args.seed}
    print(json.dumps(row) if args.json else f"{seconds:.1f} s, loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
