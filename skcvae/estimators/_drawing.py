"""What a fitted estimator draws, and what is read off its draws."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_is_fitted, check_scalar

from skcvae.random import seed_from
from skcvae.estimators import _checks
from skcvae.estimators._fitting import Fitting


class Drawing(Fitting):
    """Joint draws of y, completions, quantiles and intervals."""

    def sample(self, X, n_samples=1, random_state=None, *, observation_noise=True):
        """Draw joint outputs y ~ p(y|x).

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        n_samples : int, default=1
            Draws per row.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.
        observation_noise : bool, default=True
            False draws z alone and returns E[y|x,z]: pixels as probabilities
            rather than as 0 and 1, curves without the noise around them, the most
            likely labels.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Draws first, never squeezed, float64 or labels. Each draw is joint over
            all outputs of a row. `GaussianProcessRegressor.sample_y` puts draws last.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        X = _checks.inputs(self, X)
        draws = self._at_work.sample(
            X, n_samples, seed_from(random_state), observation_noise=observation_noise
        )
        return self._like_y(draws)

    def complete(
        self,
        X,
        y_partial,
        n_samples=1,
        mask=None,
        *,
        n_steps=20,
        observation_noise=True,
        random_state=None,
    ):
        """Draw what is not known of y, given x and what is known.

        With a recognition network z ~ q(z|x,y_o,y_u) and y_u ~ p(y_u|x,z,y_o)
        alternate. Without one (GSNN, `alpha` = 0), z is chosen from draws of the
        prior by p(y_o|x,z). Without z (NN), what is known of y tells nothing of
        the rest, unless the likelihood ties outputs together.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y_partial : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs, NaN where not known.
        n_samples : int, default=1
            Joint completions per row.
        mask : array-like of bool of the shape of `y_partial`, default=None
            True where not known, whatever `y_partial` holds there; NaN is not
            known in any case.
        n_steps : int, default=20
            How often z is drawn anew; or, without a recognition network, from how
            many draws of the prior each z is chosen.
        observation_noise : bool, default=True
            False ends in E[y|x,z] or the most likely labels, rather than in a
            draw of y.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Whole y: what is known is untouched.

        Raises
        ------
        ValueError
            If what is known is not as y in `fit`.

        References
        ----------
        Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
        Deep Conditional Generative Models*, NIPS, section 5.2.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        X = _checks.inputs(self, X)
        y = _checks.unknown(mask, y_partial)
        y = self._check_targets(y, len(X), name="y_partial", partial=True)
        filled = self._like_y(
            self._at_work.complete(
                X,
                y,
                n_samples,
                seed_from(random_state),
                n_steps=n_steps,
                observation_noise=observation_noise,
            )
        )
        np.copyto(filled, y, where=~np.isnan(y), casting="unsafe")
        return filled

    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), n_samples=1000):
        """Estimate quantiles of each output from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        quantiles : float or sequence of float, default=(0.05, 0.5, 0.95)
            Levels in [0, 1].
        n_samples : int, default=1000
            Draws per row.

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
        self._refuse(labels=True, what="a quantile")
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        levels = _checks.levels(quantiles)
        X = _checks.inputs(self, X)
        found = self._at_work.quantiles(X, levels, n_samples, self.seed_)
        found = self._like_y(found)
        if self.likelihood_.targets == "columns":
            found[..., self.y_coding_.labels] = np.nan
        return np.moveaxis(found, 0, -1) if levels.ndim else found

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
        check_scalar(
            coverage, "coverage", Real, min_val=0, max_val=1, include_boundaries="neither"
        )
        tail = (1 - coverage) / 2
        return self.predict_quantiles(X, (tail, 1 - tail), n_samples)

    def _refuse(self, *, labels, what):
        """Refuse what is not for labels, or for labels alone."""
        if labels == (self.likelihood_.targets == "label"):
            other = "numbers" if labels else "labels, likelihood='categorical'"
            raise ValueError(f"{what} expects {other}, got {self.likelihood_!r}.")
