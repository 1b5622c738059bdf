"""
=====================================
What to hold out: visits and subjects
=====================================

Early stopping chooses the weights by rows that were held out. Here, 40 subjects come to 10
visits each, and x is a number that does not change. With visits held out at random, every
subject is among the rows to train on: the score of the rows held out rises while the network
memorises the subjects, and its intervals are far too narrow for new ones. With ``groups``, whole
subjects are held out.
"""

# %%
# Visits of 40 subjects, and of 200 new ones
# ------------------------------------------

import warnings
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np

from skcvae import NNRegressor

rng = np.random.default_rng(0)
subject = np.repeat(np.arange(240), 10)
x, effect = rng.uniform(-2, 2, 240), rng.normal(scale=0.5, size=240)
X = x[subject, None]
y = np.sin(2 * x)[subject] + effect[subject] + rng.normal(scale=0.1, size=len(subject))
is_new = subject >= 40

# %%
# Two ways to hold out a fifth
# ----------------------------
# A fifth are eight subjects; a tenth would be few. ``fit`` warns of the first way, since most
# rows held out have the x of rows to train on.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
grid = np.linspace(-2, 2, 300)[:, None]
for ax, name, given in zip(
    axes[1:], ("visits", "subjects"), ({}, {"groups": subject[~is_new]}), strict=True
):
    est = NNRegressor(validation_fraction=0.2, lr=0.01, max_epochs=250, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est.fit(X[~is_new], y[~is_new], **given)
    for warning in caught:
        print(fill(f"{name}: {warning.message}", 90))

    score = est.score(X[is_new], y[is_new])
    print(f"{name} held out: CLL of new subjects {score:.2f} nats per visit")
    axes[0].plot(est.history_[:, "valid_cll"], label=f"{name} held out")
    low, high = est.predict_interval(grid, coverage=0.9).T
    ax.fill_between(grid[:, 0], low, high, alpha=0.3)
    ax.scatter(X[is_new][::2], y[is_new][::2], s=1, c="0.6", label="new subjects")
    ax.scatter(X[~is_new], y[~is_new], s=2, c="k", label="training")
    ax.set(title=f"{name} held out: CLL {score:.2f}", xlabel="x", ylim=(-3, 3))
axes[0].set(title="CLL of the rows held out", xlabel="epoch", ylabel="nats per visit")
axes[0].legend()
axes[1].set_ylabel("y, and its 90 % interval")
axes[1].legend(loc="lower right", markerscale=4)
plt.show()
