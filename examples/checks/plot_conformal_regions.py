"""
================================
Regions with guaranteed coverage
================================

Intervals of a model contain their share of the outputs only if the model is right. Conformal
prediction widens or narrows them by rows that were not fitted, so that they contain this share
even if the model is wrong. Here it is applied to a conditional VAE, for an output with two
branches, where a region has two pieces, and for two outputs together, where it is a ring rather
than a box.
"""

# %%
# Pieces
# ------
# Two branches, known exactly. A third of the rows is held out to calibrate.

import matplotlib.pyplot as plt
import numpy as np

from skcvae import ConformalRegressor, CVAERegressor
from skcvae.datasets import make_ring, make_two_branches

data = make_two_branches(n_samples=900, random_state=0)
X, X_held = data.X[:600], data.X[600:]
y, y_held = data.y[:600], data.y[600:]
cvae = CVAERegressor(max_epochs=150, random_state=0)
est = ConformalRegressor(cvae, n_samples=100, random_state=0)
est.fit(X, y).conformalize(X_held, y_held)

# %%
# A central interval covers the gap between the branches. The highest-density region leaves it out:
# `predict_region` returns one row of pieces for each row of X, from the lowest.

grid = np.linspace(-1, 1, 60)[:, None]
interval = est.predict_interval(grid)
pieces = est.predict_region(grid)
print(pieces[:2].round(2))

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, title, parts in zip(
    axes,
    ("central intervals", "highest-density regions"),
    (interval[:, None], pieces),
    strict=True,
):
    for part in np.moveaxis(parts, 1, 0):
        ax.vlines(grid[:, 0], *part.T, color="#0072B2", alpha=0.35, linewidth=5)
    ax.plot(X[:200], y[:200], ".", color="black", markersize=3)
    ax.set(title=f"{title} of 90 %", xlabel="x")
axes[0].set_ylabel("y")
plt.show()

# %%
# Coverage and length on new rows
# -------------------------------
# Both hold 90 % of new rows up to chance: with 300 rows that calibrate and 300 new ones the share
# has a standard error of 2.4 %.

new = make_two_branches(n_samples=300, random_state=1)


def share_and_length(pieces):
    lower, upper = pieces[..., 0], pieces[..., 1]
    held = (lower <= new.y[:, None]) & (new.y[:, None] <= upper)
    return (
        f"{held.any(axis=1).mean():.1%} inside, mean length {np.nansum(upper - lower) / 300:.2f}"
    )


print("central intervals", share_and_length(est.predict_interval(new.X)[:, None]))
print("regions          ", share_and_length(est.predict_region(new.X)))

# %%
# A wrong model
# -------------
# After three epochs the model is far from the truth, and its own intervals hold the wrong shares.
# The conformal intervals hold the right ones up to chance, whatever the model.

levels = np.array([0.5, 0.7, 0.9, 0.95])
early = CVAERegressor(max_epochs=3, random_state=0)
wrong = (
    ConformalRegressor(early, n_samples=100, random_state=0).fit(X, y).conformalize(X_held, y_held)
)


def inside(interval):
    return np.mean((interval[:, 0] <= new.y) & (new.y <= interval[:, 1]))


print("asked for   " + "".join(f"{level:8.0%}" for level in levels))
own = [inside(wrong.estimator_.predict_interval(new.X, level)) for level in levels]
print("the model's " + "".join(f"{share:8.1%}" for share in own))
conformal = wrong.predict_interval(new.X, levels)
print("conformal   " + "".join(f"{inside(conformal[..., i]):8.1%}" for i in range(len(levels))))

# %%
# Two outputs together
# --------------------
# The pairs y are on a ring with a radius of x. Intervals of each output, even if they are to hold
# together (``joint=True``), make a box with nothing in its middle. `contains` takes many values of
# y for one x, so that the region can be drawn: the ring.

ring = make_ring(n_samples=1200, random_state=0)
est = CVAERegressor(max_epochs=150, random_state=0)
est = ConformalRegressor(est, n_samples=100, random_state=0).fit(ring.X[:900], ring.y[:900])
est.conformalize(ring.X[900:], ring.y[900:])

x = np.array([[1.5]])
side = np.linspace(-2.5, 2.5, 81)
values = np.stack(np.meshgrid(side, side), axis=-1)
held = est.contains(x, values.reshape(-1, 1, 2), (0.5, 0.9)).reshape(81, 81, 2).sum(axis=-1)
(left, right), (low, high) = est.predict_interval(x, joint=True)[0]

fig, ax = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
ax.contourf(side, side, held, levels=[0.5, 1.5, 2.5], colors=["#9ecae1", "#3182bd"])
ax.plot([left, right, right, left, left], [low, low, high, high, low], color="#D55E00")
draws = est.estimator_.sample(x, 150, random_state=0)[:, 0]
ax.plot(*draws.T, ".", color="black", markersize=3)
ax.set(xlabel="first output", ylabel="second output", title="Regions of 50 and 90 %, box of 90 %")
ax.set_aspect("equal")
plt.show()
area = {"region": (held > 0).mean() * 25, "box": (right - left) * (high - low)}
print(", ".join(f"{name}: area {value:.1f}" for name, value in area.items()))
