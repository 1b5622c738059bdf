"""Outlines of cells by ten experts: generalised energy distance of draws, five-fold by image.

    python benchmarks/experts.py --data FOLDER

FOLDER has ``bubil_experts_64.npz``, cell images of BU-BIL (Boston University, 2014) with 8 to 10
outlines each. Images and outlines are averaged to `--size`; an outline has the pixels of which
at least half are in it. The networks stop early on a tenth of the training images. Half of the
experts against the other half is what another group of experts would score.
"""

import argparse
from pathlib import Path

import numpy as np
from record import write
from sklearn.model_selection import KFold

from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.architectures import Conv
from skcvae.likelihoods import Bernoulli, CorrelatedLogits
from skcvae.metrics import (
    best_of_n_iou,
    generalized_energy_distance,
    matched_iou,
    sample_diversity,
)
from skcvae.objectives import ELBO

CORRELATED = CorrelatedLogits(Bernoulli(), rank=10, n_draws=20)
MODELS = {
    "independent": (NNRegressor, {"likelihood": "bernoulli"}),
    "SSN": (NNRegressor, {"likelihood": CORRELATED}),
    "CVAE": (CVAERegressor, {"likelihood": "bernoulli", "initial_guess": True}),
    "three scales": (
        CVAERegressor,
        {
            "likelihood": "bernoulli",
            "initial_guess": True,
            "objective": ELBO(free_nats=0.5),
            "architecture": Conv((16, 32, 64, 64, 64), n_latent_scales=3),
        },
    ),
}
COLUMNS = ("energy distance", "matched IoU", "best of n IoU", "diversity", "CLL", "rec. IoU")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=32, choices=(16, 32, 64))
    parser.add_argument("--folds", type=int, default=5, help="how many of the five")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def load(folder, size):
    """Return images in [0, 1], (n, size, size), and outlines (n, 10, size, size), -1 if absent."""
    data = np.load(folder / "bubil_experts_64.npz")
    absent = (data["mask"] == 255).all(axis=(2, 3))
    masks = (pooled(data["mask"], size) >= 0.5).astype(int)
    masks[absent] = -1
    return pooled(data["image"], size) / 255, masks


def pooled(images, size):
    *lead, side, _ = images.shape
    return images.reshape(*lead, size, side // size, size, side // size).mean(axis=(-1, -3))


def halves(experts):
    """Return the energy distance of five experts from the other five, where these are present."""
    there = (experts >= 0).all(axis=(2, 3))
    whole = there[5:].all(axis=0) & there[:5].any(axis=0)
    return generalized_energy_distance(experts[:5, whole], experts[5:, whole])


def reconstruction_iou(model, X, experts):
    scores = []
    for y in experts:
        there = (y >= 0).all(axis=(1, 2))
        found = model.reconstruct(X[there], y[there]) > 0.5
        scores.append(best_of_n_iou(y[None, there], found[None].astype(int)))
    return float(np.mean(scores))


def scored(model, X, experts, args):
    draws = model.sample(X, args.draws, random_state=args.seed, observation_noise=False)
    draws = (draws > 0.5).astype(int)
    return [
        generalized_energy_distance(experts, draws),
        matched_iou(experts, draws),
        best_of_n_iou(experts, draws),
        sample_diversity(draws),
        model.score(X, experts.swapaxes(0, 1)),
        reconstruction_iou(model, X, experts) if model.prior_ is not None else np.nan,
    ]


def main():
    args = parse()
    X, y = load(args.data, args.size)
    folds = list(KFold(5, shuffle=True, random_state=args.seed).split(X))[: args.folds]
    found = {name: [] for name in ("other experts", *args.models)}
    for train, test in folds:
        experts = y[test].swapaxes(0, 1)
        row = [halves(experts), np.nan, np.nan, sample_diversity(experts), np.nan, np.nan]
        found["other experts"].append(row)
        for name in args.models:
            kind, params = MODELS[name]
            model = kind(
                annotations=True,
                max_epochs=args.epochs,
                batch_size=64,
                training=Training(lr_schedule="one_cycle"),
                random_state=args.seed,
                **{"architecture": Conv(tuple(args.channels)), **params},
            ).fit(X[train], y[train])
            found[name].append(scored(model, X[test], experts, args))
            print(name, np.round(found[name][-1], 3), flush=True)
    lines = [f"{'':>14}" + "".join(f"{title:>17}" for title in COLUMNS)]
    for name, rows in found.items():
        lines.append(f"{name:>14}" + "".join(f"{v:17.3f}" for v in np.mean(rows, axis=0)))
    protocol = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    del protocol["data"], protocol["out"]
    text = f"{protocol}\n" + "\n".join(lines) + "\n"
    results = {name: np.array(rows).tolist() for name, rows in found.items()}
    record = {"protocol": protocol, "columns": COLUMNS, "folds": results}
    write(args.out / f"experts_{args.size}.json", record, text)


if __name__ == "__main__":
    main()
