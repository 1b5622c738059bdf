"""
===========================
Uncertainty in segmentation
===========================

Segmentation predicts a label for each pixel. The labels are dependent: if the outline
moves at one pixel, it moves at its neighbours too. A conditional variational autoencoder
samples whole label maps; the variation between many draws is a map of the uncertainty.

If the LFW part labels are available, as ``lfw_parts_64.npz`` in scikit-learn's data
folder, this example segments photographs at 32 x 32 into hair, face and background.
They are for research use only and cannot be downloaded; otherwise the label maps
of scikit-learn's digits, background, edge and ink, are predicted from thumbnails
of 2 x 2 pixels. The first line of the output names the data of the figure.
"""

# %%
# The data
# --------

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import entropy
from sklearn.datasets import get_data_home

from skcvae import CVAERegressor, NNRegressor
from skcvae.datasets import load_digits_label_maps, load_lfw_parts
from skcvae.metrics import intersection_over_union, negative_cll_per_pixel, pixel_accuracy

path = Path(get_data_home()) / "lfw_parts_64.npz"
if path.is_file():
    train, test = (load_lfw_parts(path, subset, size=32) for subset in ("train", "test"))
    X, y, X_test, y_test = train.data, train.target, test.data[:300], test.target[:300]
    names, epochs = train.target_names, 12
    print("data: LFW part labels, 32 x 32")
else:
    digits = load_digits_label_maps()
    X, y, X_test, y_test = (
        part[rows]
        for rows in (slice(0, 1400), slice(1400, None))
        for part in (digits.data, digits.target)
    )
    names, epochs = digits.target_names, 60
    print("data: label maps of scikit-learn's digits, from 2 x 2 thumbnails")

# %%
# A deterministic network and a CVAE
# ----------------------------------
# With `likelihood="categorical"`, y and the output of `predict` are maps of integers. The
# baseline network predicts pixels independently given x. The CVAE adds
# latent variables to the same baseline, its initial guess.

common = {
    "architecture": "conv",
    "likelihood": "categorical",
    "max_epochs": epochs,
    "random_state": 0,
    "verbose": 1,
}
models = {
    "NN": NNRegressor(**common).fit(X, y),
    "CVAE": CVAERegressor(initial_guess=True, kl_warmup=5, **common).fit(X, y),
}
print("test images    pixel accuracy  mean IoU  negative CLL, nats per pixel")
for title, model in models.items():
    predicted = model.predict(X_test)
    cll = negative_cll_per_pixel(model.log_prob(X_test, y_test, n_samples=500), y_test)
    print(
        f"{title:>11}  {pixel_accuracy(y_test, predicted):16.3f}"
        f"  {intersection_over_union(y_test, predicted):8.3f}  {cll:28.3f}"
    )

# %%
# Draws and their entropy
# -----------------------
# `sample(observation_noise=False)` draws z and returns the most likely labels given z,
# which are free of pixel noise. `predict(return_proba=True)` averages the class
# probabilities over z; their entropy is bright where the label is uncertain.

shown = np.arange(5) * (len(X_test) // 5)
draws = models["CVAE"].sample(X_test[shown], n_samples=4, observation_noise=False, random_state=0)
_, proba = models["CVAE"].predict(X_test[shown], return_proba=True)
pictures = X_test[shown].transpose(0, 2, 3, 1) if X_test.ndim == 4 else X_test[shown]
columns = {
    "input": pictures,
    "truth": y_test[shown],
    "NN": models["NN"].predict(X_test[shown]),
    **{f"draw {i + 1}": draw for i, draw in enumerate(draws)},
    "entropy": entropy(proba, axis=1),
}
colours = plt.get_cmap("viridis", len(names))
styles = {
    "input": {"cmap": "gray", "vmin": 0, "vmax": 1},
    "entropy": {"cmap": "magma", "vmin": 0, "vmax": np.log(len(names))},
}
fig, axes = plt.subplots(len(shown), len(columns), figsize=(9, 5.8), layout="constrained")
for column, (title, images) in zip(axes.T, columns.items(), strict=True):
    column[0].set_title(title)
    style = styles.get(title, {"cmap": colours, "vmin": -0.5, "vmax": len(names) - 0.5})
    for ax, image in zip(column, images, strict=True):
        drawn = ax.imshow(image, **style)
        ax.set_axis_off()
    if title == "truth":
        labels = drawn
bar = fig.colorbar(labels, ax=axes, location="bottom", shrink=0.4, ticks=range(len(names)))
bar.ax.set_xticklabels(names)
fig.savefig("segmentation_uncertainty.png", dpi=150)
print("picture written to segmentation_uncertainty.png")
