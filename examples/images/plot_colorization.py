"""
====================================
Several colours for one grey picture
====================================

A grey picture does not tell its colours: a petal may be pink or orange, and a patch without
context may be a leaf. A mixture as the prior p(z|x) gives the distinct answers in the order of
their weights, and a likelihood of colour fields makes each of them smooth.

Requires scikit-image: ``pip install skcvae[color]``.
"""

# %%
# Patches of two photographs
# --------------------------
# scikit-learn ships two photographs. Patches of 12 x 12 pixels from their left two thirds are
# to learn from; a patch is split into its lightness, x, and two colour channels, y. Patches
# from the right third are to test on.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from skcvae import CVAERegressor, NNRegressor
from skcvae.architectures import MLP
from skcvae.datasets import join_colors, split_colors
from skcvae.likelihoods import ColorField
from skcvae.priors import Mixture

SIDE, STRIDE = 12, 6


def halved(picture):
    """Return a picture of half the resolution, in [0, 1]."""
    height, width = (side // 2 for side in picture.shape[:2])
    blocks = picture[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return blocks.mean(axis=(1, 3)) / 255


def patches(picture, stride):
    """Return patches of a picture, (n, SIDE, SIDE, 3)."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (SIDE, SIDE), axis=(0, 1))
    return np.moveaxis(windows[::stride, ::stride].reshape(-1, 3, SIDE, SIDE), 1, -1)


pictures = [halved(picture) for picture in load_sample_images().images]
cut = 2 * pictures[0].shape[1] // 3
X, y = split_colors(np.concatenate([patches(part[:, :cut], STRIDE) for part in pictures]))
X_test, y_test = split_colors(np.concatenate([patches(part[:, cut:], SIDE) for part in pictures]))
print(f"{len(X)} patches to learn from, {len(X_test)} to test on")

# %%
# Two models
# ----------
# A network without latent variables has one answer. The components of the mixture have a
# fixed scale, so that each stands for one answer.

shared = {
    "architecture": MLP((128, 128)),
    "likelihood": ColorField(),
    "batch_size": 64,
    "random_state": 0,
}
models = {
    "one answer": NNRegressor(max_epochs=30, **shared),
    "a mixture of four": CVAERegressor(
        prior=Mixture(n_components=4, scale=0.5), latent_dim=8, max_epochs=30, **shared
    ),
}
for name, est in models.items():
    est.fit(X, y)
    per_pixel = est.score(X_test, y_test) / SIDE**2
    print(f"{name:18} log-likelihood {per_pixel:6.3f} nats per pixel of colour given grey")

# %%
# The answers, and how good the best of them is
# ---------------------------------------------

answers, weights = est.predict_modes(X_test, return_weights=True)


def error(found):
    """Return the mean squared error of each image."""
    return np.square(found - y_test).mean(axis=(-3, -2, -1))


for name, found in {
    "one answer": error(models["one answer"].predict(X_test)),
    "the heaviest component": error(answers[0]),
    "the best of four": error(answers).min(axis=0),
}.items():
    print(f"{name:24} RMSE {np.sqrt(found.mean()):5.2f} in units of a* and b*")

spread = answers.var(axis=0).mean(axis=(1, 2, 3)) * (weights[1] > 0.1)
shown = np.argsort(-spread)[:60:10]
fig, axes = plt.subplots(len(shown), 6, figsize=(6, 1.05 * len(shown)), layout="constrained")
for line, row in zip(axes, shown, strict=True):
    images = [0 * y_test[row], *answers[:, row], y_test[row]]
    titles = ["given", *(f"{weight:.0%}" for weight in weights[:, row]), "truth"]
    for ax, image, title in zip(line, images, titles, strict=True):
        ax.imshow(join_colors(X_test[row], image))
        ax.set_title(title, fontsize=8)
        ax.set_axis_off()
plt.show()

# %%
# Colours of whole pictures
# -------------------------
# Each test patch by itself, at the heaviest component: grey, coloured, true.


def tiled(images, picture):
    """Return the patches of the right third of a picture, side by side."""
    rows, columns = (side // SIDE for side in picture[:, cut:].shape[:2])
    grid = images.reshape(rows, columns, SIDE, SIDE, 3).swapaxes(1, 2)
    return grid.reshape(rows * SIDE, columns * SIDE, 3)


per_picture = len(X_test) // len(pictures)
fig, axes = plt.subplots(1, 6, figsize=(7, 2.6), layout="constrained")
for ax, title in zip(axes, 2 * ["grey", "coloured", "true"], strict=True):
    ax.set_title(title, fontsize=8)
for i, picture in enumerate(pictures):
    own = slice(i * per_picture, (i + 1) * per_picture)
    for ax, found in zip(axes[3 * i :], (0 * y_test, answers[0], y_test), strict=False):
        ax.imshow(tiled(join_colors(X_test[own], found[own]), picture))
        ax.set_axis_off()
plt.show()
