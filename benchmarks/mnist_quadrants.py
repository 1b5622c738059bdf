"""The paper's table: negative conditional log-likelihood of MNIST quadrants.

    python benchmarks/mnist_quadrants.py --quadrants 1 --data-home FOLDER

trains NN, GSNN and CVAE on 50,000 digits with early stopping on 10,000, then the
CVAE for `--tuning-epochs` more with the bound of five draws together, and writes a
table beside the paper's, for validation and test images, as text and as JSON.
Pixels are grey in [0, 1], scored by the Bernoulli cross-entropy, as the paper's are;
`--threshold 0.5` makes them 0 and 1, a true likelihood that does not compare with the
paper's numbers. FOLDER may hold the four original idx files; otherwise MNIST is
downloaded through scikit-learn.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from record import write

from skcvae import CVAERegressor, GSNNRegressor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.datasets import fetch_mnist_quadrants

PAPER = {  # row: quadrants: (validation, test)
    "NN": {1: (100.03, 99.75), 2: (62.14, 62.18), 3: (26.01, 25.99)},
    "GSNN MC": {1: (100.03, 99.82), 2: (62.48, 62.41), 3: (26.20, 26.29)},
    "CVAE MC": {1: (68.62, 68.39), 2: (45.57, 45.34), 3: (20.97, 20.96)},
    "CVAE IS": {1: (64.05, 63.91), 2: (44.96, 44.73), 3: (20.97, 20.95)},
}
FIVE_DRAWS = "CVAE IS, five draws"
ROWS = {
    "NN": (NNRegressor, "importance_sampling"),
    "GSNN MC": (GSNNRegressor, "monte_carlo"),
    "CVAE MC": (CVAERegressor, "monte_carlo"),
    "CVAE IS": (CVAERegressor, "importance_sampling"),
    FIVE_DRAWS: (CVAERegressor, "importance_sampling"),
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quadrants", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--threshold", type=float, default=None)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--latent", type=int, default=200)
    parser.add_argument("--activation", default="silu")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--kl-warmup", type=int, default=10, help="epochs, CVAE only")
    parser.add_argument("--tuning-epochs", type=int, default=5)
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--samples", type=int, default=100, help="S of importance sampling")
    parser.add_argument("--mc-samples", type=int, default=1000, help="S of Monte Carlo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def load(args, subset):
    return fetch_mnist_quadrants(
        args.quadrants, subset=subset, threshold=args.threshold, data_home=args.data_home,
        return_X_y=True,
    )  # fmt: skip


def fit(estimator, args):
    est = estimator(
        architecture=MLP((args.units, args.units), shortcut=False, activation=args.activation),
        likelihood="bernoulli",
        normalize_X=False,
        max_epochs=args.epochs,
        lr=args.lr,
        batch_size=args.batch,
        random_state=args.seed,
        device=args.device,
        verbose=1,
        training=Training(
            patience=args.epochs,
            lr_schedule="one_cycle",
            weight_decay=args.weight_decay,
            precision=args.precision,
        ),
    )
    if estimator is not NNRegressor:
        est.set_params(latent_dim=args.latent)
    if estimator is CVAERegressor:
        est.set_params(kl_warmup=args.kl_warmup)
    return trained(est, args)


def trained(est, args):
    X_val, y_val = load(args, "validation")
    start = time.perf_counter()
    est.fit(*load(args, "train"), X_val=X_val, y_val=y_val)
    return est, time.perf_counter() - start


def tune(est, args):
    """Train a CVAE on with the importance-weighted bound of five draws."""
    est.set_params(
        warm_start=True,
        objective="iwae",
        n_train_samples=5,
        kl_warmup=0,
        max_epochs=args.tuning_epochs,
        lr=args.lr / 3,
    )
    return trained(est, args)


def negative_cll(est, method, args, subset):
    X, y = load(args, subset)
    n_samples = args.mc_samples if method == "monte_carlo" else args.samples
    log_p, ess = est.log_prob(X, y, method=method, n_samples=n_samples, return_ess=True)
    return -log_p.mean(), np.median(ess)


def measure(args):
    fitted, rows = {}, {}
    for name, (estimator, method) in ROWS.items():
        if estimator not in fitted:
            fitted[estimator] = fit(estimator, args)
        elif name == FIVE_DRAWS:
            fitted[estimator] = tune(fitted[estimator][0], args)
        est, seconds = fitted[estimator]
        found = {
            subset: negative_cll(est, method, args, subset) for subset in ("validation", "test")
        }
        rows[name] = {
            **{subset: round(float(value), 2) for subset, (value, _) in found.items()},
            "median_ess": round(float(found["test"][1]), 1),
            "epochs": len(est.history_),
            "fit_seconds": round(seconds),
        }
        print(name, rows[name], flush=True)
    return rows


def table(rows, args):
    pixels = "grey" if args.threshold is None else f"above {args.threshold}"
    lines = [
        f"MNIST, {args.quadrants} quadrant(s) seen, {pixels} pixels, two layers of {args.units}, "
        f"{args.latent} latents, {args.epochs} epochs, seed {args.seed}.",
        "Negative CLL, nats per image, lower is better; training on 50,000 images, early stopping",
        "on validation, 10,000 images in each column; importance sampling with",
        f"S = {args.samples}, Monte Carlo with S = {args.mc_samples}.",
        "",
        "===================  ==========  =======  ================  ============",
        "model                validation  test     paper validation  paper's test",
        "===================  ==========  =======  ================  ============",
    ]
    for name, row in rows.items():
        paper = PAPER[name][args.quadrants] if args.threshold is None and name in PAPER else ()
        validation, test = (f"{value:.2f}" for value in paper) if paper else ("", "")
        lines.append(
            f"{name:19}  {row['validation']:10.2f}  {row['test']:7.2f}"
            f"  {validation:>16}  {test:>12}"
        )
    return "\n".join([*lines, lines[4], ""])


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    args.out.mkdir(exist_ok=True)
    rows = measure(args)
    protocol = {**vars(args), "out": None, "data_home": None}
    pixels = "grey" if args.threshold is None else "binary"
    path = args.out / f"mnist_quadrants_{args.quadrants}_{pixels}_{args.units}.json"
    write(path, {"rows": rows, "protocol": protocol}, table(rows, args))


if __name__ == "__main__":
    main()
