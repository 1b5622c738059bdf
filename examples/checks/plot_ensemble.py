"""
================================
Score of an ensemble by its size
================================

Networks trained with different seeds on the same few rows differ where data are sparse.
The density of an ensemble is the mean of its members' densities: it is as certain as they
are where they agree, and less certain where they disagree. Its score is at least the mean
of the members' scores.
"""

# %%
# Eight members
# -------------
# The breast cancer data that scikit-learn ships: the largest radius, texture, perimeter, area
# and smoothness of a tumour's cells, five numbers at once, from the means of ten measurements.
# Only 100 tumours are fitted; the others test.

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor, EnsembleRegressor

cells = load_breast_cancer().data
X_train, X_test, y_train, y_test = train_test_split(
    cells[:, :10], cells[:, 20:25], train_size=100, random_state=0
)
cvae = CVAERegressor(max_epochs=150, random_state=0)
est = EnsembleRegressor(cvae, n_estimators=8, random_state=0).fit(X_train, y_train)

# %%
# Mixtures of one to eight members
# --------------------------------
# Each cross is the score of a mixture of some of the members, the line their mean over all choices
# of as many members. Most of the gain comes with the first few members: a row that one member
# takes to be almost impossible is seldom so for all.

log_p = np.array([member.log_prob(X_test, y_test) for member in est.estimators_])
numbers = range(1, 9)
scores = {
    m: [logsumexp(log_p[list(some)], axis=0, b=1 / m).mean() for some in combinations(range(8), m)]
    for m in numbers
}

fig, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
for m in numbers:
    ax.plot([m] * len(scores[m]), scores[m], "x", color="0.7")
ax.plot(numbers, [np.mean(scores[m]) for m in numbers], "o-", label="mean over all choices")
ax.set(xlabel="members", ylabel="test CLL, nats per row")
ax.legend(loc="lower right")
plt.show()

print(f"mean of the members {log_p.mean():.3f} nats per row")
print(f"best of the members {log_p.mean(1).max():.3f} nats per row")
print(f"ensemble            {est.score(X_test, y_test):.3f} nats per row")
