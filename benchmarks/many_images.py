"""Time and memory of what is asked of a fitted model, for many images.

    python benchmarks/many_images.py

fits a convolutional CVAE on random 64 x 64 images with label maps of three classes, one epoch,
and asks `predict`, by its default, the mean over 256 points of z, and by
`method="latent_mean"`, `sample`, `log_prob` and `complete` of 200 and of 2,000 images, each in
a process of its own. It writes the time per image, and the peak memory above what the images
and the answer take: both should not grow with the number of images.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from skcvae import CVAERegressor

ASKED = {
    "predict": lambda est, X, y: est.predict(X),
    "latent_mean": lambda est, X, y: est.predict(X, method="latent_mean"),
    "sample": lambda est, X, y: est.sample(X, n_samples=2, random_state=0),
    "log_prob": lambda est, X, y: est.log_prob(X, y, n_samples=10),
    "complete": lambda est, X, y: est.complete(X, y, 1, y > 1, n_steps=5, random_state=0),
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ask(method, n_images, size):
    """Print seconds and the peak in MiB above images and answer, as one process does it."""
    rng = np.random.default_rng(0)
    X = rng.random((n_images, 3, size, size), dtype=np.float32)
    y = rng.integers(0, 3, (n_images, size, size))
    est = CVAERegressor(
        architecture="conv", likelihood="categorical", initial_guess=True, max_epochs=1,
        random_state=0,
    )  # fmt: skip
    warnings.simplefilter("ignore")
    est.fit(X[:64], y[:64])
    before = peak()
    start = time.perf_counter()
    answer = ASKED[method](est, X, y)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "mib": peak() - before - answer.nbytes / 2**20}))


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    if args.one:
        ask(args.one[0], int(args.one[1]), args.size)
        return
    rows = []
    for method in ASKED:
        for n_images in args.images:
            options = ["--size", str(args.size), "--threads", str(args.threads)]
            command = [sys.executable, __file__, "--one", method, str(n_images), *options]
            found = json.loads(subprocess.check_output(command, text=True))
            row = {
                "method": method,
                "images": n_images,
                "ms_per_image": round(1000 * found["seconds"] / n_images, 2),
                "mib_above_data": round(found["mib"]),
            }
            print(row, flush=True)
            rows.append(row)
    args.out.mkdir(exist_ok=True)
    record = {"rows": rows, "protocol": {**vars(args), "out": None, "one": None}}
    (args.out / "many_images.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
