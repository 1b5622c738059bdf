"""The conditional distribution of a fitted estimator: predict, sample, log_prob, complete."""

import warnings
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, check_scalar

from skcvae.data.annotations import Annotated
from skcvae.estimators import _checks
from skcvae.estimators._completion import Completion
from skcvae.estimators._density import ConditionalDensity
from skcvae.estimators._latent_space import LatentSpace
from skcvae.estimators._modes import Modes
from skcvae.inference import conditional_likelihood
from skcvae.random import seed_from

DEGENERATE = 1.2  # median effective sample size below which one draw carries the estimate

METHODS = {
    "importance_sampling": partial(
        conditional_likelihood.importance_sampling, widening=conditional_likelihood.WIDENING
    ),
    "monte_carlo": conditional_likelihood.monte_carlo,
}


class Predicting(Completion, LatentSpace, Modes, ConditionalDensity):
    """The methods of a fitted estimator, in the user's units."""

    _without_latents = (
        "p(y|x) is that of a network without z. Where NNRegressor scores as well, none is needed."
    )

    @_checks.named_keywords
    def predict(self, X, n_samples=None, return_std=False, return_proba=False):
        """Predict y: its mean, or the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        n_samples : int, default=None
            None predicts E[y|x,z*] at z* = E[z|x], the paper's deterministic
            inference. A number predicts the mean over so many draws of z.
        return_std : bool, default=False
            Whether to return the standard deviation of p(y|x) as well, from
            `n_samples` draws, or `n_score_samples` where that is None. Not for
            labels.
        return_proba : bool, default=False
            Whether to return the probability of each class as well. For labels
            only.

        Returns
        -------
        y : ndarray of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            The prediction, of the shape of y in `fit`: float64, or labels.
        std : ndarray of the same shape
            Only if `return_std`; NaN in columns of labels.
        proba : ndarray of shape (n_rows, n_classes, ...)
            Only if `return_proba`: a map for each of `classes_`.

        Raises
        ------
        ValueError
            If `return_std` is asked of labels, or `return_proba` of numbers.
        """
        check_is_fitted(self)
        if n_samples is not None:
            check_scalar(n_samples, "n_samples", Integral, min_val=1)
        if return_std:
            _checks.no_labels(self, "return_std=True")
        if return_proba:
            _checks.only_labels(self, "return_proba=True")
        X = _checks.inputs(self, X)
        if return_proba:
            return self._labels(self._expected(X, n_samples, self.y_coding_.to_proba), True)
        if return_std:
            return self._mean_and_std(X, n_samples)
        return self._like_y(self._expected(X, n_samples, self.y_coding_.to_array))

    def _expected(self, X, n_samples, read):
        if n_samples is None:
            return self._shown_fitted().deterministic(X, read)
        (mean,) = self._shown_fitted().moments(X, n_samples, self.seed_, ("mean", read))
        return mean

    def _mean_and_std(self, X, n_samples):
        coding = self.y_coding_
        mean, std = self._shown_fitted().moments(
            X,
            n_samples or self.n_score_samples,
            self.seed_,
            ("mean", coding.to_array),
            ("std", coding.spread_to_array),
        )
        if n_samples is None:
            mean = self._shown_fitted().deterministic(X, coding.to_array)
        return self._like_y(mean), self._like_y(std)

    def _labels(self, proba, return_proba):
        """Return the most likely labels, and their probabilities if asked for."""
        y = self._like_y(self.y_coding_.most_likely(proba))
        lead = proba.shape[: proba.ndim - len(self.y_coding_.row_shape)]
        return (y, proba.reshape(*lead, *self.y_shape_)) if return_proba else y

    @_checks.named_keywords
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
        draws = self._shown_fitted().sample(
            X, n_samples, seed_from(random_state), observation_noise=observation_noise
        )
        return self._like_y(draws)

    @_checks.named_keywords
    def log_prob(
        self,
        X,
        y,
        *,
        n_samples=None,
        method="importance_sampling",
        return_ess=False,
        random_state=None,
    ):
        """Estimate log p(y|x) of each row, in nats, of y in its own units.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs. With `partial_y`, NaN entries are marginalised out. With `annotations`,
            (n_rows, n_annotations, ...).
        n_samples : int, default=None
            Draws of z per row; None takes `n_score_samples`.
        method : {"importance_sampling", "monte_carlo"}, default="importance_sampling"
            Draws from the recognition network, or from the prior. Where no
            recognition network was trained the two are the same. A model
            without z is evaluated exactly.
        return_ess : bool, default=False
            Whether to return the effective sample size of the weights as well.
        random_state : int, RandomState or None, default=None
            None takes the seed of the fit: same model, same numbers.

        Returns
        -------
        log_prob : ndarray of shape (n_rows,), or (n_rows, n_annotations) with `annotations`
            Higher is better; NaN for absent annotations. Biased low, by less as
            `n_samples` grows. The noise follows from the row itself, so a row's value does
            not depend on the other rows.
        ess : ndarray of shape (n_rows,)
            Only if `return_ess`: from 1, one draw carries everything, to
            `n_samples`, all weights are equal.

        Warns
        -----
        UserWarning
            If one draw carries the estimate for half of the rows.
        """
        check_is_fitted(self)
        annotated = Annotated.of(X, y) if self.annotations else None
        X, y = self._check_rows(*(annotated[:2] if annotated else (X, y)))
        log_p, ess = estimates(self, X, y, n_samples, method, random_state)
        if annotated:
            log_p, ess = annotated.by_row(log_p), annotated.by_row(ess)
        return (log_p, ess) if return_ess else log_p

    @property
    def y_coding_(self):
        """The encoding of y for the networks."""
        return self.specification_.y_coding

    def _check_targets(self, y, n_rows, *, name="y", partial=None):
        """Return y checked against the y of `fit`."""
        y = _checks.targets(
            self,
            y,
            n_rows=n_rows,
            likelihood=self.specification_.likelihood,
            name=name,
            shape=self.y_shape_,
            partial=self.specification_.partial_y if partial is None else partial,
        )
        self.specification_.y_coding.check(y, name)
        return y


def estimates(estimator, X, y, n_samples, method, random_state):
    """Return log p(y|x), or log p(y) where X is None, and the effective sample size.

    Parameters
    ----------
    estimator : Estimator
        Fitted.
    X : ndarray of shape (n_rows, ...) or None
        Inputs, checked.
    y : ndarray of shape (n_rows, ...)
        What is modelled, checked.
    n_samples : int or None
        Draws of z per row; None takes `n_score_samples`.
    method : str
        A key of METHODS.
    random_state : int, RandomState or None
        None takes the seed of the fit.

    Returns
    -------
    log_prob, ess : ndarray of shape (n_rows,)
        Estimates in nats, and effective sample sizes.
    """
    n_samples = estimator.n_score_samples if n_samples is None else n_samples
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    if method not in METHODS:
        raise ValueError(f"method must be one of {sorted(METHODS)}, got {method!r}.")
    seed = estimator.seed_ if random_state is None else seed_from(random_state)
    fitted = estimator._shown_fitted()
    log_p, ess = fitted.log_prob(X, y, estimate=METHODS[method], n_samples=n_samples, seed=seed)
    drawn = method == "importance_sampling" and not fitted.model.is_deterministic
    if drawn and n_samples >= 10:
        _warn_of_degeneracy(ess, n_samples)
    return log_p, ess


def _warn_of_degeneracy(ess, n_samples):
    if np.median(ess) < DEGENERATE:
        warnings.warn(
            f"The effective sample size of log_prob is {np.median(ess):.2f} of {n_samples} draws "
            "for the median row: one draw carries the estimate, which is then too low. Take a "
            "larger n_samples or train longer.",
            UserWarning,
            stacklevel=5,
        )
