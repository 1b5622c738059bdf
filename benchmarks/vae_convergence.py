"""How fast a CVAE converges, beside a VAE of the same pixels.

    OMP_NUM_THREADS=1 python benchmarks/vae_convergence.py --data-home FOLDER --threads 1

Two pairs on MNIST, each with one y: all pixels, alone (VAE) or given the label (CVAE); and three
quadrants of each image, alone or given the fourth. Writes a table of the negative log-likelihood
per epoch on validation images, importance sampled with ten draws, and a figure: those curves, and
what the models make after epochs 1 and 20, draws of z shown as pixel probabilities. Grey pixels
in [0, 1] scored by the Bernoulli cross-entropy; `--rows` of the 50,000 training images, all 10,000
validation images; one seed; two layers of `--units` units; prior N(0, I), so that the pair differs
in what is given alone.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from record import write
from sklearn.preprocessing import LabelBinarizer

from skcvae import VAE, CVAERegressor, Training
from skcvae.architectures import MLP
from skcvae.datasets import fetch_mnist_quadrants

SHOWN = (1, 20)  # epochs
N_IMAGES = 10


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--latent", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def load(args):
    """Return images and labels to train on, then to validate on, and how quadrants are joined."""
    parts = [
        fetch_mnist_quadrants(1, subset=subset, data_home=args.data_home)
        for subset in ("train", "validation")
    ]
    return *((part.images[: args.rows], part.labels[: args.rows]) for part in parts), parts[0].task


def pairs(data, task):
    """Return for each pair the arrays X and y, to train on and to validate on."""
    code = LabelBinarizer().fit(data[0][1])
    given_label, given_quadrant = [], []
    for images, labels in data:
        given_label += [code.transform(labels).astype(float), images.reshape(len(images), -1)]
        given_quadrant += task.split(images)
    return {"label": given_label, "quadrant": given_quadrant}


def fits(arrays, n_epochs, args):
    """Return the fitted VAE of y and CVAE of y given x."""
    X, y, X_val, y_val = arrays
    params = {
        "architecture": MLP((args.units, args.units)),
        "likelihood": "bernoulli",
        "prior": "standard",
        "lr": 1e-3,
        "batch_size": 128,
        "max_epochs": n_epochs,
        "training": Training(patience=n_epochs),
        "device": "cpu",
        "random_state": args.seed,
    }
    vae = VAE(args.latent, **params).fit(y, X_val=y_val)
    cvae = CVAERegressor(latent_dim=args.latent, **params)
    return vae, cvae.fit(X, y, X_val=X_val, y_val=y_val)


def drawn(vae, cvae, X, seed):
    """Return draws of pixel probabilities, alone and given ten rows of X."""
    return (
        vae.sample(N_IMAGES, random_state=seed, observation_noise=False),
        cvae.sample(X, random_state=seed, observation_noise=False)[0],
    )


def table(curves, args):
    ruler = "  ".join(["=" * 5, *["=" * 10] * 4])
    lines = [
        f"MNIST, grey pixels, {args.rows} images to train on, two layers of {args.units} units,",
        f"{args.latent} latents, seed {args.seed}: negative log-likelihood of the validation",
        "images after each epoch, nats per image. Left all pixels, right three quadrants.",
        "",
        ruler,
        f"{'epoch':5}  {'VAE':>10}  {'CVAE label':>10}  {'VAE':>10}  {'CVAE quad.':>10}",
        ruler,
    ]
    for epoch, row in enumerate(zip(*curves.values(), strict=True), 1):
        if epoch <= 5 or epoch % 5 == 0:
            lines.append(f"{epoch:5}  " + "  ".join(f"{value:10.2f}" for value in row))
    return "\n".join([*lines, ruler, ""])


def draw(curves, pictures, path):
    fig = plt.figure(figsize=(10, 6), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=(1, 2))
    for ax, given in zip(left.subplots(2, 1), ("label", "quadrant"), strict=True):
        for name in ("VAE", f"CVAE given the {given}"):
            epochs = np.arange(1, SHOWN[-1] + 1)
            ax.plot(epochs, curves[f"{given} {name.split()[0]}"], label=name, marker=".")
        ax.set(xlabel="epoch", ylabel="negative log-likelihood, nats", xticks=(1, 5, 10, 15, 20))
        ax.legend(frameon=False)
    axes = right.subplots(4, 2)
    for row, (name, by_epoch) in zip(axes, pictures.items(), strict=True):
        for ax, epoch in zip(row, SHOWN, strict=True):
            rows = np.vstack([np.hstack(part) for part in np.split(by_epoch[epoch], 2)])
            ax.imshow(rows, cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"{name}, epoch {epoch}", fontsize=9)
    fig.savefig(path, dpi=110)


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    *data, task = load(args)
    curves, pictures = {}, {}
    for given, arrays in pairs(data, task).items():
        shown = np.eye(10) if given == "label" else arrays[2][:N_IMAGES]
        # The hidden quadrants of the VAE's draws stand alone: the quadrant that is given is blank.
        blank = np.zeros_like(arrays[2][:N_IMAGES])
        for epoch in SHOWN:
            models = fits(arrays, epoch, args)
            for name, est, rows in zip(
                ("VAE", "CVAE"), models, drawn(*models, shown, args.seed), strict=True
            ):
                curves[f"{given} {name}"] = [-cll for cll in est.history_[:, "valid_cll"]]
                if given == "quadrant":
                    images = task.join(blank if name == "VAE" else shown, rows)
                else:
                    images = rows.reshape(-1, 28, 28)
                what = {"VAE": "VAE of {} pixels", "CVAE": "CVAE given the {1}"}[name]
                title = what.format("all" if given == "label" else "hidden", given)
                pictures.setdefault(title, {})[epoch] = images
    path = args.out / "vae_convergence.json"
    protocol = {**vars(args), "out": None, "data_home": None}
    write(path, {"curves": curves, "protocol": protocol}, table(curves, args))
    draw(curves, pictures, path.with_suffix(".png"))


if __name__ == "__main__":
    main()
