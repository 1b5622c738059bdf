"""Outlines of cells by ten experts: generalised energy distance of draws, five-fold by image.

    python benchmarks/experts.py --data FOLDER --folds 1

FOLDER has ``bubil_experts_64.npz``, 151 cell images of BU-BIL (Boston University, 2014) with 8 to
10 outlines each, of 64 x 64 pixels. An image is standardised by itself. The networks see all its
pixels, and beside them the logarithm of the standard deviation around each pixel at two widths,
since a cell is rough where the background is smooth, and the image standardised by its
surroundings. An outline is of `--size`, with the blocks of pixels of which at least half is in it.

120 images are few, and a network soon knows them by heart. It is trained on `--copies` copies of
each, turned by any angle, mirrored or not, stretched and shifted, each with the outline of one
expert, who take turns. Draws are from x in its eight orientations, as many of each, turned back,
and have no noise of single pixels; CLL and reconstruction IoU are of x as it is. Nothing stops
early. Half of the experts against the other half is what another group of experts would score.

"z and SSN" has the hybrid objective and an initial guess. The models with four scales weigh
the KL term by a fifth, with which z has all of an outline. "3 fits" is an ensemble of three.

Models that are not in `--models` keep their results. With `--validate`, a third of the training
images of each fold is scored in place of its test images: what the recipe was chosen by.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from record import write_by_seed
from scipy import ndimage
from sklearn.model_selection import KFold

from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor, Training
from skcvae.architectures import Conv
from skcvae.likelihoods import Bernoulli, CorrelatedLogits
from skcvae.metrics import (
    best_of_n_iou,
    generalized_energy_distance,
    matched_iou,
    sample_diversity,
)
from skcvae.objectives import ELBO, Hybrid

SSN = CorrelatedLogits(Bernoulli(), rank=10, n_draws=20)
FEW_DRAWS = CorrelatedLogits(Bernoulli(), rank=10, n_draws=8)  # for each draw of z
ONE_SCALE = Conv((8, 16, 32, 64, 64, 64), image_size=(64, 64))
FOUR_SCALES = Conv((8, 16, 32, 64, 64, 64), image_size=(64, 64), n_latent_scales=4)
MODELS = {
    "independent": NNRegressor(likelihood="bernoulli", architecture=ONE_SCALE),
    "SSN": NNRegressor(likelihood=SSN, architecture=ONE_SCALE),
    "CVAE": CVAERegressor(likelihood="bernoulli", architecture=ONE_SCALE),
    "z and SSN": CVAERegressor(
        likelihood=FEW_DRAWS,
        architecture=ONE_SCALE,
        latent_dim=2,
        initial_guess=True,
        objective=Hybrid(0.5),
    ),
    "four scales": CVAERegressor(
        likelihood="bernoulli",
        architecture=FOUR_SCALES,
        objective=ELBO(free_nats=0.5),
        beta=-0.8,
    ),
    "scales and SSN": CVAERegressor(
        likelihood=FEW_DRAWS,
        architecture=FOUR_SCALES,
        objective=ELBO(free_nats=0.5),
        beta=-0.8,
    ),
}
for name in ("SSN", "z and SSN"):
    MODELS[f"{name}, 3 fits"] = EnsembleRegressor(MODELS[name], n_estimators=3)
OTHERS = "other experts"
NAMES = [OTHERS, *MODELS]
COLUMNS = ("energy distance", "matched IoU", "best of n IoU", "diversity", "CLL", "rec. IoU")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=32, choices=(16, 32))
    parser.add_argument("--folds", type=int, default=5, help="how many of the five")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--copies", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def load(folder):
    """Return standardised images (n, 64, 64), and outlines (n, 10, 64, 64), NaN where absent."""
    data = np.load(folder / "bubil_experts_64.npz")
    images = data["image"].astype(float)
    images -= images.mean(axis=(1, 2), keepdims=True)
    masks = data["mask"].astype(float)
    masks[(masks == 255).all(axis=(2, 3))] = np.nan
    return images / images.std(axis=(1, 2), keepdims=True), masks


def seen(images, masks, size):
    """Return both as the networks see them: (n, 4, 64, 64), and labels, -1 if absent."""
    spreads = [np.log(surroundings(images, width)[1]) for width in (1, 2)]
    mean, spread = surroundings(images, 6)
    X = np.stack([images, *spreads, (images - mean) / spread], axis=1)
    side = masks.shape[-1] // size
    blocks = masks.reshape(*masks.shape[:-2], size, side, size, side).mean(axis=(-1, -3))
    return X.astype(np.float32), np.where(np.isnan(blocks), -1, blocks >= 0.5)


def surroundings(images, width):
    """Return the mean and the standard deviation around each pixel."""
    mean, square = (ndimage.gaussian_filter(a, (0, width, width)) for a in (images, images**2))
    return mean, np.sqrt(np.maximum(square - mean**2, 0)) + 0.05


def copies(images, masks, n_copies, rng):
    """Return copies of the images, moved at random, each with the outline of one expert."""
    found = []
    for image, outlines in zip(images, masks, strict=True):
        present = outlines[~np.isnan(outlines[:, 0, 0])]
        turns = [rng.permutation(len(present)) for _ in range(n_copies)]
        for i in np.concatenate(turns)[:n_copies]:
            found.append(moved(image, present[i], rng))
    images, masks = map(np.stack, zip(*found, strict=True))
    return images, masks[:, None]


def moved(image, mask, rng):
    """Return both turned, mirrored or not, stretched and shifted, and the image's contrast."""
    angle, mirror = rng.uniform(0, 2 * np.pi), np.diag([1, rng.choice([-1, 1])])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.exp(rng.uniform(-0.15, 0.15)) * (np.eye(2) + rng.uniform(-0.1, 0.1, (2, 2)))
    matrix, centre = turn @ mirror @ stretch, (len(image) - 1) / 2
    offset = centre - matrix @ (centre + rng.uniform(-4, 4, 2))
    image = ndimage.affine_transform(image, matrix, offset, order=1, mode="reflect")
    mask = ndimage.affine_transform(mask, matrix, offset, order=1)
    return np.exp(rng.normal(scale=0.2)) * image + rng.normal(scale=0.2), mask


def turned(images, number):
    """Return images in one of the eight orientations."""
    return np.rot90(images, number, axes=(-2, -1))[..., :: -1 if number >= 4 else 1]


def turned_back(images, number):
    return np.rot90(images[..., :: -1 if number >= 4 else 1], -number, axes=(-2, -1))


def draws_of(model, X, n_draws, seed):
    """Return draws of label maps, as many from x in each of its orientations."""
    found = []
    for i in range(8):
        n = len(range(i, n_draws, 8))
        draws = model.sample(turned(X, i), n, random_state=seed + i, observation_noise=False)
        found.append(turned_back(draws, i))
    return (np.concatenate(found) > 0.5).astype(int)


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


def measured(name, number, args):
    """Return the scores of a model in one of the folds, each column's."""
    images, masks = load(args.data)
    folds = KFold(5, shuffle=True, random_state=args.seed).split(images)
    train, test = list(folds)[number]
    rng = np.random.default_rng(args.seed)
    if args.validate:
        train, test = np.split(rng.permutation(train), [2 * len(train) // 3])
    X_test, y_test = seen(images[test], masks[test], args.size)
    experts = y_test.swapaxes(0, 1)
    if name == OTHERS:
        found = [halves(experts), np.nan, np.nan, sample_diversity(experts), np.nan, np.nan]
        return dict(zip(COLUMNS, found, strict=True), copies=0)
    model = MODELS[name].set_params(random_state=args.seed)
    getattr(model, "estimator", model).set_params(
        annotations=True,
        max_epochs=args.epochs,
        batch_size=32,
        early_stopping=False,
        training=Training(lr_schedule="one_cycle", precision="bfloat16"),
    )
    X, y = seen(*copies(images[train], masks[train], args.copies, rng), args.size)
    return {**scores(model.fit(X, y), X_test, experts, args), "copies": args.copies}


def scores(model, X, experts, args):
    draws = draws_of(model, X, args.draws, args.seed)
    found = [
        generalized_energy_distance(experts, draws),
        matched_iou(experts, draws),
        best_of_n_iou(experts, draws),
        sample_diversity(draws),
        model.score(X, experts.swapaxes(0, 1)),
        reconstruction_iou(model, X, experts) if getattr(model, "prior_", None) else np.nan,
    ]
    return dict(zip(COLUMNS, found, strict=True))


def table(cases):
    heads = "".join(f"{title:>17}" for title in COLUMNS)
    lines = [f"{'':>17}{'folds':>7}{'copies':>8}{heads}"]
    for name, by_fold in cases.items():
        means = (np.mean([row[title] for row in by_fold.values()]) for title in COLUMNS)
        line = f"{name:>17}{len(by_fold):>7}{by_fold['0']['copies']:>8}"
        lines.append(line + "".join(f"{mean:17.3f}" for mean in means))
    return "\n".join(lines) + "\n"


def main():
    args = parse()
    path = args.out / f"experts_{args.size}{'_validation' * args.validate}.json"
    write_by_seed(path, args.models, args.folds, partial(measured, args=args), table)


if __name__ == "__main__":
    main()
