"""Coverage and volume of conformal regions on tables with several outputs.

    python benchmarks/regions.py --data FOLDER --threads 1

fits `CVAERegressor(max_epochs=40)` once for each of ten shuffles of each table, whose outputs
are all continuous, gives `ConformalRegressor` other rows, and measures on test rows

- the coverage of regions of each kind, of intervals of single outputs (mean over outputs),
  and of boxes of intervals that are to hold together, all asked to cover 90 %;
- the volume of regions over that of two boxes: of the intervals of single outputs, which hold
  together less often than in 90 % of the rows, and of the intervals that hold together.
  A ratio is the geometric mean over `--volume-rows` test rows.

A tenth of the rows, drawn with seeds 0 to 9, are for the test, a fifth, but at most 1,000,
calibrate, and up to 5,000 others are fitted. Forty epochs are few, and 25 draws of the large
tables, 100 of the others, but coverage depends on neither. Shuffles that the JSON file has from
the same protocol stay, so that the table can be made in pieces: `--tables jura enb --shuffles 0
1 2`.

FOLDER holds `joint_tables.npz`, with arrays NAME__X and NAME__y; sources of the tables: Mulan's
multi-target regression sets (jura, enb, andro, atp1d, atp7d), household power consumption and
physicochemical properties of proteins of the UCI repository (households, bio).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from record import write
from sklearn.frozen import FrozenEstimator

from skcvae import ConformalRegressor, CVAERegressor

TABLES = ("andro", "atp7d", "atp1d", "jura", "enb", "households", "bio")
REGIONS = ("density", "distance", "latent")
COVERAGE = 0.9
AT_MOST = {"calibrate": 1000, "fit": 5000}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--shuffles", type=int, nargs="+", default=range(10))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--volume-rows", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def measure(X, y, seed, args):
    """Return coverages and logarithms of ratios of volumes of one shuffle."""
    order, n = np.random.default_rng(seed).permutation(len(y)), len(y)
    n_test, n_held = n // 10, min(n // 5, AT_MOST["calibrate"])
    test, held, fitted = np.split(order, [n_test, n_test + n_held])
    fitted = fitted[: AT_MOST["fit"]]
    est = CVAERegressor(max_epochs=args.epochs, random_state=seed).fit(X[fitted], y[fitted])
    n_samples = 25 if n > 5000 else 100
    found = {"n_calibrate": n_held, "n_samples": n_samples}
    some = test[: args.volume_rows]
    for region in REGIONS:
        wrapped = ConformalRegressor(
            FrozenEstimator(est), region=region, n_samples=n_samples, random_state=seed
        )
        wrapped.conformalize(X[held], y[held])
        # The smallest table has the nine rows that are needed.
        found[region] = wrapped.contains(X[test], y[test], COVERAGE).mean()
        if region == "density":
            boxes = {
                name: wrapped.predict_interval(X[test], COVERAGE, joint=name == "box")
                for name in ("intervals", "box")
            }
            inside = {
                name: (box[..., 0] <= y[test]) & (y[test] <= box[..., 1])
                for name, box in boxes.items()
            }
            found["intervals"] = inside["intervals"].mean()
            found["intervals together"] = inside["intervals"].all(axis=1).mean()
            found["box"] = inside["box"].all(axis=1).mean()
        if region != "latent":
            volume = wrapped.log_volume(X[some], COVERAGE)
            for name, box in boxes.items():
                of_box = np.log(np.diff(box[: len(some)])[..., 0]).sum(axis=1)
                found[f"{region} / {name}"] = np.mean(volume - of_box)
    return {name: float(value) for name, value in found.items()}


COLUMNS = {
    "density": "density",
    "distance": "distance",
    "latent": "latent",
    "intervals": "intervals",
    "intervals together": "together",
    "box": "box",
    "density / intervals": "dens/int",
    "distance / intervals": "dist/int",
    "density / box": "dens/box",
    "distance / box": "dist/box",
}


def table(record):
    rows = record["tables"]
    ruler = "  ".join("=" * n for n in [10, 8, 9, 5] + [9] * len(COLUMNS))
    lines = [
        "Regions of 90 %, mean over the shuffles. Left: coverage in % of joint regions, of",
        "intervals of single outputs, of these intervals together, and of the box of intervals",
        "that are to hold together. Right: volume over that of the box of the intervals of single",
        "outputs (int), and of the box of intervals that are to hold together (box).",
        "",
        ruler,
        "  ".join(
            [f"{'table':10}  shuffles  calibrate  draws", *(f"{n:>9}" for n in COLUMNS.values())]
        ),
        ruler,
    ]
    for name in TABLES:
        if name in rows:
            own = list(rows[name].values())
            mean = {key: np.mean([row[key] for row in own]) for key in own[0]}
            shown = [
                f"{np.exp(mean[key]):9.3g}" if "/" in key else f"{100 * mean[key]:9.1f}"
                for key in COLUMNS
            ]
            counts = (
                f"{name:10}  {len(own):8}  {mean['n_calibrate']:9.0f}  {mean['n_samples']:5.0f}"
            )
            lines.append("  ".join([counts, *shown]))
    return "\n".join([*lines, ruler, ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    protocol = {name: getattr(args, name) for name in ("epochs", "volume_rows")}
    path = args.out / "regions.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    tables = before["tables"] if before.get("protocol") == protocol else {}
    data = np.load(args.data / "joint_tables.npz")
    for name in args.tables:
        for seed in args.shuffles:
            start = time.process_time()
            found = measure(data[f"{name}__X"], data[f"{name}__y"], seed, args)
            tables.setdefault(name, {})[str(seed)] = found
            print(name, seed, f"{time.process_time() - start:.0f} CPU seconds", flush=True)
            record = {"tables": tables, "protocol": protocol}
            write(path, record, table(record))


if __name__ == "__main__":
    main()
