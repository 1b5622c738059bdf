"""Latent variables in use with default networks on images, with and without KL warm-up.

    python benchmarks/unused_latents.py [--lfw FILE] [--tasks NAME ...] [--seeds 2]

scikit-learn's digits in 8 x 8, their label maps, and with FILE the part labels of LFW in 32 x 32
(`skcvae.datasets.load_lfw_parts`): `CVAERegressor` with convolutions and the default warm-up of
the KL term, without it, and with `MLP`, otherwise as they come, at most `--epochs` of them. The
table has the CLL of held-out images, nats per image, and how many latent variables the fit used.
Tasks that the JSON file holds and that are not named stay in the table.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from record import write_by_seed
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor
from skcvae.datasets import load_digits_label_maps, load_digits_quadrants, load_lfw_parts

MODELS = {
    "no warm-up": {"architecture": "conv", "kl_warmup": 0},
    "default": {"architecture": "conv"},
    "MLP": {"architecture": "mlp"},
}
MARGIN, LOWER, QUADRANT = (np.zeros((8, 8), bool) for _ in range(3))  # what is hidden
MARGIN[2:6, 2:6], LOWER[4:], QUADRANT[4:, :4] = True, True, True


def digits(hidden, threshold, whole=False):
    """Return digits without their hidden pixels, -1 or 1 by the threshold, or grey; and these."""
    images = load_digits_quadrants(1, threshold=threshold).images.astype(np.float32)
    X = np.where(hidden, np.float32(0), 2 * images - 1)
    sides = hidden.any(axis=1), hidden.any(axis=0)
    return X, images if whole else images[:, sides[0]][:, :, sides[1]]


TASKS = {
    "binary, whole image from its margin": (partial(digits, MARGIN, 0.5, True), "bernoulli"),
    "binary, lower half from the upper": (partial(digits, LOWER, 0.5), "bernoulli"),
    "binary, quadrant from the rest": (partial(digits, QUADRANT, 0.5), "bernoulli"),
    "grey, quadrant from the rest": (partial(digits, QUADRANT, None), "gaussian"),
    "label maps of digits": (
        partial(load_digits_label_maps, return_X_y=True),
        "categorical",
    ),
    "LFW parts, 32 x 32": (None, "categorical"),
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lfw", type=Path, default=None)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def rows(task, args):
    """Return training and test rows of a task: X, X_test, y, y_test."""
    if TASKS[task][0] is not None:
        return train_test_split(*TASKS[task][0](), test_size=397, random_state=0)
    load = partial(load_lfw_parts, args.lfw, size=32, return_X_y=True)
    (X, y), (X_test, y_test) = load("train"), load("test")
    return X, X_test, y, y_test


def measured(args, task, seed):
    X, X_test, y, y_test = rows(task, args)
    found = {}
    for name, params in MODELS.items():
        est = CVAERegressor(
            likelihood=TASKS[task][1], max_epochs=args.epochs, random_state=seed, **params
        )
        with warnings.catch_warnings():  # of unused latent variables: the table has their number
            warnings.simplefilter("ignore", UserWarning)
            est.fit(X, y)
            score = est.score(X_test, y_test)
        units = int(np.prod(est.latent_shape_))
        found[name] = {"CLL": float(score), "active": est.n_active_units_, "units": units}
    return found


def table(cases):
    lines = [f"{'y given x':36}seed" + "".join(f"  {name:>17}" for name in MODELS), ""]
    for task, by_seed in cases.items():
        for seed, row in by_seed.items():
            cells = (f"{row[m]['CLL']:.2f} ({row[m]['active']}/{row[m]['units']})" for m in MODELS)
            lines.append(f"{task:36}{seed:>4}" + "".join(f"  {cell:>17}" for cell in cells))
    return "\n".join([*lines, ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    tasks = [task for task in args.tasks if TASKS[task][0] or args.lfw]
    path = args.out / "unused_latents.json"
    write_by_seed(path, tasks, args.seeds, partial(measured, args), table)


if __name__ == "__main__":
    main()
