"""Completion of outputs that are observed in part."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skcvae import whole_numbers
from skcvae.data import reading
from skcvae.estimators import _checks, _inputs
from skcvae.estimators._frames import framed, row_index
from skcvae.pipelines._frames import check_alike, check_names
from skcvae.random import seed_from


class Completion:
    """Samples of the missing entries of y, and densities of the observed ones."""

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
        """Sample the missing entries of y given X and the observed ones.

        With a recognition network z ~ q(z|x,y_o,y_u) and y_u ~ p(y_u|x,z,y_o) alternate;
        of vectors z is accepted or rejected (Metropolis within Gibbs), so that any q has the
        same limit. Without one (GSNN, `alpha` = 0), z is chosen from draws by p(y_o|x,z).
        Without z (NN), the observed entries carry no information on the others, unless the
        likelihood correlates outputs.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y_partial : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs, NaN where missing.
        n_samples : int, default=1
            Joint completions per row.
        mask : array-like of bool of the shape of `y_partial`, default=None
            True where missing, whatever `y_partial` holds there; NaN entries are missing
            in any case.
        n_steps : int, default=20
            Number of alternations; of vectors, and without a recognition network, also of
            draws from which each first z is chosen.
        observation_noise : bool, default=True
            False ends in E[y|x,z] or the most likely labels, rather than in a
            draw of y.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.
        as_frame : bool or Index, default=False
            Whether to return a pandas DataFrame with the names of the outputs, and the index of
            X or the one given: a row for each draw and row.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Complete y; observed entries are unchanged.

        Raises
        ------
        ValueError
            If the observed entries are not as y in `fit`.

        References
        ----------
        Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
        Deep Conditional Generative Models*, NIPS, section 5.2.

        Mattei and Frellsen (2018), *Leveraging the Exact Likelihood of Deep Latent Variable
        Models*, NeurIPS, section 3.2.
        """
        check_is_fitted(self)
        n_samples, n_steps = checked_counts(n_samples, n_steps)
        index = row_index(as_frame, X)
        X, y = self._check_partial(X, y_partial, mask)
        how = {"n_steps": n_steps, "observation_noise": observation_noise}
        return framed(self, completions(self, X, y, n_samples, random_state, **how), index)

    def _log_prob_observed(self, X, y_partial, mask, n_steps, seed):
        """Estimate log p(y_o|x) of the observed entries of each row, in the units of y."""
        X, y = self._check_partial(X, y_partial, mask)
        how = {"n_samples": self.n_score_samples, "n_steps": n_steps, "seed": seed}
        return self._shown_fitted().log_prob_observed(X, y, **how)

    def _check_partial(self, X, y_partial, mask):
        X = _inputs.checked(self, X)
        check_names(self, mask, "mask")
        y = masked(mask, y_partial)
        return X, self._check_targets(y, len(X), name="y_partial", partial=True)


def masked(mask, y, name="y_partial"):
    """Return y as floats, or objects where it holds texts, with NaN where a mask is True."""
    if mask is None or issparse(y):
        return y
    check_alike(y, mask, "mask", of=name)
    has_texts = np.asarray(y).dtype.kind in "OU"
    y = np.array(y, dtype=object) if has_texts else np.array(reading.numbers(y, name), dtype=float)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != y.shape:
        raise ValueError(
            f"mask must be boolean and of the shape of {name}, {y.shape}, got {mask.dtype} of "
            f"shape {mask.shape}."
        )
    y[mask] = np.nan
    return y


def checked_counts(n_samples, n_steps):
    """Return counts as ints; refuse those that are not positive."""
    return (
        whole_numbers.checked(n_samples, "n_samples"),
        whole_numbers.checked(n_steps, "n_steps"),
    )


def completions(estimator, X, y, n_samples, random_state, **params):
    """Return draws of y, NaN where missing, whose observed entries are unchanged."""
    drawn = estimator._shown_fitted().complete(X, y, n_samples, seed_from(random_state), **params)
    completed = estimator._shaped(drawn)
    np.copyto(completed, y, where=~np.isnan(y), casting="unsafe")
    return estimator._labelled(completed)
