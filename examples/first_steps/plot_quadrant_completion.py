"""
================================
Complete an image from a quarter
================================

The input is the bottom left quarter of a digit, the output is the rest of the image: inpainting.
Several digits are compatible with the same quarter. A deterministic
network predicts their average, which is blurred. A conditional variational autoencoder
draws different completions, and has a higher log-likelihood.

The data are scikit-learn's 1,797 digits of 8 x 8 pixels, binarised at one half, so that
the likelihood is one of binary images. This is the task of Sohn, Lee and Yan (2015), who
used MNIST.
"""

# %%
# Three models with one interface
# -------------------------------
# The baseline network has no latent variables. The GSNN has latent variables, and trains
# with draws from the prior. The CVAE trains with a recognition network. All pixels have
# the same unit, so X is not standardised.

import numpy as np
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor, GSNNRegressor, NNRegressor
from skcvae.datasets import load_digits_quadrants
from skcvae.displays import SamplesDisplay

digits = load_digits_quadrants(n_quadrants=1, threshold=0.5)
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, test_size=400, random_state=0
)

models = {}
for name, estimator in {"NN": NNRegressor, "GSNN": GSNNRegressor, "CVAE": CVAERegressor}.items():
    est = estimator(likelihood="bernoulli", normalize_X=False, random_state=0, verbose=1)
    models[name] = est.fit(X_train, y_train)

# %%
# Inputs, true images and predictions
# -----------------------------------
# Missing pixels are blue in the first column. The network predicts an average of digits.
# Each draw of the CVAE has its own z, and is sharper than the average; shown is E[y|x,z],
# the probability of each pixel.

rng = np.random.default_rng(3)
shown = rng.choice(len(X_test), 8, replace=False)
X, y = X_test[shown], y_test[shown]
display = SamplesDisplay.from_estimator(
    models["CVAE"],
    X,
    y,
    n_samples=6,
    join=digits.task.join,
    predictions={"NN": models["NN"].predict(X)},
)
display.figure_.savefig("quadrant_completion.png", dpi=150)

# %%
# Scores in nats
# --------------
# `score` is the mean conditional log-likelihood of the test digits, for the CVAE
# by importance sampling with 100 draws, for the GSNN by Monte Carlo with as many.
# The table shows its negative: nats per image, lower is better.

print("negative conditional log-likelihood, nats per image, 400 test digits")
for name, est in models.items():
    print(f"{name:>5}  {-est.score(X_test, y_test):6.2f}   ({len(est.history_)} epochs)")
print("picture written to quadrant_completion.png")
