"""
===========================
Avoiding posterior collapse
===========================

A conditional VAE may ignore its latent variables: as long as the noise of the likelihood
explains y, z increases the KL term more than the reconstruction. The KL term of each epoch
shows it. With a small initial noise scale, z is needed from the first step.
"""

# %%
# One model with two initial scales
# ---------------------------------
# Points on a ring, whose angle z has to encode. `init_scale` is the initial noise scale, in
# units of the standardised y.

import matplotlib.pyplot as plt

from skcvae import CVAERegressor
from skcvae.datasets import make_ring
from skcvae.likelihoods import Gaussian

train = make_ring(n_samples=500, random_state=0)
test = make_ring(n_samples=500, random_state=1)

models = {
    scale: CVAERegressor(
        likelihood=Gaussian(init_scale=scale),
        latent_dim=4,
        max_epochs=100,
        batch_size=64,
        early_stopping=False,
        random_state=0,
    ).fit(train.X, train.y)
    for scale in (0.3, 1.0)
}

# %%
# The KL term of each epoch
# -------------------------
# And draws of both models, one per test row.

fig, (left, *right) = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, (scale, est) in zip(right, models.items(), strict=True):
    score = est.score(test.X, test.y)
    left.plot(est.history_[:, "train_kl"], label=f"init_scale={scale}")
    ax.scatter(*est.sample(test.X, random_state=0)[0].T, s=4)
    ax.set(
        title=f"init_scale={scale}: CLL {score:.2f}", xlim=(-3, 3), ylim=(-3, 3), aspect="equal"
    )
    print(
        f"init_scale={scale}: {est.n_active_units_} of 4 in use, test CLL {score:.3f} nats per row"
    )
left.set(xlabel="epoch", ylabel="KL term, nats per row", ylim=(0, None))
left.legend()
plt.show()
