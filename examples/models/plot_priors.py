"""
========================================
Mixture prior for a bimodal distribution
========================================

If p(y|x) is bimodal, draws should not fall between the modes. With a Gaussian
prior p(z|x), the generation network maps a connected region of z to both modes, and some
draws fall in between. A mixture of Gaussians can have a component for each mode.
"""

# %%
# The same model with two priors
# ------------------------------
# The models differ only in p(z|x). The exact log-likelihood is known and is the best
# possible score.

import matplotlib.pyplot as plt
import numpy as np

from skcvae import CVAERegressor
from skcvae.datasets import make_two_branches
from skcvae.priors import Mixture

train = make_two_branches(n_samples=1000, random_state=0)
test = make_two_branches(n_samples=1000, random_state=1)

models = {
    "one Gaussian": CVAERegressor(max_epochs=60, random_state=0),
    "mixture of three": CVAERegressor(
        prior=Mixture(n_components=3), max_epochs=60, random_state=0
    ),
}

# %%
# Draws, one for each test row
# ----------------------------
# A draw is counted as off the branches, in red, if its distance to both is more than four
# times the noise.

fig, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True, layout="constrained")
for ax, (name, est) in zip(axes, models.items(), strict=True):
    est.fit(train.X, train.y)
    draws = est.sample(test.X, random_state=0)[0]
    off = np.abs(np.abs(draws) - test.branch(test.X)) > 0.4
    ax.scatter(test.X[:, 0], draws, s=4, c=np.where(off, "C3", "C0"))
    ax.set(title=f"{name}: {off.mean():.1%} off", xlabel="x")
    print(f"{name:16}  test CLL {est.score(test.X, test.y):6.3f} nats per row")
axes[0].set_ylabel("y")
print(f"{'exact':16}  test CLL {test.log_prob(test.X, test.y).mean():6.3f}")
plt.show()
