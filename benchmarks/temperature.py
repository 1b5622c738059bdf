"""What the temperature gains: each fit is scored with the one it chose, and with 1.

    python benchmarks/temperature.py [--uci FOLDER] [--tables FOLDER] [--seeds 4]

The cases of `simple_answers.py` with twenty rows or more; with `--uci` the sets of
`uci_regression.py`, a split for each seed; with `--tables` the tasks that `joint_tables.py tasks`
wrote. `CVAERegressor()` with no parameter set; mean log density of test rows, S = 100.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch
from record import write_by_seed
from simple_answers import CASES
from uci_regression import SETS

from skcvae import CVAERegressor
from skcvae.training.temperature import set_temperature

TABLES = ["andro", "atp1d", "atp7d", "enb", "jura", "edm", "scpf", "sf2", "osales"]
TABLES += ["oes10", "oes97", "households"]
SMALL = ("5 rows", "10 rows")  # with too few rows to hold out


def tasks(args):
    """Return, by the name of a case, a function of a seed to X and y, for training and test."""

    def simple(case):
        def task(seed):
            X, y, n = case(np.random.default_rng(seed))
            return X[:n], y[:n], X[n:], y[n:]

        return task

    def uci(name):
        def task(seed):
            data = np.load(args.uci / f"{name}.npz")
            train, test = data["train_index"][seed], data["test_index"][seed]
            return data["X"][train], data["y"][train], data["X"][test], data["y"][test]

        return task

    def joint(name):
        def task(seed):
            data = np.load(args.tables / f"{name}_{seed}.npz")
            return tuple(data[part] for part in ("X", "y", "X_test", "y_test"))

        return task

    found = {name: simple(case) for name, case in CASES.items() if name not in SMALL}
    found |= {name: uci(name) for name in SETS if args.uci}
    return found | {name: joint(name) for name in TABLES if args.tables}


def measure(task, seed):
    X, y, X_test, y_test = task(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of unused z and far numbers: meant
        est = CVAERegressor(random_state=seed).fit(X, y)
    model, found = est.net_.module.model, est.score(X_test, y_test)
    chosen = float(model.output.likelihood.temperature)
    set_temperature(model, 1.0)
    return {"temperature": chosen, "chosen": found, "one": est.score(X_test, y_test)}


def table(cases):
    ruler = f"{'=' * 24}  {'=' * 23}  {'=' * 10}  {'=' * 10}  {'=' * 10}"
    lines = [
        "Gain in log density of test rows by the temperature, nats per row.",
        "",
        ruler,
        f"{'case':24}  {'temperatures':23}  {'score':>10}  {'gain':>10}  {'least gain':>10}",
        ruler,
    ]
    for case, seeds in cases.items():
        rows = list(seeds.values())
        gains = [row["chosen"] - row["one"] for row in rows]
        chosen = " ".join(f"{row['temperature']:.2f}" for row in rows)
        score = np.mean([row["chosen"] for row in rows])
        lines.append(
            f"{case:24}  {chosen:23}  {score:10.3f}  {np.mean(gains):+10.3f}  {min(gains):+10.3f}"
        )
    return "\n".join([*lines, ruler, ""])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uci", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--cases", nargs="+", help="names; all by default")
    parser.add_argument("--seeds", type=int, default=4, help="how many")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    every = tasks(args)

    def measured(case, seed):
        return measure(every[case], seed)

    cases = args.cases or list(every)
    write_by_seed(args.out / "temperature.json", cases, args.seeds, measured, table)


if __name__ == "__main__":
    main()
