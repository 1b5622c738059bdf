"""
=======================================
Calibration of predictive distributions
=======================================

A model is calibrated if outputs fall into its intervals as often as it predicts. The
probability integral transform (PIT) checks this with draws: the share of draws below the
output is uniform if the model is calibrated. Among calibrated models, the energy score
prefers the sharper one.
"""

# %%
# Calibrated and miscalibrated draws
# ----------------------------------
# The model's draws for test rows, and the same draws contracted and expanded around their
# mean, as an overconfident and an underconfident model would draw.

import matplotlib.pyplot as plt
import numpy as np

from skcvae import CVAERegressor
from skcvae.datasets import make_linear_gaussian
from skcvae.metrics import energy_score, pit

data = make_linear_gaussian(n_samples=3000, random_state=0)
X_test, y_test = data.X[1000:], data.y[1000:]
est = CVAERegressor(max_epochs=60, random_state=0).fit(data.X[:1000], data.y[:1000])
draws = est.sample(X_test, n_samples=200, random_state=0)
mean = draws.mean(0)

# %%
# PIT histograms: flat, U-shaped and hump-shaped
# ----------------------------------------------

fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
names = {1.0: "the model", 0.6: "too narrow", 1.7: "too wide"}
for ax, (width, name) in zip(axes, names.items(), strict=True):
    changed = mean + width * (draws - mean)
    u = pit(y_test, changed)
    score = energy_score(y_test, changed)
    ax.hist(u.ravel(), bins=20, range=(0, 1), density=True)
    ax.axhline(1, color="k", lw=1)
    ax.set(title=f"{name}: energy score {score:.2f}", xlabel="share of draws below y")
    print(f"{name:10}  share of outputs in the middle half {np.mean(np.abs(u - 0.5) < 0.25):.2f}")
axes[0].set_ylabel("density")
plt.show()
