r"""A deep ensemble: the mixture of several estimators that were trained independently.

.. math:: p(y|x) = \frac1M \sum_{m=1}^M p_m(y|x).

With few rows, the members agree near the data and differ away from it; their differences
add to the spread of y.
"""

import math
import os
import warnings
from itertools import chain
from numbers import Integral

from joblib import effective_n_jobs
from sklearn.base import MetaEstimatorMixin, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.parallel import Parallel, delayed

from skcvae.estimators import _checks
from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._ended import remove_checkpoint
from skcvae.estimators._mixture import Mixture
from skcvae.estimators._parameters import Parameters
from skcvae.estimators._persistent import Savable
from skcvae.estimators._together import Job, Together, how_trained
from skcvae.estimators.cvae import CVAERegressor
from skcvae.random import seed_from


class EnsembleRegressor(MetaEstimatorMixin, Mixture, RegressorMixin, Savable, Parameters):
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
        Processes that fit the members, by joblib. None is one, -1 as many as there are cores.
        Each trains its members as one stack where it can, and `training_` says whether;
        several processes on one GPU only share it.
    random_state : int, RandomState or None, default=None
        Seed of the members' seeds. None draws a new one; no global random state is
        read or written.
    verbose : int, default=0
        Of joblib, about groups of members done. ``estimator__verbose`` is that of the members.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members, each usable by itself.
    classes_ : ndarray of shape (n_classes,)
        The labels, where y are labels: integers, texts or booleans, as in y of `fit`.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    target_names_in_ : ndarray of str
        Names of the outputs, where y was a DataFrame or had a name.
    seed_ : int
        The seed that followed from `random_state`.
    training_ : str
        How the members were trained, for `summary`: how many in stacks, and why others alone.

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
    >>> est = EnsembleRegressor(NNRegressor(max_epochs=20), n_estimators=3, random_state=0)
    >>> est.fit(data.X, data.y).sample(data.X, n_samples=4).shape
    (4, 200, 3)
    >>> members = [member.score(data.X, data.y) for member in est.estimators_]
    >>> est.score(data.X, data.y) > sum(members) / 3
    True
    """

    _parameter_constraints = {
        "estimator": "no_validation",
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _named = {"estimator": {None: CVAERegressor}}

    def __init__(
        self, estimator=None, *, n_estimators=5, n_jobs=None, random_state=None, verbose=0
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_checks.named_keywords
    def fit(self, X, y=None, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Fit the members.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...), or Dataset
            Inputs, as the members take them.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs; None where X is a Dataset.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative.
        groups : array-like of shape (n_rows,), default=None
            Labels of groups, whose rows each member keeps on one side of its split.
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
            If interrupted, by Ctrl-C: the ensemble keeps the completed members, or else those
            that were interrupted, each with its best weights. Members in other processes are
            lost, except for their checkpoints, and the interrupt is re-raised.
        """
        self._validate_params()
        self._check_checkpoint()
        seed, ended = seed_from(self.random_state), []
        try:
            fits = Parallel(n_jobs=self.n_jobs, verbose=self.verbose)(
                delayed(_fitted)(members, ended, (X, y), sample_weight, (X_val, y_val), groups)
                for members in self._groups(seed)
            )
        except KeyboardInterrupt:
            if not ended:
                raise
            kept = [fit for fit in ended if not fit.is_interrupted] or ended
            self._warn_of_interrupt(len(kept))
        else:
            kept = list(chain(*fits))
            for fit in kept:
                remove_checkpoint(fit.estimator)
        self.estimators_, self.seed_ = [fit.estimator for fit in kept], seed
        self.training_ = how_trained(kept)
        return self

    def _validate_params(self):
        super()._validate_params()
        if not isinstance(self.estimator, StructuredPredictor | None):
            raise ValueError(
                "The 'estimator' parameter of EnsembleRegressor must be a CVAERegressor, "
                "GSNNRegressor, HybridStructuredPredictor, NNRegressor or None. Got "
                f"{self.estimator!r} instead. The ensemble may be in a pipeline or a search."
            )

    def _check_checkpoint(self):
        """Raise an error if a checkpoint could not be resumed with the same seeds."""
        training = self._prototype().training or _checks.DEFAULT_TRAINING
        if training.checkpoint is not None and not isinstance(self.random_state, Integral):
            raise ValueError(
                "The checkpoint of an ensemble expects an int as its random_state, got "
                f"random_state={self.random_state!r}."
            )

    def _warn_of_interrupt(self, n_kept):
        warnings.warn(
            f"Training was interrupted; the ensemble keeps {n_kept} of {self.n_estimators} "
            "members: the completed ones, or else those that were interrupted.",
            ConvergenceWarning,
            stacklevel=4,
        )

    def __sklearn_tags__(self):
        return get_tags(self._prototype())

    @classmethod
    def _nested_params(cls):
        own = CVAERegressor._get_param_names()
        nested = (name.replace("training__", "") for name in CVAERegressor._nested_params())
        return [f"estimator__{name}" for name in (*own, *nested)]

    def _prototype(self):
        return CVAERegressor() if self.estimator is None else self.estimator

    def _groups(self, seed):
        """Return the members, as many groups of them as are fitted at once."""
        members = list(self._members(seed))
        size = math.ceil(len(members) / min(effective_n_jobs(self.n_jobs), len(members)))
        return [members[i : i + size] for i in range(0, len(members), size)]

    def _members(self, seed):
        """Yield unfitted members, each with a seed of its own."""
        rng = check_random_state(seed)
        for i in range(self.n_estimators):
            member = clone(self._prototype()).set_params(random_state=rng.randint(2**31 - 1))
            path = (member.training or _checks.DEFAULT_TRAINING).checkpoint
            if path is not None:
                member.set_params(training__checkpoint=f"{os.fspath(path)}.{i}")
            yield member


def _fitted(members, ended, *given):
    """Return the fits of some members; re-raise an interrupt or an error for the ensemble.

    Checkpoints are kept until all members are complete, so that a second fit restores them.
    """
    own = []
    for fit in Together(Job(member, *given) for member in members):
        if fit.error is not None:
            raise fit.error
        own.append(fit)
        ended.append(fit)
    if any(fit.is_interrupted for fit in own):
        raise KeyboardInterrupt
    return own
