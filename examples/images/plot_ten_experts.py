"""
=========================
Ten experts, ten outlines
=========================

Where does a cell end? Ten experts draw ten outlines, and all may be right. A model of such
label maps should have the experts' distribution: their outlines, each as often as they draw it,
rather than one compromise. ``annotations=True`` fits all outlines of each image at once.

The data are simulated, so that the truth is known: a cell with a neighbour that is more or less
visible. An expert counts the neighbour as a part of the cell with a probability equal to its
contrast, and half of the time draws a wide outline rather than a tight one.
"""

# %%
# Images and outlines
# -------------------
# Maps of an expert who did not see an image are -1.

import numpy as np

from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.displays import AnnotationsDisplay
from skcvae.likelihoods import Bernoulli, CorrelatedLogits
from skcvae.metrics import (
    best_of_n_iou,
    generalized_energy_distance,
    matched_iou,
    sample_diversity,
)

SIZE, N_EXPERTS = 16, 10


def discs(centre, radius):
    rows, columns = np.indices((SIZE, SIZE))
    distance = np.hypot(rows - centre[..., 0, None, None], columns - centre[..., 1, None, None])
    return distance < radius[..., None, None]


def make_cells(n_images, rng):
    centre, radius = rng.uniform(5, 10, (n_images, 2)), rng.uniform(2.5, 3.5, n_images)
    angle, contrast = rng.uniform(0, 2 * np.pi, n_images), rng.uniform(0, 1, n_images)
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    beside, small = centre + (radius + 1)[:, None] * direction, np.full(n_images, 2.0)
    image = np.maximum(discs(centre, radius), contrast[:, None, None] * discs(beside, small))
    image = image + rng.normal(scale=0.1, size=image.shape)

    shape = (n_images, N_EXPERTS)
    included = rng.random(shape) < contrast[:, None]
    margin = 0.8 * rng.integers(0, 2, shape)
    cell = discs(centre[:, None], radius[:, None] + margin)
    neighbour = discs(beside[:, None], small[:, None] + margin)
    y = (cell | neighbour & included[..., None, None]).astype(int)
    y[rng.random(shape) < 0.1] = -1
    return image, y


rng = np.random.default_rng(0)
X, y = make_cells(400, rng)
X_test, y_test = make_cells(100, rng)

# %%
# Three models
# ------------
# A network without latent variables takes pixels to be independent. Correlated logits tie them
# together: this is a stochastic segmentation network. A CVAE ties them by latent variables.

common = {
    "annotations": True,
    "max_epochs": 12,
    "batch_size": 64,
    "training": Training(lr_schedule="one_cycle"),
    "random_state": 0,
}
models = {
    "independent": NNRegressor(likelihood="bernoulli", **common),
    "correlated logits": NNRegressor(
        likelihood=CorrelatedLogits(Bernoulli(), rank=5, n_draws=20), **common
    ),
    "CVAE": CVAERegressor(likelihood="bernoulli", latent_dim=5, **common),
}
for model in models.values():
    model.fit(X, y)

# %%
# The generalised energy distance is zero if draws and outlines have one distribution. For
# comparison, the first five experts against the other five; so few maps give a somewhat larger
# distance than many of the same distribution.

experts = y_test.swapaxes(0, 1)
whole = (experts >= 0).all(axis=(0, 2, 3))
rows = {"other experts": (experts[:5, whole], experts[5:, whole])}
for name, model in models.items():
    draws = model.sample(X_test, 20, random_state=0, observation_noise=False)
    rows[name] = (experts, (draws > 0.5).astype(int))
columns = (generalized_energy_distance, matched_iou, best_of_n_iou)
print("                   energy distance  matched IoU  best of n  diversity  log-likelihood")
for name, (of, draws) in rows.items():
    numbers = [metric(of, draws) for metric in columns] + [sample_diversity(draws)]
    score = f"{models[name].score(X_test, y_test):14.1f}" if name in models else ""
    print(f"{name:>17}" + "{:17.3f}{:13.3f}{:11.3f}{:11.3f}  ".format(*numbers) + score)
print(f"diversity of the experts: {sample_diversity(experts):.3f}")

# %%
# Outlines and draws
# ------------------
# The map of disagreement of the draws should be that of the experts.

shown = [3, 8, 14, 21, 30]
display = AnnotationsDisplay.from_estimator(
    models["CVAE"],
    X_test[shown],
    y_test[shown],
    n_samples=50,
    label_names={0: "background", 1: "cell"},
)
display.figure_.savefig("ten_experts.png", dpi=150)
print("picture written to ten_experts.png")
