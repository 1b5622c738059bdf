"""Score, quantiles and intervals of any conditional density, from its draws and log densities."""

import math
from numbers import Integral

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted, check_scalar

from skcvae.data.coding import plan, slices
from skcvae.estimators import _checks
from skcvae.random import spawned


class ConditionalDensity:
    """A density p(y|x) with `sample`, `log_prob`, `y_shape_`, `y_coding_` and `seed_`."""

    @_checks.named_keywords
    def score(self, X, y, sample_weight=None):
        """Return the conditional log-likelihood (CLL): the mean of `log_prob`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Nats per row; higher is better. Scores compare between estimators
            whose likelihoods are of one kind: a density in the same units of y,
            or a mass, or the same grey targets.
        """
        log_p = self.log_prob(X, y)
        return float(np.average(log_p, weights=_checks.check_weights(sample_weight, log_p)))

    @_checks.named_keywords
    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), n_samples=1000):
        """Estimate quantiles of each output from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        quantiles : float or sequence of float, default=(0.05, 0.5, 0.95)
            Levels in [0, 1].
        n_samples : int, default=1000
            Draws per row; of an ensemble, over all members.

        Returns
        -------
        ndarray of shape (n_rows, ..., n_quantiles)
            Marginal quantiles: each output by itself. The last axis is absent
            if `quantiles` is a number. NaN in columns of labels.

        Raises
        ------
        ValueError
            If y are labels.
        """
        check_is_fitted(self)
        _checks.no_labels(self, "a quantile")
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        levels, n_rows = _checks.check_levels(quantiles), _num_samples(X)
        chunk = plan(n_rows, n_samples, 1, math.prod(self.y_shape_)).rows
        chunks = [*slices(max(n_rows, 1), chunk)]
        blocks = [
            np.quantile(self.sample(_safe_indexing(X, rows), n_samples, seed), levels, axis=0)
            for rows, seed in zip(chunks, spawned(self.seed_, len(chunks)), strict=True)
        ]
        found = np.concatenate(blocks, axis=levels.ndim)
        found[..., self.y_coding_.labels] = np.nan
        return np.moveaxis(found, 0, -1) if levels.ndim else found

    @_checks.named_keywords
    def predict_interval(self, X, coverage=0.9, n_samples=1000):
        """Estimate the central interval of each output from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        coverage : float, default=0.9
            The probability that the interval holds the output, in (0, 1).
        n_samples : int, default=1000
            Draws per row.

        Returns
        -------
        ndarray of shape (n_rows, ..., 2)
            Lower and upper end, marginal for each output.
        """
        _checks.coverage(coverage)
        tail = (1 - coverage) / 2
        return self.predict_quantiles(X, (tail, 1 - tail), n_samples)
