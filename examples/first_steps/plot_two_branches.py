"""
=============================
A bimodal target distribution
=============================

If p(y|x) has two modes, a network that predicts the mean predicts neither. A
conditional VAE predicts the distribution: nearly all of its draws fall on the two
branches, and its log-likelihood is much closer to the optimum.
"""

# %%
# Data with a known density
# -------------------------
# :func:`~skcvae.datasets.make_two_branches` draws y on one of two curves and
# returns the exact log p(y|x) as well.

import matplotlib.pyplot as plt
import numpy as np

from skcvae import CVAERegressor, NNRegressor
from skcvae.datasets import make_two_branches

train = make_two_branches(n_samples=1000, random_state=0)
test = make_two_branches(n_samples=1000, random_state=1)

models = {
    "NN": NNRegressor(random_state=0).fit(train.X, train.y),
    "CVAE": CVAERegressor(random_state=0).fit(train.X, train.y),
}

# %%
# Draws and predictions
# ---------------------
# Dots are the test data on the left, and otherwise draws, one for each test input; the line
# is `predict`, the mean, which lies between the branches in both models.

fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
axes[0].scatter(test.X[:, 0], test.y, s=4)
axes[0].set_title("truth")
order = np.argsort(test.X[:, 0])
for ax, (name, est) in zip(axes[1:], models.items(), strict=True):
    ax.scatter(test.X[:, 0], est.sample(test.X, random_state=0)[0], s=4)
    ax.plot(test.X[order, 0], est.predict(test.X[order]), "k", lw=1)
    ax.set_title(name)
for ax in axes:
    ax.set_xlabel("x")
axes[0].set_ylabel("y")
plt.show()

# %%
# The score in nats per row
# -------------------------
# `score` is the mean of log p(y|x) over the rows, higher is better; the exact
# value is the highest that any model can reach on average.

print(f"exact {test.log_prob(test.X, test.y).mean():6.3f}")
for name, est in models.items():
    print(f"{name:5} {est.score(test.X, test.y):6.3f}")

# %%
# Nearly half of the draws on each branch
# ---------------------------------------
# The others lie between the branches, or beyond them (:ref:`fewer with a mixture as the prior
# <sphx_glr_auto_examples_models_plot_priors.py>`).

draws = models["CVAE"].sample(test.X, n_samples=50, random_state=0)
for name, branch in {"upper": test.branch(test.X), "lower": -test.branch(test.X)}.items():
    print(f"{name}: {np.mean(np.abs(draws - branch) < 0.5):.0%} of the draws")
