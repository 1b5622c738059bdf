"""The hybrid of the CVAE's and the GSNN's objective, with its weight chosen by the rows."""

from numbers import Integral

from sklearn import get_config
from sklearn.base import clone
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import StrOptions

from skcvae.estimators import _checks
from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._ended import finish
from skcvae.estimators._parameters import KL, LATENT
from skcvae.estimators.hybrid import HybridStructuredPredictor
from skcvae.estimators.search import StackedGridSearchCV
from skcvae.objectives import Hybrid
from skcvae.training.net import train_all


class HybridStructuredPredictorCV(StructuredPredictor):
    r"""A hybrid model whose `alpha` is chosen by cross-validation, and refitted on all rows.

    .. math::

        \alpha\,\mathcal L_{\mathrm{CVAE}} + (1 - \alpha)\,\mathcal L_{\mathrm{GSNN}}

    All values and folds are trained at once, by :class:`StackedGridSearchCV`.

    Parameters
    ----------
    alphas : array-like of floats, default=(0, 0.25, 0.5, 0.75, 1)
        Values of `alpha` to compare.
    cv : int, splitter or iterable, default=5
        The folds, as of :class:`~sklearn.model_selection.GridSearchCV`.
    scoring : str, callable or None, default=None
        What is highest for the best `alpha`. None is `score`, the mean log-likelihood.
    n_jobs : int or None, default=None
        Processes, as of :class:`StackedGridSearchCV`.
    architecture, likelihood, prior, latent_dim, initial_guess, n_train_samples, beta
        As of :class:`CVAERegressor`.
    kl_warmup, x_shape, y_shape, partial_X, partial_y, annotations, omission, n_scales
        As of :class:`CVAERegressor`.
    normalize_X, normalize_y, max_epochs, lr, batch_size, early_stopping, validation
        As of :class:`CVAERegressor`.
    validation_fraction, training, n_score_samples, device, random_state, verbose
        As of :class:`CVAERegressor`.

    Attributes
    ----------
    alpha_ : float
        The best of `alphas`.
    cv_results_ : dict of ndarrays
        As of :class:`~sklearn.model_selection.GridSearchCV`: a row for each of `alphas`.
    best_score_ : float
        The mean score of `alpha_` over the folds.
    best_estimator_ : HybridStructuredPredictor
        The fit to all rows, which `save` writes; pickle and joblib write the search too.
    training_ : str
        How the candidates were trained: how many at once, and why others alone.
    n_active_units_, history_, architecture_, likelihood_, prior_, latent_shape_, classes_
        As of :class:`HybridStructuredPredictor`, of the fit to all rows.
    net_, n_features_in_, feature_names_in_, x_shape_, y_shape_, seed_, best_validation_score_
        As of :class:`HybridStructuredPredictor`, of the fit to all rows.

    See Also
    --------
    HybridStructuredPredictor : The same with one value of `alpha`.
    StackedGridSearchCV : The search for other parameters.

    Examples
    --------
    >>> from skcvae import HybridStructuredPredictorCV
    >>> from skcvae.datasets import make_ring
    >>> data = make_ring(n_samples=200, random_state=0)
    >>> est = HybridStructuredPredictorCV(cv=2, max_epochs=5, random_state=0)
    >>> est.fit(data.X, data.y).alpha_
    1.0
    >>> est.cv_results_["mean_test_score"].shape
    (5,)
    """

    _parameter_constraints = {
        **LATENT,
        **KL,
        "alphas": ["array-like"],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "n_jobs": [Integral, None],
    }
    warm_start = False

    def __init__(
        self,
        alphas=(0, 0.25, 0.5, 0.75, 1),
        *,
        cv=5,
        scoring=None,
        n_jobs=None,
        architecture="mlp",
        likelihood="auto",
        prior="gaussian",
        latent_dim="auto",
        initial_guess=False,
        n_train_samples=1,
        beta=0.0,
        kl_warmup="auto",
        x_shape=None,
        y_shape=None,
        partial_X=False,
        partial_y=False,
        annotations=False,
        omission=0.0,
        n_scales=1,
        normalize_X=True,
        normalize_y=True,
        max_epochs="auto",
        lr=0.003,
        batch_size="auto",
        early_stopping=True,
        validation="random",
        validation_fraction=0.1,
        training=None,
        n_score_samples=100,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.architecture = architecture
        self.likelihood = likelihood
        self.prior = prior
        self.latent_dim = latent_dim
        self.initial_guess = initial_guess
        self.n_train_samples = n_train_samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.partial_X = partial_X
        self.partial_y = partial_y
        self.annotations = annotations
        self.omission = omission
        self.n_scales = n_scales
        self.normalize_X = normalize_X
        self.normalize_y = normalize_y
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.training = training
        self.n_score_samples = n_score_samples
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @property
    def objective(self):
        """What training maximises, with the chosen `alpha`."""
        return Hybrid(getattr(self, "alpha_", 0.5))

    @property
    def best_estimator_(self):
        """The fit to all rows, as a model with one value of `alpha`."""
        chosen = HybridStructuredPredictor(self.alpha_, **self._own_params())
        own = {"alpha_", "best_score_", "cv_results_", "training_", *self.get_params(deep=False)}
        vars(chosen).update({k: v for k, v in vars(self).items() if k not in own})
        return chosen

    @_checks.named_keywords
    def fit(self, X, y=None, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Choose `alpha`, and fit the networks to all rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs. With `annotations`, (n_rows, n_annotations, ...).
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, not negative, in training and, as of
            :class:`~sklearn.model_selection.GridSearchCV`, in scores. With `annotations`, also
            (n_rows, n_annotations).
        groups : array-like of shape (n_rows,), default=None
            For a splitter such as :class:`~sklearn.model_selection.GroupKFold`; and each fit, to
            the rows of folds or to all, has rows of a group all to train on, or all to validate
            on. Metadata routing changes nothing about it.
        X_val, y_val : array-like, default=None
            Rows for early stopping of all fits, instead of a share of their rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected. The estimator is then
            unchanged.
        """
        with _checks.restored_on_error(self):
            self._validate_params()
            validation = X_val, y_val
            search = self._search(X, y, sample_weight, groups, validation)
            self.alpha_ = float(search.best_params_["alpha"])
            self.best_score_, self.cv_results_ = search.best_score_, search.cv_results_
            self.training_ = search.training_
            train_all(self._trainings((X, y), sample_weight, validation, groups))
        return finish(self)

    def _search(self, X, y, sample_weight, groups, validation):
        """Return the fitted search for `alpha`."""
        estimator = clone(self._candidate).set_params(verbose=0)
        if get_config()["enable_metadata_routing"]:
            estimator.set_fit_request(sample_weight=True, groups=True, X_val=True, y_val=True)
            estimator.set_score_request(sample_weight=True)
        search = StackedGridSearchCV(
            estimator,
            {"alpha": self._checked_alphas()},
            scoring=self.scoring,
            cv=self.cv,
            n_jobs=self.n_jobs,
            refit=False,
            error_score="raise",
        )
        search._groups_in_fits = True
        given = {"sample_weight": sample_weight, "groups": groups}
        given["X_val"], given["y_val"] = validation
        search.fit(X, y, **{k: v for k, v in given.items() if v is not None})
        if search.multimetric_:
            raise ValueError(f"scoring must return one number, got several: {self.scoring!r}.")
        return search

    def _checked_alphas(self):
        alphas = _checks.in_unit_interval(self.alphas)
        if alphas is None or not alphas.ndim:
            raise ValueError(
                f"alphas must be a non-empty list of numbers in [0, 1], got {self.alphas!r}."
            )
        return alphas.tolist()

    @property
    def _candidate(self):
        """What is compared with several values of `alpha`, and saved where there is no fit."""
        return HybridStructuredPredictor(**self._own_params())

    def _own_params(self):
        shared = HybridStructuredPredictor._get_param_names()
        return {k: v for k, v in self.get_params(deep=False).items() if k in shared}

    def _summary_entries(self):
        searched = self.cv_results_["param_alpha"]
        chosen = f"{self.alpha_:g} of {', '.join(f'{a:g}' for a in searched)}"
        return {"alpha": chosen, "searched": self.training_, **super()._summary_entries()}
