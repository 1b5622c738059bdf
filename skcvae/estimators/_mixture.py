"""The equally weighted mixture of the densities of several fitted estimators."""

import math

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.utils.validation import _num_samples, check_is_fitted

from skcvae import whole_numbers
from skcvae.estimators import _checks
from skcvae.estimators._completion import checked_counts
from skcvae.estimators._density import ConditionalDensity
from skcvae.estimators._frames import framed, row_index
from skcvae.estimators._members import Members
from skcvae.random import seed_from, spawned

LOWEST = -1e300  # stands for -inf, so that members without any density weigh the same


def refuse_latent_method(name):
    """Return a method that says why an ensemble has no latent space."""

    def method(self, *args, **params):
        """Raise TypeError: members have latent spaces of their own."""
        raise TypeError(
            "The members of an ensemble have latent spaces of their own, with different axes, so "
            f"an ensemble has no {name}. Use that of a member, estimators_[0].{name}."
        )

    method.__name__ = name
    return method


class Mixture(ConditionalDensity, Members):
    """The methods of a fitted ensemble."""

    @_checks.named_keywords
    def predict(self, X, return_std=False, return_proba=False, *, method="mean", as_frame=False):
        """Predict y: the mean of the members' means, or the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        return_std : bool, default=False
            Whether to return the standard deviation of p(y|x) as well: its variance
            is the mean of the members' variances plus the variance of their means.
            Not for labels.
        return_proba : bool, default=False
            Whether to return the probability of each class as well, the mean of the
            members'. For labels only.
        method : {"mean", "latent_mean"}, default="mean"
            As for the members: E[y|x], or E[y|x,z*] at z* = E[z|x].
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given. Probabilities stay an array.

        Returns
        -------
        y : ndarray of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Float64, or the most likely labels of the mean probabilities. In columns of
            labels among others, the label that most members predict.
        std : ndarray of the same shape
            Only if `return_std`; NaN in columns of labels.
        proba : ndarray of shape (n_rows, n_classes, ...)
            Only if `return_proba`: a map for each of `classes_`.

        Raises
        ------
        ValueError
            If `return_std` is asked of labels or of "latent_mean", or `return_proba` of numbers.
        """
        check_is_fitted(self)
        _checks.prediction(self, return_std, return_proba, method)
        index = row_index(as_frame, X)
        if hasattr(self, "classes_"):
            labels, proba = self._most_likely(X, method)
            labels = framed(self, labels, index)
            return (labels, proba) if return_proba else labels
        if return_std:
            return tuple(framed(self, part, index) for part in self._mean_and_std(X))
        mean = self._mean([member.predict(X, method=method) for member in self.estimators_])
        return framed(self, mean, index)

    @_checks.named_keywords
    def sample(self, X, n_samples=1, random_state=None, *, observation_noise=True, as_frame=False):
        """Draw joint outputs y ~ p(y|x), for each draw and row from a member by chance.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        n_samples : int, default=1
            Draws per row.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.
        observation_noise : bool, default=True
            False draws the member and z alone and returns E[y|x,z].
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: a row for each draw and row.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Draws first, never squeezed. Each draw is joint over all outputs of a row;
            rows are independent of each other.
        """

        def draw(member, n_draws, seed):
            return member.sample(X, n_draws, seed, observation_noise=observation_noise)

        check_is_fitted(self)
        n_samples = whole_numbers.checked(n_samples, "n_samples")
        n_members, n_rows = len(self.estimators_), _num_samples(X)
        weights = np.full((n_members, n_rows), 1 / n_members)
        index = row_index(as_frame, X)
        draws = self._mixed(draw, n_rows, n_samples, seed_from(random_state), weights)
        return framed(self, draws, index)

    @_checks.named_keywords
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
        as_frame=False,
    ):
        r"""Sample the missing entries of y given X and the observed ones.

        For each draw and row a member is chosen with probability proportional to
        :math:`p_m(y_o|x)`, its density of the observed entries, estimated from
        `n_score_samples` draws of z.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y_partial : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs, NaN where missing.
        n_samples : int, default=1
            Joint completions per row.
        mask : array-like of bool of the shape of `y_partial`, default=None
            True where missing, whatever `y_partial` holds there.
        n_steps : int, default=20
            As for the members.
        observation_noise : bool, default=True
            False ends in E[y|x,z] or the most likely labels.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: a row for each draw and row.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Complete y; observed entries are unchanged.
        """
        check_is_fitted(self)
        n_samples, n_steps = checked_counts(n_samples, n_steps)
        how = {"n_steps": n_steps, "observation_noise": observation_noise}

        def draw(member, n_draws, seed):
            return member.complete(X, y_partial, n_draws, mask, random_state=seed, **how)

        index = row_index(as_frame, X)
        weight_seed, draw_seed = spawned(seed_from(random_state), 2)
        seeds = spawned(weight_seed, len(self.estimators_))
        log_p = [
            member._log_prob_observed(X, y_partial, mask, n_steps, seed)
            for member, seed in zip(self.estimators_, seeds, strict=True)
        ]
        weights = softmax(np.maximum(log_p, LOWEST), axis=0)
        completed = self._mixed(draw, _num_samples(X), n_samples, draw_seed, weights)
        return framed(self, completed, index)

    @_checks.named_keywords
    def log_prob(
        self,
        X,
        y,
        *,
        n_samples=None,
        method="importance_sampling",
        random_state=None,
        smooth=False,
    ):
        """Estimate log p(y|x) of each row, in nats: of the mean of the members' densities.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        n_samples : int, default=None
            Draws of z per row and member; None takes `n_score_samples`.
        method : {"importance_sampling", "monte_carlo"}, default="importance_sampling"
            As for the members.
        random_state : int, RandomState or None, default=None
            None takes the seeds of the fit: same model, same numbers.
        smooth : bool, default=False
            As for the members: whether the noise follows from x alone.

        Returns
        -------
        ndarray of shape (n_rows,)
            Higher is better. Never below the mean of the members' values.
        """
        check_is_fitted(self)
        how = {"n_samples": n_samples, "method": method, "random_state": random_state}
        log_p = [member.log_prob(X, y, smooth=smooth, **how) for member in self.estimators_]
        return logsumexp(log_p, axis=0) - math.log(len(log_p))

    encode, decode, reconstruct, predict_modes = map(
        refuse_latent_method, ("encode", "decode", "reconstruct", "predict_modes")
    )
