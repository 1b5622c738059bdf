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

train = make_ring(n_samples=500, random_state=0)
test = make_ring(n_samples=1000, random_state=1)

alphas = [0.0, 0.7, 0.9, 1.0]
est = HybridStructuredPredictorCV(alphas, cv=3, max_epochs=100, random_state=0)
est.fit(train.X, train.y)
print(est.summary())

# %%
# The cross-validated log-likelihood, and draws of the best model
# ---------------------------------------------------------------
# Bars are the standard deviation over the three folds. The GSNN's objective is a
# mean of log-likelihoods, which requires every draw to be near y. If y can be anywhere
# on a ring, its draws stay in the middle. Here the CVAE's objective alone is best.

mean, std = (est.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))
exact = test.log_prob(test.X, test.y).mean()
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
left.errorbar(alphas, mean, std, marker="o", capsize=3)
left.axhline(exact, color="k", ls=":", label="exact")
left.set(xlabel="alpha", ylabel="CLL, nats per row", title="validation")
left.legend()
x = np.full((1, 1), 1.5)
draws = est.sample(x, n_samples=600, random_state=0)[:, 0]
right.scatter(*draws.T, s=4)
right.set(title="draws of y for x = 1.5", aspect="equal")
plt.show()

print(f"test CLL {est.score(test.X, test.y):.3f}, exact {exact:.3f} nats per row")
