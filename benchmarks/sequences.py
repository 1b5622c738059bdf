"""Sequences: temporal convolutions beside an MLP of the same numbers, flat, and beside ridge.

    python benchmarks/sequences.py

CVAERegressor with its defaults and at most 40 epochs on series made anew for each seed; nats per
row of test rows, higher is better. Ridge has the full covariance of its residuals. Windows are
split in the order of time, with no hour on both sides of a cut.

wind            24 hours of wind, power and time of day, to wind and power of the next 12; wind
                changes between calm and storm at random hours.
autoregression  24 values of a linear autoregressive series, to the next 12: ridge is right.
response        48 values, to the 48 responses at the same times, a sum over the last twelve
                values, with noise; 300 sequences.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from record import standard_error, write_by_seed
from scipy.signal import lfilter
from scipy.stats import multivariate_normal
from sklearn.linear_model import RidgeCV

from skcvae import CVAERegressor

PAST, AHEAD, STEP, N_HOURS = 24, 12, 3, 6000


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def windows(series, n_outputs):
    """Return windows of a series, the first channels of which are outputs, and a split in time."""
    start = np.arange(PAST, N_HOURS - AHEAD, STEP)
    X = np.stack([series[t - PAST : t] for t in start])
    y = np.stack([series[t : t + AHEAD, :n_outputs] for t in start])
    gap = -(-(PAST + AHEAD) // STEP)
    first, second = int(0.7 * len(X)), int(0.85 * len(X))
    return X, y, (slice(first - gap), slice(first, second - gap), slice(second, None))


def wind(rng):
    hour = 2 * np.pi * np.arange(N_HOURS) / 24
    storm = np.cumsum(rng.random(N_HOURS) < 0.04) % 2
    gust = lfilter([1], [1, -0.8], rng.normal(0, 0.6, N_HOURS))
    speed = 4 + 6 * storm + np.sin(hour) + gust
    power = np.clip(speed / 12, 0, 1) ** 3 + rng.normal(0, 0.02, N_HOURS)
    return windows(np.stack([speed, power, np.sin(hour), np.cos(hour)], axis=1), 2)


def autoregression(rng):
    return windows(lfilter([1], [1, -1.6, 0.8], rng.normal(size=N_HOURS))[:, None], 1)


def response(rng):
    X = rng.normal(size=(1300, 48))
    y = lfilter(0.7 ** np.arange(12), 1, np.abs(X)) + 0.2 * rng.normal(size=X.shape)
    return X[..., None], y[..., None], (slice(250), slice(250, 300), slice(300, None))


CASES = {"wind": wind, "autoregression": autoregression, "response": response}


def measured(case, seed):
    """Return the scores of one case, and the seconds of the fits."""
    X, y, (train, valid, test) = CASES[case](np.random.default_rng(seed))
    flat_X, flat_y = X.reshape(len(X), -1), y.reshape(len(y), -1)
    ridge = RidgeCV(np.logspace(-3, 5, 17)).fit(flat_X[train], flat_y[train])
    train_error, error = (flat_y[rows] - ridge.predict(flat_X[rows]) for rows in (train, test))
    found = {"ridge": multivariate_normal.logpdf(error, cov=np.cov(train_error.T)).mean()}
    for name, inputs, outputs in (("mlp", flat_X, flat_y), ("temporal", X, y)):
        est = CVAERegressor(architecture=name, max_epochs=40, random_state=seed)
        start = time.time()
        est.fit(inputs[train], outputs[train], X_val=inputs[valid], y_val=outputs[valid])
        found[f"{name}, seconds"] = time.time() - start
        found[name] = est.score(inputs[test], outputs[test])
    return found


def table(record):
    lines = [f"{'':16s}{'ridge':>14s}{'mlp':>16s}{'temporal':>16s}{'seconds':>14s}"]
    for case, seeds in record.items():
        line = f"{case:16s}"
        for name in ("ridge", "mlp", "temporal"):
            values = [found[name] for found in seeds.values()]
            error = standard_error(values)
            line += f"{np.mean(values):9.2f} {error:5.2f}"
        for name in ("mlp", "temporal"):
            line += f"{np.mean([found[f'{name}, seconds'] for found in seeds.values()]):7.0f}"
        lines.append(line)
    lines.append(
        "mean and standard error over seeds, nats per row; seconds of a fit: mlp, temporal"
    )
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    write_by_seed(args.out / "sequences.json", args.cases, args.seeds, measured, table)


if __name__ == "__main__":
    main()
