"""Fits, saves, loads and predictions for a long time: what grows, and how long one row takes.

    python benchmarks/soak.py [--minutes 60]

Rounds of work in threads and in another process: fits, saves, loads and predictions. After each
round: resident memory, descriptors, threads, files in the temporary folder. Before and after all
rounds: the latency of one row under 1, 4 and 16 threads that call at the same time, with one
thread of torch for each call.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, Training
from skcvae.datasets import make_linear_gaussian

DATA = make_linear_gaussian(n_samples=300, random_state=0)
X, Y = DATA.X, DATA.y
N_CALLS = 400  # of each method, by all threads together


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def work(folder, seed):
    """Fit, save, load and predict."""
    path = Path(folder) / f"{seed}.skcvae"
    est = CVAERegressor(
        max_epochs=3, random_state=seed, training=Training(checkpoint=path.with_suffix(".ckpt"))
    ).fit(X, Y)
    est.save(path)
    again = skcvae.load(path)
    assert np.array_equal(again.predict(X), est.predict(X))
    for _ in range(20):
        again.sample(X[:50], 5)
        again.log_prob(X[:50], Y[:50], n_samples=20)
    path.unlink()


def in_another_process(folder, seed):
    process = multiprocessing.get_context("spawn").Process(target=work, args=(folder, seed))
    process.start()
    process.join()
    assert process.exitcode == 0


def measured(folder):
    """Return what may not grow."""
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory_mib": resident * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "files": len(os.listdir(folder)),
    }


def latency(est, n_threads):
    """Return median and 99th percentile of a call for one row, in milliseconds."""
    calls = {
        "predict": lambda i: est.predict(X[i : i + 1]),
        "sample": lambda i: est.sample(X[i : i + 1]),
        "log_prob": lambda i: est.log_prob(X[i : i + 1], Y[i : i + 1]),
    }

    def timed(call, i):
        start = time.perf_counter()
        call(i % len(X))
        return 1000 * (time.perf_counter() - start)

    found = {}
    with ThreadPoolExecutor(n_threads) as pool:
        for name, call in calls.items():
            times = list(pool.map(lambda i, call=call: timed(call, i), range(N_CALLS)))
            p50, p99 = np.percentile(times[N_CALLS // 10 :], [50, 99])
            found[name] = {"p50_ms": round(p50, 2), "p99_ms": round(p99, 2)}
    return found


def text(results):
    lines = [f"{results['rounds']} rounds in {results['minutes']:.1f} minutes", ""]
    lines.append(f"{'':14}{'first':>10}{'middle':>10}{'last':>10}")
    for name in results["grown"][0]:
        row = "".join(f"{round_[name]:>10.0f}" for round_ in results["grown"])
        lines.append(f"{name:14}{row}")
    lines += [
        "",
        f"{'one row, ms':14}{'threads':>8}{'p50':>9}{'p99':>9}{'p50 after':>11}{'p99 after':>11}",
    ]
    for threads, before in results["latency_before"].items():
        for name, was in before.items():
            now = results["latency_after"][threads][name]
            numbers = f"{was['p50_ms']:>9}{was['p99_ms']:>9}{now['p50_ms']:>11}{now['p99_ms']:>11}"
            lines.append(f"{name:14}{threads:>8}{numbers}")
    return "\n".join(lines) + "\n"


def main(args):
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    est = CVAERegressor(max_epochs=20, random_state=0).fit(X, Y)
    before = {n: latency(est, n) for n in args.threads}
    start, rounds = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        while not rounds or time.monotonic() - start < 60 * args.minutes:
            seed = 4 * len(rounds)
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(work, [folder] * 3, range(seed, seed + 3)))
            in_another_process(folder, seed + 3)
            ensemble = EnsembleRegressor(
                CVAERegressor(max_epochs=2), n_estimators=2, random_state=0
            )
            ensemble.fit(X, Y).predict(X)
            rounds.append(measured(folder))
            print(len(rounds), rounds[-1], flush=True)
    settled = rounds[min(2, len(rounds) - 1)]  # after what the first rounds load
    results = {
        "minutes": (time.monotonic() - start) / 60,
        "rounds": len(rounds),
        "grown": [settled, rounds[len(rounds) // 2], rounds[-1]],
        "latency_before": before,
        "latency_after": {n: latency(est, n) for n in args.threads},
    }
    (args.out / "soak.json").write_text(json.dumps(results, indent=1) + "\n")
    (args.out / "soak.txt").write_text(text(results))
    print(text(results))


if __name__ == "__main__":
    main(parse())
