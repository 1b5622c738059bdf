"""Small images, few rows: convolutions with and without linear features, beside ridge and an MLP.

    OMP_NUM_THREADS=1 python benchmarks/small_images.py

CVAERegressor with its defaults; nats per output of test rows, higher is better. Ridge has the
covariance of its left-out residuals, as in `skcvae.least_squares`.

digits     the lower half of a handwritten digit, 4 x 8, given the upper one, with noise of 0.02.
denoise    a smooth random field, 16 x 16, given the field with noise of half its scale.
inpaint    a smoother one, given all but the middle 8 x 8.
field      five fields, weighed by the five numbers that are given, and a field of their noise.
numbers    three weighted sums of the pixels of a field, with noise.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from record import standard_error, write_by_seed
from scipy.ndimage import gaussian_filter
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits

from skcvae import CVAERegressor, least_squares
from skcvae.architectures import Conv

SIDE, N_TEST = 16, 400
NETWORKS = {"mlp": "mlp", "conv alone": Conv(linear_features=False), "conv": "conv"}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def fields(rng, n_rows, width):
    """Return smooth random fields of variance one."""
    noise = rng.normal(size=(n_rows, SIDE, SIDE))
    smooth = gaussian_filter(noise, (0, width, width), mode="wrap")
    return smooth / smooth.std()


def digits(rng, n_rows):
    images = rng.permutation(load_digits().images / 16)[:n_rows]
    images = images + 0.02 * rng.normal(size=images.shape)
    return images[:, :4], images[:, 4:]


def denoise(rng, n_rows):
    y = fields(rng, n_rows, 1.5)
    return y + 0.5 * rng.normal(size=y.shape), y + 0.05 * rng.normal(size=y.shape)


def inpaint(rng, n_rows):
    y = fields(rng, n_rows, 2.5)
    x = y.copy()
    x[:, 4:12, 4:12] = 0
    return x, y + 0.05 * rng.normal(size=y.shape)


def field(rng, n_rows):
    x, noise = rng.normal(size=(n_rows, 5)), rng.normal(size=(n_rows, SIDE, SIDE))
    y = np.tensordot(x, fields(rng, 5, 2), 1) + 0.3 * fields(rng, n_rows, 2)
    return x, y + 0.1 * noise


def numbers(rng, n_rows):
    x = fields(rng, n_rows, 1.5)
    weights = rng.normal(size=(SIDE**2, 3)) / SIDE
    return x, x.reshape(n_rows, -1) @ weights + 0.2 * rng.normal(size=(n_rows, 3))


KINDS = {kind.__name__: kind for kind in (digits, denoise, inpaint, field, numbers)}
CASES = [f"{kind} {n_rows}" for kind in KINDS for n_rows in (100, 400)]


def ridge(X, y, X_test, y_test):
    """Return the mean log-likelihood of the linear model of standardised outputs."""
    X, y, X_test, y_test = (part.reshape(len(part), -1) for part in (X, y, X_test, y_test))
    scale = y.std(0)
    y, y_test = y / scale, y_test / scale
    model = least_squares.fit(X, y)
    error = y_test - X_test @ model.coef.numpy().T - model.intercept.numpy()
    noise = multivariate_normal(cov=model.covariance.numpy())
    return noise.logpdf(error).mean() - np.log(scale).sum()


def measured(case, seed):
    """Return the scores of one case, and the seconds of the fits."""
    kind, n_rows = case.split()
    X, y = KINDS[kind](np.random.default_rng(seed), int(n_rows) + N_TEST)
    train, test = slice(int(n_rows)), slice(int(n_rows), None)
    found = {"ridge": ridge(X[train], y[train], X[test], y[test]) / y[0].size}
    for name, architecture in NETWORKS.items():
        est, start = CVAERegressor(architecture=architecture, random_state=seed), time.time()
        est.fit(X[train], y[train])
        found[f"{name}, seconds"] = time.time() - start
        found[name] = est.score(X[test], y[test]) / y[0].size
    return found


def table(record):
    names = ["ridge", *NETWORKS]
    lines = [f"{'':12s}" + "".join(f"{name:>15s}" for name in names) + f"{'seconds':>15s}"]
    for case, seeds in record.items():
        line = f"{case:12s}"
        for name in names:
            values = [found[name] for found in seeds.values()]
            line += f"{np.mean(values):9.2f} {standard_error(values):5.2f}"
        for name in NETWORKS:
            line += f"{np.mean([found[f'{name}, seconds'] for found in seeds.values()]):5.0f}"
        lines.append(line)
    lines.append("mean and standard error over seeds, nats per output; seconds of the three fits")
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    warnings.simplefilter("ignore")  # of few rows
    write_by_seed(args.out / "small_images.json", args.cases, args.seeds, measured, table)


if __name__ == "__main__":
    main()
