"""
===========================================
Attribute progression with layered networks
===========================================

Here x is a vector of attributes and y an image. A layered network composes y of a foreground,
which x and a part of z generate, and a background, which another part of z generates, through a
gate. One attribute is then moved from its lowest to its highest value with z fixed: the
foreground follows, the background stays.
"""

# %%
# Digits before a background
# --------------------------
# scikit-learn's digits, each before a grey ramp of random direction and brightness. The
# attributes are the label and two numbers measured from the pixels: the slant, which is the
# regression coefficient of the column of the ink on its row, and the thickness, which is the
# share of ink. The digit itself is a mask of the foreground. The last channel of y is that mask;
# it is given for a half of the images, and NaN for the others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor, progression
from skcvae.architectures import Layered
from skcvae.displays import ProgressionDisplay
from skcvae.likelihoods import Gaussian, MaskedImage
from skcvae.metrics import intersection_over_union

digits = load_digits()
ink = digits.images / 16
rng = np.random.default_rng(0)
n = len(ink)

rows, columns = np.indices((8, 8)) - 3.5


def slant_of(ink):
    """Return the slope of the ink of each image, in columns to the right per row upwards."""
    mass = ink.sum(axis=(1, 2))
    row = (ink * rows).sum(axis=(1, 2)) / mass
    column = (ink * columns).sum(axis=(1, 2)) / mass
    off_row = rows - row[:, None, None]
    covariance = (ink * off_row * (columns - column[:, None, None])).sum(axis=(1, 2))
    return -covariance / (ink * off_row**2).sum(axis=(1, 2))


attributes = np.column_stack([np.eye(10)[digits.target], slant_of(ink), ink.mean(axis=(1, 2))])
slant, thickness = 10, 11

masks = (ink > 0.5).astype(float)
level, down, right = rng.uniform([0.1, -0.04, -0.04], [0.5, 0.04, 0.04], (n, 3)).T
ramps = level[:, None, None] + np.multiply.outer(down, rows) + np.multiply.outer(right, columns)
images = masks * ink + (1 - masks) * ramps
known = np.where(rng.random((n, 1, 1)) < 0.5, masks, np.nan)
y = np.stack([images, known], axis=1)

X_train, X_test, y_train, y_test, _, masks_test = train_test_split(
    attributes, y, masks, test_size=300, random_state=0
)

# %%
# Fit
# ---
# With ``mask=True`` the probability of the mask is the gate. A standard prior keeps z free of
# the attributes.

est = CVAERegressor(
    architecture=Layered((16, 32), mask=True),
    likelihood=MaskedImage(Gaussian()),
    prior="standard",
    partial_y=True,
    latent_dim=16,
    max_epochs=30,
    random_state=0,
)
est.fit(X_train, y_train)

# %%
# Layers of unseen images
# -----------------------
# `encode` gets images without their masks; `decode_layers` returns foreground, background and
# gate. Background pixels that no image shows, behind the digits, are filled in.

unknown = y_test.copy()
unknown[:, 1] = np.nan
z = est.encode(X_test, unknown)
foreground, background, gate = est.decode_layers(X_test, z)

found = intersection_over_union(masks_test, gate > 0.5, label=1)
print(f"masks of test images, found without them: intersection over union {found:.2f}")

shown = {
    "image": y_test[:, 0],
    "again": est.decode(X_test, z)[:, 0],
    "foreground": foreground[:, 0],
    "gate": gate,
    "background": background[:, 0],
}
fig, axes = plt.subplots(5, len(shown), figsize=(6, 6.2), layout="constrained")
for column, (title, pictures) in zip(axes.T, shown.items(), strict=True):
    column[0].set_title(title)
    for ax, picture in zip(column, pictures, strict=False):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Progressions
# ------------
# Each row is a test image, encoded; one attribute moves from its lowest to its highest value among
# the training images. The display wants images, so the mask is left out.


def picture(X, y):
    return y[:, 0]


for feature, name in ((slant, "slant"), (thickness, "thickness")):
    values = np.linspace(*np.quantile(X_train[:, feature], (0.01, 0.99)), 7)
    display = ProgressionDisplay.from_estimator(
        est, X_test[:5], feature, values, z[:5], y=y_test[:5], join=picture
    )
    display.figure_.suptitle(name)
plt.show()

# %%
# What was asked for is what is drawn
# -----------------------------------
# The slant of the generated foregrounds, where the gate is open, rises with the slant asked for.
# z is drawn from the prior here.

z = rng.normal(size=(len(X_test), *est.latent_shape_))
values = np.linspace(*np.quantile(X_train[:, slant], (0.01, 0.99)), 7)
drawn = progression(est, X_test, slant, values, z)[:, :, 1]
print("slant asked for:", np.round(values, 2))
print("slant drawn:    ", np.round([slant_of(gate).mean() for gate in drawn], 2))
