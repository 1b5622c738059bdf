"""
======================================================
Class-conditional digits and generative classification
======================================================

Here x is a one-hot class label and y an image: the model learns the distribution of
images of each digit. Variation that the label does not explain, such as handwriting, is
captured by the latent variables, which are shown, exchanged between labels and interpolated.
The model is then used as a generative classifier, which predicts the label with the highest
likelihood of an image.
"""

# %%
# Sample digits by label
# ----------------------
# The images are scikit-learn's 8 x 8 digits, binarised at one half. Rows are labels x,
# columns are draws of z, shown as E[y|x,z].

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor
from skcvae.displays import SamplesDisplay, TrainingDisplay

digits = load_digits()
X, y = np.eye(10)[digits.target], (digits.images > 8).astype(float)
X_train, X_test, y_train, y_test, labels, labels_test = train_test_split(
    X, y, digits.target, test_size=400, random_state=0
)
est = CVAERegressor(
    likelihood="bernoulli", normalize_X=False, latent_dim=16, max_epochs=70, random_state=0
)
est.fit(X_train, y_train)

one_each = [np.flatnonzero(labels == digit)[0] for digit in range(10)]
SamplesDisplay.from_estimator(
    est,
    X_train[one_each],
    n_samples=8,
    predictions={"real": y_train[one_each]},
    row_names=[f"x = {digit}" for digit in range(10)],
)
plt.show()

# %%
# Learning curves
# ---------------
# The KL term measures the information, in nats, that z has about the image beyond the
# label.

TrainingDisplay.from_estimator(est)
plt.show()

# %%
# Style transfer: the same z with other labels
# --------------------------------------------
# `encode` returns the posterior mean of z for an image and its label, `decode` the mean image for
# a label and z, and `reconstruct` both in sequence. With the same z and other labels,
# `decode` generates other digits in the same handwriting.

shown = [0, 1, 2, 5, 8]
x, image = X_test[shown], y_test[shown]
z = est.encode(x, image)
as_other = [est.decode(np.tile(label, (len(shown), 1)), z) for label in np.eye(10)]
SamplesDisplay.from_predictions(
    None,
    image,
    np.stack(as_other),
    predictions={"again": est.reconstruct(x, image)},
    draw_names=[f"as {digit}" for digit in range(10)],
)
plt.show()

# %%
# Latent space
# ------------
# The posterior means of all training images, in two dimensions by t-SNE. Images of a label are
# close to each other, because the prior p(z|x) depends on the label. Labels overlap: z describes
# handwriting, and `decode` gets the label too. With ``prior="standard"`` the labels would mix.

z = est.encode(X_train, y_train)
plane = TSNE(random_state=0).fit_transform(z)
fig, ax = plt.subplots(layout="constrained")
points = ax.scatter(*plane.T, c=labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=12)
fig.colorbar(points, ticks=range(10), label="label")
ax.set(xticks=[], yticks=[], title="posterior means of z, by t-SNE")
plt.show()

# %%
# Interpolation
# -------------
# A straight line in latent space between two test images of a label, the two whose z are
# farthest apart. `decode` accepts all points of all lines at once, as draws.

z = est.encode(X_test, y_test)
pairs = []
for digit in [0, 1, 2, 3, 5]:
    rows = np.flatnonzero(labels_test == digit)
    distance = cdist(z[rows], z[rows])
    pairs.append(rows[list(np.unravel_index(distance.argmax(), distance.shape))])
start, end = np.transpose(pairs)

share = np.linspace(0, 1, 7)[:, None, None]
between = est.decode(X_test[start], (1 - share) * z[start] + share * z[end])
SamplesDisplay.from_predictions(
    None,
    None,
    between,
    predictions={"from": y_test[start], "to": y_test[end]},
    draw_names=[f"{s:.0%}" for s in share.ravel()],
)
plt.show()

# %%
# Generative classification
# -------------------------
# By Bayes' rule the probability of a label given the image is proportional to
# p(y|x) if all labels are equally frequent. The predicted label has the highest
# `log_prob`; the difference to the second measures the confidence.

log_prob = np.stack(
    [est.log_prob(np.tile(label, (len(y_test), 1)), y_test) for label in np.eye(10)], axis=1
)
answer = log_prob.argmax(axis=1)
print(f"accuracy, 400 test digits: {accuracy_score(labels_test, answer):.3f}")
runner_up, best = np.sort(log_prob, axis=1)[:, -2:].T
sure = best - runner_up > np.log(100)
print(
    f"where the label is 100 times as likely as the next, {sure.mean():.0%} of them: "
    f"{accuracy_score(labels_test[sure], answer[sure]):.3f}"
)
