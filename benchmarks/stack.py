"""Many fits in one stack, against one fit: an ensemble, a grid over alpha, and 1 to 64 members.

    python benchmarks/stack.py ensemble
    python benchmarks/stack.py alpha
    python benchmarks/stack.py members

A table of 1,000 rows, 8 columns and 2 outputs, the default networks, and a fixed number of
epochs, which none stops before. All fits of a part alternate in one process, with one thread;
times are of the processor that the process took, the recording of the step included, and ratios
the median over pairs.
"""

import argparse
import time
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import torch
from record import write
from sklearn.model_selection import GridSearchCV

from skcvae import (
    CVAERegressor,
    EnsembleRegressor,
    HybridStructuredPredictor,
    StackedGridSearchCV,
    Training,
)

ALPHAS = {"alpha": [0.0, 0.25, 0.5, 0.75, 1.0]}
MEMBERS = [1, 2, 4, 8, 16, 32, 64]


def table(n_rows=1000):
    """Return X and y of a table with two outputs that depend on each other."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 8))
    y = X[:, :2] + np.sin(X[:, 2:4]) + 0.3 * rng.normal(size=(n_rows, 1))
    return X, y + 0.1 * rng.normal(size=(n_rows, 2))


def cpu_time(fit):
    """Return the processor time of a call, in seconds, and its result."""
    start = time.process_time()
    result = fit()
    return time.process_time() - start, result


def fixed(n_epochs):
    """Return the parameters of fits that end after so many epochs, and not before."""
    training = Training(patience=n_epochs)
    return {"max_epochs": n_epochs, "training": training, "random_state": 0}


def ensemble(n_pairs, n_epochs):
    """Time an ensemble of five beside one fit."""
    data, pairs = table(), []
    member = CVAERegressor(**fixed(n_epochs))
    for _ in range(n_pairs):
        one, _ = cpu_time(lambda: member.fit(*data))
        five, est = cpu_time(lambda: EnsembleRegressor(member, random_state=0).fit(*data))
        pairs.append({"one": one, "five": five, "ratio": five / one, "trained": est.training_})
    return pairs, {"ensemble of five over one fit": median(p["ratio"] for p in pairs)}


def alpha(n_pairs, n_epochs):
    """Time fifteen fits, five values of alpha and three folds, beside one fit."""
    data, pairs = table(), []
    est = HybridStructuredPredictor(**fixed(n_epochs))
    for _ in range(n_pairs):
        one, _ = cpu_time(lambda: est.fit(*data))
        search = StackedGridSearchCV(est, ALPHAS, cv=3, refit=False)
        stack, found = cpu_time(lambda search=search: search.fit(*data))
        search = GridSearchCV(est, ALPHAS, cv=3, refit=False)
        single, expected = cpu_time(lambda search=search: search.fit(*data))
        scores = [s.cv_results_["mean_test_score"].tolist() for s in (found, expected)]
        times = {"one": one, "stack": stack, "one by one": single}
        pairs.append({**times, "trained": found.training_, "scores": scores})
    return pairs, {
        "fifteen fits over one fit": median(p["stack"] / p["one"] for p in pairs),
        "one by one over the stack": median(p["one by one"] / p["stack"] for p in pairs),
    }


def members(n_pairs, n_epochs):
    """Time stacks of 1 to 64 members beside one fit."""
    data, pairs = table(), []
    member = CVAERegressor(**fixed(n_epochs))
    for _, n in product(range(n_pairs), MEMBERS):
        one, _ = cpu_time(lambda: member.fit(*data))
        est = EnsembleRegressor(member, n_estimators=n, random_state=0)
        stack, _ = cpu_time(lambda est=est: est.fit(*data))
        pairs.append({"members": n, "one": one, "stack": stack})
    ratios = {n: [p["stack"] / p["one"] for p in pairs if p["members"] == n] for n in MEMBERS}
    return pairs, {f"{n} members over one fit": median(found) for n, found in ratios.items()}


def main():
    """Run one part and write what it found."""
    parts = {f.__name__: f for f in (ensemble, alpha, members)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    CVAERegressor(max_epochs=1).fit(*table(100))  # imports
    pairs, ratios = parts[args.part](args.pairs, args.epochs)
    text = "".join(f"{name}: {ratio:.2f}\n" for name, ratio in ratios.items())
    path = Path(__file__).parent / "results" / f"stack_{args.part}.json"
    write(path, {"epochs": args.epochs, "ratios": ratios, "pairs": pairs}, text)


if __name__ == "__main__":
    main()
