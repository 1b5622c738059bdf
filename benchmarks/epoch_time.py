"""An epoch of `fit` against hand-written loops over the same networks.

    python benchmarks/epoch_time.py

Three loops train the networks that the estimator builds, on tensors in memory,
with the same batches, noise and loss, turn by turn in one process. "raw" has the
fused optimizer; "raw, clipped and averaged" adds what the estimator does by
default, gradients clipped to a norm and an average of the weights; "usual" is
what most people write, unfused Adam and tensors indexed by a permutation. The
table has the median of the ratios, the estimator's epoch over the loop's; the
first epoch of each run does not count.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch

import skcvae
from skcvae import CVAERegressor
from skcvae.architectures import MLP
from skcvae.objectives import NegativeBound

TASKS = {  # rows, inputs, outputs, units, latents, batch
    "table, batch 64": (20_000, 10, 5, 64, 4, 64),
    "table, batch 256": (20_000, 10, 5, 64, 4, 256),
    "table, batch 1024": (20_000, 10, 5, 64, 4, 1024),
    "images, 500 units": (5_000, 196, 588, 500, 50, 128),
    "images, 1000 units": (5_000, 196, 588, 1000, 200, 128),
}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=2, help="counted in each run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def estimator(task, epochs, **more):
    *_, units, latents, batch = task
    return CVAERegressor(
        architecture=MLP((units, units), shortcut=False),
        latent_dim=latents,
        batch_size=batch,
        max_epochs=epochs + 1,
        early_stopping=False,
        random_state=0,
        **more,
    )


def seconds_of(est):
    return statistics.mean(row["dur"] for row in est.history_[1:])


def loop(objective, x, y, task, epochs, *, usual, extras):
    """Return the mean seconds of an epoch, the first left out."""
    *_, latents, batch = task
    loss = NegativeBound()
    weights = list(objective.parameters())
    average = [w.detach().clone() for w in weights]
    optimizer = torch.optim.Adam(weights, lr=3e-3, fused=not usual)
    taken = []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        order, total = torch.randperm(len(x)), 0.0
        for i in range(0, len(x), batch):
            rows = order[i : i + batch]
            bound = objective(x[rows], y[rows], torch.randn(1, len(rows), latents))
            value = loss(bound)
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
        taken.append(time.perf_counter() - start)
    return statistics.mean(taken[1:])


def measure(task, args):
    n, n_inputs, n_outputs, *_ = task
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, n_inputs)), rng.normal(size=(n, n_outputs))
    objective = estimator(task, 0).fit(X[:100], y[:100]).net_.module_.train()
    tensors = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    plain = {"max_grad_norm": None, "ema_decay": 0.0}
    found = {"raw": [], "raw, clipped and averaged": [], "usual": []}
    for _ in range(args.pairs):
        bare = seconds_of(estimator(task, args.epochs, **plain).fit(X, y))
        ours = seconds_of(estimator(task, args.epochs).fit(X, y))
        raw, full, usual = (
            loop(objective, *tensors, task, args.epochs, usual=usual, extras=extras)
            for usual, extras in ((False, False), (False, True), (True, False))
        )
        found["raw"].append(bare / raw)
        found["raw, clipped and averaged"].append(ours / full)
        found["usual"].append(ours / usual)
    return {name: round(statistics.median(ratios), 3) for name, ratios in found.items()}


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    rows = {}
    for name, task in TASKS.items():
        rows[name] = measure(task, args)
        print(name, rows[name], flush=True)
    record = {
        "rows": rows,
        "protocol": {**vars(args), "out": None},
        "versions": {m.__name__: m.__version__ for m in (skcvae, torch)},
    }
    args.out.mkdir(exist_ok=True)
    (args.out / "epoch_time.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
