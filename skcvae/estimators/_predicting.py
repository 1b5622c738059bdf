"""The conditional distribution of a fitted estimator: predict, sample, log_prob, complete."""

import warnings
from functools import partial

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcvae import whole_numbers
from skcvae.data.annotations import Annotated
from skcvae.estimators import _checks, _inputs
from skcvae.estimators._completion import Completion
from skcvae.estimators._density import ConditionalDensity
from skcvae.estimators._frames import framed, row_index
from skcvae.estimators._latent_space import LatentSpace
from skcvae.estimators._modes import Modes
from skcvae.inference.conditional_likelihood import WIDENING, importance_sampling, monte_carlo
from skcvae.random import seed_from

# Nats, to first order, that the mean of many rows is too low by where a warning says so. On digits
# where it was 0.1, 0.4 were lost, and at 0.23 were 2.9.
COARSE = 0.3
DEGENERATE = 1.2  # median effective sample size below which one draw carries few rows' estimates
MANY_ROWS = 10

METHODS = ("importance_sampling", "monte_carlo")


class Predicting(Completion, LatentSpace, Modes, ConditionalDensity):
    """The methods of a fitted estimator, in the user's units."""

    _without_latents = (
        "p(y|x) is that of a network without z. Where NNRegressor scores as well, none is needed."
    )

    @_checks.named_keywords
    def predict(self, X, return_std=False, return_proba=False, *, method="mean", as_frame=False):
        """Predict y: its mean E[y|x], or the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        return_std : bool, default=False
            Whether to return the standard deviation of p(y|x) as well. Not for labels.
        return_proba : bool, default=False
            Whether to return the probability of each class as well. For labels
            only.
        method : {"mean", "latent_mean"}, default="mean"
            "mean" averages over z ~ p(z|x), with 256 quasi-random points that are the same
            for all rows: the mean of y where the decoder is linear in z, and otherwise near it
            by a hundredth of the standard deviation (:doc:`/guide/inference`).
            "latent_mean" is the paper's deterministic inference, E[y|x,z*] at z* = E[z|x]:
            one pass through the networks, for images sharper, and farther from the mean
            where p(y|x) is skewed or has several modes.
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given. Probabilities stay an array.

        Returns
        -------
        y : ndarray of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            The prediction, of the shape of y in `fit`: float64, or labels.
        std : ndarray of the same shape
            Only if `return_std`, about the mean; NaN in columns of labels.
        proba : ndarray of shape (n_rows, n_classes, ...)
            Only if `return_proba`: a map for each of `classes_`.

        Raises
        ------
        ValueError
            If `return_std` is asked of labels or of "latent_mean", or `return_proba` of numbers.
        """
        check_is_fitted(self)
        _checks.prediction(self, return_std, return_proba, method)
        index, X, fitted = row_index(as_frame, X), _inputs.checked(self, X), self._shown_fitted()
        read = self.y_coding_.to_proba if return_proba else self.y_coding_.to_array
        if method == "latent_mean":
            y = fitted.deterministic(X, read)
        elif return_std:
            found = fitted.moments(X, read, self.y_coding_.spread_to_array)
            return tuple(framed(self, self._like_y(part), index) for part in found)
        else:
            (y,) = fitted.moments(X, read)
        if not return_proba:
            return framed(self, self._like_y(y), index)
        labels, proba = self._labels(y, return_proba)
        return framed(self, labels, index), proba

    def _labels(self, proba, return_proba):
        """Return the most likely labels, and their probabilities if asked for."""
        y = self._like_y(self.y_coding_.most_likely(proba))
        lead = proba.shape[: proba.ndim - len(self.y_coding_.row_shape)]
        return (y, proba.reshape(*lead, *self.y_shape_)) if return_proba else y

    @_checks.named_keywords
    def sample(self, X, n_samples=1, random_state=None, *, observation_noise=True, as_frame=False):
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
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: a row for each draw and row.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Draws first, never squeezed, float64 or labels. Each draw is joint over
            all outputs of a row. `GaussianProcessRegressor.sample_y` puts draws last.
        """
        check_is_fitted(self)
        n_samples = whole_numbers.checked(n_samples, "n_samples")
        index, X = row_index(as_frame, X), _inputs.checked(self, X)
        draws = self._shown_fitted().sample(
            X, n_samples, seed_from(random_state), observation_noise=observation_noise
        )
        return framed(self, self._like_y(draws), index)

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
        smooth=False,
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
            Draws from the recognition network and a fifth from the prior, or all from
            the prior. Where no recognition network was trained the two are the same. A
            model without z is evaluated exactly.
        return_ess : bool, default=False
            Whether to return the effective sample size of the weights as well.
        random_state : int, RandomState or None, default=None
            None takes the seed of the fit: same model, same numbers.
        smooth : bool, default=False
            Whether the noise of a row follows from x alone, so that the estimate is a smooth
            function of y, for curves and regions. Errors of rows with one x then go together.

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
            If the weights vary so much that the mean over rows is too low by 0.3 nats or more.
        """
        check_is_fitted(self)
        likelihood = self.specification_.likelihood
        annotated = Annotated.of(X, y, likelihood) if self.specification_.annotations else None
        X, y = self._check_rows(*(annotated[:2] if annotated else (X, y)))
        log_p, ess = estimates(self, X, y, n_samples, method, random_state, smooth)
        if annotated:
            log_p, ess = annotated.by_row(log_p), annotated.by_row(ess)
        return (log_p, ess) if return_ess else log_p

    @property
    def y_coding_(self):
        """The encoding of y for the networks."""
        return self.specification_.y_coding

    def _check_targets(self, y, n_rows, *, name="y", partial=None):
        """Return y checked against the y of `fit`."""
        y = _inputs.targets(
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


def estimates(estimator, X, y, n_samples, method, random_state, smooth=False):
    """Return log p(y|x), or log p(y) where X is None, and the effective sample size.

    Seeds are those of the fit by default; with `smooth` the noise follows from X alone.
    """
    n_samples = estimator.n_score_samples if n_samples is None else n_samples
    n_samples = whole_numbers.checked(n_samples, "n_samples")
    if method not in METHODS:
        raise ValueError(f"method must be one of {[*METHODS]}, got {method!r}.")
    seed = estimator.seed_ if random_state is None else seed_from(random_state)
    fitted, estimate = estimator._shown_fitted(), monte_carlo
    if method == "importance_sampling":
        estimate = partial(importance_sampling, widening=WIDENING, n_draws=n_samples)
    how = {"estimate": estimate, "n_samples": n_samples, "seed": seed, "smooth": smooth}
    log_p, ess = fitted.log_prob(X, y, **how)
    unobserved = np.isnan(y).all(axis=tuple(range(1, y.ndim)))
    log_p[unobserved], ess[unobserved] = 0.0, n_samples  # the integral over all outputs is one
    drawn = method == "importance_sampling" and not fitted.model.is_deterministic
    if drawn and n_samples >= 10:
        _warn_if_coarse(ess, n_samples)
    return log_p, ess


def _warn_if_coarse(ess, n_samples):
    """Warn where weights vary so much that the mean of the estimates is far too low.

    A row's estimate of log p(y|x) has the variance v = 1 / ESS - 1 / S and is too low by v / 2, to
    first order in v; where one draw carries it, by more.
    """
    variance = 1 / ess - 1 / n_samples
    bias, error = variance.mean() / 2, np.sqrt(variance.sum()) / len(ess)
    if bias > COARSE if len(ess) >= MANY_ROWS else np.median(ess) < DEGENERATE:
        warnings.warn(
            f"The effective sample size of log_prob is {np.median(ess):.2f} of {n_samples} draws "
            f"for the median row: its mean is too low by {bias:.2f} nats or more, with a standard "
            f"error of {error:.2g}. Take a larger n_samples, n_score_samples for score, train "
            "longer, or with a smaller lr if the loss did not settle.",
            UserWarning,
            stacklevel=5,
        )
