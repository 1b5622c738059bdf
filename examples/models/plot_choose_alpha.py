"""
================================
Choose alpha by cross-validation
================================

The hybrid objective of Sohn, Lee and Yan (2015) is a weighted sum of two: the CVAE's,
which trains with draws from the recognition network, given y, and the GSNN's,
which trains with draws from the prior, as used in prediction. `alpha` is the
weight of the first. The best weight depends on the data; since the score is the
conditional log-likelihood, cross-validation can select it.
:class:`~skcvae.HybridStructuredPredictorCV` trains all values and folds at once.
"""

# %%
# Points on a ring
# ----------------
# The two coordinates of y lie on a circle of radius x. Neither coordinate can be
# predicted, but their joint distribution is concentrated on the circle.

import matplotlib.pyplot as plt
import numpy as np

from skcvae import HybridStructuredPredictorCV
from skcvae.datasets import make_ring

train = make_ring(n_samples=1000, random_state=0)
test = make_ring(n_samples=1000, random_state=1)

<<<<<<< HEAD
alphas = [0.0, 0.7, 0.9, 1.0]
est = HybridStructuredPredictorCV(alphas, cv=3, max_epochs=100, random_state=0)
est.fit(train.X, train.y)
print(est.summary())
=======
alphas = [0.0, 0.5, 0.8, 1.0]
search = GridSearchCV(
    HybridStructuredPredictor(max_epochs=60, random_state=0), {"alpha": alphas}, cv=3, n_jobs=2
)
search.fit(train.X, train.y)
print(f"best alpha: {search.best_params_['alpha']}")
>>>>>>> eebd281 (Pictures of the displays' page are of its own code; an ensemble that gains, a search that shows its folds, captions that say what figures show)

# %%
# The cross-validated log-likelihood, and draws of two models
# -----------------------------------------------------------
# Each grey line is a fold; the draws are of y at x = 1.5. The GSNN's objective is a mean of log-likelihoods, which
# requires every draw to be near y. If y can be anywhere on a ring, its draws fill the hole.
# The search goes to the end of the grid, the CVAE's objective alone: for such data take
# `CVAERegressor`. Where p(y|x) has one mode the curve is flat.

<<<<<<< HEAD
mean, std = (est.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))
=======
cv = search.cv_results_
folds = np.array([cv[f"split{k}_test_score"] for k in range(3)])
>>>>>>> eebd281 (Pictures of the displays' page are of its own code; an ensemble that gains, a search that shows its folds, captions that say what figures show)
exact = test.log_prob(test.X, test.y).mean()
fig, (left, *right) = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
left.plot(alphas, folds.T, color="0.7", linewidth=1)
left.plot(alphas, folds.mean(0), "o-", label="mean of the folds")
left.axhline(exact, color="k", ls=":", label="exact")
left.set(xlabel="alpha", ylabel="CLL, nats per row", title="validation")
left.legend()

worst = HybridStructuredPredictor(alpha=0.0, max_epochs=60, random_state=0)
x = np.full((1, 1), 1.5)
<<<<<<< HEAD
draws = est.sample(x, n_samples=600, random_state=0)[:, 0]
right.scatter(*draws.T, s=4)
right.set(title="draws of y for x = 1.5", aspect="equal")
=======
for ax, est in zip(right, (worst.fit(train.X, train.y), search.best_estimator_), strict=True):
    draws = est.sample(x, n_samples=600, random_state=0)[:, 0]
    hole = np.mean(np.hypot(*draws.T) < 1)
    ax.scatter(*draws.T, s=4)
    ax.set(title=f"alpha = {est.alpha:g}: {hole:.0%} in the hole", aspect="equal")
    ax.set(xlim=(-3, 3), ylim=(-3, 3))
    print(f"alpha = {est.alpha:g}: {hole:.0%} of the draws are in the hole")
>>>>>>> eebd281 (Pictures of the displays' page are of its own code; an ensemble that gains, a search that shows its folds, captions that say what figures show)
plt.show()

print(f"test CLL {est.score(test.X, test.y):.3f}, exact {exact:.3f} nats per row")
