"""Lower halves of faces from the upper: error and likelihood beside scikit-learn's regressors.

    python benchmarks/olivetti.py --data-home FOLDER

The split is that of scikit-learn's example "Face completion with a multi-output
estimators": 30 people to learn from, 10 to test. Its four regressors, with its
parameters, are given a Gaussian density by the variance of each pixel's
residuals, cross-validated over people. The networks stop early on the last 5 of
the 30 people, from whom the regressors learn. FOLDER may hold
``olivettifaces.mat``; otherwise the faces are downloaded through scikit-learn.
"""

import argparse
import json
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
import skorch
import torch
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

import skcvae
from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.datasets import fetch_olivetti_completion
from skcvae.metrics import negative_cll_per_pixel

REGRESSORS = {
    "extra trees": ExtraTreesRegressor(n_estimators=10, max_features=32, random_state=0),
    "k nearest neighbours": KNeighborsRegressor(),
    "linear regression": LinearRegression(),
    "ridge": RidgeCV(),
}
NETWORKS = {
    "NN, conv": (NNRegressor, {"architecture": "conv"}),
    "CVAE, conv": (CVAERegressor, {"architecture": "conv", "initial_guess": True}),
    "CVAE, conv, omission": (
        CVAERegressor,
        {"architecture": "conv", "initial_guess": True, "omission": 0.4},
    ),
    "CVAE, MLP, omission": (
        CVAERegressor,
        {
            "architecture": MLP((128, 128), activation="relu"),
            "prior": "standard",
            "latent_dim": 64,
            "initial_guess": True,
            "omission": 0.4,
            "training__weight_decay": 0.1,
        },
    ),
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--samples", type=int, default=100, help="S of the CLL, draws of the mean")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def rmse(predicted, y):
    return float(np.sqrt(np.mean((predicted - y) ** 2)))


def of_regressor(regressor, faces):
    X, y = (part.reshape(len(part), -1).astype(float) for part in (faces.data, faces.target))
    train, test = faces.train, ~faces.train
    start = time.perf_counter()
    held_out = cross_val_predict(
        regressor, X[train], y[train], groups=faces.people[train], cv=GroupKFold(6)
    )
    variance = np.mean((held_out - y[train]) ** 2, axis=0)
    predicted = regressor.fit(X[train], y[train]).predict(X[test])
    seconds = time.perf_counter() - start
    log_p = -0.5 * (np.log(2 * np.pi * variance) + (predicted - y[test]) ** 2 / variance).sum(1)
    return {
        "rmse": rmse(predicted, y[test]),
        "negative_cll_per_pixel": negative_cll_per_pixel(log_p, y[test]),
        "fit_seconds": round(seconds, 1),
    }


def of_network(estimator, parameters, faces, args):
    train, test = faces.train & (faces.people < 25), ~faces.train
    validation = faces.train & ~train
    est = estimator(
        max_epochs=args.epochs,
        random_state=args.seed,
        device=args.device,
        training=Training(patience=args.epochs),
    ).set_params(**parameters)
    start = time.perf_counter()
    est.fit(
        faces.data[train],
        faces.target[train],
        X_val=faces.data[validation],
        y_val=faces.target[validation],
    )
    seconds = time.perf_counter() - start
    X, y = faces.data[test], faces.target[test]
    with warnings.catch_warnings():  # a small effective sample size is shown in the table
        warnings.simplefilter("ignore", UserWarning)
        log_p, ess = est.log_prob(X, y, n_samples=args.samples, return_ess=True)
    return {
        "rmse": rmse(est.predict(X), y),
        "rmse_one_draw": rmse(est.sample(X, random_state=args.seed)[0], y),
        "negative_cll_per_pixel": negative_cll_per_pixel(log_p, y),
        "median_ess": float(np.median(ess)),
        "best_epoch": [row["epoch"] for row in est.history_ if row["valid_cll_best"]][-1],
        "fit_seconds": round(seconds, 1),
    }


def table(rows, args):
    bar = f"{'=' * 20}  {'=' * 6}  {'=' * 21}  {'=' * 7}"
    lines = [
        "Olivetti faces, 64 x 64, lower half from the upper; 30 people to learn from, 10 to test,",
        f"100 test images, grey in [0, 1]. Networks: at most {args.epochs} epochs, seed "
        f"{args.seed},",
        f"mean of {args.samples} draws, S = {args.samples}. Lower is better in both columns.",
        "",
        bar,
        "model                 RMSE    -CLL, nats per pixel   seconds",
        bar,
    ]
    for name, row in rows.items():
        lines.append(
            f"{name:20}  {row['rmse']:.4f}  {row['negative_cll_per_pixel']:21.3f}"
            f"  {row['fit_seconds']:7.1f}"
        )
    return "\n".join([*lines, bar, ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    faces = fetch_olivetti_completion(data_home=args.data_home)
    rows = {}
    for name, regressor in REGRESSORS.items():
        rows[name] = of_regressor(regressor, faces)
        print(name, rows[name], flush=True)
    for name, (estimator, parameters) in NETWORKS.items():
        rows[name] = of_network(estimator, parameters, faces, args)
        print(name, rows[name], flush=True)
    record = {
        "rows": rows,
        "protocol": {**vars(args), "out": None, "data_home": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch, sklearn, skorch)},
        "machine": platform.machine(),
    }
    args.out.mkdir(exist_ok=True)
    (args.out / "olivetti.json").write_text(json.dumps(record, indent=2) + "\n")
    (args.out / "olivetti.txt").write_text(table(rows, args))
    print(table(rows, args))


if __name__ == "__main__":
    main()
