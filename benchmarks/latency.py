"""How long `predict` and `sample` take, from one row to 10,000.

    python benchmarks/latency.py

For each number of rows it writes the time of a call, per row, beside the bare
forward pass of the same networks in the same process, turn by turn; and for one
row what the call takes beyond it.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

import skcvae
from skcvae import CVAERegressor
from skcvae.datasets import make_linear_gaussian
from skcvae.inference import moments
from skcvae.random import generator


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 10, 100, 1000, 10_000])
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def pairs(est, X, args):
    """Return medians in seconds: each call, and its bare forward pass."""
    exact = est._fitted.exact_model
    x64, x = torch.from_numpy(X), torch.from_numpy(X).float()
    model = est.net_.module_.model
    eps = torch.randn((1, len(x), *model.noise_shape), generator=generator(0))
    blocks = moments.points(exact).split(max(2048 // len(x), 1))

    def draw():
        return next(moments.draws(model, x, [eps], generator(1)))

    calls = {
        "predict": (
            lambda: est.predict(X),
            lambda: moments.moments(exact, x64, blocks)[0],
        ),
        "sample": (lambda: est.sample(X, random_state=0), draw),
    }
    found = {}
    with torch.inference_mode():
        for name, (call, bare) in calls.items():
            taken = [(seconds(call), seconds(bare)) for _ in range(args.pairs + 1)][1:]
            found[name] = [statistics.median(column) for column in zip(*taken, strict=True)]
    return found


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    data = make_linear_gaussian(n_samples=max(args.rows), random_state=0)
    est = CVAERegressor(max_epochs=2, random_state=0).fit(data.X[:1000], data.y[:1000])
    rows = []
    for n in args.rows:
        for name, (call, bare) in pairs(est, data.X[:n], args).items():
            row = {
                "method": name,
                "rows": n,
                "microseconds_per_row": round(1e6 * call / n, 2),
                "bare_microseconds_per_row": round(1e6 * bare / n, 2),
                "overhead_milliseconds": round(1e3 * (call - bare), 3),
            }
            print(row, flush=True)
            rows.append(row)
    record = {
        "rows": rows,
        "protocol": {**vars(args), "out": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch)},
    }
    args.out.mkdir(exist_ok=True)
    (args.out / "latency.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
