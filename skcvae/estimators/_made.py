"""Fits that were made in advance, and folds that were drawn, for scikit-learn's search."""

from copy import copy

import joblib
import numpy as np
from sklearn.base import clone


class MadeFits:
    """An estimator whose `fit` looks up a fit that was made before."""

    def __init__(self, estimator, fits):
        self.estimator = estimator
        self.fits = fits

    def __sklearn_clone__(self):
        return MadeFits(clone(self.estimator), self.fits)

    def __sklearn_tags__(self):
        return self.estimator.__sklearn_tags__()

    def __getattr__(self, name):
        if name.startswith("__") or "estimator" not in vars(self):  # while it is copied
            raise AttributeError(name)
        return getattr(self.estimator, name)

    def set_params(self, **params):
        """Set the parameters of the estimator."""
        self.estimator.set_params(**params)
        return self

    def fit(self, X, y=None, **params):
        """Take the fit to these rows, or its error; make one where there is none."""
        made = self.fits.get(key(self.estimator, X, y, params.get("sample_weight")))
        if made is None:
            self.estimator.fit(X, y, **params)
        elif made.error is not None:
            # A copy, since raising one error several times would lengthen its traceback.
            raise copy(made.error).with_traceback(made.error.__traceback__)
        else:
            self.estimator = made.estimator
        return self


class MadeFolds:
    """A splitter whose folds were drawn before."""

    def __init__(self, splitter, folds):
        self.splitter = splitter
        self.folds = folds

    def get_metadata_routing(self):
        """Return what the splitter asks for."""
        return self.splitter.get_metadata_routing()

    def get_n_splits(self, X=None, y=None, **params):
        """Return the number of folds."""
        return len(self.folds)

    def split(self, X=None, y=None, **params):
        """Yield the rows to train on, and those to test on."""
        return iter(self.folds)


def key(estimator, X, y, weight):
    """Return what tells a fit from the others of a search; of rows that are equal, weights do."""
    weight = None if weight is None else np.asarray(weight)
    return joblib.hash([type(estimator), estimator.get_params(), X, y, weight])
