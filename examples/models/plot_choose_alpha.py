"""
================================
Choose alpha by cross-validation
================================

The hybrid objective of Sohn, Lee and Yan (2015) is a weighted sum of two: the CVAE's,
which trains with draws from the recognition network, given y, and the GSNN's,
which trains with draws from the prior, as used in prediction. `alpha` is the
weight of the first. The score is the conditional log-likelihood, so cross-validation can
select it: here it selects 1, the CVAE's objective alone, and shows by how much.
:class:`~skcvae.HybridStructuredPredictorCV` trains all values and folds at once.
"""

# %%
# Points on a ring
# ----------------
# The two coordinates of y lie on a circle of radius x. Neither coordinate can be
# predicted, but their joint distribution is concentrated on the circle.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from skcvae import GSNNRegressor, HybridStructuredPredictorCV
from skcvae.datasets import make_ring

train = make_ring(n_samples=1000, random_state=0)
test = make_ring(n_samples=1000, random_state=1)

alphas = [0.0, 0.5, 0.9, 1.0]
search = HybridStructuredPredictorCV(alphas, cv=3, lr=0.01, max_epochs=100, random_state=0)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # of candidates that use no latent variable
    search.fit(train.X, train.y)
print(search.summary())

# %%
# The cross-validated log-likelihood, and draws of two models
# -----------------------------------------------------------
# Dots are the folds, and bars their standard deviation; the draws are of y at x = 1.5. The
# GSNN's objective is a mean of log-likelihoods, which requires every draw to be near y. If y can
# be anywhere on a ring, its draws fill the hole. Any share of that objective lowers the score: the
# search selects the end of the grid, which is `CVAERegressor`. The best `alpha` is not necessarily
# a good model: a few of its draws are in the hole, where the data have none, since the Gaussian
# prior of z covers all angles and what is between them. No `alpha` changes that;
# :ref:`another prior may <sphx_glr_auto_examples_models_plot_priors.py>`. Values whose means
# differ by less than the spread of the folds are equally good.

cv = search.cv_results_
folds = np.array([cv[f"split{k}_test_score"] for k in range(3)])
exact = test.log_prob(test.X, test.y).mean()
fig, (left, *right) = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
left.plot(alphas, folds.T, ".", color="0.6")
left.errorbar(alphas, folds.mean(0), folds.std(0), fmt="o-", capsize=5, label="mean of the folds")
left.axhline(exact, color="k", ls=":", label="exact")
left.set(xlabel="alpha", ylabel="CLL, nats per row", title="validation")
left.legend(loc="center left")

gsnn = GSNNRegressor(lr=0.01, max_epochs=60, random_state=0).fit(train.X, train.y)
x = np.full((1, 1), 1.5)
for ax, est, name in zip(right, (gsnn, search), ("alpha = 0", "the best alpha"), strict=True):
    draws = est.sample(x, n_samples=600, random_state=0)[:, 0]
    hole = np.mean(np.hypot(*draws.T) < 0.75)  # half of the radius
    ax.scatter(*draws.T, s=4)
    ax.set(title=f"{name}: {hole:.0%} in the hole", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
    print(f"{name}: {hole:.0%} of the draws are in the hole")
plt.show()

radius = np.hypot(*test.y.T) / test.X[:, 0]
print(f"test rows: {np.mean(radius < 0.5):.0%} are in the hole")
print(f"test CLL {search.score(test.X, test.y):.3f}, exact {exact:.3f} nats per row")
