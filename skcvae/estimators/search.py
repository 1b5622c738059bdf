"""A grid search whose candidates and folds are trained at once.

scikit-learn's search fits clones of an estimator one by one. Here all fits are made in
advance, in stacks of those whose networks have equal shapes; then scikit-learn's search runs as
ever, over an estimator that looks its fits up.
"""

import contextlib
import math
import time
from itertools import chain

import joblib
import numpy as np
from joblib import effective_n_jobs
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from skcvae.documented import Documented
from skcvae.estimators import _checks
from skcvae.estimators._ended import finish
from skcvae.estimators._made import MadeFits, MadeFolds, key
from skcvae.estimators._together import Job, Together, how_trained, is_fitted_in_parts


class StackedGridSearchCV(GridSearchCV):
    """A grid search with scikit-learn's parameters and results, whose fits are trained at once.

    Candidates that differ in parameters without influence on the shapes of the networks, such
    as `alpha`, `beta`, `kl_warmup`, `lr`, `omission`, `training__weight_decay` and
    `random_state`, and all folds, are trained as one stack; candidates of other shapes as
    another one. What cannot be stacked is fitted by itself, and so is a pipeline or another
    estimator with a `fit` of its own: the results are those of
    :class:`~sklearn.model_selection.GridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        An estimator of skcvae.
    param_grid : dict or list of dicts
        Names of parameters to lists of values.
    scoring : str, callable, list, tuple or dict, default=None
        What is highest for the best candidate. None is the estimator's `score`, the mean
        log-likelihood.
    n_jobs : int or None, default=None
        Processes, each of which trains an equal share of the fits; None is one.
    refit : bool, str or callable, default=True
        Whether, and by which score, the best candidate is fitted to all rows.
    cv : int, splitter or iterable, default=None
        The folds; None is five.
    verbose : int, default=0
        Of scikit-learn's search, which reports after training.
    pre_dispatch : int or str, default="2*n_jobs"
        Of the search with an estimator that is not skcvae's.
    error_score : "raise" or float, default=nan
        The score of a fit that failed.
    return_train_score : bool, default=False
        Whether `cv_results_` has the scores of the training rows, too.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        As of :class:`~sklearn.model_selection.GridSearchCV`; the fit time is an equal share
        of the time that all fits took.
    best_estimator_, best_params_, best_score_, best_index_, refit_time_, scorer_, n_splits_
        As of :class:`~sklearn.model_selection.GridSearchCV`.
    training_ : str
        How the candidates were trained: how many at once, and why others alone.

    See Also
    --------
    HybridStructuredPredictorCV : The search for `alpha`, as an estimator.

    Examples
    --------
    >>> from skcvae import CVAERegressor, StackedGridSearchCV
    >>> from skcvae.datasets import make_two_branches
    >>> data = make_two_branches(n_samples=200, random_state=0)
    >>> est = CVAERegressor(max_epochs=6, random_state=0)
    >>> search = StackedGridSearchCV(est, {"lr": [0.001, 0.003, 0.01]}, cv=2)
    >>> search.fit(data.X, data.y).best_params_
    {'lr': 0.01}
    >>> search.training_
    '6 in a stack of 6'
    """

    _doc_link_module = Documented._doc_link_module
    _doc_link_template = Documented._doc_link_template
    _groups_in_fits = False  # without metadata routing, as scikit-learn's search

    def fit(self, X, y=None, **params):
        """Train all candidates on all folds, and search.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        **params
            For `fit`, the scorer and the splitter, such as `sample_weight` and `groups`,
            as of :class:`~sklearn.model_selection.GridSearchCV`.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ValueError
            If parameters or data are not as expected, or all fits failed.
        """
        if not is_fitted_in_parts(self.estimator):
            super().fit(X, y, **params)
            self.training_ = f"alone: the estimator {type(self.estimator).__name__}"
            return self
        self._validate_params()
        self.get_metadata_routing()  # makes the scorers, and refuses what is none
        X, y = indexable(X, y)
        fit_params, split_params = self._routed(params)
        _checks.check_call(self.estimator, type(self.estimator).fit, X, y, **fit_params)
        splitter = check_cv(self.cv, y)
        folds = MadeFolds(splitter, list(splitter.split(X, y, **split_params)))
        start = time.perf_counter()
        fits = self._made(X, y, fit_params, [train for train, _ in folds.split()])
        duration = (time.perf_counter() - start) / max(len(fits), 1)
        with _replaced(self, estimator=MadeFits(self.estimator, fits), cv=folds, n_jobs=None):
            with joblib.parallel_config(backend="sequential"):
                super().fit(X, y, **params)
        self.training_ = how_trained(list(fits.values()))
        fits.clear()
        if hasattr(self, "best_estimator_"):
            self.best_estimator_ = self.best_estimator_.estimator
        self.cv_results_["mean_fit_time"] += duration
        return self

    def _routed(self, params):
        """Return the parameters of the estimator's `fit`, and those of the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params)
            return routed.estimator.fit, routed.splitter.split
        groups = {"groups": params["groups"]} if "groups" in params else {}
        if not self._groups_in_fits:
            params = {name: value for name, value in params.items() if name != "groups"}
        return params, groups

    def _made(self, X, y, params, folds):
        """Return all fits by what they were made of."""
        jobs, given = {}, [_rows_of(rows, X, y, params) for rows in folds]
        for candidate in ParameterGrid(self.param_grid):
            for arrays, weight, *others in given:
                estimator = clone(self.estimator).set_params(**clone(candidate, safe=False))
                jobs[key(estimator, *arrays, weight)] = Job(estimator, arrays, weight, *others)
        size = max(math.ceil(len(jobs) / effective_n_jobs(self.n_jobs)), 1)
        shares = np.split(np.arange(len(jobs)), range(size, len(jobs), size))
        listed = list(jobs.values())
        ended = Parallel(n_jobs=self.n_jobs)(
            delayed(_fitted)([listed[i] for i in share]) for share in shares
        )
        return dict(zip(jobs, chain(*ended), strict=True))


def _rows_of(rows, X, y, params):
    """Return what the fits of a fold are given: some of the rows, in memory once."""
    chosen = {}
    for name in ("sample_weight", "groups"):
        value = params.get(name)
        if value is not None and _num_samples(value) != _num_samples(X):
            raise ValueError(
                f"{name} must have one entry for each of the {_num_samples(X)} rows, got "
                f"{_num_samples(value)}."
            )
        chosen[name] = None if value is None else np.asarray(value)[rows]
    arrays = _safe_indexing(X, rows), y if y is None else _safe_indexing(y, rows)
    validation = params.get("X_val"), params.get("y_val")
    return arrays, chosen["sample_weight"], validation, chosen["groups"]


def _fitted(jobs):
    """Return the fits of jobs, in their order; re-raise an interrupt."""
    ended = {}
    for fit in Together(jobs):
        ended[id(fit.estimator)] = fit
        if fit.is_interrupted:
            raise KeyboardInterrupt
        if fit.error is None:
            finish(fit.estimator)
    return [ended[id(job.estimator)] for job in jobs]


@contextlib.contextmanager
def _replaced(search, **params):
    """Let a search have other parameters for a while."""
    before = {name: getattr(search, name) for name in params}
    try:
        vars(search).update(params)
        yield
    finally:
        vars(search).update(before)
