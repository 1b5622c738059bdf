"""
======================================
Joint uncertainty: intervals of totals
======================================

How much will be sold in each of the next eight weeks, and in total? A mean and an
interval for each week answer the first question only. Sales of successive weeks are
correlated, so an interval of the total requires joint draws, whole paths of eight weeks,
as returned by `sample`.
"""

# %%
# Simulated demand
# ----------------
# Two features describe a product, its mean demand and its seasonality. The deviations
# from their prediction are autocorrelated: nine tenths of each week's deviation remain in
# the next.

import matplotlib.pyplot as plt
import numpy as np

from skcvae import CVAERegressor
from skcvae.displays import CalibrationDisplay, JointSamplesDisplay
from skcvae.metrics import crps, energy_score, interval_coverage

rng = np.random.default_rng(0)
weeks = np.arange(8)


def make_demand(n_rows):
    X = rng.uniform([50, -1], [100, 1], (n_rows, 2))
    surprise = np.zeros((n_rows, len(weeks)))
    for week in weeks:
        surprise[:, week] = 0.9 * surprise[:, week - 1] + rng.normal(0, 5, n_rows)
    return X, X[:, :1] + 20 * X[:, 1:] * np.sin(weeks / 2) + surprise


X, y = make_demand(2000)
X_test, y_test = make_demand(1000)
est = CVAERegressor(max_epochs=60, random_state=0).fit(X, y)

# %%
# Joint draws and independent weeks
# ---------------------------------
# On the left are draws for one product. On the right each week's draws are shuffled
# separately, as if the weeks were independent. The marginal distributions, and so the
# band, are the same, but the paths are not realistic.

joint = est.sample(X_test, n_samples=200, random_state=0)
independent = rng.permuted(joint, axis=0)
draws = {"joint draws": joint, "independent weeks": independent}

fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
for ax, (title, paths) in zip(axes, draws.items(), strict=True):
    band = np.quantile(paths[:, 0], [0.05, 0.95], axis=0)
    ax.fill_between(weeks + 1, *band, color="0.9", label="90% band")
    ax.plot(weeks + 1, paths[:12, 0].T, color="#0072B2", linewidth=1, alpha=0.7)
    ax.plot(weeks + 1, y_test[0], color="#D55E00", linewidth=2.5, label="truth")
    ax.set(title=title, xlabel="week")
axes[0].set_ylabel("demand")
axes[0].legend(frameon=False)
plt.show()

# %%
# Pairs of weeks
# --------------
# The last two weeks are correlated with each other, and little with the first. The
# independent draws, in grey, have the same histograms.

shown = {"outputs": [0, 6, 7], "output_names": [f"week {week + 1}" for week in weeks]}
grey = {"scatter_kw": {"color": "0.75"}, "hist_kw": {"color": "0.75"}}
display = JointSamplesDisplay.from_predictions(None, independent[:, :1], **shown, **grey)
JointSamplesDisplay.from_predictions(y_test[:1], joint[:, :1], ax=display.ax_, **shown)
plt.show()

# %%
# Effects of ignoring the dependence
# ----------------------------------
# The CRPS is marginal and does not change. The energy score of whole paths does, and so
# do intervals of functions of several weeks: of the total, which are too narrow, and of
# the change from one week to the next, which are too wide.

print("1000 test products     joint  independent")


def report(name, score):
    print(f"{name:20}  {score(joint):6.3f}  {score(independent):11.3f}")


def covered(of_paths):
    def coverage(paths):
        ends = np.quantile(of_paths(paths), [0.05, 0.95], axis=0)
        return interval_coverage(of_paths(y_test), ends.T)

    return coverage


def total(paths):
    return paths.sum(axis=-1)


def change(paths):
    return paths[..., 4] - paths[..., 3]


report("CRPS", lambda paths: crps(y_test, paths))
report("energy score", lambda paths: energy_score(y_test, paths))
report("90% of a week", covered(lambda paths: paths[..., 3]))
report("90% of the total", covered(total))
report("90% of the change", covered(change))

# %%
# Coverage of intervals of the total: only those from joint draws have their nominal
# coverage.

display = CalibrationDisplay.from_predictions(
    total(y_test), total(joint), kind="coverage", name="joint draws"
)
CalibrationDisplay.from_predictions(
    total(y_test),
    total(independent),
    kind="coverage",
    name="independent weeks",
    ref_line=False,
    ax=display.ax_,
)
display.ax_.set_title("total of eight weeks")
plt.show()
