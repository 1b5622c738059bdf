"""Colours of faces given their lightness: distinct answers, and what each loss does to them.

    python benchmarks/colorization.py --data FOLDER
    python benchmarks/colorization.py --data FOLDER --faces lfw --side 64 \\
        --rows 1000 150 200 --epochs 12

CelebA faces of 32 x 32 pixels, ``celeba/celeba_10k_32.npz`` in FOLDER, in random order: the first
to learn from, then those to stop early by, then those to test on. Or LFW faces of 64 x 64 pixels,
``lfw_parts/lfw_parts_64.npz``, as many of each part of the published split. Images are averaged
over blocks where ``--side`` is less than theirs. X is L* of CIE L*a*b*, y are a* and b*. A
deterministic network, a CVAE with its default prior and with N(0, I), and a CVAE with a mixture of
eight components of one fixed scale as the prior, with each loss as its likelihood: the squared
error, the Mahalanobis distance in 20 principal components, and all terms with weights by rarity.
The latent variables are a vector.

Errors are root mean squared ones over pixels and both channels, in units of a* and b*. The best
of S answers is the one nearest to the truth, image by image. Answers are E[y|x,z] for draws of z;
with the mixture, first at its modes, in the order of their weights, and then for draws. The error
of the mean is that of the mean of 100 draws. The variance is that over the first 8 answers,
averaged over pixels, channels and images. With ``--fits`` fitted models are kept in a folder, and
those that are there are not fitted again.
"""

import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from record import write

import skcvae
from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.architectures import Conv
from skcvae.datasets import join_colors, split_colors
from skcvae.likelihoods import ColorField, Gaussian
from skcvae.priors import Mixture

PRIOR = Mixture(n_components=8, scale=0.5)
MODELS = {
    "deterministic": (NNRegressor, {}),
    "CVAE": (CVAERegressor, {}),
    "CVAE, N(0, I)": (CVAERegressor, {"prior": "standard"}),
    "mixture, L2": (CVAERegressor, {"prior": PRIOR, "likelihood": Gaussian()}),
    "mixture, Mahalanobis": (
        CVAERegressor,
        {"prior": PRIOR, "likelihood": ColorField(l2=0, gradient=0)},
    ),
    "mixture, all terms": (CVAERegressor, {"prior": PRIOR, "likelihood": ColorField()}),
}
FACES = {"celeba": "CelebA", "lfw": "LFW"}
BEST_OF = (1, 8, 100)
N_DRAWS = max(BEST_OF)
SHOWN_ROWS, SHOWN_MODES = 4, 5
TITLES = (*(f"best/{s}" for s in BEST_OF), "mean", "variance", "-CLL")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--faces", default="celeba", choices=("celeba", "lfw"))
    parser.add_argument("--side", type=int, default=32, choices=(8, 16, 32, 64))
    parser.add_argument("--rows", type=int, nargs=3, default=(2000, 200, 300))
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--latent-dim", type=int, default=16)
    parser.add_argument("--samples", type=int, default=100, help="S of the log-likelihood")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--fits", type=Path, help="folder of fitted models")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def celeba(args):
    """Return the images to learn from, to stop by and to test on."""
    images = np.load(args.data / "celeba" / "celeba_10k_32.npz")["image"]
    order = np.random.default_rng(0).permutation(len(images))[: sum(args.rows)]
    return np.split(images[order], np.cumsum(args.rows)[:-1])


def lfw(args):
    """Return the same of the parts of the published split."""
    data, rng = np.load(args.data / "lfw_parts" / "lfw_parts_64.npz"), np.random.default_rng(0)
    parts = (rng.permutation(np.flatnonzero(data["split"] == part)) for part in range(3))
    return [data["image"][rows[:n]] for rows, n in zip(parts, args.rows, strict=True)]


def colors(images, side):
    """Return lightness and colours of images, averaged over blocks."""
    block = images.shape[1] // side
    shape = (len(images), side, block, side, block, 3)
    return split_colors(images.reshape(shape).mean(axis=(2, 4)) / 255)


def answers(est, X, seed):
    """Return E[y|x,z] for draws of z, (n_draws, n, 2, h, w), and the same with modes first."""
    if isinstance(est, NNRegressor):
        return est.predict(X)[None], est.predict(X)[None]
    drawn = est.sample(X, N_DRAWS, random_state=seed, observation_noise=False)
    if not isinstance(est.prior, Mixture):
        return drawn, drawn
    modes = est.predict_modes(X)
    return drawn, np.concatenate([modes, drawn[len(modes) :]])


def evaluate(est, X, y, args):
    drawn, ordered = answers(est, X, args.seed)
    each = np.mean(np.square(ordered - y), axis=(2, 3, 4))  # answer, image
    with warnings.catch_warnings():  # a small effective sample size is in the table
        warnings.simplefilter("ignore", UserWarning)
        log_p, ess = est.log_prob(X, y, n_samples=args.samples, return_ess=True)
    row = {f"best of {s}": float(np.sqrt(each[:s].min(0).mean())) for s in BEST_OF}
    return {
        **row,
        "mean": float(np.sqrt(np.square(drawn.mean(0) - y).mean())),
        "variance": float(ordered[:8].var(0).mean()),
        "variance_of_draws": float(drawn.var(0).mean()),
        "negative_cll_per_pixel": float(-log_p.mean() / X[0].size),
        "median_ess": float(np.median(ess)),
        "best_epoch": [row["epoch"] for row in est.history_ if row["valid_cll_best"]][-1],
        "fit_seconds": round(sum(row["dur"] for row in est.history_)),
    }


def fit(name, train, validation, args):
    estimator, params = MODELS[name]
    latent = {} if estimator is NNRegressor else {"latent_dim": args.latent_dim}
    est = estimator(
        architecture=Conv(channels=(8, 16, *[32] * (args.side.bit_length() - 2))),
        max_epochs=args.epochs,
        batch_size=64,
        lr=2e-3,
        random_state=args.seed,
        device="cpu",
        training=Training(lr_schedule="one_cycle"),
        **latent,
        **params,
    )
    return est.fit(*train, X_val=validation[0], y_val=validation[1])


def fitted(name, train, validation, args):
    """Return a fitted model, that in the folder of fits where there is one."""
    if args.fits is None:
        return fit(name, train, validation, args)
    path = args.fits / f"{name.replace(', ', '_').replace(' ', '_')}.skcvae"
    if not path.exists():
        args.fits.mkdir(exist_ok=True)
        fit(name, train, validation, args).save(path)
    return skcvae.load(path)


def table(rows, args):
    bar = "  ".join(["=" * 20, *["=" * 8] * 6, "=" * 10])
    lines = [
        f"{FACES[args.faces]}, {args.side} x {args.side}: a* and b* given L*; "
        f"{args.rows[0]} / {args.rows[1]} / {args.rows[2]} rows to learn from, stop by, test on,",
        f"at most {args.epochs} epochs, seed {args.seed}. RMSE in units of a* and b*; variance in "
        "their squares;",
        f"-CLL in nats per pixel, S = {args.samples}.",
        "",
        bar,
        f"{'model':20}  " + "  ".join(f"{title:8}" for title in TITLES) + "     seconds",
        bar,
    ]
    for name, row in rows.items():
        numbers = [row[f"best of {s}"] for s in BEST_OF]
        numbers += [row[key] for key in ("mean", "variance", "negative_cll_per_pixel")]
        lines.append(
            f"{name:20}  "
            + "  ".join(f"{number:8.3f}" for number in numbers)
            + f"  {row['fit_seconds']:10.0f}"
        )
    return "\n".join([*lines, bar, ""])


def panels(shown, X, y, path):
    """Draw the modes of each model, and the truth, for some rows."""
    width = SHOWN_MODES * len(shown) + 2
    figure, axes = plt.subplots(
        len(X), width, figsize=(0.55 * width, 0.62 * len(X)), layout="constrained"
    )
    for row, line in enumerate(axes):
        pictures = [join_colors(X[row], 0 * y[row])]
        pictures += [join_colors(X[row], mode) for part in shown.values() for mode in part[:, row]]
        pictures.append(join_colors(X[row], y[row]))
        for ax, picture in zip(line, pictures, strict=True):
            ax.imshow(picture)
            ax.set_axis_off()
    for i, name in enumerate(shown):
        axes[0, 1 + SHOWN_MODES * i].set_title(name, fontsize=7, loc="left")
    axes[0, 0].set_title("given", fontsize=7)
    axes[0, -1].set_title("truth", fontsize=7)
    figure.savefig(path, dpi=160)


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    parts = {"celeba": celeba, "lfw": lfw}[args.faces](args)
    train, validation, (X, y) = (colors(images, args.side) for images in parts)
    rows, shown = {}, {}
    for name in args.models:
        est = fitted(name, train, validation, args)
        rows[name] = evaluate(est, X, y, args)
        print(name, rows[name], flush=True)
        if isinstance(getattr(est, "prior", None), Mixture):
            shown[name] = est.predict_modes(X[:SHOWN_ROWS], SHOWN_MODES)
    args.out.mkdir(exist_ok=True)
    stem = f"colorization_{args.faces}_{args.side}"
    if shown:
        panels(shown, X[:SHOWN_ROWS], y[:SHOWN_ROWS], args.out / f"{stem}.png")
    protocol = {**vars(args), "data": None, "fits": None, "out": None}
    record = {"rows": rows, "protocol": protocol}
    write(args.out / f"{stem}.json", record, table(rows, args))


if __name__ == "__main__":
    main()
