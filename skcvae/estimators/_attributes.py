"""Fitted attributes of the estimators, and data checked against them."""

from skcvae.estimators import _checks


class FittedAttributes:
    """What follows from the specification, the net and the fitted model of an estimator."""

    @property
    def architecture_(self):
        """The architecture with every size a number."""
        return self.specification_.architecture

    @property
    def likelihood_(self):
        """The likelihood, with the parameters that follow from y."""
        return self.specification_.likelihood

    @property
    def prior_(self):
        """The prior; None in a model without z."""
        return self.specification_.prior

    @property
    def latent_shape_(self):
        """Shape of z for one row; None in a model without z."""
        return self.specification_.latent_shape

    @property
    def y_coding_(self):
        """The encoding of y for the networks."""
        return self.specification_.y_coding

    @property
    def classes_(self):
        """The labels, where y are labels."""
        return self.specification_.y_coding.classes

    @property
    def history_(self):
        """The history of the fit, a row for each epoch."""
        return self.net_.history

    # Data.

    def _shown_fitted(self):
        """Return the fitted model, which shows progress if `verbose` is set now."""
        self._fitted.title = type(self).__name__ if self.verbose else None
        return self._fitted

    def _like_y(self, array):
        """Return an array with rows of the shape of the user's y."""
        row_shape = self.y_coding_.row_shape
        lead = array.shape[: array.ndim - len(row_shape)]
        return array.reshape(*lead, *self.y_shape_)

    def _check_targets(self, y, n_rows, *, name="y", partial=None):
        """Return y checked against the y of `fit`."""
        y = _checks.targets(
            self,
            y,
            n_rows=n_rows,
            likelihood=self.likelihood_,
            name=name,
            shape=self.y_shape_,
            partial=self.specification_.partial_y if partial is None else partial,
        )
        self.y_coding_.check(y, name)
        return y

    def _check_pair(self, X, y, *, suffix=""):
        X = _checks.inputs(self, X, name="X" + suffix)
        return X, self._check_targets(y, len(X), name="y" + suffix)

    def _check_partial(self, X, y_partial, mask):
        X = _checks.inputs(self, X)
        y = _checks.masked(mask, y_partial)
        return X, self._check_targets(y, len(X), name="y_partial", partial=True)
