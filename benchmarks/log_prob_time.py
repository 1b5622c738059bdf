"""What `log_prob` costs over its bare matrix products, and how much memory it takes.

    python benchmarks/log_prob_time.py

A CVAE with two layers of 1,000 units and 200 latent variables, 196 inputs and
588 binary outputs, is asked for the log-likelihood of rows by importance
sampling. Beside it, in the same process and turn by turn, stand the matrix
products of the draws alone, z to 1,000 to 1,000 to 588 for every row and draw, in
chunks of the same size. It writes the median of the ratios of pairs. Then the
peak memory of a process that fits and scores with S = 100, and with S = 10,000.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import skcvae
from skcvae import CVAERegressor
from skcvae.architectures import MLP
from skcvae.data.coding import plan

X_SIZE, Y_SIZE, LATENTS, UNITS = 196, 588, 200, 1000


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def fitted(rows):
    rng = np.random.default_rng(0)
    X = rng.random((rows, X_SIZE))
    y = (rng.random((rows, Y_SIZE)) < 0.5).astype(float)
    est = CVAERegressor(
        architecture=MLP((UNITS, UNITS), activation="relu", shortcut=False),
        likelihood="bernoulli",
        latent_dim=LATENTS,
        max_epochs=1,
        random_state=0,
    )
    return est.fit(X, y), X, y


def products(est, n_rows, n_samples):
    """Return a function that does the matrix products of all draws, and no more."""
    work = plan(n_rows, n_samples, est._fitted.row_size)
    z = torch.randn(work.rows * work.draws, LATENTS)
    layers = [torch.randn(LATENTS, UNITS), torch.randn(UNITS, UNITS), torch.randn(UNITS, Y_SIZE)]

    def run():
        for _ in range(round(n_rows * n_samples / len(z))):
            h = z
            for weight in layers:
                h = h @ weight

    return run


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratios(args):
    est, X, y = fitted(args.rows)
    bare = products(est, args.rows, args.samples)
    found = []
    for _ in range(args.pairs + 1):
        pair = seconds(lambda: est.log_prob(X, y, n_samples=args.samples)), seconds(bare)
        found.append((pair[0] / pair[1], *pair))
    return found[1:]  # the first warms up


def peak(n_samples):
    est, X, y = fitted(20)
    est.log_prob(X, y, n_samples=n_samples)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(peak(args.memory_of))
        return
    found = ratios(args)
    record = {
        "ratio": round(statistics.median(ratio for ratio, *_ in found), 3),
        "ratios": [round(ratio, 3) for ratio, *_ in found],
        "log_prob_seconds": round(statistics.median(pair[1] for pair in found), 3),
        "protocol": {**vars(args), "memory_of": None, "out": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch)},
    }
    for n_samples in (100, 10_000):
        command = [sys.executable, __file__, "--memory-of", str(n_samples)]
        mib = subprocess.check_output([*command, "--threads", str(args.threads)], text=True)
        record[f"peak_mib_S_{n_samples}"] = round(float(mib))
    print(json.dumps(record, indent=2))
    args.out.mkdir(exist_ok=True)
    (args.out / "log_prob_time.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
