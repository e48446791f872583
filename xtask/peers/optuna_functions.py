"""Optuna's searches on published test functions, beside those of `llm-search` in `results/search.json`.

    python optuna_functions.py FOLDER [--seeds N] [--trials N]

FOLDER holds `optimization_functions.json`. Every function is searched anew with each seed, by `TPESampler` and `RandomSampler` with their defaults. Prints the median
over the seeds of the best value less the minimum, ours from the file beside it, and the geometric mean of the ratios.
"""

import argparse
import json
import math
import pathlib
import statistics

import optuna

ROOT = pathlib.Path(__file__).resolve().parents[2]


def functions(constants):
    """The functions by name; formulas and constants are those of the file."""

    def hartmann(a, p):
        alpha, a, p = constants["hartmann_alpha"], constants[a], constants[p]
        return lambda x: -sum(alpha[i] * math.exp(-sum(a[i][j] * (x[j] - 1e-4 * p[i][j]) ** 2 for j in range(len(x)))) for i in range(4))

    mean = statistics.fmean
    return {
        "sphere": lambda x: sum(v * v for v in x),
        "branin": lambda x: (x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10,
        "hartmann3": hartmann("hartmann3_A", "hartmann3_P"),
        "hartmann6": hartmann("hartmann6_A", "hartmann6_P"),
        "rosenbrock": lambda x: sum(100 * (b - a * a) ** 2 + (a - 1) ** 2 for a, b in zip(x, x[1:])),
        "ackley": lambda x: -20 * math.exp(-0.2 * math.sqrt(mean(v * v for v in x))) - math.exp(mean(math.cos(2 * math.pi * v) for v in x)) + 20 + math.e,
        "rastrigin": lambda x: 10 * len(x) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x),
        "six_hump_camel": lambda x: (4 - 2.1 * x[0] ** 2 + x[0] ** 4 / 3) * x[0] ** 2 + x[0] * x[1] + (4 * x[1] ** 2 - 4) * x[1] ** 2,
        "styblinski_tang": lambda x: 0.5 * sum(v**4 - 16 * v * v + 5 * v for v in x),
    }


def regret(function, described, dimensions, sampler, trials):
    """The best value of one search less the minimum."""
    bounds = described["bounds"]
    bounds = bounds * dimensions if len(bounds) == 1 else bounds
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: function([trial.suggest_float(f"x{i}", *bound) for i, bound in enumerate(bounds)]), n_trials=trials)
    return study.best_value - described["minimum"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    constants = json.loads((args.folder / "optimization_functions.json").read_text())
    baseline = json.loads((args.folder / "optuna_baseline.json").read_text())["functions"]
    ours = json.loads((ROOT / "results" / "search.json").read_text())["median_regret"]
    samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    ratios = []
    print("| function | Optuna random | Optuna TPE | ours, tpe | ours / Optuna TPE |\n|---|---|---|---|---|")
    for name, function in functions(constants).items():
        described = constants["functions"][name]
        for sample in described["samples"]:
            assert math.isclose(function(sample["x"]), sample["value"], rel_tol=1e-9), (name, sample)
        dimensions = baseline[name]["dimensions"]
        medians = {
            kind: statistics.median(regret(function, described, dimensions, sampler(seed=seed), args.trials) for seed in range(args.seeds))
            for kind, sampler in samplers.items()
        }
        ratios.append(ours[name]["tpe"] / medians["tpe"])
        print(f"| {name} | {medians['random']:.3g} | {medians['tpe']:.3g} | {ours[name]['tpe']:.3g} | {ratios[-1]:.2f} |", flush=True)
    print(f"| geometric mean | | | | {statistics.geometric_mean(ratios):.2f} |")


if __name__ == "__main__":
    main()
