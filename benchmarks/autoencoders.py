"""Autoencoders on MNIST: reconstruction, what a linear classifier reads in codes, and t-SNE.

    OMP_NUM_THREADS=1 python benchmarks/autoencoders.py --data FOLDER

fits each kind of autoencoder, a VAE and a CVAE given the label to the first 10,000 training
digits, a tenth of which stops training, with the same layers and 32 codes; and principal
component analysis. Pixels are in [0, 1]. The error is the mean squared one of a pixel of the
10,000 test digits, reconstructed from their codes without noise. The classifier is a logistic
regression on standardised codes of 1,000 training digits and their labels, a hundred of each
digit, tested on the codes of all test digits: mean and standard deviation over five draws of
the 1,000. Noise and weights of the penalties in `KINDS` are round numbers; only the scale of the
Gaussian noise was compared, 0.5 and 1.0, by that accuracy on validation digits.

The code of the CVAE should not tell the label, which the decoder is given: its prior is N(0, I)
for every label, and `beta` weights the divergence from it. Its codes are classified twice: the
means of the recognition network, and a draw of each, which is what the decoder reads. The mean of
a component that is not used is near zero, but not zero: standardised, it may tell the label.

Models can be made apart, `--models VAE PCA`: the table keeps the others of the same protocol
that the JSON file has, and with `--cache`, a folder for codes, the figure is drawn once all
have been made.
"""

import argparse
import json
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from record import write
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import VAE, Autoencoder, CVAERegressor
from skcvae.architectures import MLP
from skcvae.datasets import fetch_mnist_quadrants

N_CODES = 32
KINDS = {
    "vanilla": {},
    "denoising, Gaussian": {"noise": 1.0},
    "denoising, masking": {"masking": 0.5},
    "sparse": {"sparsity": 1.0, "target_activation": 0.2},
    "contractive": {"contraction": 1.0},
    "stacked": {"pretraining": "stacked"},
}
BETAS = {"the same, beta=1": 1.0, "the same, beta=3": 3.0}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=None, help="folder with the four idx files")
    parser.add_argument("--digits", type=int, default=10_000)
    parser.add_argument("--units", type=int, nargs="+", default=[128, 64])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shown", type=int, default=1500, help="digits in the figure")
    parser.add_argument("--models", nargs="+", default=None, help="some of the names in the table")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


class GivenLabel:
    """The CVAE of an image given its label, with labels where others have nothing."""

    def __init__(self, est):
        self.est = est

    def fit(self, images, labels):
        self.est.fit(np.eye(10)[labels], images)
        return self

    def transform(self, images, labels):
        return self.est.encode(np.eye(10)[labels], images)

    def draw(self, images, labels, rng):
        mean, std = self.est.encode(np.eye(10)[labels], images, return_std=True)
        return rng.normal(mean, std)

    def reconstruct(self, images, labels):
        return self.est.reconstruct(np.eye(10)[labels], images)


class Alone:
    """An estimator of images alone."""

    def __init__(self, est):
        self.est = est

    def fit(self, images, labels):
        self.est.fit(images)
        return self

    def transform(self, images, labels):
        return self.est.transform(images)

    def reconstruct(self, images, labels):
        return self.est.inverse_transform(self.est.transform(images))


class Components(Alone):
    """Principal component analysis of flat images."""

    def fit(self, images, labels):
        return super().fit(images.reshape(len(images), -1), labels)

    def transform(self, images, labels):
        return super().transform(images.reshape(len(images), -1), labels)

    def reconstruct(self, images, labels):
        return super().reconstruct(images.reshape(len(images), -1), labels).reshape(images.shape)


def models(args):
    """Return the models by name, untrained."""
    common = {
        "architecture": MLP(args.units, activation="relu"),
        "max_epochs": args.epochs,
        "lr": args.lr,
        "batch_size": 32,
        "device": "cpu",
        "random_state": args.seed,
    }
    pixels = {"likelihood": "bernoulli", "prior": "standard", **common}
    label = {"latent_dim": N_CODES, "normalize_X": False, **pixels}
    return {
        "PCA": Components(PCA(N_CODES, random_state=0)),
        **{name: Alone(Autoencoder(N_CODES, **kind, **common)) for name, kind in KINDS.items()},
        "VAE": Alone(VAE(N_CODES, **pixels)),
        "CVAE given the label": GivenLabel(CVAERegressor(**label)),
        **{name: GivenLabel(CVAERegressor(beta=beta, **label)) for name, beta in BETAS.items()},
    }


def labelled(labels, seed):
    """Return the numbers of a hundred rows of each label."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(labels == digit))[:100] for digit in range(10)]
    return np.concatenate(rows)


def accuracies(codes, labels, codes_test, labels_test):
    found = []
    for seed in range(5):
        rows = labelled(labels, seed)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        classifier.fit(codes[rows], labels[rows])
        found.append(classifier.score(codes_test, labels_test))
    return found


def measured(model, train, test):
    """Return what the table says of a model, and its codes of the test digits."""
    start = time.process_time()
    model.fit(*train)
    seconds = time.process_time() - start
    codes, codes_test = model.transform(*train), model.transform(*test)
    accuracy = accuracies(codes, train[1], codes_test, test[1])
    history = getattr(model.est, "history_", [])
    found = {}
    if isinstance(model, GivenLabel):
        rng = np.random.default_rng(0)
        drawn, drawn_test = model.draw(*train, rng), model.draw(*test, rng)
        found["accuracy_of_draws"] = float(
            np.mean(accuracies(drawn, train[1], drawn_test, test[1]))
        )
    return {
        **found,
        "error": float(np.mean((test[0] - model.reconstruct(*test)) ** 2)),
        "accuracy": float(np.mean(accuracy)),
        "accuracy_std": float(np.std(accuracy)),
        "mean_code": float(codes_test.mean()),
        "epochs": len(history),
        "cpu_seconds": round(seconds, 1),
    }, codes_test


def table(results, title):
    ruler = "  ".join(["=" * 20, "=" * 8, "=" * 12, "=" * 8, "=" * 6, "=" * 7])
    lines = [title, "", ruler]
    lines.append(
        f"{'model':20}  {'error':>8}  {'accuracy, %':>12}  {'of draws':>8}  epochs  CPU, s"
    )
    lines.append(ruler)
    for name, row in results.items():
        accuracy = f"{100 * row['accuracy']:.1f} ± {100 * row['accuracy_std']:.1f}"
        drawn = f"{100 * row['accuracy_of_draws']:.1f}" if "accuracy_of_draws" in row else ""
        lines.append(
            f"{name:20}  {row['error']:8.5f}  {accuracy:>12}  {drawn:>8}  {row['epochs']:6}  "
            f"{row['cpu_seconds']:7.0f}"
        )
    return "\n".join([*lines, ruler, ""])


def draw(codes, labels, results, path):
    """Draw the codes of each model in the plane, by t-SNE, with a colour for each label."""
    fig, axes = plt.subplots(3, 3, figsize=(9, 9), layout="constrained")
    for ax, (name, rows) in zip(axes.flat, codes.items(), strict=True):
        scaled = StandardScaler().fit_transform(rows)
        plane = TSNE(random_state=0).fit_transform(scaled)
        points = ax.scatter(*plane.T, c=labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=3, lw=0)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{name}: {results[name]['accuracy']:.0%}", fontsize=10)
    fig.colorbar(points, ax=axes, ticks=range(10), label="label", shrink=0.7)
    fig.savefig(path, dpi=90)


def earlier(path, protocol):
    """Return what the file has of the same protocol."""
    record = json.loads(path.read_text()) if path.exists() else {}
    return record["results"] if record.get("protocol") == protocol else {}


def main():
    args = parse()
    torch.set_num_threads(1)
    train, test = (
        fetch_mnist_quadrants(1, subset=name, data_home=args.data) for name in ("train", "test")
    )
    train, test = [(part.images, part.labels.astype(int)) for part in (train, test)]
    train = train[0][: args.digits], train[1][: args.digits]
    stem, every, codes = args.out / "autoencoders", models(args), {}
    settings = ("digits", "units", "epochs", "lr", "seed", "shown")
    protocol = {name: getattr(args, name) for name in settings}
    title = (
        f"MNIST, {args.digits} digits, layers of {args.units} units, {N_CODES} codes, at most "
        f"{args.epochs} epochs, lr {args.lr}, seed {args.seed};\nmean squared error of a pixel "
        "and accuracy with 1,000 labels on the 10,000 test digits."
    )
    args.out.mkdir(exist_ok=True)
    for name in args.models or every:
        found, codes[name] = measured(every[name], train, test)
        codes[name] = codes[name][: args.shown]
        if args.cache is not None:
            np.save(args.cache / f"{name}.npy", codes[name])
        results = {**earlier(stem.with_suffix(".json"), protocol), name: found}
        results = {name: results[name] for name in every if name in results}
        record = {"results": results, "protocol": protocol, "kinds": KINDS}
        write(stem.with_suffix(".json"), record, table(results, title))
    if args.cache is not None:
        paths = {name: args.cache / f"{name}.npy" for name in every}
        codes = {name: np.load(path) for name, path in paths.items() if path.exists()}
    codes = {name: rows for name, rows in codes.items() if name not in BETAS}
    if codes.keys() | BETAS.keys() == results.keys() == every.keys():
        draw(codes, test[1][: args.shown], results, stem.with_suffix(".png"))


if __name__ == "__main__":
    main()
