"""What to hold out: rows at random, or whole groups, one copy of a row, the last rows of a series.

    python benchmarks/hold_out.py

Three tables whose rows belong together, made anew for each seed, and the defaults of an estimator
with the rows to validate on chosen row by row at random, a tenth, or as the rows belong together.
Test rows are later windows, new subjects, or new rows. Beside them linear regression, with the
covariance of its residuals as Gaussian noise.

series    Hours of a demand with daily and weekly cycles and autoregressive noise, eight weeks:
          windows of 48 hours, which overlap, to the next 12; CVAERegressor. Measured is the share
          of the windows of the eight weeks after whose total lies within its 90 % interval, from
          the quantiles of 200 draws. The last fifth of the rows is held out.
subjects  30 subjects with 20 visits: six numbers of a subject, to two outcomes of a visit;
          CVAERegressor. Nats per visit of 300 new subjects. Three subjects are held out, which
          are a tenth, or nine.
copies    The same 100 rows three times over; NNRegressor. Nats per new row. The default, which
          holds out a tenth of the rows with all of their copies.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from record import standard_error, write_by_seed
from scipy.stats import multivariate_normal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit

from skcvae import CVAERegressor, NNRegressor

ROW_BY_ROW = ShuffleSplit(test_size=0.1)
N_PAST, N_NEXT = 48, 12
N_WINDOWS = 24 * 7 * 8
ESTIMATORS = {"series": CVAERegressor, "subjects": CVAERegressor, "copies": NNRegressor}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=ESTIMATORS, default=[*ESTIMATORS])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def series(rng):
    """Return windows to train on, and windows to test on that have no hour in common."""
    n_past_and_next = N_PAST + N_NEXT
    hours = np.arange(2 * (N_WINDOWS + n_past_and_next))
    day, week = 2 * np.pi * hours / 24, 2 * np.pi * hours / 168
    noise = np.zeros(len(hours))
    for hour in hours[1:]:
        noise[hour] = 0.9 * noise[hour - 1] + rng.normal(scale=0.5)
    demand = 3 * np.sin(day) + np.sin(2 * day + 1) + 1.5 * np.sin(week) + noise
    windows = np.lib.stride_tricks.sliding_window_view(demand, n_past_and_next)
    parts = windows[:N_WINDOWS], windows[-N_WINDOWS:]
    (X, y), (X_test, y_test) = ((part[:, :N_PAST], part[:, N_PAST:]) for part in parts)
    return X, y, X_test, y_test, {"last fifth": ({"validation": N_WINDOWS // 5}, {})}


def subjects(rng):
    """Return the visits of 30 subjects to train on, and of 300 others to test on."""
    subject = np.repeat(np.arange(330), 20)
    X, effect = rng.normal(size=(330, 6)), rng.normal(scale=0.5, size=(330, 2))
    y = (X @ rng.normal(size=(6, 2)) / 2 + effect)[subject]
    X, y = X[subject], y + rng.normal(scale=0.2, size=y.shape)
    is_new = subject >= 30
    groups = {"groups": subject[~is_new]}
    ways = {"groups": ({}, groups), "groups, 0.3": ({"validation_fraction": 0.3}, groups)}
    return X[~is_new], y[~is_new], X[is_new], y[is_new], ways


def copies(rng):
    """Return 100 rows three times over to train on, and 2,000 others to test on."""
    X = rng.normal(size=(2100, 4))
    y = X @ rng.normal(size=4) / 2 + rng.normal(scale=0.5, size=2100)
    return np.tile(X[:100], (3, 1)), np.tile(y[:100], 3), X[100:], y[100:], {"default": ({}, {})}


TABLES = {"series": series, "subjects": subjects, "copies": copies}


def of_estimator(est, case, X, y):
    """Return the coverage of the interval of the total, or the score."""
    if case != "series":
        return est.score(X, y)
    total = est.sample(X, n_samples=200, random_state=0).sum(axis=2)
    low, high = np.quantile(total, [0.05, 0.95], axis=0)
    return float(((low < y.sum(axis=1)) & (y.sum(axis=1) < high)).mean())


def of_linear_regression(case, X, y, X_test, y_test):
    """Return the same of least squares."""
    regressor = LinearRegression().fit(X, y)
    n_free = len(X) - X.shape[1] - 1
    residuals = (y - regressor.predict(X)).reshape(len(X), -1)
    covariance = residuals.T @ residuals / n_free
    errors = (y_test - regressor.predict(X_test)).reshape(len(X_test), -1)
    if case != "series":
        return float(multivariate_normal.logpdf(errors, cov=covariance).mean())
    within = abs(errors.sum(axis=1)) < 1.645 * np.sqrt(covariance.sum())
    return float(within.mean())


def measured(case, seed):
    """Return the figures of one table, by the way to hold out."""
    *rows, ways = TABLES[case](np.random.default_rng(seed))
    X, y, X_test, y_test = rows
    found = {}
    for name, (params, given) in {"row by row": ({"validation": ROW_BY_ROW}, {}), **ways}.items():
        est = ESTIMATORS[case](random_state=seed, **params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of x that repeat, which is the point here
            est.fit(X, y, **given)
        found[name] = of_estimator(est, case, X_test, y_test)
    return {**found, "linear regression": of_linear_regression(case, *rows)}


def table(record):
    lines = [f"{'':10s}{'held out':20s}{'mean':>8s}{'error':>8s}"]
    for case, seeds in record.items():
        for name in next(iter(seeds.values())):
            values = [found[name] for found in seeds.values() if name in found]
            error = standard_error(values)
            n_seeds = f"   {len(values)} seeds"
            lines.append(f"{case:10s}{name:20s}{np.mean(values):8.2f}{error:8.2f}{n_seeds}")
    lines.append("series: share of totals within their 90 % interval; others: nats per row")
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    write_by_seed(args.out / "hold_out.json", args.cases, args.seeds, measured, table)


if __name__ == "__main__":
    main()
