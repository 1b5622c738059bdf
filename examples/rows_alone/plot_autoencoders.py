"""
=============================
Autoencoders: codes of digits
=============================

An autoencoder compresses a row into a short code and reconstructs the row from it. With noise on
what the encoder reads, or penalties of the code, the same networks are a denoising, a sparse or a
contractive autoencoder. Here they encode scikit-learn's 8 x 8 digits in 16 numbers: what is lost,
what a linear classifier reads in the codes, what the code of a sparse one looks like, and
how noise is removed.
"""

# %%
# One estimator, five autoencoders
# --------------------------------
# Images are standardised by one mean and one scale for all pixels, because rows have the shape of
# an image. Noise has the scale of a standard deviation of a pixel.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import Autoencoder
from skcvae.architectures import MLP

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images / 16, digits.target, test_size=500, random_state=0
)
kinds = {
    "vanilla": {},
    "denoising": {"noise": 1.0},
    "sparse": {"sparsity": 3.0, "target_activation": 0.1},
    "contractive": {"contraction": 0.3},
    "stacked": {"pretraining": "stacked"},
}
models = {
    name: Autoencoder(
        16,
        **parameters,
        architecture=MLP((64, 32)),
        max_epochs=60,
        lr=0.005,
        random_state=0,
    ).fit(X_train)
    for name, parameters in kinds.items()
}

# %%
# Error and accuracy
# ------------------
# `score` is the negative mean squared error of a pixel of test images, which are reconstructed
# without noise. A logistic regression on the codes learns from 100 labels; the code is a step of a
# pipeline as any transformer is. Principal components are the linear reference.

pca = PCA(16, random_state=0).fit(X_train.reshape(-1, 64))
flat = X_test.reshape(-1, 64)
lost = np.mean((flat - pca.inverse_transform(pca.transform(flat))) ** 2)
print(f"{'PCA':12}  error {lost:.4f}")
for name, est in models.items():
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    classifier.fit(est.transform(X_train[:100]), y_train[:100])
    accuracy = classifier.score(est.transform(X_test), y_test)
    print(f"{name:12}  error {-est.score(X_test):.4f}  accuracy {accuracy:.3f}")

# %%
# What a code looks like
# ----------------------
# Each row is a code of a test digit. Those of the sparse autoencoder lie between 0 and 1, and are
# near the target of 0.1 in the mean over rows; a few digits exceed it by far.

fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for ax, name in zip(axes, ("vanilla", "sparse"), strict=True):
    codes = models[name].transform(X_test)
    image = ax.imshow(codes[np.argsort(y_test)][::10], aspect="auto", cmap="viridis")
    ax.set(title=name, xlabel="component", ylabel="test digits, by label", yticks=[])
    ax.set_xticks(range(0, 16, 5))
    fig.colorbar(image, ax=ax)
print("mean activations", models["sparse"].transform(X_test).mean(axis=0).round(2))
plt.show()

# %%
# Noise in, less noise out
# ------------------------
# Test digits with noise as in training. The denoising autoencoder has learned to reconstruct the
# digit without it; the vanilla one reconstructs more of the noise.

noisy = X_test + np.std(X_train) * np.random.default_rng(0).normal(size=X_test.shape)
shown = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
panels = {
    "digit": X_test,
    "noisy": noisy,
    "vanilla": models["vanilla"].reconstruct(noisy),
    "denoising": models["denoising"].reconstruct(noisy),
}
fig, axes = plt.subplots(4, 10, figsize=(8, 3.5), layout="constrained")
for row, (name, images) in zip(axes, panels.items(), strict=True):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, image in zip(row, images[shown], strict=True):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    print(f"{name:12}  error {np.mean((images - X_test) ** 2):.4f}")
plt.show()

# %%
# Where codes lie
# ---------------
# Two components suffice for a picture without another method. Labels were not used.

plane = Autoencoder(2, architecture=MLP((64, 32)), max_epochs=100, lr=0.005, random_state=0)
codes = plane.fit_transform(X_train)
fig, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
points = ax.scatter(*codes.T, c=y_train, cmap="tab10", vmin=-0.5, vmax=9.5, s=8)
fig.colorbar(points, ticks=range(10), label="label")
ax.set(xlabel="component 0", ylabel="component 1", title="a code of two numbers")
plt.show()
