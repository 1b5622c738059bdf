"""Threads of a fit: one, all, and as many as its layers can use, alone and beside a busy process.

    python benchmarks/threads.py [--out FOLDER] [--pairs 7]

Each number of units is the width of both layers; 2,000 rows, 20 inputs, 5 outputs, the batch size
that fits take by default, and a fixed number of epochs. The numbers of threads are interleaved,
in one process. A ratio is the median over the pairs of the time of a fit, or of predictions, with
"auto" to the time with one thread or with all. Wall time.
"""

import argparse
import multiprocessing
import statistics
import time
from pathlib import Path

import numpy as np
import record
import torch

from skcvae import CVAERegressor, Training
from skcvae.architectures import MLP

UNITS = [32, 64, 128, 200, 256, 350, 500, 1000, 2000]
N_ROWS, N_INPUTS, N_OUTPUTS = 2000, 20, 5
MIN_SECONDS = 0.5  # of a fit that is timed


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, nargs="+", default=UNITS)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def make():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_INPUTS))
    return X, X[:, :N_OUTPUTS] + rng.normal(size=(N_ROWS, N_OUTPUTS))


def estimator(n_units, n_threads, n_epochs):
    return CVAERegressor(
        architecture=MLP((n_units, n_units)),
        max_epochs=n_epochs,
        early_stopping=False,
        random_state=0,
        training=Training(n_threads=n_threads),
    )


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def fit_seconds(n_units, n_threads, n_epochs):
    """Return the time of the epochs alone: that of a fit with one epoch is taken off."""
    data = make()
    times = [
        seconds(lambda n=n: estimator(n_units, n_threads, n).fit(*data)) for n in (1, 1 + n_epochs)
    ]
    return times[1] - times[0]


def log_prob_seconds(est, n_threads):
    est.set_params(training__n_threads=n_threads)
    X, y = make()
    return seconds(lambda: [est.log_prob(X[:100], y[:100], n_samples=10) for _ in range(20)])


def ratios(clock, n_pairs):
    """Return medians over the pairs of "auto" to one thread, and of "auto" to all."""
    everything = {"auto": "auto", "one": 1, "all": torch.get_num_threads()}
    pairs = [{name: clock(n) for name, n in everything.items()} for _ in range(n_pairs)]
    return {
        f"{a} over {b}": round(statistics.median(pair[a] / pair[b] for pair in pairs), 2)
        for a, b in (("auto", "one"), ("auto", "all"), ("all", "one"))
    }


def busy(n_units=64):
    """Keep a core busy, with one thread of torch."""
    torch.set_num_threads(1)
    a = torch.randn(500, 500)
    while True:
        a @ a


def measured(units, n_pairs):
    rows = []
    for n_units in units:
        once = fit_seconds(n_units, 1, 2) / 2
        n_epochs = max(2, round(MIN_SECONDS / once))
        est = estimator(n_units, 1, 1).fit(*make())
        rows.append(
            {
                "units": n_units,
                "fit": ratios(lambda n, u=n_units, e=n_epochs: fit_seconds(u, n, e), n_pairs),
                "log_prob": ratios(lambda n, e=est: log_prob_seconds(e, n), n_pairs),
            }
        )
        print(rows[-1], flush=True)
    return rows


def table(results):
    lines = []
    for where, rows in results.items():
        lines += [where, "", f"{'units':>6}" + f"{'fit':>30}" + f"{'log_prob':>30}"]
        names = [*rows[0]["fit"]]
        lines.append(" " * 6 + "".join(f"{name.replace(' over ', '/'):>10}" for name in names * 2))
        for row in rows:
            found = [row[what][name] for what in ("fit", "log_prob") for name in names]
            lines.append(f"{row['units']:>6}" + "".join(f"{ratio:>10.2f}" for ratio in found))
        lines.append("")
    return "\n".join(lines)


def main():
    args = parse()
    results = {"alone": measured(args.units, args.pairs)}
    process = multiprocessing.get_context("spawn").Process(target=busy, daemon=True)
    process.start()
    results["beside a busy process"] = measured(args.units, args.pairs)
    process.terminate()
    text = f"{torch.get_num_threads()} threads in all, ratios of wall time\n\n{table(results)}"
    args.out.mkdir(parents=True, exist_ok=True)
    record.write(args.out / "threads.json", results, text)


if __name__ == "__main__":
    main()
