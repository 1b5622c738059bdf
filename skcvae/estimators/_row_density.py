"""A density of rows of X: sample, score_samples, score, complete."""

import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from skcvae import whole_numbers
from skcvae.data.weights import weights_of_rows
from skcvae.estimators import _checks
from skcvae.estimators._completion import checked_counts, completions, masked
from skcvae.estimators._predicting import estimates
from skcvae.random import seed_from


class RowDensity(DensityMixin):
    """The density p(x) of a fitted estimator."""

    @_checks.named_keywords
    def sample(self, n_samples=1, random_state=None, *, observation_noise=True):
        """Draw rows x ~ p(x).

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.
        observation_noise : bool, default=True
            False draws z alone and returns E[x|z]: pixels as probabilities rather than as
            0 and 1, or the most likely labels.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, ...)
            Rows in the units of X.
        """
        check_is_fitted(self)
        n_samples = whole_numbers.checked(n_samples, "n_samples")
        draws = self._shown_fitted().sample(
            None, n_samples, seed_from(random_state), observation_noise=observation_noise
        )
        return self._like_y(draws[:, 0])

    @_checks.named_keywords
    def score_samples(
        self,
        X,
        *,
        n_samples=None,
        method="importance_sampling",
        return_ess=False,
        random_state=None,
    ):
        """Estimate log p(x) of each row, in nats; low values are anomalies.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Rows, as in `fit`. With `partial_X`, NaN entries are marginalised out.
        n_samples : int, default=None
            Draws of z per row; None takes `n_score_samples`.
        method : {"importance_sampling", "monte_carlo"}, default="importance_sampling"
            Draws from the recognition network and a fifth from the prior, or all from the prior.
        return_ess : bool, default=False
            Whether to return the effective sample size of the weights as well.
        random_state : int, RandomState or None, default=None
            None takes the seed of the fit: same model, same numbers.

        Returns
        -------
        log_prob : ndarray of shape (n_rows,)
            Higher is better. Biased low, by less as `n_samples` grows; a row's value does
            not depend on the other rows.
        ess : ndarray of shape (n_rows,)
            Only if `return_ess`.

        Warns
        -----
        UserWarning
            If the weights vary so much that the mean over rows is too low by 0.3 nats or more.
        """
        check_is_fitted(self)
        log_p, ess = estimates(self, None, *self._check_rows(X), n_samples, method, random_state)
        return (log_p, ess) if return_ess else log_p

    @_checks.named_keywords
    def score(self, X, y=None, sample_weight=None):
        """Return the log-likelihood: the mean of `score_samples`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Rows, as in `fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Nats per row; higher is better. With `partial_X`, rows with nothing observed count,
            with about 0 nats. `KernelDensity.score` is the sum over rows.
        """
        log_p = self.score_samples(X)
        return float(np.average(log_p, weights=weights_of_rows(sample_weight, len(log_p))))

    @_checks.named_keywords
    def complete(
        self,
        X_partial,
        n_samples=1,
        mask=None,
        *,
        n_steps=20,
        observation_noise=True,
        random_state=None,
    ):
        """Sample the missing entries of rows given the observed ones.

        Parameters
        ----------
        X_partial : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Rows, NaN where missing.
        n_samples : int, default=1
            Joint completions per row.
        mask : array-like of bool of the shape of `X_partial`, default=None
            True where missing; NaN entries are missing in any case.
        n_steps : int, default=20
            Number of alternations between z given x and the missing entries given z.
        observation_noise : bool, default=True
            False ends in E[x|z] or the most likely labels, rather than in a draw of x.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Complete rows; observed entries are unchanged.

        Raises
        ------
        ValueError
            If the observed entries are not as X in `fit`.
        """
        check_is_fitted(self)
        n_samples, n_steps = checked_counts(n_samples, n_steps)
        (X,) = self._check_rows(
            masked(mask, X_partial, "X_partial"), name="X_partial", partial=True
        )
        return completions(
            self,
            None,
            X,
            n_samples,
            random_state,
            n_steps=n_steps,
            observation_noise=observation_noise,
        )
