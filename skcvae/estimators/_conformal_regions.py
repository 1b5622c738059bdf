"""Regions of a calibrated estimator: intervals, membership, volumes, pieces."""

import warnings

import numpy as np
from sklearn.utils.validation import _num_samples, check_is_fitted

from skcvae import pipelines
from skcvae.estimators import _checks, _regions
from skcvae.estimators._calibration import check_values, outputs, seed_of
from skcvae.estimators._frames import framed, row_index
from skcvae.pipelines._frames import check_names
from skcvae.pipelines._labels import columns_of_labels


class ConformalRegions:
    """The regions of an estimator with `estimator_` and `calibration_`."""

    @_checks.named_keywords
    def predict_interval(self, X, coverage=0.9, *, joint=False, as_frame=False):
        """Return an interval for each output.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        coverage : float or sequence of float, default=0.9
            The least probability that an interval holds its output, in (0, 1).
        joint : bool, default=False
            Whether that is the probability that all intervals of a row hold: a box.
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: columns for each output and end, of a single coverage.

        Returns
        -------
        ndarray of shape (n_rows, ..., 2)
            Lower and upper end, of what y can be: not below 0 where y are positive or counts;
            with several coverages (n_rows, ..., 2, n_coverages). NaN in columns of labels.

        Raises
        ------
        ValueError
            If y are labels, or if too few rows calibrate.
        """
        calibration, labels = self._calibration(), columns_of_labels(self.estimator_)
        index = row_index(as_frame, X)
        _checks.single_in_frame(index, coverage)
        if labels == slice(None):
            raise ValueError("An interval expects numbers, got labels: use contains.")
        scores = calibration.interval_scores
        scores = scores.reshape(len(scores), -1).max(axis=1) if joint else scores
        thresholds, several = self._thresholds(scores, coverage)
        found = [
            np.stack([_regions.interval(draws, threshold) for threshold in thresholds], axis=-1)
            for _, _, draws in self._draws(X)
        ]
        found = _regions.within_support(self.estimator_, np.concatenate(found))
        found[..., labels, :, :] = np.nan
        if several:
            return found
        return framed(self, found[..., 0], index, ("end", ["lower", "upper"]))

    @_checks.named_keywords
    def contains(self, X, y, coverage=0.9):
        """Return whether the joint region of x holds y.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows, ...) or (n_values, n_rows, ...)
            Outputs, or several values for each row, such as a grid.
        coverage : float or sequence of float, default=0.9
            The least probability that the region holds y, in (0, 1).

        Returns
        -------
        ndarray of bool of shape (n_rows,) or (n_values, n_rows)
            With several coverages there is a last axis of length n_coverages.
        """
        calibration = self._calibration()
        check_names(self.estimator_, y)
        y = outputs(self.estimator_, y)
        shape = _num_samples(X), *calibration.interval_scores.shape[1:]
        values = y if y.ndim > len(shape) else y[None]
        thresholds, several = self._thresholds(calibration.region_scores, coverage)
        check_values(self.estimator_, values, shape)
        scores = [
            _regions.SCORES[calibration.region](self.estimator_, part, draws, values[:, rows])
            for rows, part, draws in self._draws(X)
        ]
        inside = np.concatenate(scores, axis=1)[..., None] <= thresholds
        inside = inside if y.ndim > len(shape) else inside[0]
        return inside if several else inside[..., 0]

    @_checks.named_keywords
    def log_volume(self, X, coverage=0.9):
        """Estimate the logarithm of the volume of the joint region from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        coverage : float or sequence of float, default=0.9
            That of the region, in (0, 1).

        Returns
        -------
        ndarray of shape (n_rows,)
            Of the product of the units of all outputs; with several coverages (n_rows,
            n_coverages). That of the box of intervals is the sum of the logarithms of
            their lengths. -inf if no draw is inside, or if the region consists of points: the
            radius of a distance is 0 where draws often equal y, such as counts.

        Raises
        ------
        ValueError
            If ``region="latent"``, whose volume is not bounded.

        Warns
        -----
        UserWarning
            If a highest-density region reaches beyond the draws: the volume is then that of
            the part with draws.
        """
        calibration = self._calibration()
        if calibration.region not in _regions.LOG_VOLUMES:
            raise ValueError("log_volume expects region='density' or 'distance', got 'latent'.")
        thresholds, several = self._thresholds(calibration.region_scores, coverage)
        if calibration.region == "density" and max(thresholds) > 1:
            warnings.warn(
                "The region reaches beyond the draws, where their number is too small to estimate "
                "its volume: the value is that of the part with draws.",
                UserWarning,
                stacklevel=3,
            )
        found = [
            _regions.LOG_VOLUMES[calibration.region](
                self.estimator_, part, draws, thresholds, calibration.seed
            )
            for _, part, draws in self._draws(X)
        ]
        found = np.concatenate(found, axis=1).T
        return found if several else found[:, 0]

    @_checks.named_keywords
    def predict_region(self, X, coverage=0.9):
        """Return the region of a single output, in pieces where y has branches.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        coverage : float, default=0.9
            The least probability that the region holds y, in (0, 1).

        Returns
        -------
        ndarray of shape (n_rows, n_pieces, 2)
            Lower and upper ends of the pieces, as of :meth:`CVAERegressor.predict_region`; exact
            and without filled gaps if ``region="distance"``.

        Raises
        ------
        ValueError
            If y has several outputs, or is discrete.
        """
        calibration = self._calibration()
        _checks.coverage(coverage)
        threshold = calibration.threshold(calibration.region_scores, coverage)
        return _regions.pieces(
            self.estimator_, self._draws(X), _regions.SCORES[calibration.region], threshold
        )

    def _calibration(self):
        check_is_fitted(
            self,
            "calibration_",
            msg="This %(name)s is not calibrated: call conformalize with rows that it was not "
            "fitted to.",
        )
        return self.calibration_

    def _draws(self, X):
        """Yield chunks of rows, their X and draws for predictions."""
        how = self.calibration_
        seed = seed_of(X, how.seed)
        return _regions.draws_of(
            self.estimator_, X, how.n_samples, how.interval_scores[0].size, seed
        )

    def _thresholds(self, scores, coverage):
        """Return the threshold for each coverage, and whether there are several."""
        levels, several = _checks.coverages(coverage)
        return [self.calibration_.threshold(scores, level) for level in levels], several

    @property
    def y_shape_(self):
        """Shape of one row of y in `conformalize`."""
        return self._calibration().interval_scores.shape[1:]

    @property
    def target_names_in_(self):
        """Names of the outputs, where y had names in `fit`."""
        return pipelines.last_step(self.estimator_, None, "sample")[0].target_names_in_
