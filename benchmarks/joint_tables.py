"""Joint outputs of real tables: density and draws beside the packages that a user would pick.

    python benchmarks/joint_tables.py --cache CACHE --data joint_tables.npz tasks
    OMP_NUM_THREADS=1 python benchmarks/joint_tables.py --cache CACHE ridge gp flow cvae ensemble
    OMP_NUM_THREADS=1 TREEFFUSER/bin/python benchmarks/joint_tables.py --cache CACHE treeffuser
    OMP_NUM_THREADS=1 NGBOOST/bin/python benchmarks/joint_tables.py --cache CACHE ngboost
    OMP_NUM_THREADS=1 ENGRESSION/bin/python benchmarks/joint_tables.py --cache CACHE engression
    python benchmarks/joint_tables.py --cache CACHE table

The file holds ``NAME__X`` and ``NAME__y`` of each table. A tenth of the rows, shuffled by the seed
of a split, are to test; y is standardised by the rows to train on, and missing numbers of X are
replaced by medians of these. All peers are run with their defaults, as in ``peers.py``:

- ridge: RidgeCV, one penalty, and a Gaussian with the covariance of its residuals, which are
  cross-validated in five folds.
- engression: draws only.
- gp where there are at most 1,000 rows.

Written are the energy score, of 200 draws, for all tables, and the negative log-likelihood for
those whose outputs are continuous, as text and JSON; the last rows are mean ranks over the tables
that all peers beside have done. A third table has ridge and cvae over all their splits.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import peers

peers.DRAWS = 200
CONTINUOUS = ("andro", "atp1d", "atp7d", "bio", "enb", "households", "jura")
COUNTS = ("edm", "oes10", "oes97", "osales", "scpf", "sf2")
MOST_ROWS = {"gp": 1000}
MEASURES = ("nll", "energy_score")


def ridge(X, y, seed):
    from scipy.stats import multivariate_normal
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 17))).fit(X, y)
    folds = KFold(5, shuffle=True, random_state=seed)
    residuals = y - cross_val_predict(model, X, y, cv=folds)
    covariance = residuals.T @ residuals / len(y) + 1e-6 * np.eye(y.shape[1])
    noise = multivariate_normal(cov=covariance, seed=seed)

    def says(X, y):
        mean = model.predict(X)
        return noise.logpdf(y - mean), mean + noise.rvs((peers.DRAWS, len(X)))

    return says


def engression(X, y, seed):
    import torch
    from engression import engression as fit

    torch.manual_seed(seed)
    model = fit(torch.from_numpy(X).float(), torch.from_numpy(y).float(), verbose=False)

    def says(X, y):
        draws = model.sample(torch.from_numpy(X).float(), sample_size=peers.DRAWS)
        return None, np.moveaxis(draws.double().numpy(), -1, 0)

    return says


PEERS = {
    "ridge": ridge,
    **{name: peers.PEERS[name] for name in ("gp", "ngboost", "treeffuser", "flow")},
    "engression": engression,
    **{name: peers.PEERS[name] for name in ("cvae", "ensemble")},
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="+", choices=("tasks", *PEERS, "table"))
    parser.add_argument("--data", type=Path, help="joint_tables.npz, for tasks")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--splits", type=int, nargs="+", default=range(10))
    parser.add_argument("--tables", nargs="+", default=CONTINUOUS + COUNTS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def write_tasks(args):
    data = np.load(args.data)
    for name in args.tables:
        X, y = data[f"{name}__X"].astype(float), data[f"{name}__y"].astype(float)
        for split in args.splits:
            rows = np.random.default_rng(split).permutation(len(X))
            test, train = np.split(rows, [len(X) // 10])
            complete = np.where(np.isnan(X), np.nanmedian(X[train], axis=0), X)
            mean, scale = y[train].mean(axis=0), y[train].std(axis=0)
            parts = {"X": complete[train], "X_test": complete[test]}
            parts |= {"y": (y[train] - mean) / scale, "y_test": (y[test] - mean) / scale}
            np.savez(args.cache / f"{name}_{split}.npz", **parts)


def tasks_of(name, args):
    """Return the tasks of the chosen tables that are small enough for a peer."""
    most = MOST_ROWS.get(name, np.inf)
    tasks = [task for task in peers.tasks(args.cache, args.splits) if task[1] in args.tables]
    return [task for task in tasks if len(np.load(task[0])["X"]) <= most]


def means(record, measure, names):
    """Return the mean over the splits that all peers have done, by table and peer."""
    found = {}
    for table in names:
        splits = peers.shared(record, table)
        for peer, scores in record.items():
            rows = [scores[table][split] for split in splits if table in scores]
            values = [row[measure] for row in rows if measure in row]
            if values:
                found.setdefault(table, {})[peer] = np.mean(values)
    return found


def ranks(found, names):
    """Return the mean rank of each peer over the tables that all peers have done."""
    common = [row for row in found.values() if len(row) == len(names)]
    places = [np.argsort(np.argsort([row[name] for name in names])) + 1 for row in common]
    return dict(zip(names, np.mean(places, axis=0), strict=True)) if places else {}


def table(record):
    lines = ["Defaults; outputs standardised by the rows to train on; lower is better."]
    measures = (
        ("nll", "Negative log-likelihood, nats per row; continuous outputs", CONTINUOUS),
        ("energy_score", "Energy score of 200 draws", CONTINUOUS + COUNTS),
    )
    for measure, title, names in measures:
        found = means(record, measure, names)
        shown = [peer for peer in record if any(peer in row for row in found.values())]
        complete = [peer for peer in shown if peer != "gp"]
        ruler = "  ".join(["=" * 12, *["=" * 10] * (len(shown) + 1)])
        head = "  ".join([f"{'table':12}", *(f"{name:>10}" for name in [*shown, "splits"])])
        lines += ["", f"{title}.", "", ruler, head, ruler]
        for name, row in found.items():
            cells = (f"{row[peer]:10.3f}" if peer in row else " " * 10 for peer in shown)
            count = len(peers.shared(record, name))
            lines.append("  ".join([f"{name:12}", *cells, f"{count:10}"]))
        for row in found.values():
            row.pop("gp", None)
        rank = ranks(found, complete)
        cells = (f"{rank[peer]:10.2f}" if peer in rank else " " * 10 for peer in shown)
        lines += ["  ".join([f"{'mean rank':12}", *cells, " " * 10]), ruler]
    return "\n".join([*lines, *beside_ridge(record), ""])


def beside_ridge(record):
    """Return a table of two peers alone, over all splits that both have done."""
    if not {"ridge", "cvae"} <= set(record):
        return []
    pair = {name: record[name] for name in ("ridge", "cvae")}
    found = {measure: means(pair, measure, CONTINUOUS + COUNTS) for measure in MEASURES}
    ruler = "  ".join(["=" * 12, *["=" * 10] * 5])
    heads = ("ridge, NLL", "cvae, NLL", "ridge, ES", "cvae, ES", "splits")
    lines = ["", "Both alone, over all splits that they have done.", "", ruler]
    lines += ["  ".join([f"{'table':12}", *(f"{head:>10}" for head in heads)]), ruler]
    for name in found["energy_score"]:
        values = [found["nll"].get(name, {}) if name in CONTINUOUS else {}]
        values.append(found["energy_score"][name])
        cells = [f"{row[peer]:10.3f}" if row else " " * 10 for row in values for peer in pair]
        lines.append("  ".join([f"{name:12}", *cells, f"{len(peers.shared(pair, name)):10}"]))
    return [*lines, ruler]


def main():
    args = parse()
    warnings.simplefilter("ignore")  # of optimisers and effective sample sizes
    args.cache.mkdir(exist_ok=True)
    for step in args.steps:
        if step == "tasks":
            write_tasks(args)
        elif step in PEERS:
            peers.ask(PEERS[step], args.cache / step, tasks_of(step, args))
    if "table" in args.steps:
        from record import write

        path = args.out / "joint_tables.json"
        record = json.loads(path.read_text())["peers"] if path.exists() else {}
        found = {name: peers.scored(name, args.cache, args.splits) for name in PEERS}
        for name, scores in found.items():  # tables that CACHE does not have stay
            record[name] = record.get(name, {}) | scores
        record = {name: record[name] for name in PEERS if record[name]}
        write(path, {"splits": list(args.splits), "peers": record}, table(record))


if __name__ == "__main__":
    main()
