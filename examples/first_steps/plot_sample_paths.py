"""
======================
Sample paths of series
======================

What a turbine will deliver in the next twelve hours is not twelve numbers with an interval each:
whether the wind drops at three o'clock or at nine, it stays low after. Draws of the whole
window are sample paths, and whatever follows from a path has a distribution. Temporal
convolutions, ``architecture="temporal"``, read and draw sequences of several channels, rows of
shape (length, channels).
"""

# %%
# Windows of a series
# -------------------
# The series is simulated: wind changes between calm and storm at random times, with gusts and
# a daily cycle, and power follows its cube. A row is 24 hours of wind, power and the time of day,
# and y the 12 hours after, wind and power.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import multivariate_normal
from sklearn.linear_model import RidgeCV

from skcvae import CVAERegressor
from skcvae.metrics import interval_coverage

rng, n_hours, past, ahead, step = np.random.default_rng(0), 6000, 24, 12, 3
hour = 2 * np.pi * np.arange(n_hours) / 24
gust = np.zeros(n_hours)
for t in range(1, n_hours):
    gust[t] = 0.8 * gust[t - 1] + rng.normal(0, 0.6)
wind = 4 + 6 * (np.cumsum(rng.random(n_hours) < 0.04) % 2) + np.sin(hour) + gust
power = np.clip(wind / 12, 0, 1) ** 3 + rng.normal(0, 0.02, n_hours)
series = np.stack([wind, power, np.sin(hour), np.cos(hour)], axis=1)

start = np.arange(past, n_hours - ahead, step)
X = np.stack([series[t - past : t] for t in start])
y = np.stack([series[t : t + ahead, :2] for t in start])
print(X.shape, y.shape)

# %%
# Rows to validate and to test on, in the order of time
# -----------------------------------------------------
# Windows overlap, so rows held out at random would share hours with rows of training. Time
# is cut twice, and the rows whose windows reach across a cut are left out: no hour is on
# both sides. The MLP gets the same numbers flat. ``prior="mixture"`` suits futures of
# several kinds.

gap = -(-(past + ahead) // step)
first, second = int(0.7 * len(X)), int(0.85 * len(X))
train, valid, test = slice(first - gap), slice(first, second - gap), slice(second, None)
assert start[train][-1] + ahead <= start[valid][0] - past
assert start[valid][-1] + ahead <= start[test][0] - past

flat_x, flat_y = X.reshape(len(X), -1), y.reshape(len(y), -1)
models = {}
for name, inputs, outputs in (("mlp", flat_x, flat_y), ("temporal", X, y)):
    est = CVAERegressor(architecture=name, prior="mixture", max_epochs=40, random_state=0)
    est.fit(inputs[train], outputs[train], X_val=inputs[valid], y_val=outputs[valid])
    models[name] = est, inputs

# %%
# Scores on later hours
# ---------------------
# Nats per window, of all 24 numbers together; ridge has the full covariance of its residuals.
# The networks know that the wind may change at any hour, and ridge does not. The temporal networks
# take several times as long as the MLP, and are not always better: on a linear series, neither is
# better than ridge (:doc:`/guide/sequences`).

ridge = RidgeCV(np.logspace(-3, 5, 17)).fit(flat_x[train], flat_y[train])
noise = multivariate_normal(cov=np.cov((flat_y[train] - ridge.predict(flat_x[train])).T))
print(f"ridge    {noise.logpdf(flat_y[test] - ridge.predict(flat_x[test])).mean():6.2f}")
for name, (est, inputs) in models.items():
    outputs = y if name == "temporal" else flat_y
    print(f"{name:8} {est.score(inputs[test], outputs[test]):6.2f}")

# %%
# Paths
# -----
# Draws have the shape (n_draws, n_rows, length, channels). Some paths stay, some change at an
# hour of their own, and power changes with the wind in each. Where the true wind changes within
# an hour, some of the paths take two or three.

est, _ = models["temporal"]
paths = est.sample(X[test], n_samples=500, random_state=0)
print(paths.shape)

mean = X[test][:, -3:, 0].mean(axis=1)
rows = [np.argmin(abs(mean - 4)), np.argmin(abs(mean - 10))]
fig, axes = plt.subplots(2, 2, figsize=(9, 5), sharex=True, sharey="row", layout="constrained")
for column, row in zip(axes.T, rows, strict=True):
    for channel, ax in enumerate(column):
        ax.plot(range(-past, 0), X[test][row, :, channel], color="0.4", label="seen")
        ax.plot(paths[:12, row, :, channel].T, color="#0072B2", lw=0.8, alpha=0.7)
        ax.plot(y[test][row, :, channel], color="#D55E00", lw=2, label="what happened")
axes[0, 0].plot([], [], color="#0072B2", label="12 sample paths")
axes[0, 0].legend(loc="upper left")
axes[0, 0].set(ylabel="wind, m/s", title="calm so far")
axes[0, 1].set(title="storm so far")
axes[1, 0].set(ylabel="power, share of the largest")
for ax in axes[1]:
    ax.set_xlabel("hours ahead")
plt.show()

# %%
# Statements about a path
# -----------------------
# Intervals of sums and of extremes come from the paths, and not from the intervals of
# hours. They should cover nine of ten of the later windows, and cover a little less.


def covered(of_path):
    """Return the coverage of the 90 % interval of a statement on paths."""
    ends = np.quantile(of_path(paths), [0.05, 0.95], axis=0)
    return interval_coverage(of_path(y[test]), np.moveaxis(ends, 0, -1))


print(f"each hour     {covered(lambda path: path):.2f}")
print(f"energy        {covered(lambda path: path[..., 1].sum(axis=-1)):.2f}")
print(f"highest wind  {covered(lambda path: path[..., 0].max(axis=-1)):.2f}")
drops, error = est.probability(X[test][rows[1:]], lambda path: path[..., 0].min(axis=-1) < 6)
print(f"after the storm: below 6 m/s at some hour, {drops[0]:.2f} +- {error[0]:.2f}")
