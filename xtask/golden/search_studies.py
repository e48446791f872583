"""Studies and pruners by Optuna, and Sobol points by torch, for `llm-search`.

Writes `journal.log`, a journal by Optuna, `database.sql`, the same in a database, `journal.json`, what Optuna reads in both, `pruners.json`, whether
Optuna's pruners end trials, and `sobol.json`.
"""

import json
import math
import re
import sqlite3
import tempfile
import warnings

import optuna
import torch

from common import output_folder

PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=2),
    "percentile": lambda: optuna.pruners.PercentilePruner(30.0, n_startup_trials=3, n_warmup_steps=2, interval_steps=3, n_min_trials=2),
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=3),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3),
    "patient": lambda: optuna.pruners.PatientPruner(optuna.pruners.MedianPruner(n_startup_trials=1), patience=2, min_delta=0.05),
    "threshold": lambda: optuna.pruners.ThresholdPruner(lower=-0.8, upper=1.2, n_warmup_steps=1),
}


def studies(storage):
    """A study with every kind of parameter, state and note, and numbers that JSON does not have; gives what Optuna reads in it."""
    study = optuna.create_study(storage=storage, study_name="golden", direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    study.set_user_attr("note", "NaN and \"Infinity\" in a text")
    study.enqueue_trial({"x": 1.5, "kind": "b"})

    def objective(trial):
        x = trial.suggest_float("x", -2.0, 2.0)
        rate = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
        share = trial.suggest_float("share", 0.0, 1.0, step=0.25)
        size = trial.suggest_int("size", 8, 128, step=8)
        trial.suggest_int("depth", 1, 64, log=True)
        kind = trial.suggest_categorical("kind", ["a", "b", None, 3, True])
        trial.set_user_attr("double", 2 * x)
        for step in range(3):
            trial.report(x * step if step != 1 or trial.number != 2 else math.nan, step)
        if trial.number == 3:
            raise optuna.TrialPruned
        if trial.number == 4:
            raise ValueError("broken")
        return x + share - size / 100 + rate if kind is not None else math.inf

    study.optimize(objective, n_trials=8, catch=(ValueError,))
    study.ask()
    study.enqueue_trial({"x": 0.5})
    optuna.create_study(storage=storage, study_name="two", directions=["minimize", "maximize"]).add_trial(
        optuna.trial.create_trial(values=[1.0, 2.0], params={"y": 3}, distributions={"y": optuna.distributions.IntDistribution(1, 9)})
    )
    return [
        {
            "name": frozen.study_name,
            "trials": [
                {
                    "number": trial.number,
                    "state": trial.state.name,
                    "values": [repr(value) for value in trial.values or []],
                    "params": trial.params,
                    "intermediate": {step: repr(value) for step, value in sorted(trial.intermediate_values.items())},
                    "user_attributes": trial.user_attrs,
                }
                for trial in optuna.load_study(study_name=frozen.study_name, storage=storage).trials
            ],
        }
        for frozen in storage.get_all_studies()
    ]


def journal(path):
    """The studies in a journal."""
    path.unlink(missing_ok=True)
    seen = studies(optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path))))
    # Names and times that are the same whenever this runs.
    text = re.sub(r'"worker_id":"[^"]*"', '"worker_id":"python"', path.read_text())
    path.write_text(re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", "2026-01-02T03:04:05.678901", text))
    return seen


def database(path, expected):
    """The studies in a database, as the statements that make it."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/optuna.db"
        # SQLite knows one zero.
        assert json.dumps(studies(optuna.storages.RDBStorage(f"sqlite:///{file}"))) == json.dumps(expected).replace("-0.0\"", "0.0\"")
        text = "\n".join(sqlite3.connect(file).iterdump()) + "\n"
    path.write_text(re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", "2026-01-02 03:04:05.678901", text))


def pruners():
    """Learning curves in the order of their trials, with the step at which each pruner ended them."""
    curves = torch.rand(24, 10, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    curves = (curves.cumsum(1) * torch.linspace(-0.4, 0.6, 24, dtype=torch.float64)[torch.randperm(24, generator=torch.Generator().manual_seed(8))][:, None]).tolist()
    curves[5][3] = math.nan
    cases = []
    for direction in ("minimize", "maximize"):
        for name, make in PRUNERS.items():
            study = optuna.create_study(study_name="golden", direction=direction, pruner=make())
            ends = []
            for curve in curves:
                trial = study.ask()
                end = None
                for step, value in enumerate(curve):
                    trial.report(value, step)
                    if trial.should_prune():
                        end = step
                        break
                study.tell(trial, None if end is not None else curve[-1], state=optuna.trial.TrialState.PRUNED if end is not None else None)
                ends.append(end)
            cases.append({"pruner": name, "direction": direction, "ends": ends})
    return {"curves": [[None if math.isnan(value) else value for value in curve] for curve in curves], "cases": cases}


def sobol():
    """Points by their place in the plain order; torch counts in Gray's code."""
    points = torch.quasirandom.SobolEngine(21, scramble=False).draw(64, dtype=torch.float64)
    return [(n ^ (n >> 1), points[n].tolist()) for n in (1, 5, 19, 38, 63)]


def main():
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = output_folder("search", __doc__)
    written = {"journal.json": journal(folder / "journal.log"), "pruners.json": pruners(), "sobol.json": sobol()}
    database(folder / "database.sql", written["journal.json"])
    for name, value in written.items():
        (folder / name).write_text(json.dumps(value, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
