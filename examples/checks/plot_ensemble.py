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
# The mixture of the first members
# --------------------------------
# Most of the gain comes with the first few members: a row that one member takes to be almost
# impossible is seldom so for all.

log_p = np.array([member.log_prob(X_test, y_test) for member in est.estimators_])
numbers = np.arange(1, 9)
mixtures = [(logsumexp(log_p[:m], axis=0) - np.log(m)).mean() for m in numbers]

fig, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
ax.plot(numbers, mixtures, "o-", label="mixture of the first members")
ax.plot(numbers, log_p.mean(1), "x", label="each member by itself")
ax.set(xlabel="members", ylabel="test CLL, nats per row")
ax.legend()
plt.show()

print(f"mean of the members {log_p.mean():.3f} nats per row")
print(f"best of the members {log_p.mean(1).max():.3f} nats per row")
print(f"ensemble            {est.score(X_test, y_test):.3f} nats per row")
