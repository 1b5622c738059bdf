"""
======================================================
Class-conditional digits and generative classification
======================================================

Here x is a one-hot class label and y an image: the model learns the distribution of
images of each digit. Variation that the label does not explain, such as handwriting, is
captured by the latent variables. The model is then used as a generative classifier, which
predicts the label with the highest likelihood of an image.
"""

# sphinx_gallery_thumbnail_number = 1

# %%
# Sample digits by label
# ----------------------
# The images are scikit-learn's 8 x 8 digits, binarised at one half. Rows are labels x,
# columns are draws of z, shown as E[y|x,z].

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
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
# The fitted networks are in ``est.net_``. The recognition network infers z from a test
# image and its label; the generation network reconstructs the image from both. With the
# same z and other labels it generates other digits in the same handwriting.

model = est.net_.module_.model
shown = [0, 1, 2, 5, 8]
x, image = (torch.as_tensor(part[shown], dtype=torch.float32) for part in (X_test, y_test))

with torch.no_grad():
    z = model.recognition(x, image).mean
    reconstruction = model.condition(x).likelihood(z[None]).mean[0]
    as_other = [
        model.condition(other.expand_as(x)).likelihood(z[None]).mean[0] for other in torch.eye(10)
    ]
SamplesDisplay.from_predictions(
    None,
    image,
    torch.stack(as_other),
    predictions={"again": reconstruction},
    draw_names=[f"as {digit}" for digit in range(10)],
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
