"""
==================================
Anomalies by the density of a VAE
==================================

A variational autoencoder without inputs is a density p(x). Rows with a low log-likelihood are
unlike the rows it was trained on. Here it is compared with scikit-learn's `KernelDensity` and
`IsolationForest`.
"""

# %%
# Two moons
# ---------
# A learned prior of several modes, here a mixture, lets the density have separate parts. The
# importance-weighted bound of five draws fits it more closely than the default objective does.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import VAE

X, _ = make_moons(1000, noise=0.1, random_state=0)
X_test, _ = make_moons(2000, noise=0.1, random_state=1)

vae = VAE(2, prior="mixture", objective="iwae", n_train_samples=5, lr=0.01, random_state=0).fit(X)
kernel = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.02, 0.5, 15)}).fit(X)

print(f"VAE             {vae.score(X_test):.3f} nats per row")
print(f"KernelDensity   {kernel.score(X_test) / len(X_test):.3f} nats per row")

# %%
# `score_samples` on a grid shows the density; `sample` draws from it.

grid = np.stack(np.meshgrid(np.linspace(-1.7, 2.7, 90), np.linspace(-1.2, 1.7, 60)), axis=-1)
forest = IsolationForest(random_state=0).fit(X)
models = {"VAE": vae, "KernelDensity": kernel.best_estimator_, "IsolationForest": forest}

fig, axes = plt.subplots(1, 4, figsize=(11, 2.4), layout="constrained", sharex=True, sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=False):
    scores = model.score_samples(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    levels = np.quantile(model.score_samples(X_test), [0, 0.01, 0.1, 0.25, 0.5, 0.75, 1])
    ax.contourf(grid[..., 0], grid[..., 1], scores, np.unique(levels), cmap="Blues")
    ax.set_title(name)
axes[-1].scatter(*vae.sample(1000, random_state=0).T, s=3)
axes[-1].set_title("draws of the VAE")
plt.show()

# %%
# Tumours that differ from the benign ones
# ----------------------------------------
# All are trained on benign cases alone, thirty measurements each, and score benign cases
# that were held out together with malignant ones. The area under the curve is the probability
# that a malignant case has the lower score.

X, y = load_breast_cancer(return_X_y=True)
benign, malignant = X[y == 1], X[y == 0]
train, held_out = train_test_split(benign, test_size=100, random_state=0)
rows = np.concatenate([held_out, malignant])
is_malignant = np.repeat([0, 1], [len(held_out), len(malignant)])

detectors = {
    "VAE": VAE(4, likelihood="student_t", random_state=0),
    "KernelDensity": make_pipeline(
        StandardScaler(), GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.3, 3, 10)})
    ),
    "IsolationForest": IsolationForest(random_state=0),
}
scores = {}
for name, detector in detectors.items():
    fitted = detector.fit(train)
    last = fitted[-1].best_estimator_ if name == "KernelDensity" else fitted
    given = fitted[:-1].transform(rows) if name == "KernelDensity" else rows
    scores[name] = last.score_samples(given)
    print(f"{name:15}  area under the curve {roc_auc_score(is_malignant, -scores[name]):.3f}")

# %%
# The VAE's scores are nats, comparable with those of any other density of these columns.

fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
shown = np.clip(scores["VAE"], -600, None)
bins = np.linspace(shown.min(), shown.max(), 60)
for label, name in enumerate(("benign", "malignant")):
    ax.hist(shown[is_malignant == label], bins, alpha=0.6, density=True, label=name)
ax.set(xlabel="log p(x) of the VAE, nats", yticks=[])
ax.legend()
plt.show()
