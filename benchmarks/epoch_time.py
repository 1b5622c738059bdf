"""An epoch of `fit` against hand-written loops and other libraries, on the same networks.

    python benchmarks/epoch_time.py

Everything trains the networks that the estimator builds, turn by turn in one
process. Three hand-written loops take batches from tensors in memory: "raw" has
the fused optimizer; "raw, clipped and averaged" adds what the estimator does by
default, gradients clipped to a norm and an average of the weights; "usual" is
what most people write, unfused Adam, rows indexed by a permutation and the loss
read at every step. Beside them are skorch as it comes, and Pyro's SVI with a
mean-field ELBO (`pip install pyro-ppl`; left out where it is missing). The table
has the median of the ratios, the estimator's epoch over the other's, so less
than 1 is faster; the first epoch of each run does not count. On a CPU times are
the process's own, so that what else runs there counts less.

    python benchmarks/epoch_time.py --leanest

Networks and densities are then written by hand too, in as few operations as there can
be: closed forms, one product of concatenated inputs, no modules around them. Networks are
those with and without skip connections, and Gaussian.
"""

import argparse
import importlib.util
import json
import statistics
import time
from pathlib import Path

import numpy as np
import skorch
import torch
from skorch.callbacks import Callback

import skcvae
from skcvae import CVAERegressor, Training
from skcvae.architectures import MLP
from skcvae.objectives import Bound
from skcvae.training.net import Loss

TASKS = {  # rows, inputs, outputs, units, latents, batch
    "table, batch 64": (20_000, 10, 5, 64, 4, 64),
    "table, batch 256": (20_000, 10, 5, 64, 4, 256),
    "table, batch 1024": (20_000, 10, 5, 64, 4, 1024),
    "images, 500 units": (5_000, 196, 588, 500, 50, 128),
    "images, 1000 units": (5_000, 196, 588, 1000, 200, 128),
}
LEANEST = {
    "1,000 rows, 64 units, batch 32": (1000, 8, 2, 64, 2, 32),
    "6,400 rows, 64 units, batch 64": (6400, 10, 5, 64, 4, 64),
    "12,800 rows, 128 units, batch 256": (12_800, 10, 5, 128, 4, 256),
    "12,800 rows, 256 units, batch 256": (12_800, 20, 10, 256, 8, 256),
}
PLAIN = {"max_grad_norm": None, "ema_decay": 0.0}
HAS_PYRO = importlib.util.find_spec("pyro") is not None


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--epochs", type=int, default=4, help="counted in each run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--leanest", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def clock(device):
    """Return the time in seconds: of the process on a CPU, of the wall on a GPU."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


class Clock(Callback):
    """Note the time at each end of an epoch."""

    def __init__(self, device):
        self.device = device

    def on_train_begin(self, net, **kwargs):
        self.times_ = []

    def on_epoch_begin(self, net, **kwargs):
        self.times_.append(clock(self.device))

    def on_train_end(self, net, **kwargs):
        self.times_.append(clock(self.device))


def per_epoch(times):
    return statistics.mean(np.diff(times)[1:])


class Setting:
    """One task: data, and the epochs of everything that is compared on it."""

    def __init__(self, task, args):
        n, n_inputs, n_outputs, self.units, self.latents, self.batch = task
        rng = np.random.default_rng(0)
        self.X, self.y = rng.normal(size=(n, n_inputs)), rng.normal(size=(n, n_outputs))
        self.args, self.device = args, args.device
        self.n_epochs = args.epochs + 1
        few = self.estimator().fit(self.X[:100], self.y[:100])
        self.objective = few.net_.module_.train().to(self.device)
        self.x, self.t = (
            torch.from_numpy(part).float().to(self.device) for part in (self.X, self.y)
        )

    def estimator(self, mlp=("relu", False), likelihood="auto", **options):
        activation, shortcut = mlp
        return CVAERegressor(
            architecture=MLP((self.units, self.units), activation=activation, shortcut=shortcut),
            likelihood=likelihood,
            latent_dim=self.latents,
            batch_size=self.batch,
            early_stopping=False,
            random_state=0,
            device=self.device,
            training=Training(**options),
        )

    def ours(self, *args, **options):
        """Return the difference of two fits: a callback would keep weights apart."""
        times = [clock(self.device)]
        for n_epochs in (1, self.n_epochs):
            est = self.estimator(*args, **options).set_params(max_epochs=n_epochs)
            est.fit(self.X, self.y)
            times.append(clock(self.device))
        short, long = np.diff(times)
        return (long - short) / (self.n_epochs - 1)

    def leanest(self, shortcut):
        n_in, n_out, latents = self.X.shape[1], self.y.shape[1], self.latents
        q, p, g = (
            Network(*sizes, self.units, shortcut).to(self.device)
            for sizes in (
                (n_in + n_out, 2 * latents),
                (n_in, 2 * latents),
                (n_in + latents, n_out),
            )
        )
        s = torch.zeros(n_out, device=self.device, requires_grad=True)
        weights = [*q.parameters(), *p.parameters(), *g.parameters(), s]
        average = [w.detach().clone() for w in weights]
        optimizer = torch.optim.AdamW(weights, lr=1e-3, fused=True)
        times = [clock(self.device)]
        for _ in range(self.n_epochs):
            order = torch.randperm(len(self.x), device=self.device)
            noise = torch.randn(len(order), latents, device=self.device)
            arrays = (part.split(self.batch) for part in (self.x[order], self.t[order], noise))
            for x, y, e in zip(*arrays, strict=True):
                q_loc, q_log = q(torch.cat([x, y], 1)).chunk(2, 1)
                p_loc, p_log = p(x).chunk(2, 1)
                mean = g(torch.cat([x, torch.addcmul(q_loc, q_log.exp(), e)], 1))
                ratio = (2 * (q_log - p_log)).exp() + ((q_loc - p_loc) * (-p_log).exp()).square()
                kl = (p_log - q_log + 0.5 * ratio - 0.5).sum(1)
                error = (0.5 * ((y - mean) * (-s).exp()).square() + s).sum(1)
                optimizer.zero_grad()
                (kl + error).mean().backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                with torch.no_grad():
                    torch._foreach_lerp_(average, weights, 0.005)
            times.append(clock(self.device))
        return per_epoch(times)

    def loop(self, *, usual=False, extras=False):
        loss, weights = Loss(), list(self.objective.parameters())
        average = [w.detach().clone() for w in weights]
        optimizer = torch.optim.Adam(weights, lr=3e-3, fused=not usual)
        times = [clock(self.device)]
        for _ in range(self.n_epochs):
            order, total = torch.randperm(len(self.x), device=self.device), 0.0
            for i in range(0, len(self.x), self.batch):
                rows = order[i : i + self.batch]
                noise = torch.randn(1, len(rows), self.latents, device=self.device)
                value = loss(self.objective((self.x[rows], self.t[rows]), noise))
                optimizer.zero_grad()
                value.backward()
                if extras:
                    torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                if extras:
                    with torch.no_grad():
                        torch._foreach_lerp_(average, weights, 0.005)
                total += value.item() if usual else value.detach()
            float(total)
            times.append(clock(self.device))
        return per_epoch(times)

    def skorch(self):
        net = skorch.NeuralNet(
            Drawing(self.objective, self.latents),
            Criterion,
            optimizer=torch.optim.Adam,
            lr=3e-3,
            max_epochs=self.n_epochs,
            batch_size=self.batch,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
            device=self.device,
            callbacks=[("clock", Clock(self.device))],
        )
        x, y = self.X.astype(np.float32), self.y.astype(np.float32)
        net.fit({"x": x, "y": y}, y)
        return per_epoch(dict(net.callbacks_)["clock"].times_)

    def pyro(self):
        import pyro
        from pyro import distributions as dist
        from pyro.infer import SVI, TraceMeanField_ELBO

        networks = self.objective.model
        pyro.clear_param_store()

        def normal(p):
            return dist.Normal(p.mean, p.stddev).to_event(1)

        def model(x, y):
            pyro.module("networks", networks)
            given = networks.condition(x)
            with pyro.plate("rows", len(x)):
                z = pyro.sample("z", normal(given.prior))
                pyro.sample("y", normal(given.likelihood(z)), obs=y)

        def guide(x, y):
            pyro.module("networks", networks)
            with pyro.plate("rows", len(x)):
                pyro.sample("z", normal(networks.recognition(x, y)))

        svi = SVI(model, guide, pyro.optim.Adam({"lr": 3e-3}), TraceMeanField_ELBO())
        times = [clock(self.device)]
        for _ in range(self.n_epochs):
            order = torch.randperm(len(self.x), device=self.device)
            for rows in order.split(self.batch):
                svi.step(self.x[rows], self.t[rows])
            times.append(clock(self.device))
        return per_epoch(times)


class Drawing(torch.nn.Module):
    """The objective with noise of its own, for skorch as it comes."""

    def __init__(self, objective, latents):
        super().__init__()
        self.objective = objective
        self.latents = latents

    def forward(self, x, y):
        return tuple(self.objective((x, y), torch.randn(1, len(x), self.latents).to(x)))


class Criterion(torch.nn.Module):
    def forward(self, bound, y):
        return Loss()(Bound(*bound))


class Network(torch.nn.Module):
    """Two hidden layers, with or without a linear map of the inputs beside them."""

    def __init__(self, n_in, n_out, units, shortcut):
        super().__init__()
        silu, linear = torch.nn.SiLU(), torch.nn.Linear
        self.body = torch.nn.Sequential(linear(n_in, units), silu, linear(units, units), silu)
        self.skip = linear(n_in, units) if shortcut else None
        self.head = linear(units, n_out)

    def forward(self, x):
        h = self.body(x)
        return self.head(h if self.skip is None else h + self.skip(x))


def measure_leanest(task, args):
    setting, found = Setting(task, args), []
    for _ in range(args.pairs):
        skips, plain = (setting.ours(("silu", skip), "gaussian") for skip in (True, False))
        lean_skips, lean = setting.leanest(True), setting.leanest(False)
        found.append([plain / lean, skips / lean_skips, skips / lean])
    names = ("plain", "skip connections", "skip connections over plain")
    return dict(zip(names, np.median(found, axis=0).round(2).tolist(), strict=True))


def measure(task, args):
    setting = Setting(task, args)
    chosen = {"precision": args.precision, "compile": args.compile}
    found = {}
    for _ in range(args.pairs):
        bare, ours = setting.ours(**PLAIN, **chosen), setting.ours(**chosen)
        ratios = {
            "raw": bare / setting.loop(),
            "raw, clipped and averaged": ours / setting.loop(extras=True),
            "usual": ours / setting.loop(usual=True),
            "skorch": ours / setting.skorch(),
        }
        if HAS_PYRO:
            ratios["pyro"] = ours / setting.pyro()
        for name, ratio in ratios.items():
            found.setdefault(name, []).append(ratio)
    return {name: round(float(statistics.median(ratios)), 3) for name, ratios in found.items()}


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    rows = {}
    for name, task in (LEANEST if args.leanest else TASKS).items():
        rows[name] = (measure_leanest if args.leanest else measure)(task, args)
        print(name, rows[name], flush=True)
    record = {
        "rows": rows,
        "protocol": {**vars(args), "out": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch, skorch)},
    }
    args.out.mkdir(exist_ok=True)
    parts = ["epoch_time", args.device, args.precision, *["compiled"] * args.compile]
    variant = "_".join(parts + ["leanest"] * args.leanest)
    (args.out / f"{variant}.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
