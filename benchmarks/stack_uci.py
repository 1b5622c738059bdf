"""Ensembles of five in one stack, against their members one by one, with early stopping.

    OMP_NUM_THREADS=1 python benchmarks/stack_uci.py --data FOLDER [--splits 2] [--sets NAME ...]

Five sets and their splits as in uci_regression.py, which says what FOLDER holds; default settings.
Both fit the same five models. Times are of the processor; the ratio is that of the stack to one
fit, the mean of the five. NLL is that of the ensemble on the test rows, nats per row, and its
standard error over these. Sets that the JSON file holds and that are not named stay in the table.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from record import standard_error, write_by_seed
from scipy.special import logsumexp
from sklearn.base import clone
from uci_regression import SETS

from skcvae import CVAERegressor, EnsembleRegressor


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def fit_seconds(est, rows):
    start = time.process_time()
    est.fit(*rows)
    return time.process_time() - start


def measured(folder, name, split):
    data = np.load(folder / f"{name}.npz")
    train, test = (
        (data["X"][rows], data["y"][rows])
        for rows in (data["train_index"][split], data["test_index"][split])
    )
    est = EnsembleRegressor(CVAERegressor(), random_state=split)
    stack = fit_seconds(est, train)
    members = [clone(member) for member in est.estimators_]
    alone = [fit_seconds(member, train) for member in members]
    said = np.stack([member.log_prob(*test) for member in members])
    one_by_one = logsumexp(said, axis=0) - np.log(len(said))
    return {
        "stack": stack,
        "alone": alone,
        "nll": [-est.score(*test), float(-one_by_one.mean())],
        "nll_error": float(standard_error(one_by_one)),
    }


def table(cases):
    lines = [
        f"{'':14}{'five over one fit':>20}{'NLL, stack':>14}{'one by one':>14}{'its error':>12}",
        "",
    ]
    for name, by_split in cases.items():
        rows = list(by_split.values())
        ratio = np.median([row["stack"] / np.mean(row["alone"]) for row in rows])
        nll, error = (np.mean([row[key] for row in rows], axis=0) for key in ("nll", "nll_error"))
        lines.append(f"{name:14}{ratio:20.2f}{nll[0]:14.3f}{nll[1]:14.3f}{error:12.3f}")
    return "\n".join([*lines, ""])


def main():
    args = parse()
    torch.set_num_threads(1)
    CVAERegressor(max_epochs=1).fit(np.eye(20), np.eye(20))  # imports
    path = args.out / "stack_uci.json"
    write_by_seed(path, args.sets, args.splits, partial(measured, args.data), table)


if __name__ == "__main__":
    main()
