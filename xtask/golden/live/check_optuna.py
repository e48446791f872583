"""Live check: Optuna opens, reads and continues a study of `llm-search`, and `llm-search` goes on with what Optuna wrote, also at the same time. The
study is in a journal, in SQLite, and, where the address of a server is given, in PostgreSQL, in an empty database.

    python xtask/golden/live/check_optuna.py --worker target/debug/examples/shared_study --postgres postgresql://me:password@127.0.0.1/empty

`cargo build --example shared_study -p llm-search --features rdb` builds the worker.
"""

import argparse
import json
import math
import pathlib
import subprocess
import tempfile

import optuna


def objective(trial):
    x = trial.suggest_float("x", -5.0, 5.0)
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    size = trial.suggest_int("size", 8, 64, step=8)
    kind = trial.suggest_categorical("kind", ["near", "far"])
    shift = trial.suggest_int("shift", 1, 9) if kind == "far" else 0
    value = x * x + shift + abs(math.log(rate / 0.01)) + size / 64
    for step in range(5):
        trial.report(value + 1 / (step + 1), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return value


def check_values(study):
    """Every value is that of the parameters, whoever ran the trial."""
    for trial in study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        p = trial.params
        value = p["x"] ** 2 + p.get("shift", 0) + abs(math.log(p["rate"] / 0.01)) + p["size"] / 64
        assert math.isclose(value, trial.value, rel_tol=1e-12), trial
        assert trial.datetime_start <= trial.datetime_complete, trial
        assert ("shift" in p) == (p["kind"] == "far"), trial


def check_place(worker, place, storage):
    """A study that `worker` finds at `place`, and Optuna in what `storage` opens."""

    def load():
        return optuna.load_study(study_name="shared", storage=storage(), pruner=optuna.pruners.MedianPruner())

    subprocess.run([worker, place, "30"], check=True)
    study = load()
    assert len(study.trials) == 30, len(study.trials)
    check_values(study)
    print(f"Optuna reads 30 trials of ours, best {study.best_value:.4f}")

    study.optimize(objective, n_trials=20)
    study.enqueue_trial({"x": 0.0, "rate": 0.01, "size": 8, "kind": "near"})
    subprocess.run([worker, place, "60"], check=True)
    study = load()
    assert len(study.trials) == 60, len(study.trials)
    check_values(study)
    assert study.trials[50].params == {"x": 0.0, "rate": 0.01, "size": 8, "kind": "near"}, study.trials[50]
    assert study.best_value == 0.125, study.best_value
    print("Optuna ran 20 trials in our study, and we went on with its queue and 10 more")

    workers = [subprocess.Popen([worker, place, "200"]) for _ in range(2)]
    load().optimize(objective, n_trials=40)
    assert all(process.wait() == 0 for process in workers)
    study = load()
    finished = [trial for trial in study.trials if trial.state.is_finished()]
    assert len(finished) == len(study.trials) >= 200, len(study.trials)
    check_values(study)
    numbers = [trial.number for trial in study.trials]
    assert numbers == list(range(len(numbers)))
    print(f"two workers of ours and one of Optuna at the same time: {len(finished)} trials")
    importance = optuna.importance.get_param_importances(study)
    assert "x" in importance, importance
    optuna.create_study(study_name="beside", storage=study._storage)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", type=pathlib.Path, required=True)
    parser.add_argument("--postgres", metavar="URL")
    args = parser.parse_args()
    worker = args.worker.resolve()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        journal = str(pathlib.Path(folder) / "journal.log")
        print("journal")
        check_place(worker, journal, lambda: optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(journal)))
        lines = pathlib.Path(journal).read_bytes().splitlines()
        by = [json.loads(line)["worker_id"].startswith("llm-") for line in lines]
        print(f"{sum(by)} lines by us and {len(by) - sum(by)} by Optuna, none torn")
        urls = [f"sqlite:///{folder}/study.db"] + ([args.postgres] if args.postgres else [])
        for url in urls:
            print(url.split(":")[0])
            check_place(worker, url, lambda: optuna.storages.RDBStorage(url))


if __name__ == "__main__":
    main()
