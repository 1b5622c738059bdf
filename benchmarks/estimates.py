"""How near `log_prob` and `predict` are to what they estimate.

    python benchmarks/estimates.py

`log_prob`: test rows, and those of one output moved by 10 to 1,000 standard deviations of y,
with 10 and 100 draws of the recognition network alone and with a share of the prior's, beside
5,000 draws of the prior (where y is not moved, 5,000 draws with a share). `predict`: the error
of E[y|x], in standard deviations of p(y|x), root mean square over rows and outputs, by number
of points, beside 4,096 points of another scramble; of pseudo-random draws; and at z* = E[z|x].
Label maps and images: the error against the truth and the CPU seconds of both methods, digits
of scikit-learn, rows 0 to 1399 for training and the others for test. One minute on one core.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import record
import torch
from sklearn.datasets import load_digits, make_moons
from torch.quasirandom import SobolEngine

from skcvae import CVAERegressor
from skcvae.datasets import load_digits_label_maps, make_linear_gaussian, make_two_branches
from skcvae.inference import conditional_likelihood, moments
from skcvae.metrics import intersection_over_union, pixel_accuracy

DISTANCES = (0, 10, 100, 1000)
SHARES = (0.0, 0.1, 0.2, 0.5)
POINTS = (16, 64, 256, 1024)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def tables():
    """Return name, prior, X and y of tables, 600 rows each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    branches = make_two_branches(n_samples=600, random_state=0)
    linear = make_linear_gaussian(n_samples=600, random_state=0)
    points, moon = make_moons(600, noise=0.05, random_state=0)
    angle = rng.uniform(0, 2 * math.pi, 600)
    ring = np.c_[np.cos(angle), np.sin(angle)] + 0.05 * rng.normal(size=(600, 2))
    gamma = rng.gamma(0.5, 2 * np.exp(0.3 * X[:, 0]))
    return {
        "two branches": ("gaussian", branches.X, branches.y),
        "two branches, mixture": ("mixture", branches.X, branches.y),
        "skewed": ("gaussian", X, gamma),
        "linear Gaussian": ("gaussian", linear.X, linear.y),
        "moons": ("gaussian", moon[:, None].astype(float), points),
        "ring": ("gaussian", X, ring),
    }


def far_out(est, X, y):
    """Return the mean error of log_prob, in nats, by distance, draws and share."""
    found = {}
    for far in DISTANCES if y.ndim == 1 else DISTANCES[:1]:
        moved = y + far * y.std(0)
        method = "monte_carlo" if far else "importance_sampling"
        truth = est.log_prob(X, moved, n_samples=5000, method=method, random_state=1).mean()
        for n_draws in (10, 100):
            for share in SHARES:
                counted = conditional_likelihood.prior_draws
                conditional_likelihood.PRIOR_SHARE = share
                if not share:
                    conditional_likelihood.prior_draws = lambda n: 0
                error = est.log_prob(X, moved, n_samples=n_draws).mean() - truth
                conditional_likelihood.prior_draws = counted
                found[f"{far} deviations, {n_draws} draws, share {share}"] = float(error)
        conditional_likelihood.PRIOR_SHARE = 0.2
    return found


@torch.inference_mode()
def of_the_mean(est, X):
    """Return the error of the mean, in standard deviations, by kind and number of points."""
    fitted = est._fitted
    model = fitted.exact_model
    x = fitted.x_coding.to_tensor(X, torch.float64, "cpu")
    size = (1, *model.noise_shape)
    engine = SobolEngine(math.prod(size), scramble=True, seed=1)
    many = torch.special.ndtri(engine.draw(4096, dtype=torch.float64) + 2.0**-32)
    exact, variance = moments.moments(model, x, many.reshape(-1, *size).split(256))

    def error(mean):
        return float(((mean - exact).square() / variance).mean().sqrt())

    found = {"z*": error(moments.deterministic(model, x))}
    for n in POINTS:
        moments.N_POINTS = n
        found[f"{n} points"] = error(moments.moments(model, x, moments.points(model).split(16))[0])
        drawn = torch.randn(
            (n, *size), generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        found[f"{n} draws"] = error(moments.moments(model, x, drawn.split(16))[0])
    moments.N_POINTS = 256
    return found


def images(args):
    """Return errors and CPU seconds of both methods on label maps and images of digits."""
    maps, grey = load_digits_label_maps(), load_digits().images / 16
    noisy = grey + 0.5 * np.random.default_rng(0).normal(size=grey.shape)
    tasks = {
        "label maps, conv": (maps.data, maps.target, {"architecture": "conv"}),
        "label maps, mlp": (maps.data, maps.target, {}),
        "noisy images, conv": (noisy, grey, {"architecture": "conv"}),
        "quadrant to image, mlp": (grey[:, 4:, :4], grey, {"likelihood": "bernoulli"}),
    }
    found = {}
    for name, (X, y, params) in tasks.items():
        labels = y.dtype.kind == "i"
        likelihood = {"likelihood": "categorical"} if labels else {}
        est = CVAERegressor(**likelihood, **params, max_epochs=args.epochs, random_state=0)
        est.fit(X[:1400], y[:1400])
        for method in ("mean", "latent_mean"):
            start = time.process_time()
            predicted = est.predict(X[1400:], method=method)
            seconds = time.process_time() - start
            row = {"cpu_seconds": round(seconds, 3), "rows": len(predicted)}
            if labels:
                row["accuracy"] = float(pixel_accuracy(y[1400:], predicted))
                row["iou"] = float(intersection_over_union(y[1400:], predicted))
            else:
                row["rmse"] = float(np.sqrt(np.mean((predicted - y[1400:]) ** 2)))
            found[f"{name}, {method}"] = row
            print(name, method, row, flush=True)
    return found


def lines(found):
    for name, row in found.items():
        yield name
        for key, value in row.items():
            yield f"    {key:40} {value:12.4f}"


def main():
    args = parse()
    torch.set_num_threads(1)
    log_prob, mean = {}, {}
    for name, (prior, X, y) in tables().items():
        est = CVAERegressor(prior=prior, max_epochs=args.epochs, random_state=0)
        est.fit(X[:500], y[:500])
        mean[name] = of_the_mean(est, X[500:])
        log_prob[name] = far_out(est, X[500:], y[500:])
        print(name, mean[name], flush=True)
    maps = images(args)
    parts = {
        "mean log_prob minus the truth, nats": log_prob,
        "error of the mean, standard deviations of p(y|x)": mean,
        "label maps and images": maps,
    }
    text = "\n".join(line for title, part in parts.items() for line in (title, *lines(part), ""))
    found = {"log_prob": log_prob, "mean": mean, "images": maps}
    args.out.mkdir(exist_ok=True)
    record.write(args.out / "estimates.json", {**found, "epochs": args.epochs}, text)


if __name__ == "__main__":
    main()
