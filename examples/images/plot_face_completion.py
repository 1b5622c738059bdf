"""
==================================
Face completion with joint samples
==================================

scikit-learn's gallery completes faces with multi-output regressors: extra
trees, nearest neighbours, linear and ridge regression. Each predicts a
mean. A conditional variational autoencoder samples any number of whole lower
halves, and has a log-likelihood.

The data are the Olivetti faces, 40 people with ten photographs each: 30 people
for training, 10 for testing, as in scikit-learn's example "Face completion with a
multi-output estimators". If they cannot be loaded or downloaded, scikit-learn's digits
are used instead. The first line of the output names the data of the figure.
"""

# %%
# The data
# --------
# Five of the thirty people are held out for early stopping. Photographs of one
# person are similar, so a random share of the rows would not be independent. To save
# time the faces are downsampled to 32 x 32.

import warnings
from urllib.error import URLError

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.neighbors import KNeighborsRegressor

from skcvae import CVAERegressor, Training
from skcvae.architectures import MLP
from skcvae.datasets import fetch_olivetti_completion
from skcvae.displays import SamplesDisplay
from skcvae.metrics import negative_cll_per_pixel


def load():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of download retries
            faces = fetch_olivetti_completion()
    except URLError:
        digits = load_digits()
        return "digits of scikit-learn", digits.images / 16, np.arange(1797) % 40
    images = faces.images.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
    return "Olivetti faces, 32 x 32", images, faces.people


name, images, groups = load()
half = images.shape[1] // 2
X, y = images[:, :half], images[:, half:]
train, validation, test = groups < 25, (groups >= 25) & (groups < 30), groups >= 30
print(f"data: {name}; {train.sum()} images to learn from, {test.sum()} to test")

# %%
# Point predictions
# -----------------
# The regressors get flattened images; for the CVAE X and y keep their shape. Its
# networks are fully connected and its prior is the same for every x, which suits so
# few faces: each latent variable changes the whole lower half.
# `architecture="conv"`, with a latent map, has the better likelihood here, but its draws
# look patchy.

regressors = {
    "extra trees": ExtraTreesRegressor(n_estimators=10, max_features=32, random_state=0),
    "neighbours": KNeighborsRegressor(),
    "linear": LinearRegression(),
    "ridge": RidgeCV(),
}
learn = train | validation
means = {
    title: regressor.fit(X[learn].reshape(learn.sum(), -1), y[learn].reshape(learn.sum(), -1))
    .predict(X[test].reshape(test.sum(), -1))
    .reshape(y[test].shape)
    for title, regressor in regressors.items()
}
cvae = CVAERegressor(
    architecture=MLP((128, 128)),
    prior="standard",
    latent_dim=64,
    initial_guess=True,
    omission=0.4,
    random_state=0,
    verbose=1,
    training=Training(weight_decay=0.1),
)
cvae.fit(X[train], y[train], X_val=X[validation], y_val=y[validation])
means["CVAE"] = cvae.predict(X[test])

print("root mean squared error of the grey value, test images")
for title, mean in means.items():
    print(f"{title:>12}  {np.sqrt(np.mean((mean - y[test]) ** 2)):.4f}")

# %%
# Joint samples
# -------------
# Each draw is a whole lower half that fits the upper one. The draws of a row differ in
# what the upper half does not determine.

shown = np.flatnonzero(test)[:: test.sum() // 5][:5]
position = np.searchsorted(np.flatnonzero(test), shown)
display = SamplesDisplay.from_estimator(
    cvae,
    X[shown],
    y[shown],
    join=lambda upper, lower: np.concatenate([upper, lower], axis=1),
    predictions={title: mean[position] for title, mean in means.items()},
)
display.figure_.savefig("face_completion.png", dpi=150)

# %%
# Log-likelihoods
# ---------------
# The means of the regressors become Gaussians with the variance of each pixel's residuals
# on held-out images. The CVAE's log-likelihood is that of whole lower halves.
# A negative value is a density above one, since grey values are between 0 and 1.


def gaussian_nll(regressor):
    fitted = regressor.fit(X[train].reshape(train.sum(), -1), y[train].reshape(train.sum(), -1))
    residual, error = (
        y[rows].reshape(rows.sum(), -1) - fitted.predict(X[rows].reshape(rows.sum(), -1))
        for rows in (validation, test)
    )
    variance = np.mean(residual**2, axis=0) + 1e-4
    return np.mean(0.5 * np.log(2 * np.pi * variance) + 0.5 * error**2 / variance)


print("negative conditional log-likelihood, nats per pixel, test images")
for title, regressor in regressors.items():
    print(f"{title:>12}  {gaussian_nll(regressor):7.3f}")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # weight degeneracy
    print(f"{'CVAE':>12}  {negative_cll_per_pixel(cvae.log_prob(X[test], y[test]), y[test]):7.3f}")
print("picture written to face_completion.png")
