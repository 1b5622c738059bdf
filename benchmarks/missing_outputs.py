"""Training on y with gaps, beside the complete rows alone and the same rows without gaps.

    python benchmarks/missing_outputs.py --seeds 5

writes the mean log density of complete test rows of three made tables:

- linear: four correlated outputs, linear in three inputs, 400 rows, 30 % of y missing at random;
- second: the same, where three of the outputs are observed if the first is below its median;
- seldom: the same, if it is below its quantile of 0.2;
- ring: two outputs on a ring, 2,000 rows, 25 % of y missing at random.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from record import standard_error, write_by_seed

from skcvae import CVAERegressor

N_TEST = 1000
WAYS = {
    "partial_y": {"partial_y": True},
    "partial_y, iwae": {"partial_y": True, "objective": "iwae", "n_train_samples": 5},
    "complete rows": {},
    "without gaps": {},
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def linear(rng, n_rows=400):
    X = rng.normal(size=(n_rows + N_TEST, 3))
    noise = rng.normal(size=(len(X), 4)) @ rng.normal(size=(4, 4))
    y = X @ rng.normal(size=(3, 4)) + noise
    return X, y, rng.random((n_rows, 4)) < 0.3


def second(rng, share=0.5):
    X, y, missing = linear(rng)
    first = y[: len(missing), :1]
    return X, y, (first > np.quantile(first, share)) & (np.arange(4) > 0)


def seldom(rng):
    return second(rng, share=0.2)


def ring(rng, n_rows=2000):
    X, angle = rng.normal(size=(n_rows + N_TEST, 1)), rng.uniform(0, 2 * np.pi, n_rows + N_TEST)
    y = np.c_[np.cos(angle), np.sin(angle)] * (1 + 0.3 * np.tanh(X))
    return X, y + 0.1 * rng.normal(size=y.shape), rng.random((n_rows, 2)) < 0.25


TABLES = {"linear": linear, "second": second, "seldom": seldom, "ring": ring}


def measured(case, seed):
    """Return the score of each way to train on one table."""
    X, y, missing = TABLES[case](np.random.default_rng(seed))
    whole, test = y[: len(missing)], slice(len(missing), None)
    found = {}
    for way, params in WAYS.items():
        rows = ~missing.any(axis=1) if way == "complete rows" else slice(None)
        targets = np.where(missing, np.nan, whole) if params else whole
        est = CVAERegressor(random_state=seed, **params).fit(
            X[: len(missing)][rows], targets[rows]
        )
        found[way] = est.score(X[test], y[test])
    return found


def table(record):
    lines = ["Mean log density of complete rows, nats, and its standard error over tables"]
    lines.append(f"{'':12s}" + "".join(f"{way:>20s}" for way in WAYS))
    for case, seeds in record.items():
        values = np.array([[found[way] for way in WAYS] for found in seeds.values()])
        cells = zip(values.mean(axis=0), map(standard_error, values.T), strict=True)
        lines.append(
            f"{case:12s}" + "".join(f"{mean:13.2f} ±{error:5.2f}" for mean, error in cells)
        )
    lines.append(f"CVAERegressor() by default, {len(seeds)} tables")
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    torch.set_num_threads(1)
    write_by_seed(args.out / "missing_outputs.json", args.cases, args.seeds, measured, table)


if __name__ == "__main__":
    main()
