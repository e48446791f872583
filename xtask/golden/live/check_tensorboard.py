"""Live check: TensorBoard's own reader finds every record of a run in the event file that `llm` writes.

    python xtask/golden/live/check_tensorboard.py --llm target/release/llm

Trains a tiny model, stops, goes on with it, and compares the scalars of the event file with `metrics.jsonl`. The exit code is 1 where they
differ.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {
    "train": {
        "loss/train": "loss",
        "training/learning_rate": "learning_rate",
        "training/grad_norm": "grad_norm",
        "data/tokens": "tokens",
        "data/epoch": "epoch",
        "speed/tokens_per_s": "tokens_per_s",
        "speed/flops_per_s": "flops_per_s",
        "speed/utilisation": "utilisation",
        "memory/rss_bytes": "rss_bytes",
    },
    "validation": {"loss/validation": "loss"},
}
SETTINGS = [
    "tokenizer.kind=character",
    "model.d_model=16",
    "model.n_layers=1",
    "model.n_heads=2",
    "model.max_seq_len=16",
    "train.batch_size=2",
    "train.eval_every=10",
    "train.log_every=1",
    "data.synth.size=20KB",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm", type=pathlib.Path, required=True)
    llm = parser.parse_args().llm.resolve()
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        sets = [word for setting in SETTINGS for word in ("--set", setting)]
        train = [llm, "--quiet", "train"]
        subprocess.run([*train, "--output-dir", run, "--max-steps", "25", *sets], check=True)
        subprocess.run([*train, "--resume", run, "--max-steps", "40"], check=True)
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        reader = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
        reader.Reload()
        faults = 0
        for split, tags in TAGS.items():
            wanted = [record for record in records if record["split"] == split]
            for tag, field in tags.items():
                expected = [(r["step"], numpy.float32(r[field]), r["time"]) for r in wanted]
                found = [(s.step, numpy.float32(s.value), s.wall_time) for s in reader.Scalars(tag)]
                same = found == expected
                faults += not same
                print(f"{tag:24} {len(found):4} scalars  {'as in metrics.jsonl' if same else 'DIFFER'}")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
