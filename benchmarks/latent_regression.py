"""Regression in latent space beside the CVAE: a film, rotated digits, motion.

    python benchmarks/latent_regression.py --data FOLDER [--sets frey mocap digits]

FOLDER holds ``frey/frey_faces.npz`` (1,965 frames 28 x 20), ``mocap/mocap_cmu_30hz.npz`` (CMU
motion capture at 30 Hz) and ``mnist/`` (the original files). Frey faces: x is the number of the
frame, every third frame is held out. Motion: the ten longest trials, x is the time in the trial
and, one-hot, which trial; a random third of the inner frames is held out, y are the channels that
vary. Digits: 200 threes at 16 angles, x is the angle, as cosine and sine, and eight principal
components of the upright digit; one angle is held out, and with it 200 images.

Both models have the same networks, likelihood (Gaussian, of motion Student's t) and latent
variables; the CVAE has as many epochs
as both stages of the process together. The error is the mean squared one of the mean of draws,
of motion in units of the standard deviation of each channel; intervals are central 90 % ones.
"""

import argparse
import gzip
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from record import write
from scipy.ndimage import rotate
from sklearn.decomposition import PCA
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from skcvae import CVAERegressor
from skcvae.architectures import MLP
from skcvae.likelihoods import Gaussian, StudentT
from skcvae.priors import GaussianProcess

EPOCHS = {"frey": 30, "mocap": 100, "digits": 15}  # of each stage
KERNELS = {  # columns of x of two kinds need a length each
    "digits": 1.0 * RBF(np.ones(10), (1e-1, 1e3)) + WhiteKernel(0.1),
}
# Chosen by the validation score: -61.3 nats, and -64.7 for the Gaussian.
LIKELIHOODS = {"mocap": StudentT(init_scale=0.1)}
STRIP = slice(630, 646)  # frames of the film strip


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=[*EPOCHS], choices=[*EPOCHS])
    parser.add_argument("--samples", type=int, default=200, help="draws of means and intervals")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def frey(folder, rng):
    y = np.load(folder / "frey" / "frey_faces.npz")["image"].reshape(1965, -1) / 255
    frame = np.arange(1965)
    return frame[:, None].astype(float), y, frame % 3 == 1, 1.0


def mocap(folder, rng, n_trials=10):
    data = np.load(folder / "mocap" / "mocap_cmu_30hz.npz")
    trials, counts = np.unique(data["trial"], return_counts=True)
    X, y, held_out = [], [], []
    for i, trial in enumerate(trials[np.argsort(-counts, kind="stable")[:n_trials]]):
        rows = data["trial"] == trial
        n = rows.sum()
        X.append(np.c_[np.arange(n) / 30, np.tile(np.eye(n_trials)[i], (n, 1))])
        y.append(data["pose"][rows].astype(float))
        held_out.append(np.isin(np.arange(n), 1 + rng.permutation(n - 2)[: n // 3]))
    X, y, held_out = map(np.concatenate, (X, y, held_out))
    y = y[:, y.std(0) > 1e-3]
    return X, y, held_out, y.std(0)


def digits(folder, rng, n_digits=200, n_angles=16, n_code=8):
    paths = [
        folder / "mnist" / f"train-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")
    ]
    images, labels = (
        np.frombuffer(gzip.open(path).read()[skipped:], np.uint8)
        for path, skipped in zip(paths, (16, 8), strict=True)
    )
    threes = images.reshape(-1, 28, 28)[labels == 3][:n_digits] / 255
    degrees = np.arange(n_angles) * 360 / n_angles
    y = np.stack([rotate(threes, angle, axes=(2, 1), reshape=False, order=1) for angle in degrees])
    code = PCA(n_code, random_state=0).fit_transform(threes.reshape(n_digits, -1))
    angle = np.deg2rad(degrees)
    turn = np.repeat(np.c_[np.cos(angle), np.sin(angle)], n_digits, axis=0)
    held_out = np.repeat(np.arange(n_angles) == 5, n_digits)
    return np.c_[turn, np.tile(code, (n_angles, 1))], y.reshape(len(turn), -1), held_out, 1.0


READ = {"frey": frey, "mocap": mocap, "digits": digits}


def estimators(name, args):
    shared = CVAERegressor(
        architecture=MLP((128, 128)),
        likelihood=LIKELIHOODS.get(name, Gaussian(init_scale=0.1)),
        latent_dim=16,
        max_epochs=2 * EPOCHS[name],
        random_state=args.seed,
        device="cpu",
    )
    process = CVAERegressor(**shared.get_params(deep=False)).set_params(
        prior=GaussianProcess(KERNELS.get(name)), objective="hybrid", max_epochs=EPOCHS[name]
    )
    return {"CVAE": shared, "Gaussian process": process}


def measured(est, X, y, held_out, unit, args):
    start = time.process_time()
    est.fit(X[~held_out], y[~held_out])
    seconds = time.process_time() - start
    X, y = X[held_out], y[held_out]
    mean, std = est.predict(X, return_std=True)
    low, high = np.moveaxis(est.predict_interval(X, n_samples=args.samples), -1, 0)
    with warnings.catch_warnings():  # a small effective sample size does not bear on the error
        warnings.simplefilter("ignore", UserWarning)
        score = est.score(X, y)
    return {
        "error": float(np.mean(((mean - y) / unit) ** 2)),
        "error_at_mean_code": float(
            np.mean(((est.predict(X, method="latent_mean") - y) / unit) ** 2)
        ),
        "coverage": float(np.mean((low <= y) & (y <= high))),
        "score": score,
        "mean_std": float(np.mean(std / unit)),
        "epochs": len(est.history_),
        "fit_cpu_seconds": round(seconds, 1),
        "prior": str(est.prior_),
    }


def interpolated(y, held_out):
    """Return the held-out rows of a film, interpolated between the frames beside them."""
    t = np.arange(len(y))
    parts = [np.interp(t[held_out], t[~held_out], column[~held_out]) for column in y.T]
    return float(np.mean((np.transpose(parts) - y[held_out]) ** 2))


def strip(models, X, y, path):
    """Draw held-out frames between their neighbours: truth, and what each model makes of x."""
    rows = {"truth": y[STRIP]}
    for name, est in models.items():
        rows[name] = est.predict(X[STRIP])
    rows["standard deviation"] = models["Gaussian process"].predict(X[STRIP], return_std=True)[1]
    figure, axes = plt.subplots(len(rows), len(y[STRIP]), figsize=(14, 5.2))
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        top = images.max() if name == "standard deviation" else 1
        for ax, image, frame in zip(line, images, range(STRIP.start, STRIP.stop), strict=True):
            ax.imshow(image.reshape(28, 20), cmap="gray", vmin=0, vmax=top)
            ax.set(xticks=[], yticks=[])
            held_out = frame % 3 == 1
            ax.spines[:].set(color="C3" if held_out else "white", linewidth=2)
        line[0].set_ylabel(name, fontsize=8)
    figure.suptitle("Frames with a red border were held out")
    figure.savefig(path, dpi=80, bbox_inches="tight")


def table(name, rows, args):
    bar = f"{'=' * 16}  {'=' * 8}  {'=' * 8}  {'=' * 8}  {'=' * 7}"
    lines = [
        f"{name}: held-out rows, seed {args.seed}, {args.samples} draws. Error: mean squared",
        "error of the mean of draws; coverage of 90 % intervals; CPU seconds of one core.",
        "",
        bar,
        "model             error     ratio     coverage  seconds",
        bar,
    ]
    for model, row in rows.items():
        line = f"{model:16}  {row['error']:.6f}  {row['error'] / rows['CVAE']['error']:8.3f}"
        if "coverage" in row:
            line += f"  {row['coverage']:8.3f}  {row['fit_cpu_seconds']:7.1f}"
        lines.append(line)
    return "\n".join([*lines, bar, ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    args.out.mkdir(exist_ok=True)
    for name in args.sets:
        X, y, held_out, unit = READ[name](args.data, np.random.default_rng(args.seed))
        models, rows = estimators(name, args), {}
        for model, est in models.items():
            rows[model] = measured(est, X, y, held_out, unit, args)
            print(name, model, rows[model], flush=True)
        if name == "frey":
            rows["interpolation"] = {"error": interpolated(y, held_out)}
            strip(models, X, y, args.out / "latent_regression_frey.png")
        protocol = {**vars(args), "data": None, "out": None, "epochs_of_a_stage": EPOCHS[name]}
        path = args.out / f"latent_regression_{name}.json"
        write(path, {"rows": rows, "protocol": protocol}, table(name, rows, args))


if __name__ == "__main__":
    main()
