"""The default fit where little can be learned, or a few numbers are wrong, beside simple answers.

    python benchmarks/simple_answers.py --seeds 0 1 2 3 4

fits `CVAERegressor()` and `NNRegressor()`, with no parameter set, to small and difficult
tables, made or shipped with scikit-learn, and writes the mean log density of test rows beside
that of a Gaussian that ignores X and that of ridge regression with the full covariance of
its cross-validated residuals. A default fit should never be much below the better of the two.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from record import write
from scipy.stats import multivariate_normal
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import CVAERegressor, NNRegressor

N_TEST = 1000


def pure_noise(rng, n_rows=200):
    return rng.normal(size=(n_rows + N_TEST, 20)), rng.normal(size=(n_rows + N_TEST, 5)), n_rows


def wide(rng, n_rows=100):
    X = rng.normal(size=(n_rows + N_TEST, 1000))
    return X, 0.6 * X[:, :1] + rng.normal(size=(len(X), 1)), n_rows


def few_rows(rng, n_rows):
    X = rng.normal(size=(n_rows + N_TEST, 3))
    return X, X @ rng.normal(size=(3, 2)) + 0.5 * rng.normal(size=(len(X), 2)), n_rows


def wine(rng):
    data = load_wine().data
    return shuffled(rng, data[:, :7], data[:, 7:])


def serum(rng):
    data = 100 * load_diabetes().data
    return shuffled(rng, data[:, :5], data[:, 5:])


def diabetes(rng):
    data = load_diabetes()
    return shuffled(rng, 100 * data.data[:, :9], np.c_[100 * data.data[:, 9], data.target])


def shuffled(rng, X, y):
    order = rng.permutation(len(X))
    return X[order], y[order], len(X) * 9 // 10


def typing_error(rng, n_outputs, n_rows=400):
    X = rng.normal(size=(n_rows + N_TEST, 4))
    y = np.sin(X[:, :1]) + 0.3 * rng.normal(size=(len(X), n_outputs))
    y[7, 0] = 1e4
    return X, y, n_rows


def placeholders(rng, n_rows=400):
    X = rng.normal(size=(n_rows + N_TEST, 4))
    y = np.sin(2 * X[:, :1]) + X[:, 1:2] + 0.3 * rng.normal(size=(len(X), 1))
    X[:8, 0] = -9999
    return X, y, n_rows


def log_normal(rng, n_rows=300):
    X = np.exp(2 * rng.normal(size=(n_rows + N_TEST, 3)))
    return X, X[:, :1] + rng.normal(size=(len(X), 1)), n_rows


def mostly_zero(rng, n_rows=300):
    X = np.exp(1.5 * rng.normal(size=(n_rows + N_TEST, 3)))
    X *= rng.random(X.shape) < 0.3
    return X, X[:, :1] + rng.normal(size=(len(X), 1)), n_rows


def rare_category(rng, n_rows=1400):
    X = rng.normal(size=(n_rows + N_TEST, 6))
    y = X[:, :2] + 0.3 * rng.normal(size=(len(X), 2))
    X[:, 5] = 0
    X[3, 5] = X[n_rows:, 5] = 1
    return X, y, n_rows


def categories(rng, n_kinds, n_rows=400):
    X = np.eye(n_kinds)[rng.integers(n_kinds, size=n_rows + N_TEST)][:, 1:]
    return X, X @ rng.normal(size=(n_kinds - 1, 3)) + rng.normal(size=(len(X), 3)), n_rows


def ring(rng, n_rows=1000):
    angle = rng.uniform(0, 2 * np.pi, n_rows + N_TEST)
    y = np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=(len(angle), 2))
    return np.ones((len(y), 1)), y, n_rows


def many_outputs(rng, mixing, n_rows=400):
    X, n_outputs = rng.normal(size=(n_rows + N_TEST, 5)), len(mixing)
    noise = rng.normal(size=(len(X), n_outputs)) @ mixing.T
    return X, X @ rng.normal(size=(5, n_outputs)) + noise, n_rows


def dense(rng, n_outputs=30):
    mixing = np.eye(n_outputs) + 0.3 * np.tril(rng.normal(size=(n_outputs, n_outputs)))
    return many_outputs(rng, mixing)


def wide_or_narrow(rng, n_rows=10_000):
    """Noise of scale 1 or 0.1, by chance: the exact density is a mixture of two."""
    X = rng.normal(size=(n_rows + N_TEST, 3))
    scale = rng.choice([0.1, 1.0], size=(len(X), 1))
    return X, X @ rng.normal(size=(3, 2)) + scale * rng.normal(size=(len(X), 2)), n_rows


CASES = {
    "noise, 200 rows": pure_noise,
    "1,000 columns, 100 rows": wide,
    "5 rows": lambda rng: few_rows(rng, 5),
    "10 rows": lambda rng: few_rows(rng, 10),
    "20 rows": lambda rng: few_rows(rng, 20),
    "wine": wine,
    "serum": serum,
    "diabetes": diabetes,
    "y at 1e4, one output": lambda rng: typing_error(rng, 1),
    "y at 1e4, three outputs": lambda rng: typing_error(rng, 3),
    "x at -9999": placeholders,
    "log-normal x": log_normal,
    "x mostly zero": mostly_zero,
    "rare category at test": rare_category,
    "x of two kinds": lambda rng: categories(rng, 2),
    "x of 100 kinds": lambda rng: categories(rng, 100),
    "constant x, ring": ring,
    "30 outputs, dense noise": dense,
    "noise wide or narrow": wide_or_narrow,
    "40 outputs, random walk": lambda rng: many_outputs(rng, np.tril(np.ones((40, 40)))),
}


def ignoring_inputs(X, y, X_test, y_test):
    return gaussian(y - y.mean(0), y_test - y.mean(0))


def ridge(X, y, X_test, y_test):
    penalty = RidgeCV(np.logspace(-2, 5, 15)).fit(StandardScaler().fit_transform(X), y).alpha_
    model = make_pipeline(StandardScaler(), Ridge(penalty))
    residuals = y - cross_val_predict(model, X, y, cv=5).reshape(y.shape)
    return gaussian(residuals, y_test - model.fit(X, y).predict(X_test).reshape(y_test.shape))


def gaussian(residuals, test):
    covariance = residuals.T @ residuals / len(residuals) + 1e-9 * np.eye(residuals.shape[1])
    return multivariate_normal(cov=covariance, allow_singular=True).logpdf(test).mean()


def measure(case, seed):
    X, y, n_rows = case(np.random.default_rng(seed))
    rows = X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]
    row = {"ignoring X": ignoring_inputs(*rows), "ridge": ridge(*rows)}
    for cls in (CVAERegressor, NNRegressor):
        start = time.process_time()
        est = cls(random_state=seed).fit(*rows[:2])
        row[f"{cls.__name__}, s"] = time.process_time() - start
        row[cls.__name__] = est.score(*rows[2:])
    return {name: float(value) for name, value in row.items()}


def table(record):
    names = ["ignoring X", "ridge", "CVAERegressor", "NNRegressor"]
    ruler = "  ".join("=" * n for n in (24, 13, 13, 13, 13))
    lines = [
        "Mean log density of test rows, nats per row, higher is better; all parameters at their",
        f"defaults; mean over the seeds {record['seeds']}. S = 100.",
        "",
        ruler,
        "  ".join([f"{'case':24}", *(f"{name:>13}" for name in names)]),
        ruler,
    ]
    for case, rows in record["cases"].items():
        means = [np.mean([row[name] for row in rows]) for name in names]
        lines.append("  ".join([f"{case:24}", *(f"{mean:13.2f}" for mean in means)]))
    return "\n".join([*lines, ruler, ""])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cases = {}
    for name, case in CASES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of unused z and far numbers: meant
            cases[name] = [measure(case, seed) for seed in args.seeds]
        print(name, cases[name][0], flush=True)
    record = {"seeds": list(args.seeds), "cases": cases}
    write(args.out / "simple_answers.json", record, table(record))


if __name__ == "__main__":
    main()
