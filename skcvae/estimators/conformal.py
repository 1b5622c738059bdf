r"""Split conformal prediction: regions of y whose coverage is guaranteed, whatever the estimator.

Rows that were not fitted give scores :math:`s_i`, small where y_i is well inside p(y|x_i). The
region of a new x holds all y whose score is at most the :math:`\lceil (n + 1) c \rceil`-th
smallest of the n; it holds the new y with probability c or more if all rows are exchangeable.
"""

import numpy as np
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, RegressorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _num_samples, check_is_fitted

from skcvae import pipelines
from skcvae.estimators import _calibration, _checks, _regions
from skcvae.estimators._conformal_regions import ConformalRegions
from skcvae.estimators._parameters import Parameters
from skcvae.estimators._persistent import Savable
from skcvae.estimators.cvae import CVAERegressor
from skcvae.estimators.ensemble import EnsembleRegressor
from skcvae.pipelines._frames import check_names
from skcvae.pipelines._labels import columns_of_labels
from skcvae.random import seed_from, spawned


class ConformalRegressor(
    MetaEstimatorMixin, ConformalRegions, RegressorMixin, Savable, Parameters
):
    r"""Intervals and joint regions with guaranteed coverage, by split conformal prediction.

    The estimator is fitted to some rows, and `conformalize` is given others. Regions then hold
    the y of a new row with probability :math:`c` or more, also where the estimator is wrong,
    and, if no scores are tied, with at most :math:`c + 1 / (n + 1)`, n being the number of
    rows in `conformalize`. These and the new row must be exchangeable: independent draws of
    the same population, for example. The probability is over all of them, not for each x by
    itself; the better the estimator, the closer the two.

    Parameters
    ----------
    estimator : estimator, pipeline or search, default=None
        One of skcvae, or any with `sample`, and `log_prob` or `encode` where the region needs
        it; also at the end of a pipeline, or in a search. None is ``CVAERegressor()``. A fitted
        one stays as it is inside :class:`sklearn.frozen.FrozenEstimator`; `fit` may then be
        left out.
    region : {"density", "distance", "latent"}, default="density"
        The kind of joint region:

        - "density": the highest-density region [1]_, from `log_prob` of y and of draws;
        - "distance": all y near one of the draws [2]_, a union of balls, whose unit is the
          standard deviation of the draws of each output;
        - "latent": all y whose code :math:`E[z|x,y]` is near :math:`E[z|x]`, a ball in units
          of the deviations of the prior [3]_. It needs a recognition network, and latent
          variables that are in use.
    n_samples : int, default=200
        Draws of p(y|x) per row.
    random_state : int, RandomState or None, default=None
        Seeds the draws of `conformalize` and of predictions; the estimator has its own.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    calibration_ : named tuple
        After `conformalize`: the scores of its rows, and the parameters they were made with.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    y_shape_ : tuple of int
        Shape of one row of y in `conformalize`.
    target_names_in_ : ndarray of str
        Names of the outputs, where y had names in `fit`.

    See Also
    --------
    CVAERegressor.predict_interval : Intervals of the estimator itself, without a guarantee.

    Notes
    -----
    The score of an output is the level of the smallest central interval that holds it [4]_. The
    score of a row is the level of the smallest region that holds it, the distance, or the norm.

    With `groups`, each group counts as one, its rows sharing its weight [5]_: the coverage is
    for a row of a new group.

    References
    ----------
    .. [1] Izbicki, Shimizu and Stern (2022), *CD-split and HPD-split: Efficient Conformal
       Regions in High Dimensions*, JMLR 23.
    .. [2] Wang, Gao, Yin, Zhou and Blei (2023), *Probabilistic Conformal Prediction Using
       Conditional Random Samples*, AISTATS.
    .. [3] Feldman, Bates and Romano (2023), *Calibrated Multiple-Output Quantile Regression
       with Representation Learning*, JMLR 24.
    .. [4] Chernozhukov, Wüthrich and Zhu (2021), *Distributional Conformal Prediction*, PNAS.
    .. [5] Lee, Barber and Willett (2023), *Distribution-Free Inference with Hierarchical
       Data*, arXiv:2306.06342.

    Examples
    --------
    >>> from sklearn.model_selection import train_test_split
    >>> from skcvae import ConformalRegressor, CVAERegressor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> X, X_held, y, y_held = train_test_split(data.X, data.y, random_state=0)
    >>> est = ConformalRegressor(CVAERegressor(max_epochs=20, random_state=0), random_state=0)
    >>> est = est.fit(X, y).conformalize(X_held, y_held)
    >>> est.predict_interval(X, coverage=0.9).shape
    (150, 3, 2)
    >>> float(est.contains(X_held, y_held, coverage=0.9).mean()) > 0.8
    True
    """

    _parameter_constraints = {
        "estimator": "no_validation",
        **{name: _calibration.SAVED[name] for name in ("region", "n_samples")},
        "random_state": ["random_state"],
    }
    _named = {"estimator": {None: CVAERegressor}}

    def __init__(self, estimator=None, *, region="density", n_samples=200, random_state=None):
        self.estimator = estimator
        self.region = region
        self.n_samples = n_samples
        self.random_state = random_state

    def fit(self, X, y=None, **fit_params):
        """Fit the estimator.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs, as the estimator takes them.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        **fit_params
            Passed to `fit` of the estimator, or, with metadata routing, what it requests.

        Returns
        -------
        self : object
            Fitted; earlier calibrations are gone.

        Raises
        ------
        TypeError or ValueError
            If the estimator has no p(y|x), such as :class:`VAE`, or ``annotations=True``.
        """
        self._validate_params()
        _calibration.check_density(self._prototype(), self.region)
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        fitted = clone(self._prototype()).fit(X, y, **fit_params)
        pipelines.last_step(fitted, None, _calibration.METHODS[self.region])
        self.estimator_ = fitted
        vars(self).pop("calibration_", None)
        return self

    @_checks.named_keywords
    def conformalize(self, X, y, groups=None):
        """Score rows that the estimator was not fitted to.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs. For a coverage c at least c / (1 - c) rows are needed: 9 for 0.9, 99 for
            0.99; some hundreds for a coverage close to c for these rows too.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        groups : array-like of shape (n_rows,), default=None
            Labels of groups whose rows depend on each other, such as visits of one person.

        Returns
        -------
        self : object
            Calibrated.

        Raises
        ------
        ValueError
            If the estimator has no such region, or if y are not as in `fit`.
        """
        self._validate_params()
        with _checks.restored_on_error(self):
            if isinstance(self.estimator, FrozenEstimator):
                self.fit(X, y)
            check_is_fitted(self)
            self.calibration_ = self._calibrated(X, y, groups)
        return self

    def _calibrated(self, X, y, groups):
        """Return the scores of rows."""
        check_names(self.estimator_, y)
        y, labels = _calibration.outputs(self.estimator_, y), columns_of_labels(self.estimator_)
        last, _ = pipelines.last_step(self.estimator_, None, "sample")
        shape = _num_samples(X), *getattr(last, "y_shape_", y.shape[1:])
        _calibration.check_values(self.estimator_, y[None], shape)
        weight, seeds = _calibration.weight_of(groups, X), spawned(seed_from(self.random_state), 2)
        joint, single = np.empty(len(y)), np.zeros(y.shape)
        if self.region == "distance" and single[..., labels].size:
            raise ValueError("region='distance' expects numbers in y, got labels.")
        score = _regions.SCORES[self.region]
        drawn = _regions.draws_of(self.estimator_, X, self.n_samples, single[0].size, seeds[0])
        for rows, part, draws in drawn:
            (joint[rows],) = score(self.estimator_, part, draws, y[None, rows])
            if labels != slice(None):
                single[rows] = _regions.centrality(draws, y[rows])
        single[..., labels] = 0
        return _calibration.Calibration(
            self.region, self.n_samples, seeds[1], weight, joint, single
        )

    def predict(self, X, **params):
        """Predict y, as the estimator does.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        **params
            Passed to `predict` of the estimator.

        Returns
        -------
        ndarray of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            The prediction.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X, **params)

    def score(self, X, y, sample_weight=None, **params):
        """Return the score of the estimator: of those of skcvae, nats per row.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, if the estimator takes them.
        **params
            Passed to `score` of the estimator; with metadata routing, what it requests.

        Returns
        -------
        float
            Higher is better.
        """
        check_is_fitted(self)
        params |= {} if sample_weight is None else {"sample_weight": sample_weight}
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "score", **params).estimator.score
        return self.estimator_.score(X, y, **params)

    def get_metadata_routing(self):
        """Return the routing of metadata: that of `fit` and `score` goes to the estimator.

        Returns
        -------
        MetadataRouter
            As :mod:`sklearn.utils.metadata_routing` has it.
        """
        mapping = (
            MethodMapping().add(caller="fit", callee="fit").add(caller="score", callee="score")
        )
        return MetadataRouter(owner=self).add(estimator=self._prototype(), method_mapping=mapping)

    @property
    def n_features_in_(self):
        """Number of features seen in `fit`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features, where X had names."""
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self):
        return get_tags(self._prototype())

    @classmethod
    def _nested_params(cls):
        return EnsembleRegressor._nested_params()

    def _summary_entries(self):
        calibration = getattr(self, "calibration_", None)
        region = getattr(calibration, "region", self.region)
        rows = f"{0 if calibration is None else len(calibration.weight):,} rows"
        kind = type(self.estimator_).__name__
        return {"estimator": kind, "region": region, "calibration": rows}

    def _restore(self, state):
        """Set the fitted attributes that a file holds, if they are consistent."""
        _calibration.check_saved(**state)
        vars(self).update(state)

    def _prototype(self):
        return CVAERegressor() if self.estimator is None else self.estimator
