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
# The diabetes data that scikit-learn ships: 442 patients, of whom 300 are fitted. The
# scale of the noise depends on the row.

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from skcvae import EnsembleRegressor, NNRegressor

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, random_state=0)

network = NNRegressor(max_epochs=60, random_state=0)
est = EnsembleRegressor(network, n_estimators=8, random_state=0).fit(X_train, y_train)

# %%
# The mixture of the first members
# --------------------------------

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
print(f"ensemble            {est.score(X_test, y_test):.3f} nats per row")
