"""
========================================
Outliers: Gaussian and Student's t noise
========================================

A Gaussian likelihood has one scale for all rows, which a few outliers inflate. Student's t
has heavy tails with learned degrees of freedom, so that outliers hardly affect the scale.
The default for tables is Student's t, with a scale for each row.
"""

# %%
# Data with 5 % outliers
# ----------------------

import matplotlib.pyplot as plt
import numpy as np

from skcvae import NNRegressor

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (2200, 1))
y = np.sin(3 * X[:, 0]) + 0.1 * rng.standard_normal(2200)
far = rng.random(2200) < 0.05
y[far] += 3 * rng.standard_normal(far.sum())
X_train, y_train, X_test, y_test = X[:2000], y[:2000], X[2000:], y[2000:]

# %%
# Prediction bands of 90 %
# ------------------------
# No latent variables are needed here, so a deterministic network suffices, and its
# log-likelihood is exact. Both likelihoods are densities of the same y, so their scores are
# comparable.

fig, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
grid = np.linspace(-1, 1, 100)[:, None]
for ax, likelihood in zip(axes, ("gaussian", "student_t"), strict=True):
    est = NNRegressor(likelihood=likelihood, max_epochs=80, random_state=0).fit(X_train, y_train)
    low, high = est.predict_interval(grid, coverage=0.9).T
    score = est.score(X_test, y_test)
    ax.fill_between(grid[:, 0], low, high, alpha=0.3)
    ax.plot(grid[:, 0], est.predict(grid))
    ax.scatter(X_test[:, 0], y_test, s=4, c="k")
    ax.set(title=f'"{likelihood}": CLL {score:.2f}', xlabel="x", ylim=(-3, 3))
    print(f"{likelihood:10} test CLL {score:6.3f} nats per row")
axes[0].set_ylabel("y")
plt.show()
