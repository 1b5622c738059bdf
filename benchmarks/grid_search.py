"""A grid search over `alpha` on the cores of one machine, against the same fits in sequence.

    python benchmarks/grid_search.py

Five values of alpha, three folds, with `n_jobs` workers and without, turn by turn
in one process; workers are started before the clock. It writes the ratio of the
times, sequence over workers, and how many threads torch took in each worker.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import joblib
import sklearn
import torch
from sklearn.model_selection import GridSearchCV

import skcvae
from skcvae import HybridStructuredPredictor, Training
from skcvae.datasets import make_linear_gaussian


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def seconds(data, epochs, n_jobs):
    search = GridSearchCV(
        HybridStructuredPredictor(
            max_epochs=epochs, random_state=0, training=Training(patience=epochs)
        ),
        {"alpha": [0.1, 0.3, 0.5, 0.7, 0.9]},
        cv=3,
        n_jobs=n_jobs,
        refit=False,
    )
    start = time.perf_counter()
    search.fit(data.X, data.y)
    return time.perf_counter() - start


def main():
    args = parse()
    data = make_linear_gaussian(n_samples=args.rows, random_state=0)
    threads = joblib.Parallel(n_jobs=args.n_jobs)(
        joblib.delayed(torch.get_num_threads)() for _ in range(args.n_jobs)
    )
    seconds(data, 1, args.n_jobs)  # imports in the workers
    found = [
        (seconds(data, args.epochs, None), seconds(data, args.epochs, args.n_jobs))
        for _ in range(args.pairs)
    ]
    record = {
        "ratio": round(statistics.median(one / many for one, many in found), 2),
        "ratios": [round(one / many, 2) for one, many in found],
        "seconds_in_sequence": round(statistics.median(one for one, _ in found), 1),
        "threads_in_sequence": torch.get_num_threads(),
        "threads_in_workers": threads,
        "protocol": {**vars(args), "out": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch, sklearn, joblib)},
    }
    print(json.dumps(record, indent=2))
    args.out.mkdir(exist_ok=True)
    (args.out / "grid_search.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
