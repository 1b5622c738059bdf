"""Time and memory of `fit` against the number of rows.

    python benchmarks/fit_time.py

fits a CVAE on 1,000 to 1,000,000 rows of twenty float32 columns to five, three
epochs in batches of 256, each in a process of its own: once from arrays in
memory, and once from arrays that are memory-mapped and streamed, batch by batch.
Early stopping watches a tenth of the rows. Times are CPU time of the process,
without a first fit that warms up; the peak is memory above what a fit of few
rows and the arrays in memory take.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sklearn
import torch

import skcvae
from skcvae import CVAERegressor
from skcvae.architectures import MLP

N_INPUTS, N_OUTPUTS = 20, 5


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1000, 10_000, 100_000, 300_000, 1_000_000]
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def arrays(n_rows, folder=None):
    """Return X and y, written in pieces where they are to be mapped."""
    rng = np.random.default_rng(0)
    shapes = {"X": (n_rows, N_INPUTS), "y": (n_rows, N_OUTPUTS)}
    if folder is None:
        return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes.values()]
    mapped = []
    for name, shape in shapes.items():
        path = Path(folder) / f"{name}.npy"
        out = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        for start in range(0, n_rows, 10_000):
            block = out[start : start + 10_000]
            block[:] = rng.standard_normal(block.shape, dtype=np.float32)
        del out, block
        mapped.append(np.load(path, mmap_mode="r"))
    return mapped


def fit(kind, n_rows):
    """Print seconds of the CPU and the peak in MiB, as one process has them."""
    est = CVAERegressor(
        architecture=MLP((64, 64), activation="relu"), max_epochs=3, batch_size=256, random_state=0
    )
    few = arrays(600)
    est.fit(*few)
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        data = arrays(n_rows, folder if kind == "mapped" else None)
        memory = 0 if kind == "mapped" else sum(part.nbytes for part in data) / 2**20
        working = 0 if kind == "mapped" else 1024
        start = time.process_time()
        with sklearn.config_context(working_memory=working):
            est.fit(*data)
        seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "mib": peak() - before - memory}))


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    if args.one:
        fit(args.one[0], int(args.one[1]))
        return
    rows = []
    for kind in ("memory", "mapped"):
        for n_rows in args.rows:
            command = [sys.executable, __file__, "--threads", str(args.threads)]
            found = json.loads(
                subprocess.check_output([*command, "--one", kind, str(n_rows)], text=True)
            )
            row = {
                "arrays": kind,
                "rows": n_rows,
                "us_per_row_and_epoch": round(1e6 * found["seconds"] / n_rows / 3, 1),
                "mib_above_data": round(found["mib"]),
            }
            print(row, flush=True)
            rows.append(row)
    args.out.mkdir(exist_ok=True)
    record = {
        "rows": rows,
        "protocol": {**vars(args), "out": None, "one": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch, sklearn)},
    }
    (args.out / "fit_time.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
