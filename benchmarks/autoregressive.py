"""Autoregressive likelihoods: a step beside a hand-written one, and the time of draws.

    python benchmarks/autoregressive.py step
    python benchmarks/autoregressive.py draws
    python benchmarks/autoregressive.py quadrants

"step" trains a masked perceptron over tables of 16 outputs and masked convolutions over images
of 28 x 28 binary pixels, without z, beside loops written by hand: the same layers of the same
sizes, masks and all, the fused optimizer, gradients clipped to a norm and an average of the
weights. Both take turns in one process, with one thread; times are of the processor that the
process took, and the ratio is the median over pairs. "draws" has the seconds of `sample` for 100
draws of 100 images, of `log_prob` of 100 images, and, for comparison, of 100 draws of 100 rows of
the table; untrained networks take as long as trained ones. "quadrants" completes scikit-learn's
digits of 8 x 8 binary pixels from the bottom left quarter: parameters at their defaults, but for
the likelihood and `normalize_X`, and validation digits of the same split, 200 of the 1,397 that
train, to report. y is the vector of the other pixels, or the whole image in its order, with X as
an image whose other pixels are zero.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from record import write
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.datasets import load_digits_quadrants
from skcvae.likelihoods import Autoregressive, Bernoulli, Gaussian

SIDE, N_OUTPUTS, N_INPUTS, UNITS = 28, 16, 10, 64
WIDTH, N_LAYERS, N_FEATURES = 32, 4, 8


def table(n_rows):
    """Return X and y of a table, in standard units."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, N_INPUTS)), rng.normal(size=(n_rows, N_OUTPUTS))


def images(n_rows):
    """Return X and y of binary images."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, N_INPUTS)), rng.random((n_rows, SIDE, SIDE)) > 0.5


class MADE(nn.Module):
    """A masked perceptron over tables, as it is written by hand."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(N_INPUTS, UNITS), nn.ReLU())
        self.head = nn.Linear(UNITS, N_OUTPUTS + UNITS)
        order, unit = torch.arange(N_OUTPUTS), torch.arange(UNITS) * N_OUTPUTS // UNITS
        self.first, self.features = nn.Linear(N_OUTPUTS, UNITS), nn.Linear(UNITS, UNITS, False)
        self.layers = nn.ModuleList(nn.Linear(UNITS, UNITS) for _ in range(N_LAYERS))
        self.last = nn.Linear(UNITS, N_OUTPUTS, False)
        self.skip = nn.Linear(N_OUTPUTS, N_OUTPUTS, False)
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.register_buffer("into", (order < unit[:, None]).float())
        self.register_buffer("within", (unit <= unit[:, None]).float())
        self.register_buffer("out", (unit <= order[:, None]).float())
        self.register_buffer("beside", (order < order[:, None]).float())

    def forward(self, x, y):
        mean, features = self.head(self.encoder(x)).split([N_OUTPUTS, UNITS], 1)
        h = F.linear(y, self.first.weight * self.into, self.first.bias) + self.features(features)
        for layer in self.layers:
            h = h + F.linear(h.relu(), layer.weight * self.within, layer.bias)
        mean = mean + F.linear(h.relu(), self.last.weight * self.out)
        mean = mean + F.linear(y, self.skip.weight * self.beside)
        deviation = (y - mean) * (-self.log_scale).exp()
        return (0.5 * deviation.square() + self.log_scale).sum(1)


class PixelCNN(nn.Module):
    """Masked convolutions over binary images, as they are written by hand."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(N_INPUTS, UNITS), nn.ReLU())
        self.head = nn.Linear(UNITS, (1 + N_FEATURES) * SIDE**2)
        self.features = nn.Conv2d(N_FEATURES, 2 * WIDTH, 1)
        self.above = nn.ModuleList([nn.Conv2d(1, WIDTH, (4, 7))])
        self.above.extend(nn.Conv2d(WIDTH, WIDTH, (2, 3)) for _ in range(N_LAYERS))
        self.across = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 1) for _ in range(N_LAYERS + 1))
        self.left = nn.ModuleList([nn.Conv2d(1, WIDTH, (1, 3))])
        self.left.extend(nn.Conv2d(WIDTH, WIDTH, (1, 2)) for _ in range(N_LAYERS))
        self.last = nn.Conv2d(WIDTH, 1, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x, y):
        maps = self.head(self.encoder(x)).unflatten(1, (1 + N_FEATURES, SIDE, SIDE))
        up, left = self.features(maps[:, 1:]).chunk(2, 1)
        up = up + self.above[0](F.pad(y, (3, 3, 4, -1)))
        left = left + self.left[0](F.pad(y, (3, -1, 0, 0))) + self.across[0](up.relu())
        for above, across, row in zip(self.above[1:], self.across[1:], self.left[1:], strict=True):
            up = up + above(F.pad(up.relu(), (1, 1, 1, 0)))
            left = left + row(F.pad(left.relu(), (1, 0, 0, 0))) + across(up.relu())
        logits = maps[:, :1] + self.last(left.relu())
        loss = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
        return loss.flatten(1).sum(1)


# Likelihood, data, the network by hand, the shape of y in it, rows, batch.
TASKS = {
    "table": (Autoregressive(Gaussian()), table, MADE, (N_OUTPUTS,), 12_800, 256),
    "images": (Autoregressive(Bernoulli()), images, PixelCNN, (1, SIDE, SIDE), 640, 64),
}


def estimator(likelihood, batch, n_epochs):
    """Return an untrained model."""
    return NNRegressor(
        architecture=MLP((UNITS,), activation="relu", shortcut=False),
        likelihood=likelihood,
        batch_size=batch,
        max_epochs=n_epochs,
        early_stopping=False,
        random_state=0,
        training=Training(patience=n_epochs),
    )


def ours(task, n_epochs):
    """Return the processor time of an epoch: the difference of two fits."""
    likelihood, data, *_, n_rows, batch = TASKS[task]
    times, (X, y) = [time.process_time()], data(n_rows)
    for n in (1, 1 + n_epochs):
        estimator(likelihood, batch, n).fit(X, y)
        times.append(time.process_time())
    short, long = np.diff(times)
    return (long - short) / n_epochs


def by_hand(task, n_epochs):
    """Return the processor time of an epoch of the loop, without the first."""
    _, data, network, y_shape, n_rows, batch = TASKS[task]
    x, y = (torch.from_numpy(part).float() for part in data(n_rows))
    y, net = y.view(-1, *y_shape), network()
    weights = list(net.parameters())
    average = [w.detach().clone() for w in weights]
    optimizer = torch.optim.Adam(weights, lr=3e-3, fused=True)
    times = []
    for _ in range(1 + n_epochs):
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            net(x[rows], y[rows]).mean().backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(average, weights, 0.005)
        times.append(time.process_time())
    return (times[-1] - times[0]) / n_epochs


def step(args):
    """Time epochs of both, in turns."""
    pairs = {
        task: [(ours(task, args.epochs), by_hand(task, args.epochs)) for _ in range(args.pairs)]
        for task in TASKS
    }
    ratios = {task: median(a / b for a, b in found) for task, found in pairs.items()}
    text = "".join(f"{task}: {ratio:.2f} of the loop by hand\n" for task, ratio in ratios.items())
    return {"epochs": args.epochs, "seconds": pairs, "ratios": ratios}, text


def draws(args):
    """Time draws and densities."""
    seconds = {}
    for task, (likelihood, data, *_, batch) in TASKS.items():
        X, y = data(batch)
        est = estimator(likelihood, batch, 1).fit(X, y)
        X, y = data(100)
        calls = {
            "100 draws of 100 rows": lambda est=est, X=X: est.sample(X, 100, random_state=0),
            "log_prob of 100 rows": lambda est=est, X=X, y=y: est.log_prob(X, y),
            "predict of 100 rows": lambda est=est, X=X: est.predict(X),
        }
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[f"{task}, {name}"] = round(time.process_time() - start, 2)
    text = "".join(f"{name}: {found:.2f} s\n" for name, found in seconds.items())
    return {"seconds": seconds}, text


def quadrants(args):
    """Score models of binary digits of which a quarter is seen."""
    data = load_digits_quadrants(threshold=0.5)
    image = np.where(data.task.seen, 2 * data.images - 1, 0)
    pixels, likelihood = (data.data, data.target), Autoregressive(Bernoulli())
    cases = {
        "NN": (NNRegressor(likelihood="bernoulli"), *pixels),
        "CVAE": (CVAERegressor(likelihood="bernoulli"), *pixels),
        "NN, autoregressive vector": (NNRegressor(likelihood=likelihood), *pixels),
        "CVAE, autoregressive vector": (CVAERegressor(likelihood=likelihood), *pixels),
        "NN, autoregressive image": (
            NNRegressor(architecture="conv", likelihood=likelihood), image, data.images,
        ),
    }  # fmt: skip
    found = {}
    for name, (est, X, y) in cases.items():
        X, _, y, _ = train_test_split(X, y, test_size=400, random_state=0)
        X, X_val, y, y_val = train_test_split(X, y, test_size=200, random_state=0)
        start = time.process_time()
        est.set_params(normalize_X=False, random_state=0).fit(X, y)
        seconds = time.process_time() - start
        found[name] = {"nats": -est.score(X_val, y_val), "fit_seconds": round(seconds, 1)}
    lines = (f"{name}: {row['nats']:.2f}, {row['fit_seconds']} s\n" for name, row in found.items())
    return {"cases": found}, "negative CLL, nats per image, and fit time\n" + "".join(lines)


def main():
    """Run one part and write what it found."""
    parts = {f.__name__: f for f in (step, draws, quadrants)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=parts)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(1)
    record, text = parts[args.part](args)
    write(Path(__file__).parent / "results" / f"autoregressive_{args.part}.json", record, text)


if __name__ == "__main__":
    main()
