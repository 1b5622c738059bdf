"""The template of every estimator: fit, predict, sample, log_prob, score.

A subclass says which networks it trains (`_build_model`), with which objective
(`_build_objective`), and how the loss weighs its terms (`_loss_parameters`).
Think twice before adding anything to this class.
"""

import warnings
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, check_scalar

from skcvae import conditional_likelihood
from skcvae._checkpoint import CheckpointFile
from skcvae._precision import of_fit
from skcvae.random import seed_from
from skcvae.estimators import _checks
from skcvae.estimators._drawing import Drawing
from skcvae.estimators._saving import Saving

COLLAPSED = 1.2  # median effective sample size under which an estimate says little

METHODS = {
    "importance_sampling": partial(
        conditional_likelihood.importance_sampling,
        widening=conditional_likelihood.WIDENING,
    ),
    "monte_carlo": conditional_likelihood.monte_carlo,
}


class StructuredPredictor(RegressorMixin, Drawing, Saving):
    """What the estimators share; not for use by itself."""

    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the networks.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...), or Dataset
            Inputs. A torch Dataset has items (x, y) and a length; it is read item
            by item throughout, and what scales, labels and sizes follow from is a
            random part of it.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs; None where X is a Dataset.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative. A row of weight zero is as if absent.
        X_val, y_val : array-like, default=None
            Rows for early stopping, instead of a share of X and y. X_val may be a
            Dataset.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected, or if the loss
            turns infinite or NaN. The estimator is then as it was before.
        OSError
            If `checkpoint` cannot be read or written.
        MemoryError
            If the memory of a GPU does not suffice.

        Warns
        -----
        ConvergenceWarning
            If interrupted, by Ctrl-C, after the first epoch: the estimator keeps the
            best weights of the epochs that had ended. An interrupt in the first epoch
            is passed on.

        Notes
        -----
        Rows are brought to the device once, as float32. Where that would take more
        than half of a GPU's free memory, or elsewhere more than scikit-learn's
        ``working_memory`` (one GiB), they are read batch by batch instead, so
        that memory-mapped arrays stay on disk. The model is the same.
        """
        self._fit(X, y, sample_weight, X_val=X_val, y_val=y_val)
        if self.net_.interrupted:
            warnings.warn(
                f"Training was interrupted after {len(self.history_)} of {self.net_.max_epochs} "
                "epochs; the estimator keeps the best weights so far.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._leave_checkpoint()
        return self

    def _fit(self, X, y, sample_weight, *, X_val, y_val):
        with _checks.restored_on_error(self):
            self._validate_params()
            _checks.checkpoint_parameters(self)
            device = self._training_device()
            rows, validation = self._check_rows(X, y, sample_weight, X_val, y_val)
            with _checks.memory_of(device), of_fit(self.precision):
                self._train(rows, validation, device)

    def _leave_checkpoint(self):
        """Delete the checkpoint of a fit that has come to its end."""
        if self.checkpoint is not None and not self.net_.interrupted:
            CheckpointFile(self.checkpoint).remove()

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
            self._refuse(labels=True, what="return_std=True")
        if return_proba:
            self._refuse(labels=False, what="return_proba=True")
        X = _checks.inputs(self, X)
        if return_proba:
            proba = self._expected(X, n_samples, self.y_coding_.to_proba)
            y = self._like_y(self.y_coding_.most_likely(proba))
            return y, proba.reshape(*proba.shape[:2], *self.y_shape_)
        if return_std:
            return self._mean_and_std(X, n_samples)
        return self._like_y(self._expected(X, n_samples, self.y_coding_.to_array))

    def _expected(self, X, n_samples, read):
        if n_samples is None:
            return self._at_work.deterministic(X, read)
        (mean,) = self._at_work.moments(X, n_samples, self.seed_, ("mean", read))
        return mean

    def _mean_and_std(self, X, n_samples):
        coding = self.y_coding_
        mean, std = self._at_work.moments(
            X,
            n_samples or self.n_score_samples,
            self.seed_,
            ("mean", coding.to_array),
            ("std", coding.spread_to_array),
        )
        if n_samples is None:
            mean = self._at_work.deterministic(X, coding.to_array)
        return self._like_y(mean), self._like_y(std)

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
            Outputs. Where `partial_y` was set, NaN is not observed, and the value
            is that of the rest.
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
        log_prob : ndarray of shape (n_rows,)
            Higher is better. Biased low, by less as `n_samples` grows. The
            noise follows from the row itself, so a row's value does not depend
            on the rows beside it.
        ess : ndarray of shape (n_rows,)
            Only if `return_ess`: from 1, one draw carries everything, to
            `n_samples`, all weigh the same.

        Warns
        -----
        UserWarning
            If importance sampling rests on one draw for half of the rows.
        """
        check_is_fitted(self)
        n_samples = self.n_score_samples if n_samples is None else n_samples
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        if method not in METHODS:
            raise ValueError(f"method must be one of {sorted(METHODS)}, got {method!r}.")
        X, y = self._check_pair(X, y)
        log_p, ess = self._at_work.log_prob(
            X,
            y,
            estimate=METHODS[method],
            n_samples=n_samples,
            seed=self.seed_ if random_state is None else seed_from(random_state),
        )
        drawn = method == "importance_sampling" and not self._predictor.model.is_deterministic
        if drawn and n_samples >= 10:
            _warn_of_collapse(ess, n_samples)
        return (log_p, ess) if return_ess else log_p

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
        return float(np.average(log_p, weights=_checks.weights(sample_weight, log_p)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        # score is a log-likelihood, not a coefficient of determination.
        tags.regressor_tags.poor_score = True
        return tags


def _warn_of_collapse(ess, n_samples):
    if np.median(ess) < COLLAPSED:
        warnings.warn(
            f"The effective sample size of log_prob is {np.median(ess):.2f} of {n_samples} draws "
            "for the median row: one draw carries the estimate, which is then too low. Take a "
            "larger n_samples or train longer.",
            UserWarning,
            stacklevel=3,
        )
