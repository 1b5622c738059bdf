"""
====================================================
Regression in latent space: a digit turned by angles
====================================================

Images of a turning digit lie on a curve. With a Gaussian process as the prior, the latent
variables are smooth functions of the angle: images at new angles are interpolated along the
curve, and where no angle is near the distribution widens, as that of a Gaussian process does.
"""

# %%
# A digit at some angles
# ----------------------
# x is the angle, y the image. No angle between 70 and 100 degrees is in the training rows, and
# none above 150.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import rotate, zoom
from sklearn.datasets import load_digits

from skcvae import CVAERegressor
from skcvae.likelihoods import Gaussian

digit = np.pad(zoom(load_digits().images[5] / 16, 2, order=1), 2)
angles = np.arange(0, 300, 2.0)
images = np.stack([rotate(digit, angle, reshape=False, order=1) for angle in angles])
seen = (angles <= 150) & ((angles < 70) | (angles > 100)) & (angles % 4 == 0)
X = angles[:, None]

# %%
# A prior network and a Gaussian process
# --------------------------------------
# The generation network under the process reads z alone; its first stage of training is that
# of a variational autoencoder of the images.

shared = {
    "latent_dim": 4,
    "likelihood": Gaussian(init_scale=0.1),
    "early_stopping": False,
    "random_state": 0,
}
models = {
    "prior network": CVAERegressor(max_epochs=400, **shared),
    "Gaussian process": CVAERegressor(prior="gaussian_process", max_epochs=200, **shared),
}
std = {}
for name, est in models.items():
    est.fit(X[seen], images[seen])
    mean, std[name] = est.predict(X, return_std=True)
    between = ~seen & (angles <= 150) & ((angles < 70) | (angles > 100))
    error = np.mean((mean - images)[between] ** 2) ** 0.5
    print(f"{name:16}  root mean squared error between the angles seen: {error:.3f}")

# %%
# The images
# ----------
# Angles in red were not seen. In the gap the process goes on along the curve, and soon beyond
# the last angle it knows no more than that the image is one of a digit. The last row is the
# standard deviation of each pixel under the process.

shown = np.searchsorted(angles, [10, 40, 62, 74, 86, 98, 110, 150, 162, 180, 220, 290])
fig, axes = plt.subplots(4, len(shown), figsize=(10, 3.8), layout="constrained")
rows = {"truth": images[shown]}
for name, est in models.items():
    rows[name] = est.predict(X[shown])
rows["deviation"] = std["Gaussian process"][shown]
for line, (name, shown_images) in zip(axes, rows.items(), strict=True):
    top = 0.4 if name == "deviation" else 1
    for ax, image, i in zip(line, shown_images, shown, strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=top)
        ax.set(xticks=[], yticks=[])
        if name == "truth":
            ax.set_title(f"{angles[i]:.0f}°", color="k" if seen[i] else "C3")
    line[0].set_ylabel(name.replace(" ", "\n"), fontsize=8)
plt.show()

# %%
# The uncertainty
# ---------------
# The standard deviation of a pixel, averaged over the image: that of the process grows with
# the distance from the angles seen, in the gap and beyond the last angle.

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, spread in std.items():
    ax.plot(angles, spread.mean(axis=(1, 2)), label=name)
ax.plot(angles[seen], np.zeros(seen.sum()), "k|", label="angles seen")
ax.set(xlabel="angle, degrees", ylabel="standard deviation")
ax.legend()
plt.show()
