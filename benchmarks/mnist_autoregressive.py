"""Completion of MNIST by one autoregressive network for all three tasks of the paper.

    python benchmarks/mnist_autoregressive.py --data-home FOLDER --threads 1 [--grey]

One, two or three quadrants seen, pixels above 0.5 or grey: X is the image with zeros for what is
not seen and values from -1 to 1 for what is, y the whole image. `NNRegressor` with convolutions
and `Autoregressive(Bernoulli())`, no latent variables, trained on all three tasks of each digit
at once. A pixel that is seen costs at least its own entropy, which is 0 above 0.5, and about that
much, as it is copied from X. The likelihood of the whole image given X, plus the entropy of what
is seen, bounds that of the hidden pixels from below. Grey pixels are scored as in the paper, by
the cross-entropy with their values, each given the values of those before it; as grey pixels are
not drawn by this likelihood, the picture is of pixels above 0.5. The test images are scored once,
after training.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from record import write
from scipy.special import entr

from skcvae import NNRegressor, Training, load
from skcvae.architectures import Conv
from skcvae.datasets import fetch_mnist_quadrants
from skcvae.likelihoods import Autoregressive, Bernoulli

TASKS = (1, 2, 3)
N_STOPPING, N_SHOWN = 2000, 8  # validation images that stop training, and images of the picture
# Of CVAEs: benchmarks/mnist_quadrants.py, five draws.
CVAE = {"binary": {1: 45.87, 2: 31.04, 3: 13.31}, "grey": {1: 59.89, 2: 41.77, 3: 19.44}}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-home", type=Path, default=None)
    parser.add_argument("--grey", action="store_true", help="grey pixels, not those above 0.5")
    parser.add_argument("--model", type=Path, default=None, help="written, or read if it is there")
    parser.add_argument("--rows", type=int, default=50_000, help="digits to train on")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def rows(args, subset, n_quadrants, n_rows=None):
    """Return X and y of one task."""
    data = fetch_mnist_quadrants(
        n_quadrants,
        subset=subset,
        threshold=None if args.grey else 0.5,
        data_home=args.data_home,
    )
    y = data.images[:n_rows].astype(np.float32)
    return np.where(data.task.seen, 2 * y - 1, np.float32(0)), y


def joined(args, subset, n_rows):
    parts = zip(*(rows(args, subset, task, n_rows) for task in TASKS), strict=True)
    return [np.concatenate(part) for part in parts]


def fit(args):
    est = NNRegressor(
        architecture=Conv((16, 32, 64)),
        likelihood=Autoregressive(Bernoulli()),
        normalize_X=False,
        lr=2e-3,
        batch_size=64,
        max_epochs=args.epochs,
        random_state=0,
        verbose=1,
        training=Training(lr_schedule="one_cycle", precision=args.precision),
    )
    X_val, y_val = joined(args, "validation", N_STOPPING // len(TASKS))
    return est.fit(*joined(args, "train", args.rows), X_val=X_val, y_val=y_val)


def hidden_nats(est, args, subset, task):
    """Return a bound, from above, of the negative log-likelihood of the hidden pixels."""
    X, y = rows(args, subset, task)
    seen = fetch_mnist_quadrants(task, subset=subset, data_home=args.data_home).task.seen
    value = y[:, seen].astype(float)
    entropy = (entr(value) + entr(1 - value)).sum(axis=1).mean()
    return round(float(-est.score(X, y) - entropy), 2)


def draw(est, args, path):
    """Draw completions of test images: what is seen, the truth, and six draws."""
    fig, axes = plt.subplots(3 * N_SHOWN // 2, 16, figsize=(12, 9))
    for axis in axes.flat:
        axis.set_axis_off()
    for i, task in enumerate(TASKS):
        X, y = rows(args, "test", task, N_SHOWN)
        draws = est.sample(X, 6, random_state=0)
        for j in range(N_SHOWN):
            row = i * N_SHOWN // 2 + j // 2
            for k, image in enumerate((X[j], y[j], *draws[:, j])):
                axes[row, 8 * (j % 2) + k].imshow(image, cmap="gray", vmin=-1 if k == 0 else 0)
    fig.savefig(path, dpi=100, bbox_inches="tight")


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    start = time.process_time()
    if args.model is not None and args.model.exists():
        est, seconds = load(args.model), None
    else:
        est, seconds = fit(args), time.process_time() - start
        if args.model is not None:
            est.save(args.model)
    found = {task: {} for task in TASKS}
    for task in TASKS:
        for subset in ("validation", "test"):
            found[task][subset] = hidden_nats(est, args, subset, task)
    pixels = "grey" if args.grey else "binary"
    name = f"mnist_autoregressive_{pixels}"
    if not args.grey:
        draw(est, args, args.out / f"{name}.png")
    epochs = [{k: v for k, v in row.items() if k != "batches"} for row in est.history_]
    record = {"tasks": found, "fit_seconds": seconds, "epochs": epochs}
    record |= {"rows": args.rows, "precision": args.precision}
    lines = [
        f"MNIST, {pixels} pixels, one autoregressive network for all three tasks, seed 0;",
        f"{args.rows:,} digits, {args.epochs} epochs over three tasks of each. Negative CLL of",
        "the hidden pixels given what is seen (a bound), nats per image; 10,000 images in each",
        "column.",
        "",
        "quadrants seen  validation    test  CVAE, test",
        *(f"{t:14}  {r['validation']:10.2f}  {r['test']:6.2f}  {CVAE[pixels][t]:10.2f}"
          for t, r in found.items()),
        "",
    ]  # fmt: skip
    write(args.out / f"{name}.json", record, "\n".join(lines))


if __name__ == "__main__":
    main()
