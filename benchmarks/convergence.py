"""Convergence: negative CLL of validation images over epochs and over time.

    OMP_NUM_THREADS=1 python benchmarks/convergence.py
    OMP_NUM_THREADS=1 python benchmarks/convergence.py --mnist --data-home FOLDER \\
        --units 500 --epochs 10 --seeds 0

trains NN, GSNN, CVAE and hybrid to predict three quadrants of an image from one, and
writes a table, JSON and a figure. By default scikit-learn's digits; with `--mnist`
50,000 of MNIST's, 10,000 for validation. Pixels are grey in [0, 1], scored by the Bernoulli
cross-entropy. The CLL is `history_`'s, importance sampled with ten draws. Time is CPU time
of one thread, validation included: what the wall clock shows on an idle machine.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

import skcvae
from skcvae import CVAERegressor, GSNNRegressor, HybridStructuredPredictor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.datasets import fetch_mnist_quadrants, load_digits_quadrants

MODELS = {
    "NN": (NNRegressor, "#666666"),
    "GSNN": (GSNNRegressor, "#cc79a7"),
    "CVAE": (CVAERegressor, "#0072b2"),
    "hybrid": (HybridStructuredPredictor, "#d55e00"),
}


class Clock(Callback):
    """Record CPU seconds since training began at the end of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.start_ = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        net.history.record("cpu_seconds", time.process_time() - self.start_)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mnist", action="store_true")
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def load(args):
    """Return X and y to train on, then X and y to validate on."""
    if args.mnist:
        pairs = [
            fetch_mnist_quadrants(1, subset=subset, data_home=args.data_home, return_X_y=True)
            for subset in ("train", "validation")
        ]
        return *pairs[0], *pairs[1]
    X, X_val, y, y_val = train_test_split(
        *load_digits_quadrants(1, return_X_y=True), test_size=180, random_state=0
    )
    return X, y, X_val, y_val


def curve(estimator, data, seed, args):
    X, y, X_val, y_val = data
    est = estimator(
        architecture=MLP((args.units, args.units)),
        likelihood="bernoulli",
        normalize_X=False,
        max_epochs=args.epochs,
        lr=args.lr,
        device="cpu",
        random_state=seed,
        training=Training(patience=args.epochs, callbacks=[Clock()]),
    ).fit(X, y, X_val=X_val, y_val=y_val)
    return {
        "negative_cll": [round(-row["valid_cll"], 3) for row in est.history_],
        "cpu_seconds": [round(row["cpu_seconds"], 3) for row in est.history_],
    }


def reach(curves, level):
    """Return median epochs and seconds over the seeds until a level, inf where never."""
    found = []
    for run in curves:
        below = np.flatnonzero(np.array(run["negative_cll"]) <= level)
        found.append((below[0] + 1, run["cpu_seconds"][below[0]]) if len(below) else (np.inf,) * 2)
    return np.median(found, axis=0)


def cell(epochs, seconds):
    return f"{epochs:.0f} / {seconds:.1f} s" if np.isfinite(epochs) else "never"


def table(curves, title):
    lowest = {
        name: np.median([min(run["negative_cll"]) for run in runs])
        for name, runs in curves.items()
    }
    of_baseline = max(min(run["negative_cll"]) for run in curves["NN"])
    ruler = "  ".join(["=" * 6, "=" * 12, "=" * 11, *["=" * 16] * 2])
    lines = [
        *title,
        "Nats per image, medians over the seeds. Epochs / CPU seconds until the best that each",
        f"NN reaches, {of_baseline:.2f}, and until 1 % above a model's own best.",
        "",
        ruler,
        "model     best -CLL  s per epoch    the NN's best     its own best",
        ruler,
    ]
    for name, runs in curves.items():
        per_epoch = np.median([run["cpu_seconds"][-1] / len(run["cpu_seconds"]) for run in runs])
        lines.append(
            f"{name:6}  {lowest[name]:12.2f}  {per_epoch:11.2f}"
            f"  {cell(*reach(runs, of_baseline)):>16}"
            f"  {cell(*reach(runs, 1.01 * lowest[name])):>16}"
        )
    return "\n".join([*lines, ruler, ""])


def draw(curves, path):
    """Draw the median over the seeds, in a band from the least to the greatest."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    for name, runs in curves.items():
        colour = MODELS[name][1]
        cll = np.array([run["negative_cll"] for run in runs])
        seconds = np.median([run["cpu_seconds"] for run in runs], axis=0)
        for ax, x in zip(axes, (np.arange(1, cll.shape[1] + 1), seconds), strict=True):
            ax.plot(x, np.median(cll, axis=0), color=colour, lw=1.6, label=name)
            ax.fill_between(x, cll.min(axis=0), cll.max(axis=0), color=colour, alpha=0.2, lw=0)
    # The first epochs are steep and would flatten all that comes after.
    first = len(curves["NN"][0]["negative_cll"]) // 25
    axes[0].set_ylim(top=max(run["negative_cll"][first] for run in curves["NN"]))
    axes[1].set_xlim(left=0.9 * min(run["cpu_seconds"][first] for run in curves["NN"]))
    axes[0].set(xlabel="epoch", ylabel="negative CLL, nats per image")
    axes[1].set(xlabel="CPU seconds on one thread", xscale="log")
    axes[1].xaxis.set_major_formatter("{x:g}")
    axes[0].legend(frameon=False)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, lw=0.5)
    fig.savefig(path, dpi=110)


def main():
    args = parse()
    torch.set_num_threads(1)
    data = load(args)
    curves = {name: [] for name in MODELS}
    for name, (estimator, _) in MODELS.items():
        for seed in args.seeds:
            curves[name].append(curve(estimator, data, seed, args))
            print(name, seed, curves[name][-1]["negative_cll"][-1], flush=True)
    images = "MNIST" if args.mnist else "scikit-learn's digits"
    title = [
        f"{images}, three quadrants from one: {len(data[0])} images to train on, {len(data[2])} "
        "to validate on;",
        f"grey pixels, two layers of {args.units} units, {args.epochs} epochs, lr {args.lr}, "
        f"{len(args.seeds)} seed(s).",
    ]
    args.out.mkdir(exist_ok=True)
    stem = args.out / f"convergence_{'mnist' if args.mnist else 'digits'}"
    record = {
        "curves": curves,
        "protocol": {**vars(args), "out": None, "data_home": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch)},
        "machine": platform.machine(),
    }
    stem.with_suffix(".json").write_text(json.dumps(record) + "\n")
    stem.with_suffix(".txt").write_text(table(curves, title))
    draw(curves, stem.with_suffix(".png"))
    print(table(curves, title))


if __name__ == "__main__":
    main()
