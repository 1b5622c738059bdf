"""The members of an ensemble: attributes they share, mixtures of their draws and moments."""

import numpy as np
from scipy.stats import mode
from sklearn.utils.validation import check_is_fitted

from skcvae.estimators._base import StructuredPredictor
from skcvae.random import spawned


class Members:
    """Attributes of fitted members, which were fitted to the same rows."""

    @property
    def _first(self):
        check_is_fitted(self)
        return self.estimators_[0]

    @property
    def n_features_in_(self):
        """Number of features seen in `fit`."""
        return self._first.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features, where X had names."""
        return self._first.feature_names_in_

    @property
    def target_names_in_(self):
        """Names of the outputs, where y had names."""
        return self._first.target_names_in_

    @property
    def classes_(self):
        """The labels, where y are labels."""
        return self._first.classes_

    @property
    def likelihood_(self):
        """The likelihood of the members."""
        return self._first.likelihood_

    @property
    def y_shape_(self):
        """Shape of one row of y; () for 1-d y."""
        return self._first.y_shape_

    @property
    def y_coding_(self):
        """The encoding of y of the first member: columns and classes are those of all."""
        return self._first.y_coding_

    def _restore(self, state):
        """Set the fitted attributes that a file holds, if the members are consistent."""
        if state.keys() != {"estimators_", "seed_", "training_"}:
            expected = "estimators_, seed_ and training_"
            raise ValueError(f"an ensemble has {expected}, got {sorted(state)[:5]}")
        members = state["estimators_"]
        if not (isinstance(members, list) and members and all(map(_is_fitted, members))):
            raise ValueError("an ensemble has fitted estimators of skcvae as its members")
        if any(_common(member) != _common(members[0]) for member in members):
            raise ValueError("the members of an ensemble are of one class, and fitted to one y")
        vars(self).update(state)

    def _summary_entries(self):
        """Return what the members share, and the epochs and the validation CLL of each."""
        entries = [member._summary_entries() for member in self.estimators_]
        own = {
            f"{name} {i}": of_member[name]
            for i, of_member in enumerate(entries)
            for name in ("alpha", "latent", "epochs", "validation")
            if name in of_member
        }
        shared = {name: entry for name, entry in entries[0].items() if f"{name} 0" not in own}
        members = f"{len(entries)} of {type(self._first).__name__}"
        return {"members": members, "trained": self.training_, **shared, **own}

    # Mixtures.

    def _mean(self, predicted):
        """Return the mean over members, and in columns of labels the most frequent."""
        predicted, labels = np.asarray(predicted), self.y_coding_.labels
        mean = predicted.mean(axis=0)
        if labels:
            mean[:, labels] = mode(predicted[..., labels], axis=0).mode
        return mean

    def _mean_and_std(self, X):
        """Return both of the mixture, the deviation by the law of total variance."""
        moments = [member.predict(X, return_std=True) for member in self.estimators_]
        means, stds = zip(*moments, strict=True)
        return self._mean(means), np.sqrt(np.mean(np.square(stds), axis=0) + np.var(means, axis=0))

    def _most_likely(self, X, method):
        """Return the most likely labels and the mean probabilities of the members."""
        predictions = [
            member.predict(X, return_proba=True, method=method) for member in self.estimators_
        ]
        proba = np.mean([proba for _, proba in predictions], axis=0)
        return self.classes_[proba.argmax(axis=1)], proba

    def _mixed(self, draw, n_rows, n_samples, seed, weights):
        """Return draws, each from a member chosen with the weights of its row.

        `draw` takes a member, a number of draws and a seed. Weights, (n_members, n_rows), sum to
        one over the members.
        """
        seed, *seeds = spawned(seed, 1 + len(self.estimators_))
        uniform = np.random.default_rng(seed).random((n_samples, n_rows))
        # Rounding leaves the sum just below one.
        chosen = (uniform[None] > weights.cumsum(axis=0)[:-1, None]).sum(axis=0)
        out = None
        for m, member in enumerate(self.estimators_):
            taken = chosen == m
            draws = draw(member, int(taken.sum(axis=0).max(initial=1)), seeds[m])
            out = np.empty((*chosen.shape, *draws.shape[2:]), draws.dtype) if out is None else out
            # The k-th draw of a row goes where the row takes this member for the k-th time.
            place, row = taken.nonzero()
            out[place, row] = draws[taken.cumsum(axis=0)[place, row] - 1, row]
        return out


def _is_fitted(member):
    return isinstance(member, StructuredPredictor) and hasattr(member, "net_")


def _common(member):
    """Return what members that were fitted to the same rows have in common."""
    classes = getattr(member, "classes_", np.array([])).tolist()
    likelihood = type(member.likelihood_)
    return type(member), member.x_shape_, member.y_shape_, likelihood, classes
