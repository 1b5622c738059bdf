"""
====================================
Completing partially observed labels
====================================

Often y is partially observed: an annotator has marked some pixels, or a sensor has
failed on others. `complete` samples the missing entries given x and the observed ones.
The predictions of a deterministic network do not depend on the observed pixels. A
conditional variational autoencoder infers the latent variables from them, and predicts
the missing pixels from the latent variables.

The data are label maps of the 1,797 digits that scikit-learn ships, background,
edge and ink, to be predicted from thumbnails of 2 x 2 pixels.
"""

# %%
# Fit on complete label maps
# --------------------------
# Training labels are complete here, so `fit` needs no option.

import numpy as np
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor, NNRegressor
from skcvae.datasets import load_digits_label_maps
from skcvae.displays import SamplesDisplay
from skcvae.metrics import pixel_accuracy

digits = load_digits_label_maps()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, test_size=400, random_state=0
)
common = {
    "architecture": "conv",
    "likelihood": "categorical",
    "max_epochs": 40,
    "random_state": 0,
    "verbose": 1,
}
nn = NNRegressor(**common).fit(X_train, y_train)
cvae = CVAERegressor(initial_guess=True, kl_warmup=20, **common).fit(X_train, y_train)

# %%
# Hide blocks and complete them
# -----------------------------
# Blocks of 2 x 2 pixels are hidden at random. Missing entries are NaN or, as here, given
# by a mask. `complete` returns joint completions, with observed labels unchanged; the
# prediction is the most frequent label of 20 completions.

rng = np.random.default_rng(0)


def hidden(share, side=2):
    blocks = rng.random((len(y_test), 8 // side, 8 // side)) < share
    return blocks.repeat(side, axis=1).repeat(side, axis=2)


def completed(mask):
    draws = cvae.complete(X_test, y_test, 20, mask, random_state=0)
    votes = np.stack([(draws == label).sum(axis=0) for label in cvae.classes_])
    return cvae.classes_[votes.argmax(axis=0)], draws


print("accuracy of the hidden labels, 400 test maps")
print("hidden     NN   CVAE")
for share in (0.25, 0.5, 0.75):
    mask = hidden(share)
    answer, draws = completed(mask)
    predicted = nn.predict(X_test)
    right = [pixel_accuracy(y_test[mask], y[mask]) for y in (predicted, answer)]
    print(f"{share:6.0%}  {right[0]:.3f}  {right[1]:.3f}")

# %%
# The figure shows the last mask: three quarters are hidden, in light blue.

shown = [3, 10, 22, 37, 55]
seen = np.where(mask, np.nan, y_test)
answers = {"known": seen, "NN": np.where(mask, predicted, y_test), "CVAE": answer}
display = SamplesDisplay.from_predictions(
    X_test[shown],
    y_test[shown],
    draws[:3, shown],
    predictions={title: images[shown] for title, images in answers.items()},
    label_names=dict(enumerate(digits.target_names)),
)
display.figure_.savefig("label_completion.png", dpi=150)

# %%
# Labels missing in training
# --------------------------
# With `partial_y=True` training labels may be missing too: NaN entries are marginalised
# out of the likelihood, and the recognition network gets their mask. Here half of the
# blocks of every training map are hidden, and the model is scored on complete maps.

blocks = rng.random((len(y_train), 4, 4)) < 0.5
y_holes = np.where(blocks.repeat(2, axis=1).repeat(2, axis=2), np.nan, y_train)
partial = CVAERegressor(partial_y=True, initial_guess=True, kl_warmup=20, **common)
partial.fit(X_train, y_holes)
print("negative CLL, nats per map, 400 whole test maps")
print(f"trained on whole maps      {-cvae.score(X_test, y_test):6.2f}")
print(f"trained on half of each    {-partial.score(X_test, y_test):6.2f}")
print(f"NN, trained on whole maps  {-nn.score(X_test, y_test):6.2f}")
print("picture written to label_completion.png")
