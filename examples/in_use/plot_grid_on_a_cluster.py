"""
========================
Grid search on a cluster
========================

The fits of a grid search are independent, so they can run on a cluster.
scikit-learn runs fits with joblib, and joblib has a
`Dask <https://distributed.dask.org>`_ backend: the code of the search does not change.
Scores are identical to those of one machine, because each fit has its own random
generators.
"""

# %%
# A grid of two parameters
# ------------------------
# Points on a ring, with `alpha`, the weight of the CVAE's objective, and `latent_dim`,
# the number of latent variables. Twenty-four fits of a few seconds.
#
# Here the cluster has two workers in this process. For a real cluster, pass the
# address of its scheduler, ``Client("tcp://scheduler:8786")``; the rest
# is unchanged.

import warnings

import joblib
import matplotlib.pyplot as plt
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from skcvae import HybridStructuredPredictor
from skcvae.datasets import make_ring

# Settings that leave z unused are part of the comparison.
warnings.filterwarnings("ignore", "No latent variable is used")

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
# Validation log-likelihood
# -------------------------
# In nats per row. With so few rows and epochs only the CVAE's objective, alpha = 1, finds the
# ring, and it needs two latent variables: the angle alone is one, but a line covers a circle
# badly. The other settings stay near the score of least squares, where training starts.

scores = search.cv_results_["mean_test_score"].reshape(4, 3)
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
image = ax.imshow(scores, cmap="viridis", aspect="auto")
for (i, j), score in [((i, j), scores[i, j]) for i in range(4) for j in range(3)]:
    dark = score < (scores.min() + scores.max()) / 2
    ax.text(j, i, f"{score:.2f}", ha="center", va="center", color="w" if dark else "k")
ax.set_xticks(range(3), search.param_grid["latent_dim"])
ax.set_yticks(range(4), search.param_grid["alpha"])
ax.set(xlabel="latent_dim", ylabel="alpha", title="validation CLL, nats per row")
fig.colorbar(image)
plt.show()

# %%
# The best model is refitted on all rows, and used like any other.

exact = test.log_prob(test.X, test.y).mean()
print(f"test CLL {search.score(test.X, test.y):.3f}, exact {exact:.3f} nats per row")
