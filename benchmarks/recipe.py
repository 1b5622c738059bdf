"""The training recipe of the estimators, one part changed at a time, on validation rows.

    python benchmarks/recipe.py --data FOLDER --threads 1

fits `CVAERegressor()` and the `CHANGES` below, one estimator each, and takes the negative
conditional log-likelihood of rows that none of them saw, where no test row is looked at: of
the UCI sets a tenth of the training rows of each split, of the generators 1,000 more rows.
A change is worth a default where it helps in every case. The table has the differences from
the defaults, of the same split and seed. It can be made in pieces (`--cases yacht --splits 3`):
what the JSON file has stays. Where three splits did not tell, of ten epochs of KL warm-up and
of the bound of five draws, more were measured.

FOLDER is that of ``uci_regression.py``.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from record import write
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split
from uci_regression import SETS

from skcvae import CVAERegressor
from skcvae.datasets import make_linear_gaussian, make_ring, make_two_branches

CHANGES = {
    "defaults": {},
    "kl_warmup=10": {"kl_warmup": 10},
    "kl_warmup=20": {"kl_warmup": 20},
    "weight_decay=0.1": {"training__weight_decay": 0.1},
    "one_cycle": {
        "training__lr_schedule": "one_cycle",
        "training__patience": 100,
        "lr": 0.005,
        "max_epochs": 100,
    },
    "ema_decay=0": {"training__ema_decay": 0.0},
    "iwae, 5 draws": {"objective": "iwae", "n_train_samples": 5},
}
SPLITS = 3
N_VALIDATION = 1000


def generated(make, n_train):
    def rows(split):
        data = make(n_samples=n_train + N_VALIDATION, random_state=split)
        return cut(data.X, data.y, n_train)

    return rows


def friedman1(split):
    X, y = make_friedman1(n_samples=333 + N_VALIDATION, noise=1.0, random_state=split)
    return cut(X, y, 333)


def noise(split):
    """Make an output that X says nothing about."""
    rng = np.random.default_rng(split)
    n_rows = 333 + N_VALIDATION
    return cut(rng.normal(size=(n_rows, 5)), rng.normal(size=n_rows), 333)


def cut(X, y, n_train):
    return X[:n_train], X[n_train:], y[:n_train], y[n_train:]


def uci(name, folder):
    def rows(split):
        data = np.load(folder / f"{name}.npz")
        train = data["train_index"][split]
        return train_test_split(
            data["X"][train], data["y"][train], test_size=0.1, random_state=split
        )

    return rows


GENERATORS = {
    "linear_gaussian": generated(make_linear_gaussian, 1000),
    "two_branches": generated(make_two_branches, 1000),
    "ring": generated(make_ring, 1000),
    "friedman1, 333 rows": friedman1,
    "noise, 333 rows": noise,
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*SETS, *GENERATORS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", default=names, choices=names)
    parser.add_argument("--changes", nargs="+", default=tuple(CHANGES), choices=tuple(CHANGES))
    parser.add_argument("--splits", type=int, nargs="+", default=range(SPLITS))
    parser.add_argument("--samples", type=int, default=1000, help="S of importance sampling")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def measure(rows, params, split, n_samples):
    X, X_valid, y, y_valid = rows
    est = CVAERegressor(random_state=split).set_params(**params)
    start = time.process_time()
    est.fit(X, y)
    seconds = time.process_time() - start
    log_p = est.log_prob(X_valid, y_valid, n_samples=n_samples)
    return {"nll": float(-log_p.mean()), "fit_seconds": seconds, "epochs": len(est.history_)}


def difference(of_change, of_defaults):
    """Return the mean over the splits that both have, with its standard error."""
    splits = [split for split in of_change if split in of_defaults]
    values = np.array([of_change[s]["nll"] - of_defaults[s]["nll"] for s in splits])
    if not len(values):
        return ""
    error = f" +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}" if len(values) > 1 else ""
    return f"{values.mean():+.2f}{error}"


def table(record):
    protocol, changes = record["protocol"], [name for name in CHANGES if name != "defaults"]
    ruler = "  ".join("=" * n for n in [20, 6, 8] + [16] * len(changes))
    lines = [
        "One part of the recipe changed at a time: negative conditional log-likelihood of",
        "validation rows in nats per row, lower is better, S = "
        f"{protocol['samples']}, one estimator for each split.",
        "To the right: change less defaults of the same split, mean +- standard error over the",
        "splits that have both. one_cycle is 100 epochs with lr=0.005.",
        "",
        ruler,
        f"{'case':20}  {'splits':>6}  {'defaults':>8}" + "".join(f"  {c:>16}" for c in changes),
        ruler,
    ]
    for case in (*SETS, *GENERATORS):
        measured = record["cases"].get(case, {})
        defaults = measured.get("defaults", {})
        if defaults:
            nll = np.mean([row["nll"] for row in defaults.values()])
            cells = (difference(measured.get(change, {}), defaults) for change in changes)
            lines.append(
                f"{case:20}  {len(defaults):6}  {nll:8.2f}" + "".join(f"  {c:>16}" for c in cells)
            )
    return "\n".join([*lines, ruler, ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    args.out.mkdir(exist_ok=True)
    path = args.out / "recipe.json"
    protocol = {"samples": args.samples, "threads": args.threads}
    before = json.loads(path.read_text()) if path.exists() else {}
    cases = before["cases"] if before.get("protocol") == protocol else {}
    makers = {name: uci(name, args.data) for name in SETS} | GENERATORS
    for case in args.cases:
        for split in args.splits:
            rows = makers[case](split)
            for change in args.changes:
                row = measure(rows, CHANGES[change], split, args.samples)
                cases.setdefault(case, {}).setdefault(change, {})[str(split)] = row
                print(case, split, change, row, flush=True)
    record = {"cases": cases, "protocol": protocol}
    write(path, record, table(record))


if __name__ == "__main__":
    main()
