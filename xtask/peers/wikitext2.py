"""The model and the budget of `configs/wikitext2.toml` in PyTorch: transformers' LLaMA, AdamW, the recipe of nanoGPT.

    python wikitext2.py TOKENIZER_FOLDER TRAIN_TEXT TEST_TEXT [--steps N] [--learning-rate R]

Reads the tokenizer that `llm` made, so that both predict the same tokens, and trains so many steps of as many windows of as many
tokens. Prints one JSON object: seconds of training, and the perplexity of the test text by the protocol of `llm eval perplexity
--bos --stride N`: windows that end with their strides, all tokens predicted, words with ends of lines.
"""

import argparse
import json
import math
import pathlib
import resource
import time
import tomllib

import torch
import transformers
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("train", type=pathlib.Path)
    parser.add_argument("test", type=pathlib.Path)
    parser.add_argument("--config", type=pathlib.Path, default=ROOT / "configs" / "wikitext2.toml")
    parser.add_argument("--steps", type=int, help="optimizer steps; without it train.max_steps of the configuration")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--stride", type=int, default=64)
    return parser.parse_args()


def model_of(config, vocab_size):
    sizes = config["model"]
    heads = sizes["n_heads"]
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=vocab_size,
            hidden_size=sizes["d_model"],
            intermediate_size=sizes["d_ff"],
            num_hidden_layers=sizes["n_layers"],
            num_attention_heads=heads,
            num_key_value_heads=sizes.get("n_kv_heads", heads),
            max_position_embeddings=sizes["max_seq_len"],
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            attn_implementation="sdpa",
        )
    )


def rate(step, steps, warmup, peak):
    """nanoGPT's `get_lr`, down to a tenth."""
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    share = (step - warmup) / (steps - warmup)
    return peak * (0.1 + 0.45 * (1.0 + math.cos(math.pi * share)))


def train(model, tokens, steps, batch, seq, peak):
    generator = torch.Generator().manual_seed(1)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), fused=True)
    warmup = min(100, steps // 10)
    order, seconds = [], 0.0
    for step in range(steps):
        if len(order) < batch:
            # As `llm`: windows side by side from a random offset, each once in an epoch, in random order.
            offset = int(torch.randint(seq, (1,), generator=generator))
            starts = range(offset, len(tokens) - seq - 1, seq)
            order = [starts[i] for i in torch.randperm(len(starts), generator=generator).tolist()]
        windows, order = order[:batch], order[batch:]
        start = time.perf_counter()
        x = torch.stack([tokens[i : i + seq] for i in windows])
        y = torch.stack([tokens[i + 1 : i + seq + 1] for i in windows])
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, warmup, peak)
        logits = model(x).logits
        loss = torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds += time.perf_counter() - start
        if step % 100 == 99:
            print(f"step {step + 1}/{steps}  loss {float(loss):.4f}  {seconds:.0f} s", flush=True)
    return seconds


@torch.no_grad()
def nats(model, tokens, window, stride):
    model.eval()
    total, done, n = 0.0, 0, len(tokens) - 1
    ends = list(range(min(window, n), n, stride)) + [n]
    for end in ends:
        start = max(0, end - window)
        logits = model(tokens[start:end].unsqueeze(0)).logits[0, done - start :]
        targets = tokens[done + 1 : end + 1]
        total += float(torch.nn.functional.cross_entropy(logits.double(), targets, reduction="sum"))
        done = end
    return total, n


def main():
    args = arguments()
    config = tomllib.loads(args.config.read_text())
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    encode = lambda path: tokenizer.encode(path.read_text(encoding="utf-8")).ids
    torch.manual_seed(1)
    model = model_of(config, tokenizer.get_vocab_size())
    table = config["train"]
    steps = args.steps or table["max_steps"]
    batch, seq = table["batch_size"], config["model"]["max_seq_len"]
    tokens = torch.tensor(encode(args.train))
    seconds = train(model, tokens, steps, batch, seq, args.learning_rate)
    text = args.test.read_text(encoding="utf-8")
    bos = tokenizer.token_to_id("<|endoftext|>")
    test = torch.tensor([bos] + encode(args.test))
    total, n = nats(model, test, seq, args.stride)
    words = len(text.split()) + text.count("\n")
    result = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": steps,
        "tokens": steps * batch * seq,
        "learning_rate": args.learning_rate,
        "seconds": seconds,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "perplexity": math.exp(total / n),
        "word_perplexity": math.exp(total / words),
        "bits_per_byte": total / math.log(2) / len(text.encode()),
        "test_tokens": n,
        "words": words,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
