r"""A deep ensemble: several networks trained apart, one mixture of their distributions.

.. math:: p(y|x) = \frac1M \sum_{m=1}^M p_m(y|x).

Where rows are few, the members agree near the data and differ away from it; what they
differ by is added to the spread of y.
"""

import math
import os
import warnings
from numbers import Integral

import numpy as np
from scipy.special import logsumexp
from scipy.stats import mode
from sklearn.base import MetaEstimatorMixin, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted, check_scalar

from skcvae._arrays import plan, slices
from skcvae._documented import Summarised
from skcvae._random import seed_from
from skcvae.estimators import CVAERegressor, _checks
from skcvae.estimators._base import StructuredPredictor


class EnsembleRegressor(MetaEstimatorMixin, RegressorMixin, Summarised):
    r"""Several estimators that differ in their seeds, as one equally weighted mixture.

    .. math:: p(y|x) = \frac1M \sum_{m=1}^M p_m(y|x).

    Each member is fitted to all rows given, with weights, order of rows and, for early
    stopping, held-out rows of its own. The log density of the mixture is never below
    the mean of the members'.

    Parameters
    ----------
    estimator : estimator of skcvae or None, default=None
        What is fitted `n_estimators` times; None is ``CVAERegressor()``. Its own
        `random_state` is not used, nor is its `warm_start`: members are fitted anew.
        A pipeline goes around the ensemble, not inside. With a `checkpoint` each member
        has a file of its own, whose name ends in its number.
    n_estimators : int, default=5
        Number M of members.
    n_jobs : int or None, default=None
        Members fitted at once, by joblib. None is one, -1 as many as there are cores.
    random_state : int, RandomState or None, default=None
        Seed of the members' seeds. None draws a new one; no global random state is
        read or written.
    verbose : int, default=0
        Of joblib, about members done. ``estimator__verbose`` is that of the members.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members, each usable by itself.
    classes_ : ndarray of int
        The labels, where y are labels.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    seed_ : int
        The seed that followed from `random_state`.

    See Also
    --------
    CVAERegressor : A member.

    References
    ----------
    Lakshminarayanan, Pritzel and Blundell (2017), *Simple and Scalable Predictive
    Uncertainty Estimation using Deep Ensembles*, NIPS.

    Examples
    --------
    >>> from skcvae import EnsembleRegressor, NNRegressor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = EnsembleRegressor(NNRegressor(max_epochs=5), n_estimators=3, random_state=0)
    >>> est.fit(data.X, data.y).sample(data.X, n_samples=4).shape
    (4, 200, 3)
    >>> members = [member.score(data.X, data.y) for member in est.estimators_]
    >>> est.score(data.X, data.y) > sum(members) / 3
    True
    """

    _parameter_constraints = {
        "estimator": [StructuredPredictor, None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self, estimator=None, *, n_estimators=5, n_jobs=None, random_state=None, verbose=0
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the members.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...), or Dataset
            Inputs, as the members take them.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs; None where X is a Dataset.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative.
        X_val, y_val : array-like, default=None
            Rows for early stopping of all members, instead of a share of X and y
            that each holds out for itself.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected. The ensemble is then as
            it was before.

        Warns
        -----
        ConvergenceWarning
            If interrupted, by Ctrl-C: the ensemble keeps the members that had ended, or,
            where none had, the first as far as it got. Of members in other processes
            none are kept, and the interrupt is passed on.
        """
        self._validate_params()
        self._check_checkpoint()
        seed, ended = seed_from(self.random_state), []
        try:
            fitted = Parallel(n_jobs=self.n_jobs, verbose=self.verbose)(
                delayed(_fitted)(member, ended, X, y, sample_weight, X_val=X_val, y_val=y_val)
                for member in self._members(seed)
            )
        except KeyboardInterrupt:
            if not ended:
                raise
            fitted = [member for member in ended if not member.net_.interrupted] or ended
            self._warn_of_interrupt(len(fitted))
        else:
            for member in fitted:
                member._leave_checkpoint()
        self.estimators_, self.seed_ = fitted, seed
        return self

    def _check_checkpoint(self):
        """Refuse a checkpoint where the members' seeds would not be the same again."""
        if self._prototype().checkpoint is not None and not isinstance(
            self.random_state, Integral
        ):
            raise ValueError(
                "estimator__checkpoint of an ensemble expects an int as its random_state, got "
                f"random_state={self.random_state!r}."
            )

    def _warn_of_interrupt(self, n_kept):
        warnings.warn(
            f"Training was interrupted; the ensemble keeps {n_kept} of {self.n_estimators} "
            "members: those that had ended, or the first as far as it got.",
            ConvergenceWarning,
            stacklevel=3,
        )

    def predict(self, X, n_samples=None, return_std=False, return_proba=False):
        """Predict y: the mean of the members' means, or the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        n_samples : int, default=None
            As for the members: None predicts at z* = E[z|x], a number the mean
            over so many draws of z for each member.
        return_std : bool, default=False
            Whether to return the standard deviation of p(y|x) as well: its variance
            is the mean of the members' variances plus the variance of their means.
            From draws where `n_samples` is None too. Not for labels.
        return_proba : bool, default=False
            Whether to return the probability of each class as well, the mean of the
            members'. For labels only.

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
            If `return_std` is asked of labels, or `return_proba` of numbers.
        """
        check_is_fitted(self)
        if return_proba or self._first.likelihood_.targets == "label":
            labels, proba = self._most_likely(X, n_samples, return_std)
            return (labels, proba) if return_proba else labels
        predicted = self._mean([member.predict(X, n_samples) for member in self.estimators_])
        return (predicted, self._std(X, n_samples)) if return_std else predicted

    def sample(self, X, n_samples=1, random_state=None, *, observation_noise=True):
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

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Draws first, never squeezed. Each draw is joint over all outputs of a row;
            rows are independent of each other.
        """

        def draw(member, n_draws, seed):
            return member.sample(X, n_draws, seed, observation_noise=observation_noise)

        return self._mixed(draw, X, n_samples, random_state)

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

        For each draw and row a member is taken by chance, all with the same weight,
        whether or not it explains well what is known.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y_partial : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs, NaN where not known.
        n_samples : int, default=1
            Joint completions per row.
        mask : array-like of bool of the shape of `y_partial`, default=None
            True where not known, whatever `y_partial` holds there.
        n_steps : int, default=20
            As for the members.
        observation_noise : bool, default=True
            False ends in E[y|x,z] or the most likely labels.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, ...)
            Whole y: what is known is untouched.
        """
        how = {"n_steps": n_steps, "observation_noise": observation_noise}

        def draw(member, n_draws, seed):
            return member.complete(X, y_partial, n_draws, mask, random_state=seed, **how)

        return self._mixed(draw, X, n_samples, random_state)

    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), n_samples=1000):
        """Estimate quantiles of each output from draws of all members.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        quantiles : float or sequence of float, default=(0.05, 0.5, 0.95)
            Levels in [0, 1].
        n_samples : int, default=1000
            Draws per row, over all members.

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
        self._first._refuse(labels=True, what="a quantile")
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        levels, n_rows = _checks.levels(quantiles), _num_samples(X)
        size = plan(n_rows, n_samples, 1, math.prod(self._first.y_shape_)).rows
        blocks = []
        for i, rows in enumerate(slices(n_rows, size)):
            draws = self.sample(_safe_indexing(X, rows), n_samples, self.seed_ + i)
            blocks.append(np.quantile(draws, levels, axis=0))
        found = np.concatenate(blocks, axis=levels.ndim)
        found[..., self._label_columns] = np.nan
        return np.moveaxis(found, 0, -1) if levels.ndim else found

    predict_interval = StructuredPredictor.predict_interval

    def log_prob(self, X, y, *, n_samples=None, method="importance_sampling", random_state=None):
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

        Returns
        -------
        ndarray of shape (n_rows,)
            Higher is better. Never below the mean of the members' values.
        """
        check_is_fitted(self)
        log_p = [
            member.log_prob(X, y, n_samples=n_samples, method=method, random_state=random_state)
            for member in self.estimators_
        ]
        return logsumexp(log_p, axis=0) - math.log(len(log_p))

    score = StructuredPredictor.score
    save = StructuredPredictor.save

    @property
    def n_features_in_(self):
        """Number of features seen in `fit`."""
        return self._first.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features, where X had names."""
        return self._first.feature_names_in_

    @property
    def classes_(self):
        """The labels, where y are labels."""
        return self._first.classes_

    def __sklearn_tags__(self):
        return get_tags(self._prototype())

    def _restore(self, state):
        """Take over what a file says was fitted, if the members belong together."""
        if state.keys() != {"estimators_", "seed_"}:
            raise ValueError(f"an ensemble has estimators_ and seed_, got {sorted(state)[:5]}")
        members = state["estimators_"]
        if not (isinstance(members, list) and members and all(map(_is_fitted, members))):
            raise ValueError("an ensemble has fitted estimators of skcvae as its members")
        if any(_answers(member) != _answers(members[0]) for member in members):
            raise ValueError("the members of an ensemble are of one class, and fitted to one y")
        vars(self).update(state)

    def _prototype(self):
        return CVAERegressor() if self.estimator is None else self.estimator

    def _members(self, seed):
        """Yield unfitted members, each with a seed of its own."""
        rng = check_random_state(seed)
        for i in range(self.n_estimators):
            member = clone(self._prototype()).set_params(random_state=rng.randint(2**31 - 1))
            if member.checkpoint is not None:
                member.checkpoint = f"{os.fspath(member.checkpoint)}.{i}"
            yield member

    def _facts(self):
        """Return what the members are, and the epochs and the validation CLL of each."""
        of_members = [member._facts() for member in self.estimators_]
        own = {
            f"{name} {i}": facts[name]
            for i, facts in enumerate(of_members)
            for name in ("latent", "epochs", "validation")
            if name in facts
        }
        shared = {name: fact for name, fact in of_members[0].items() if f"{name} 0" not in own}
        members = f"{len(of_members)} of {type(self._first).__name__}"
        return {"members": members, **shared, **own}

    @property
    def _first(self):
        return self.estimators_[0]

    @property
    def _label_columns(self):
        """The columns of labels among columns of other kinds."""
        columns = self._first.likelihood_.targets == "columns"
        return self._first.y_coding_.labels if columns else []

    def _mean(self, predicted):
        """Return the mean over members, and in columns of labels the most frequent."""
        predicted, labels = np.asarray(predicted), self._label_columns
        mean = predicted.mean(axis=0)
        if labels:
            mean[:, labels] = mode(predicted[..., labels], axis=0).mode
        return mean

    def _std(self, X, n_samples):
        """Return the deviation of the mixture, by the law of total variance."""
        n_draws = n_samples or self._first.n_score_samples
        moments = [member.predict(X, n_draws, return_std=True) for member in self.estimators_]
        means, stds = zip(*moments, strict=True)
        return np.sqrt(np.mean(np.square(stds), axis=0) + np.var(means, axis=0))

    def _most_likely(self, X, n_samples, return_std):
        """Return the most likely labels and the mean probabilities of the members."""
        predictions = [
            member.predict(X, n_samples, return_std, return_proba=True)
            for member in self.estimators_
        ]
        proba = np.mean([proba for _, proba in predictions], axis=0)
        return self.classes_[proba.argmax(axis=1)], proba

    def _mixed(self, draw, X, n_samples, random_state):
        """Return draws, for each draw and row those of one member by chance."""
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        seed, n_members = seed_from(random_state), len(self.estimators_)
        shape = (n_samples, _num_samples(X))
        chosen = np.random.default_rng(seed).integers(n_members, size=shape)
        out = None
        for m, member in enumerate(self.estimators_):
            taken = chosen == m
            draws = draw(member, int(taken.sum(axis=0).max(initial=1)), seed + m)
            out = np.empty((*shape, *draws.shape[2:]), draws.dtype) if out is None else out
            # The k-th draw of a row goes where the row takes this member for the k-th time.
            place, row = taken.nonzero()
            out[place, row] = draws[taken.cumsum(axis=0)[place, row] - 1, row]
        return out


def _is_fitted(member):
    return isinstance(member, StructuredPredictor) and hasattr(member, "net_")


def _answers(member):
    """Return what members that were fitted to the same rows have in common."""
    classes = getattr(member, "classes_", np.array([])).tolist()
    return type(member), member.x_shape_, member.y_shape_, member.likelihood_.targets, classes


def _fitted(member, ended, X, y, sample_weight, *, X_val, y_val):
    """Return a member, fitted; a user who interrupts it means the ensemble.

    Checkpoints stay until all members have ended: those that had are soon there again.
    """
    member._fit(X, y, sample_weight, X_val=X_val, y_val=y_val)
    ended.append(member)
    if member.net_.interrupted:
        raise KeyboardInterrupt
    return member
