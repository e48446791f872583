"""Live check: model folders go back and forth between this project's program and transformers.

    python xtask/golden/live/check_interop.py --llm target/release/llm [--trainer] [FOLDER]

Trains a tiny model of each family with the program and lets transformers load it, continue it, run a pipeline on it and split
texts with its tokenizer. With `--trainer` (needs the package accelerate) the `Trainer` of transformers trains it on and saves it,
and the program must compute the same from what was saved. Prints one line for each check, and exits with 1 where one failed.
Runs with transformers 5 and 4.57 alike.
It makes no golden file: what it compares is trained on the spot.
"""

import argparse
import json
import logging
import pathlib
import subprocess
import tempfile

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

NEW = 64
SIZES = {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 96}


def rope(kind, **values):
    """Settings of a LLaMA with stretched positions, the small theta so that the kinds differ within a short text."""
    pairs = ", ".join(f"{key} = {value}" for key, value in {"factor": 4.0, **values}.items())
    return {"model.family": "llama", "model.rope_theta": 500, "model.rope_scaling": f'{{ kind = "{kind}", {pairs} }}'}


CHARACTERS = {"tokenizer.kind": "character"}
RUNS = {
    "gpt": {"model.family": "gpt"},
    "gpt-untied": {"model.family": "gpt", "model.tie_embeddings": "false"},
    "gpt2": {"model.family": "gpt2"},
    "gpt2-no-bias": {"model.family": "gpt2", "model.bias": "false", "model.d_ff": 80, "model.dropout": 0.1},
    "gpt2-characters": {"model.family": "gpt2", **CHARACTERS},
    "llama": {"model.family": "llama", "model.n_kv_heads": 2},
    "llama-untied": {
        "model.family": "llama",
        "model.tie_embeddings": "false",
        "model.bias": "true",
        "model.d_head": 12,
        "model.rope_theta": 500,
        "model.vocab_size": 448,
    },
    "llama-linear": rope("linear"),
    "llama-dynamic": rope("dynamic"),
    "llama-yarn": rope("yarn", original_max_seq_len=24),
    "llama-llama3": rope("llama3", original_max_seq_len=32, low_freq_factor=1.0, high_freq_factor=4.0),
    "llama-longrope": rope(
        "longrope", original_max_seq_len=96, short_factor=[1.0, 1.1, 1.3, 1.6], long_factor=[1.2, 2.5, 4.0, 6.5]
    ),
    "mistral": {"model.family": "mistral", "model.n_kv_heads": 1, "model.window": 16},
    "mistral-no-window": {"model.family": "mistral", "model.tie_embeddings": "false"},
}
PROMPTS = ["Once upon", "The cat and the dog", " "]
TEXTS = [
    "",
    "One morning, Tom's dog didn't run; it'll sleep.",
    "  two spaces,\ttab\n\nand  lines \n",
    "1234567890 3.14 v2",
    "Zoë naïve 東京 🙂👩‍👩‍👧 e\u0301",
    "a<|endoftext|>b",
    "<|endoftext|>",
    " <|endoftext|> x",
    "\u00a0\u200b\u3000\r\n'S 'LL",
]


class Report:
    """One line for each check."""

    def __init__(self):
        self.failed = 0

    def line(self, run, what, ok, detail=""):
        self.failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {run}: {what}{': ' + detail if detail else ''}", flush=True)

    def attempt(self, run, what, check):
        """Runs `check`, which gives what went wrong or `None`. An exception is a failed check, not the end of all."""
        try:
            wrong = check()
        except Exception as error:  # Whatever transformers raises is the finding.
            wrong = f"{type(error).__name__}: {error}"
        self.line(run, what, wrong is None, wrong or "")
        return wrong is None


class Warnings(logging.Handler):
    """What transformers warns of within a `with`."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())

    def __enter__(self):
        transformers.utils.logging.get_logger().addHandler(self)
        return self.said

    def __exit__(self, *_):
        transformers.utils.logging.get_logger().removeHandler(self)


class Program:
    """The `llm` binary."""

    def __init__(self, path):
        self.path = path

    def run(self, *arguments):
        command = [str(self.path), *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"{' '.join(command[1:3])}: exit code {ended.returncode}: {ended.stderr.strip()}")
        return ended.stdout

    def greedy(self, model, prompt):
        arguments = ["--strategy", "greedy", "--max-new-tokens", NEW, "--json"]
        return json.loads(self.run("generate", "--model", model, "--prompt", prompt, *arguments))

    def encode(self, tokenizer, text):
        return json.loads(self.run("tokenizer", "encode", "--tokenizer", tokenizer, "--json", "--text", text))["ids"]


def train(llm, folder, data, settings):
    settings = {**{f"model.{key}": value for key, value in SIZES.items()}, "tokenizer.vocab_size": 400, **settings}
    if settings.get("tokenizer.kind") == "character":
        del settings["tokenizer.vocab_size"]
    sets = [argument for key, value in settings.items() for argument in ("--set", f"{key}={value}")]
    llm.run("train", "--data", data, "--output-dir", folder, "--max-steps", 100, "--quiet", "--force", *sets)
    return folder / "model"


def load(folder):
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    odd = {key: value for key, value in info.items() if value}
    assert not odd, odd
    return model.eval()


def load_warns(folder):
    with Warnings() as said:
        load(folder)
        AutoTokenizer.from_pretrained(folder)
    return "; ".join(said) or None


def continuation_differs(llm, folder, prompt):
    """Greedy continuations and the log-probabilities of their tokens."""
    ours = llm.greedy(folder, prompt)
    model, tokenizer = load(folder), AutoTokenizer.from_pretrained(folder)
    ids = ours["prompt_tokens"]
    encoded = tokenizer(prompt).input_ids
    if encoded != ids:
        return f"{prompt!r} is {encoded}, with llm {ids}"
    # Without `top_k=1` and the like: a generation_config.json that asks for sampling is switched off, as a user would.
    theirs = model.generate(
        torch.tensor([ids]), max_new_tokens=NEW, do_sample=False, return_dict_in_generate=True, output_logits=True, pad_token_id=0
    )
    new = theirs.sequences[0, len(ids) :].tolist()
    logprobs = [step[0].log_softmax(-1)[token].item() for step, token in zip(theirs.logits, new)]
    if new[: len(ours["tokens"])] != ours["tokens"] or len(new) - len(ours["tokens"]) not in (0, 1):
        return f"{new}, with llm {ours['tokens']}"
    off = max(abs(a - b) for a, b in zip(logprobs, ours["logprobs"]))
    if len(ours["logprobs"]) != len(ours["tokens"]) or off > 1e-4:
        return f"log-probabilities are {off} apart"
    text = tokenizer.decode(ours["tokens"], skip_special_tokens=True)
    if text != ours["text"]:
        return f"{text!r}, with llm {ours['text']!r}"
    return None


def pipeline_differs(llm, folder, prompt):
    generator = pipeline("text-generation", model=str(folder), dtype=torch.float32, device="cpu")
    theirs = generator(prompt, max_new_tokens=NEW, do_sample=False)[0]["generated_text"]
    ours = prompt + llm.greedy(folder, prompt)["text"]
    return None if theirs == ours else f"{theirs!r}, with llm {ours!r}"


def tokens_differ(llm, folder, text):
    """The program takes a special token written in a text for text, so here transformers is told to do the same."""
    tokenizer = AutoTokenizer.from_pretrained(folder, split_special_tokens=True)
    ours, theirs = llm.encode(folder, text), tokenizer(text).input_ids
    if ours != theirs:
        return f"{theirs}, with llm {ours}"
    back = tokenizer.decode(theirs)
    return None if back == text else f"decoded: {back!r}"


def known_texts(folder):
    """All of `TEXTS`, or for a tokenizer of single characters those that it has."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    if tokenizer["pre_tokenizer"] and "ByteLevel" in json.dumps(tokenizer["pre_tokenizer"]):
        return TEXTS
    known = set(tokenizer["model"]["vocab"])
    return ["".join(c for c in text if c in known) for text in TEXTS]


def length_differs(folder):
    """Without `model_max_length` nothing cuts a text that is longer than the context, and the model fails on it."""
    length = AutoTokenizer.from_pretrained(folder).model_max_length
    return None if length == SIZES["max_seq_len"] else f"model_max_length {length}"


def special_ids_differ(folder):
    tokenizer, config = AutoTokenizer.from_pretrained(folder), json.loads((folder / "config.json").read_text())
    generation = json.loads((folder / "generation_config.json").read_text())
    for name in ("bos_token_id", "eos_token_id"):
        ids = {getattr(tokenizer, name), config.get(name), generation.get(name)}
        if len(ids) != 1:
            return f"{name}: {ids}"
    if len(tokenizer) > config["vocab_size"]:
        return f"{len(tokenizer)} tokens, {config['vocab_size']} rows"
    return None


def train_on(folder, text, saved):
    """A few steps of the `Trainer`, as people write it."""
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    ids = tokenizer(text[:8000]).input_ids
    rows = [{"input_ids": ids[at : at + 32]} for at in range(0, len(ids) - 32, 32)]
    arguments = TrainingArguments(
        output_dir=str(saved.with_name("trainer")),
        max_steps=5,
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model(str(saved))
    before = AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().weight
    moved = (before - model.get_input_embeddings().weight).abs().max().item()
    return None if moved > 1e-4 else "training changed nothing"


def compare_differs(llm, folder, data):
    report = json.loads(llm.run("compare", folder, folder, "--data", data, "--json"))
    apart = (report["kl"]["max"], report["largest_difference"])
    return None if apart == (0.0, 0.0) else f"{apart}"


def init_fails(llm, saved, data):
    again = ["--output-dir", saved.with_name("again"), "--force"]
    llm.run("train", "--init-from", saved, "--data", data, *again, "--max-steps", 1, "--quiet")


def check(report, llm, run, folder, data, trainer):
    """All checks of one run."""
    if not report.attempt(run, "llm train", lambda: train(llm, folder, data, RUNS[run]) and None):
        return
    model = folder / "model"
    report.attempt(run, "loads without a warning", lambda: load_warns(model))
    same = lambda of, prompt: lambda: continuation_differs(llm, of, prompt)
    for prompt in PROMPTS:
        report.attempt(run, f"continuation of {prompt!r}", same(model, prompt))
    report.attempt(run, "pipeline", lambda: pipeline_differs(llm, model, PROMPTS[0]))
    report.attempt(run, "special ids", lambda: special_ids_differ(model))
    report.attempt(run, "longest text", lambda: length_differs(model))
    for text in known_texts(model):
        report.attempt(run, f"tokens of {text!r}", lambda: tokens_differ(llm, model, text))
    if not trainer:
        return
    saved = folder / "saved"
    if report.attempt(run, "Trainer", lambda: train_on(model, data.read_text(), saved)):
        for prompt in PROMPTS:
            report.attempt(run, f"continuation of {prompt!r} after the Trainer", same(saved, prompt))
        report.attempt(run, "llm compare of what the Trainer saved", lambda: compare_differs(llm, saved, data))
        report.attempt(run, "tokens after the Trainer", lambda: tokens_differ(llm, saved, known_texts(model)[1]))
        report.attempt(run, "llm train --init-from", lambda: init_fails(llm, saved, data))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", type=pathlib.Path, required=True)
    parser.add_argument("--trainer", action="store_true")
    parser.add_argument("--only", action="append", choices=RUNS, help="may be repeated")
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp(prefix="interop-"))
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, folder {folder}")

    llm = Program(arguments.llm.resolve())
    data = folder / "stories.txt"
    llm.run("data", "synth", "--seed", 3, "--size", "60KB", "--output", data, "--force")
    report = Report()
    for run in arguments.only or RUNS:
        check(report, llm, run, folder / run, data, arguments.trainer)
    print(f"{report.failed} failed")
    raise SystemExit(report.failed > 0)


if __name__ == "__main__":
    main()
