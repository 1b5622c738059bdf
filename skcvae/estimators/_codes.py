"""Codes of rows of X: transform, inverse_transform, reconstruct."""

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcvae.estimators import _checks, _inputs
from skcvae.estimators._base import Estimator
from skcvae.estimators._ended import finish
from skcvae.serving import ServedVAE
from skcvae.training.net import train_all


class Encoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Base class of the estimators of X alone, which encode its rows."""

    _roles = {
        "latent_dim": "n_components",
        "y_shape": "x_shape",
        "partial_y": "partial_X",
        "normalize_y": "normalize_X",
    }
    _shape_names = ("x_shape_",)
    _terms = {"y": "X", "y_partial": "X_partial", **_roles}

    @_checks.named_keywords
    def fit(self, X, y=None, sample_weight=None, *, groups=None, X_val=None):
        """Fit the networks.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...), or Dataset
            The rows. A torch Dataset has items x and a length; it is read item by item.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative. Rows of weight zero are ignored.
        groups : array-like of shape (n_rows,), default=None
            Labels of groups: rows of a group are all to train on, or all to validate on.
        X_val : array-like or Dataset, default=None
            Rows for early stopping, instead of a share of X.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected, or if the loss turns infinite or
            NaN. The estimator is then unchanged.
        OSError
            If the checkpoint cannot be read or written.
        MemoryError
            If a GPU runs out of memory.

        Warns
        -----
        ConvergenceWarning
            If interrupted, by Ctrl-C, after the first epoch: the estimator keeps the best
            weights of the completed epochs.
        """
        train_all(self._trainings((X,), sample_weight, (X_val,), groups))
        return finish(self)

    @_checks.named_keywords
    def transform(self, X):
        """Return the codes of rows: E[z|x], the mean where a code has a distribution.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_components)
            Codes, float64.
        """
        check_is_fitted(self)
        mean, _ = self._shown_fitted().encode(None, *self._check_rows(X))
        return mean

    @_checks.named_keywords
    def inverse_transform(self, Z):
        """Return E[x|z], or the most likely labels.

        Parameters
        ----------
        Z : array-like of shape (n_rows, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_rows, n_features) or (n_rows, ...)
            Rows of the shape of X in `fit`: float64, or labels.

        Raises
        ------
        ValueError
            If Z has another number of columns than `latent_shape_`.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=float, input_name="Z")
        if Z.shape[1:] != self.latent_shape_:
            raise ValueError(f"Z must have {self.latent_shape_[0]} columns, got {Z.shape[1]}.")
        read = self.specification_.y_coding.to_array
        return self._like_y(self._shown_fitted().decode(None, Z[None], read)[0])

    def reconstruct(self, X):
        """Return E[x|z] at z = E[z|x]: `inverse_transform` of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Rows, as in `fit`.

        Returns
        -------
        ndarray of the shape of X
            In the units of X.
        """
        return self.inverse_transform(self.transform(X))

    @_checks.named_keywords
    def to_torch(self):
        """Return the fitted networks as one torch module in the user's units.

        Returns
        -------
        skcvae.serving.ServedVAE
            A copy on the CPU, for serving: ``module(x)`` reconstructs, and it has methods
            `transform` and `inverse_transform`.
        """
        check_is_fitted(self)
        return ServedVAE(self._fitted, self._row_shape).cpu()

    @property
    def _row_shape(self):
        return self.x_shape_

    @property
    def _n_features_out(self):
        return self.latent_shape_[0]

    def _check_rows(self, X, *, likelihood=None, suffix="", name="X", partial=None):
        """Return X as an array; without a likelihood it must be as in the last fit."""
        name, is_new = name + suffix, likelihood is not None
        if partial is None:
            partial = self.partial_X if is_new else self.specification_.partial_y
        X = _inputs.checked(self, X, name=name, reset=is_new, finite="allow-nan")
        likelihood = likelihood if is_new else self.likelihood_
        X = _inputs.targets(
            self, X, n_rows=len(X), likelihood=likelihood, name=name, partial=partial
        )
        if is_new:
            self.x_shape_ = X.shape[1:]
        else:
            self.specification_.y_coding.check(X, name)
        return (X,)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.partial_X
        return tags
