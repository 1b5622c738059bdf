"""How soon the defaults reach the validation score of an earlier version.

    git worktree add BEFORE 2c8e564
    python benchmarks/time_to_score.py --before BEFORE [--uci FOLDER] [--tables FOLDER]

BEFORE is the package before training started at least squares. Both versions fit
`CVAERegressor()` with the same seed, and so the same rows held out, turn by turn, each fit in a
process of its own on one thread, on the tasks of `temperature.py`. Times are CPU seconds of `fit`,
after a first one that warms up. "to the end" is the time of the earlier version until it stopped
early, divided by that of this one; "to its best score" the same with the time until this one's
validation score is at least the best of the earlier one, a dash where it is not. The last row has
geometric means over the cases. On the right, epochs and mean log densities of test rows, nats per
row, of both versions.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from record import write_by_seed

ROOT = Path(__file__).parents[1]


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path)
    parser.add_argument("--uci", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--cases", nargs="+", help="all by default")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def fit(path, seed):
    """Print the seconds, validation scores and test score of one fit, as a process does it."""
    import torch

    from skcvae import CVAERegressor

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, y, X_test, y_test = np.load(path).values()
    CVAERegressor(max_epochs=2, random_state=0).fit(X[:200], y[:200])
    est, start = CVAERegressor(random_state=seed), time.process_time()
    est.fit(X, y)
    seconds = time.process_time() - start
    scores = [float(row["valid_cll"]) for row in est.history_]
    test = float(est.score(X_test, y_test))
    print(json.dumps({"seconds": seconds, "scores": scores, "test": test}))


def fit_by(checkout, path, seed):
    """Fit by the package in a checkout; return what `fit` prints."""
    command = [sys.executable, __file__, "--one", str(path), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(said.stdout.splitlines()[-1])


def measured(before, tasks, name, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        np.savez(path, *tasks[name](seed))
        earlier, now = fit_by(before, path, seed), fit_by(ROOT, path, seed)
    reached = np.flatnonzero(np.array(now["scores"]) >= max(earlier["scores"]))
    share = (reached[0] + 1) / len(now["scores"]) if len(reached) else None
    return {
        "seconds": [earlier["seconds"], now["seconds"]],
        "epochs": [len(earlier["scores"]), len(now["scores"])],
        "test": [earlier["test"], now["test"]],
        "to_the_end": earlier["seconds"] / now["seconds"],
        "to_its_best_score": share and earlier["seconds"] / (share * now["seconds"]),
    }


def geometric_mean(rows, key):
    ratios = [row[key] for row in rows if row[key] is not None]
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else np.nan


def table(cases):
    kinds = ("to_the_end", "to_its_best_score")
    lines = [
        "Times of the earlier version divided by those of this one, geometric mean over the seeds",
        "",
        f"{'':26}{'to the end':>12}{'to its best score':>20}{'epochs':>13}{'test':>20}",
    ]
    means = []
    for name, by_seed in cases.items():
        rows = list(by_seed.values())
        end, best = (geometric_mean(rows, kind) for kind in kinds)
        means.append({"to_the_end": end, "to_its_best_score": None if np.isnan(best) else best})
        epochs, test = (np.mean([row[key] for row in rows], axis=0) for key in ("epochs", "test"))
        reached = "-" if np.isnan(best) else f"{best:.1f}"
        lines.append(
            f"{name:26}{end:12.2f}{reached:>20}{epochs[0]:7.0f}{epochs[1]:6.0f}"
            f"{test[0]:11.2f}{test[1]:9.2f}"
        )
    end, best = (geometric_mean(means, kind) for kind in kinds)
    lines += [f"{'geometric mean':26}{end:12.2f}{best:20.1f}", ""]
    return "\n".join(lines)


def main():
    args = parse()
    if args.one:
        fit(args.one[0], int(args.one[1]))
        return
    from temperature import tasks

    found = tasks(args)
    names = args.cases or list(found)
    path = args.out / "time_to_score.json"
    write_by_seed(path, names, args.seeds, partial(measured, args.before.resolve(), found), table)


if __name__ == "__main__":
    main()
