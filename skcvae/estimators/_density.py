"""Score, quantiles and intervals of any conditional density, from its draws and log densities."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcvae import whole_numbers
from skcvae.data.annotations import weights_of_annotations
from skcvae.data.weights import weights_of_rows
from skcvae.estimators import _checks, _regions
from skcvae.estimators._frames import framed, row_index


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
            Outputs. With `annotations`, (n_rows, n_annotations, ...).
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows. With `annotations`, also (n_rows, n_annotations).

        Returns
        -------
        float
            Nats per row, or annotation; higher is better. With `partial_y`, rows with nothing
            observed count, with 0 nats. Scores compare between estimators whose likelihoods
            are of one kind: a density in the same units of y, or a mass, or the same grey targets.
        """
        log_p = self.log_prob(X, y)
        if log_p.ndim > 1:  # a value for each annotation, NaN where absent
            present = ~np.isnan(log_p)
            sample_weight = weights_of_annotations(sample_weight, present)
            log_p = log_p[present]
        return float(np.average(log_p, weights=weights_of_rows(sample_weight, len(log_p))))

    @_checks.named_keywords
    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), n_samples=1000, *, as_frame=False):
        """Estimate quantiles of each output from draws, with the seed of the fit.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        quantiles : float or sequence of float, default=(0.05, 0.5, 0.95)
            Levels in [0, 1].
        n_samples : int, default=1000
            Draws per row; of an ensemble, over all members.
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: columns for each output and level.

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
        index = row_index(as_frame, X)
        levels = _checks.check_levels(quantiles)
        ends = ("quantile", levels) if levels.ndim else None
        return framed(self, self._quantiles(X, levels, n_samples), index, ends)

    def _quantiles(self, X, levels, n_samples):
        """Return quantiles, on the last axis where there are several levels."""
        _checks.no_labels(self, "a quantile")
        n_samples = whole_numbers.checked(n_samples, "n_samples")
        blocks = [np.quantile(drawn, levels, axis=0) for _, _, drawn in self._drawn(X, n_samples)]
        found = np.concatenate(blocks, axis=levels.ndim)
        found[..., self.y_coding_.labels] = np.nan
        return np.moveaxis(found, 0, -1) if levels.ndim else found

    def _drawn(self, X, n_samples):
        """Yield rows, X and draws for chunks of rows."""
        return _regions.draws_of(self, X, n_samples, math.prod(self.y_shape_), self.seed_)

    @_checks.named_keywords
    def probability(self, X, event, n_samples=1000):
        """Estimate the probability of a statement on y, jointly over its outputs, from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        event : callable
            Takes draws as an array of shape (n_draws, n_rows, ...), in the units of y, and
            returns where the statement holds, bool of shape (n_draws, n_rows). It is called for
            some rows at a time.
        n_samples : int, default=1000
            Draws per row; of an ensemble, over all members.

        Returns
        -------
        probability : ndarray of shape (n_rows,)
            The share of the draws for which the statement holds.
        standard_error : ndarray of shape (n_rows,)
            Its standard error, above zero also where the share is 0 or 1: that of the share with
            two successes and two failures added (Agresti and Coull, 1998).

        Raises
        ------
        ValueError
            If `event` returns another shape or dtype, or asks for an output by its name.

        Examples
        --------
        >>> from skcvae import CVAERegressor
        >>> from skcvae.datasets import make_linear_gaussian
        >>> data = make_linear_gaussian(n_samples=200, random_state=0)
        >>> est = CVAERegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
        >>> p, error = est.probability(data.X, lambda y: y.sum(axis=-1) > 0)
        >>> p.shape, error.shape
        ((200,), (200,))
        """
        check_is_fitted(self)
        n_samples = whole_numbers.checked(n_samples, "n_samples")
        drawn = self._drawn(X, n_samples)
        counts = np.concatenate([_count(event, draws) for _, _, draws in drawn])
        share = (counts + 2) / (n_samples + 4)
        return counts / n_samples, np.sqrt(share * (1 - share) / (n_samples + 4))

    @_checks.named_keywords
    def predict_interval(self, X, coverage=0.9, n_samples=1000, *, as_frame=False):
        """Estimate the central interval of each output from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        coverage : float or sequence of float, default=0.9
            The probability that the interval holds the output, in (0, 1).
        n_samples : int, default=1000
            Draws per row.
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: columns for each output and end, of a single coverage.

        Returns
        -------
        ndarray of shape (n_rows, ..., 2)
            Lower and upper end, marginal for each output; with several coverages
            (n_rows, ..., 2, n_coverages).
        """
        check_is_fitted(self)
        index = row_index(as_frame, X)
        _checks.single_in_frame(index, coverage)
        levels, several = _checks.coverages(coverage)
        tails = (1 - np.array(levels)) / 2
        found = self._quantiles(X, np.concatenate([tails, 1 - tails]), n_samples)
        found = found.reshape(*found.shape[:-1], 2, len(levels))
        if several:
            return found
        return framed(self, found[..., 0], index, ("end", ["lower", "upper"]))

    @_checks.named_keywords
    def predict_region(self, X, coverage=0.9, n_samples=200):
        """Estimate the highest-density region of a single output, in pieces.

        All y in it have a density p(y|x) above that of all others, and it is the smallest
        region of its probability. Where y has branches it has several pieces.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        coverage : float, default=0.9
            The probability of the region, in (0, 1).
        n_samples : int, default=200
            Draws per row, from which the least density in the region follows.

        Returns
        -------
        ndarray of shape (n_rows, n_pieces, 2)
            Lower and upper ends of the pieces, from the lowest; rows with fewer than
            `n_pieces`, the largest number, end in NaN. Ends are interpolated between some 300
            values of y, and gaps of less than 1/64 of the range of the draws are filled.

        Raises
        ------
        ValueError
            If y has several outputs, or is not real or positive numbers.

        References
        ----------
        Hyndman (1996), *Computing and Graphing Highest Density Regions*, The American
        Statistician 50.

        Examples
        --------
        >>> from skcvae import CVAERegressor
        >>> from skcvae.datasets import make_two_branches
        >>> data = make_two_branches(n_samples=200, random_state=0)
        >>> est = CVAERegressor(max_epochs=20, random_state=0).fit(data.X, data.y)
        >>> pieces = est.predict_region([[0.8]])
        >>> bool((pieces[..., 0] < pieces[..., 1]).all())
        True
        """
        check_is_fitted(self)
        _checks.coverage(coverage)
        n_samples = whole_numbers.checked(n_samples, "n_samples", 2)
        return _regions.pieces(self, self._drawn(X, n_samples), _regions.density, coverage)


def _count(event, draws):
    """Return for how many draws of each row a statement holds."""
    if not callable(event):
        raise TypeError(
            "event must be a function of draws, such as lambda y: y[..., 0] > y[..., 1], got "
            f"{event!r}."
        )
    try:
        holds = np.asarray(event(draws))
    except IndexError as error:
        raise ValueError(
            f"event takes draws as an array, here of shape {draws.shape}, whose outputs have "
            f"positions and no names: y[..., 0] is the first. Got {type(error).__name__}: {error}."
        ) from error
    if holds.dtype != bool or holds.shape != draws.shape[:2]:
        raise ValueError(
            "event must return bool of shape (n_draws, n_rows), here "
            f"{draws.shape[:2]}, got {holds.dtype} of shape {holds.shape}."
        )
    return holds.sum(axis=0)
