"""
========================
Grid search on a cluster
========================

Every fit of a grid search stands by itself, so a cluster can share them out.
scikit-learn runs its fits through joblib, and joblib hands them to a
`Dask <https://distributed.dask.org>`_ cluster when it is told to: the search
is written as ever. Scores are the same as on one machine, to the last digit,
because each fit draws from generators of its own.
"""

# %%
# Two parameters at once
# ----------------------
# Points on a ring, of which `alpha` decides how the model is trained and
# `latent_dim` how many numbers it may hide. Twenty-four fits of a second or two.
#
# Here the cluster is two workers in this process. Elsewhere the client is given
# the address of a scheduler, ``Client("tcp://scheduler:8786")``, and the rest
# stays as it is.

import joblib
import matplotlib.pyplot as plt
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from skcvae import HybridStructuredPredictor
from skcvae.datasets import make_ring

train = make_ring(n_samples=400, random_state=0)
test = make_ring(n_samples=1000, random_state=1)

search = GridSearchCV(
    HybridStructuredPredictor(max_epochs=40, random_state=0),
    {"alpha": [0.0, 0.5, 0.9, 1.0], "latent_dim": [1, 2, 4]},
    cv=2,
)
cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
with cluster, Client(cluster), joblib.parallel_backend("dask"):
    search.fit(train.X, train.y)
print(f"best: {search.best_params_}")

# %%
# The grid
# --------
# Validation log-likelihood, in nats per row. A ring has one hidden number, the
# angle, and every row of the grid with a latent variable and a recognition
# network to teach it does well; the GSNN's objective, alpha = 0, leaves the
# latent variables unused.

scores = search.cv_results_["mean_test_score"].reshape(4, 3)
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
image = ax.imshow(scores, cmap="viridis", aspect="auto")
for (i, j), score in [((i, j), scores[i, j]) for i in range(4) for j in range(3)]:
    dark = score < scores.mean()
    ax.text(j, i, f"{score:.2f}", ha="center", va="center", color="w" if dark else "k")
ax.set_xticks(range(3), search.param_grid["latent_dim"])
ax.set_yticks(range(4), search.param_grid["alpha"])
ax.set(xlabel="latent_dim", ylabel="alpha", title="validation CLL, nats per row")
fig.colorbar(image)
plt.show()

# %%
# The best model is refitted here on all rows, and asked as any other.

exact = test.log_prob(test.X, test.y).mean()
print(f"test CLL {search.score(test.X, test.y):.3f}, exact {exact:.3f} nats per row")
