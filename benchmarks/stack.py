"""Many fits in one stack, against one fit: an ensemble, a grid over alpha, and 1 to 64 members.

    python benchmarks/stack.py ensemble
    python benchmarks/stack.py alpha
    python benchmarks/stack.py members
    python benchmarks/stack.py jobs
    python benchmarks/stack.py memory

A table of 1,000 rows, 8 columns and 2 outputs, the default networks, and a fixed number of
epochs, which none stops before. All fits of a part alternate in one process, with one thread;
times are of the processor that the process took, the recording of the step included, and ratios
the median over pairs. `members` also draws its times, beside those of a hand-written loop and of
the products alone at the speed of large ones. `jobs` needs two free cores: its times are of the
clock, of two processes. `memory` compares the peaks of processes of
their own, with 50,000 rows.
"""

import argparse
import resource
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
import torch
from epoch_time import Setting
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
RESULTS = Path(__file__).parent / "results"


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
    draw([median(p["stack"] for p in pairs if p["members"] == n) for n in MEMBERS], n_epochs)
    return pairs, {f"{n} members over one fit": median(found) for n, found in ratios.items()}


def draw(times, n_epochs):
    """Draw the times of stacks beside the leanest loop and the products alone."""
    est = CVAERegressor(**fixed(1)).fit(*table())
    n_rows, batch = 900, est.net_.batch_size
    task = (n_rows, 8, 2, 64, 2, batch)
    args = argparse.Namespace(device="cpu", epochs=20)
    lean = Setting(task, args).leanest(True) * n_epochs
    a = torch.randn(1024, 1024)
    seconds = median(cpu_time(lambda: a @ a)[0] for _ in range(20))
    n_weights = sum(p.numel() for p in est.net_.module_.parameters())
    products = 6 * n_weights * n_rows * n_epochs * seconds / (2 * len(a) ** 3)
    n = np.array(MEMBERS)
    fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    ax.loglog(n, times, "o-", label="stack")
    ax.loglog(n, times[0] * n, "--", label="fits one by one")
    ax.loglog(n, lean * n, "--", label="leanest loops one by one")
    ax.loglog(n, products * n, ":", label="products alone, at the speed of large ones")
    ax.set(xlabel="members", ylabel=f"processor time of {n_epochs} epochs, s", xticks=n)
    ax.set_xticklabels(n)
    ax.legend(loc="upper left")
    fig.savefig(RESULTS / "stack_members.png", dpi=120)


def jobs(n_pairs, n_epochs):
    """Time the search for alpha in two processes, beside scikit-learn's in two processes."""
    data, pairs = table(), []
    est = HybridStructuredPredictor(**fixed(n_epochs))
    for _, kind in product(range(n_pairs + 1), (StackedGridSearchCV, GridSearchCV)):
        start = time.perf_counter()
        kind(est, ALPHAS, cv=3, refit=False, n_jobs=2).fit(*data)
        pairs.append({"search": kind.__name__, "seconds": time.perf_counter() - start})
    pairs = pairs[2:]  # processes start in the first
    stack, single = (np.array([p["seconds"] for p in pairs[i::2]]) for i in (0, 1))
    return pairs, {"GridSearchCV over StackedGridSearchCV, n_jobs=2": median(single / stack)}


def memory(n_pairs, n_epochs, n_members=16):
    """Compare the peak memory of a stack with that of as many single fits."""
    pairs = []
    for _ in range(n_pairs):
        command = [sys.executable, __file__, "peak", "--epochs", str(n_epochs), "--members"]
        none, one, stack = (
            int(subprocess.run([*command, str(n)], capture_output=True, check=True).stdout)
            for n in (0, 1, n_members)
        )
        pairs.append({"imports": none, "one": one, "stack": stack})
    ratio = median((p["stack"] - p["imports"]) / (p["one"] - p["imports"]) for p in pairs)
    return pairs, {f"memory of {n_members} members over one fit": ratio}


def peak(n_members, n_epochs):
    """Print the peak memory of this process, in kB, after a fit of so many members."""
    EnsembleRegressor(CVAERegressor(**fixed(40)), n_estimators=2).fit(*table(100))  # imports
    data, member = table(50_000), CVAERegressor(**fixed(n_epochs))
    if n_members > 1:
        EnsembleRegressor(member, n_estimators=n_members, random_state=0).fit(*data)
    elif n_members:
        member.fit(*data)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main():
    """Run one part and write what it found."""
    parts = {f.__name__: f for f in (ensemble, alpha, members, jobs, memory)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=[*parts, "peak"])
    parser.add_argument("--members", type=int, help="of `peak`, which `memory` calls")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.part == "peak":
        return peak(args.members, args.epochs)
    CVAERegressor(max_epochs=1).fit(*table(100))  # imports
    pairs, ratios = parts[args.part](args.pairs, args.epochs)
    text = "".join(f"{name}: {ratio:.2f}\n" for name, ratio in ratios.items())
    write(
        RESULTS / f"stack_{args.part}.json",
        {"epochs": args.epochs, "ratios": ratios, "pairs": pairs},
        text,
    )


if __name__ == "__main__":
    main()
