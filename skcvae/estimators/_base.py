"""The template of every estimator: fit, predict, sample, log_prob, score.

A subclass says which networks it trains (`_build_model`), with which objective
(`_build_objective`), and how the loss weighs its terms. Think twice before
adding anything to this class.
"""

from abc import ABC, abstractmethod
from functools import partial
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, check_scalar
from skorch.history import History

from skcvae import _training, architectures, conditional_likelihood, likelihoods
from skcvae._arrays import Scaling
from skcvae._predictor import Predictor
from skcvae._random import drawing_from, generator, seed_from
from skcvae.estimators import _checks
from skcvae.objectives import NegativeBound

METHODS = {
    "importance_sampling": conditional_likelihood.importance_sampling,
    "monte_carlo": conditional_likelihood.monte_carlo,
}
PASSED_TO_SKORCH = ("optimizer", "callbacks")


class StructuredPredictor(RegressorMixin, BaseEstimator, ABC):
    """What the estimators share; not for use by itself."""

    _named: ClassVar[dict] = {
        "architecture": {"mlp": architectures.MLP},
        "likelihood": {"bernoulli": likelihoods.Bernoulli, "gaussian": likelihoods.Gaussian},
    }

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [
            StrOptions({"mlp"}),
            HasMethods(["resolve", "encoder", "decoder", "head"]),
        ],
        "likelihood": [
            StrOptions({"bernoulli", "gaussian"}),
            HasMethods(["build", "check_targets"]),
        ],
        "normalize_X": ["boolean"],
        "normalize_y": ["boolean"],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"one_cycle", "constant"})],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions({"Adam", "AdamW", "SGD"}), type],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "ema_decay": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "n_score_samples": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _build_model(self):
        """Return the untrained networks, from fitted parameters."""

    @abstractmethod
    def _build_objective(self, model):
        """Return what training maximises."""

    @abstractmethod
    def _latent_shape(self):
        """Return the shape of z for one row."""

    def _loss_parameters(self):
        """Return how the terms of the objective are weighed, as parameters of the loss."""
        return {}

    def _resolve(self, n_rows):
        """Set the parameter objects and sizes that follow from the data."""
        self.likelihood_ = clone(self._chosen("likelihood"))
        self.architecture_ = self._chosen("architecture").resolve(
            n_rows, self.x_shape_, self._y_row
        )

    # Public methods.

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the networks.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, *y_shape)
            Outputs.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative. A row of weight zero is as if absent.
        X_val, y_val : array-like, default=None
            Rows for early stopping, instead of a share of X and y.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected, or if the loss
            turns infinite or NaN. The estimator is then as it was before.
        """
        with _checks.restored_on_error(self):
            self._validate_params()
            device = _checks.available_device(self.device)
            rows, validation = self._check_rows(X, y, sample_weight, X_val, y_val)
            self._train(rows, validation, device)
        return self

    def predict(self, X, n_samples=None, return_std=False):
        """Predict y.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        n_samples : int, default=None
            None predicts E[y|x,z*] at z* = E[z|x], the paper's deterministic
            inference. A number predicts the mean over so many draws of z.
        return_std : bool, default=False
            Whether to return the standard deviation of p(y|x) as well, from
            `n_samples` draws, or `n_score_samples` where that is None.

        Returns
        -------
        y : ndarray of shape (n_rows,), (n_rows, n_outputs) or (n_rows, *y_shape)
            The prediction, of the shape of y in `fit`, float64.
        std : ndarray of the same shape
            Only if `return_std`.
        """
        check_is_fitted(self)
        if n_samples is not None:
            check_scalar(n_samples, "n_samples", Integral, min_val=1)
        X = _checks.inputs(self, X)
        if n_samples is None:
            mean = self._predictor.deterministic(X)
        if n_samples is not None or return_std:
            average, std = self._predictor.moments(
                X, n_samples or self.n_score_samples, self.seed_
            )
            mean = mean if n_samples is None else average
        mean = self._like_y(mean)
        return (mean, self._like_y(std)) if return_std else mean

    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95), n_samples=1000):
        """Estimate quantiles of each output from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        quantiles : float or sequence of float, default=(0.05, 0.5, 0.95)
            Levels in [0, 1].
        n_samples : int, default=1000
            Draws per row.

        Returns
        -------
        ndarray of shape (n_rows, *y_shape, n_quantiles)
            Marginal quantiles: each output by itself. The last axis is absent
            if `quantiles` is a number.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        levels = _checks.levels(quantiles)
        X = _checks.inputs(self, X)
        found = self._predictor.quantiles(X, levels, n_samples, self.seed_)
        found = found.reshape(*levels.shape, len(X), *self.y_shape_)
        return np.moveaxis(found, 0, -1) if levels.ndim else found

    def predict_interval(self, X, coverage=0.9, n_samples=1000):
        """Estimate the central interval of each output from draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        coverage : float, default=0.9
            The probability that the interval holds the output, in (0, 1).
        n_samples : int, default=1000
            Draws per row.

        Returns
        -------
        ndarray of shape (n_rows, *y_shape, 2)
            Lower and upper end, marginal for each output.
        """
        check_scalar(
            coverage, "coverage", Real, min_val=0, max_val=1, include_boundaries="neither"
        )
        tail = (1 - coverage) / 2
        return self.predict_quantiles(X, (tail, 1 - tail), n_samples)

    def sample(self, X, n_samples=1, random_state=None, *, observation_noise=True):
        """Draw joint outputs y ~ p(y|x).

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        n_samples : int, default=1
            Draws per row.
        random_state : int, RandomState or None, default=None
            None makes new draws at each call.
        observation_noise : bool, default=True
            False draws z alone and returns E[y|x,z]: pixels as probabilities
            rather than as 0 and 1, curves without the noise around them.

        Returns
        -------
        ndarray of shape (n_samples, n_rows, *y_shape)
            Draws first, never squeezed, float64. Each draw is joint over all
            outputs of a row. (`GaussianProcessRegressor.sample_y` puts draws
            last.)
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        X = _checks.inputs(self, X)
        draws = self._predictor.sample(
            X, n_samples, seed_from(random_state), observation_noise=observation_noise
        )
        return draws.reshape(n_samples, len(X), *self.y_shape_)

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
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, *y_shape)
            Outputs.
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
            Higher is better. Biased low by less as `n_samples` grows. All rows
            share the draws of the underlying noise, so a row's value does not
            depend on the rows beside it.
        ess : ndarray of shape (n_rows,)
            Only if `return_ess`: from 1, one draw carries everything, to
            `n_samples`, all weigh the same.
        """
        check_is_fitted(self)
        n_samples = self.n_score_samples if n_samples is None else n_samples
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        if method not in METHODS:
            raise ValueError(f"method must be one of {sorted(METHODS)}, got {method!r}.")
        X, y = self._check_pair(X, y)
        log_p, ess = self._predictor.log_prob(
            X,
            y,
            estimate=METHODS[method],
            n_samples=n_samples,
            seed=self.seed_ if random_state is None else seed_from(random_state),
        )
        return (log_p, ess) if return_ess else log_p

    def score(self, X, y, sample_weight=None):
        """Return the conditional log-likelihood (CLL): the mean of `log_prob`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, *x_shape)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, *y_shape)
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

    # Parameters, and those of skorch behind a double underscore.

    def get_params(self, deep=True):
        """Get the parameters, with those passed to skorch.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list the parameters of parameter objects too.

        Returns
        -------
        dict
            Names to values.
        """
        passed = {k: v for k, v in vars(self).items() if _is_passed_to_skorch(k)}
        return {**super().get_params(deep), **passed}

    def set_params(self, **params):
        """Set parameters; a nested one turns a name into its parameter object.

        Parameters
        ----------
        **params
            Names to values, such as ``lr=1e-3``, ``architecture__dropout=0.1``
            or ``optimizer__betas=(0.9, 0.99)``.

        Returns
        -------
        self : object
            The estimator.
        """
        for name in [k for k in params if _is_passed_to_skorch(k)]:
            setattr(self, name, params.pop(name))
        for name in {k.partition("__")[0] for k in params if "__" in k} & set(self._named):
            setattr(self, name, params.get(name, getattr(self, name)))
            if isinstance(getattr(self, name), str):
                params.pop(name, None)
                setattr(self, name, self._chosen(name))
        return super().set_params(**params)

    def _store_skorch_params(self, skorch_params):
        unknown = [k for k in skorch_params if not _is_passed_to_skorch(k)]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got unknown parameters {unknown}, expected some of "
                f"{self._get_param_names()} or skorch's optimizer__* and callbacks__*."
            )
        vars(self).update(skorch_params)

    def _chosen(self, name):
        value = getattr(self, name)
        return self._named[name][value]() if isinstance(value, str) else value

    # Data.

    @property
    def _y_row(self):
        """The shape of a row of y inside: a column where y is 1-d."""
        return self.y_shape_ or (1,)

    def _like_y(self, array):
        return array.reshape(len(array), *self.y_shape_)

    def _check_pair(self, X, y, *, suffix=""):
        X = _checks.inputs(self, X, name="X" + suffix)
        y = _checks.targets(
            self,
            y,
            n_rows=len(X),
            likelihood=self.likelihood_,
            name="y" + suffix,
            shape=self.y_shape_,
        )
        return X, y

    def _check_rows(self, X, y, sample_weight, X_val, y_val):
        """Return training rows (X, y, weight) and validation rows, or None."""
        fresh = not self._continues()
        X = _checks.inputs(self, X, reset=fresh)
        likelihood = self._chosen("likelihood") if fresh else self.likelihood_
        shape = None if fresh else self.y_shape_
        y = _checks.targets(self, y, n_rows=len(X), likelihood=likelihood, shape=shape)
        if fresh:
            self.x_shape_, self.y_shape_ = X.shape[1:], y.shape[1:]
        X, y, weight = _checks.present(X, y, _checks.weights(sample_weight, X))
        if fresh:
            self._resolve(len(X))
            self._fit_scaling(X, y, weight)
        self.seed_ = seed_from(self.random_state)
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val go together, got no {missing}.")
        if X_val is not None:
            return (X, y, weight), (*self._check_pair(X_val, y_val, suffix="_val"), None)
        return self._split(X, y, weight) if self.early_stopping else ((X, y, weight), None)

    def _fit_scaling(self, X, y, weight):
        standardize_y = self.normalize_y and self.likelihood_.real_valued
        y = y.reshape(len(y), *self._y_row)
        self.x_scaling_ = (
            Scaling.standardizing(X, weight, "X")
            if self.normalize_X
            else Scaling.identity(self.x_shape_)
        )
        self.y_scaling_ = (
            Scaling.standardizing(y, weight, "y")
            if standardize_y
            else Scaling.identity(self._y_row)
        )

    def _split(self, X, y, weight):
        if len(X) < 2:
            raise ValueError(
                "early_stopping=True holds out a share of the rows and needs at least 2, got "
                "n_samples = 1. Set early_stopping=False or give X_val and y_val."
            )
        train, held_out = train_test_split(
            np.arange(len(X)), test_size=self.validation_fraction, random_state=self.seed_
        )
        return tuple(
            (X[rows], y[rows], None if weight is None else weight[rows])
            for rows in (train, held_out)
        )

    # Networks.

    def _train(self, rows, validation, device):
        rows, validation = (
            None if part is None else self._to_tensors(part, device) for part in (rows, validation)
        )
        objective = self._untrained(self.seed_)
        if self._continues():
            objective.model.load_state_dict(self.net_.module_.model.state_dict())
        self.net_ = self._new_net(objective, device, len(rows), validation)
        _training.train(self.net_, rows)
        self._predictor = self._new_predictor()

    def _continues(self):
        return self.warm_start and hasattr(self, "net_")

    def _to_tensors(self, rows, device):
        X, y, weight = rows
        if weight is not None:
            weight = torch.tensor(weight / weight.mean(), dtype=torch.float32, device=device)
        return _training.Rows(
            self.x_scaling_.to_tensor(X, torch.float32, device),
            self.y_scaling_.to_tensor(y, torch.float32, device),
            weight,
        )

    def _untrained(self, seed):
        with drawing_from(generator(seed)):
            return self._build_objective(self._build_model())

    def _new_net(self, objective, device, n_rows=1, validation=None):
        """Return an initialised net; without rows, one to predict with."""
        optimizer = self.optimizer
        return _training.new_net(
            objective,
            loss=partial(NegativeBound, **self._loss_parameters()),
            n_rows=n_rows,
            validation=validation,
            latent_shape=self._latent_shape(),
            log_jacobian=self.y_scaling_.log_jacobian,
            seed=self.seed_,
            device=device,
            optimizer=getattr(torch.optim, optimizer) if isinstance(optimizer, str) else optimizer,
            lr=self.lr,
            lr_schedule=self.lr_schedule,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            ema_decay=self.ema_decay,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            patience=self.patience if self.early_stopping else None,
            callbacks=self.callbacks,
            verbose=self.verbose,
            passed={k: v for k, v in vars(self).items() if "__" in k and _is_passed_to_skorch(k)},
        )

    def _new_predictor(self):
        return Predictor(
            self.net_.module_.model,
            self.x_scaling_,
            self.y_scaling_,
            latent_shape=self._latent_shape(),
            device=self.net_.device,
        )

    @property
    def history_(self):
        """The history of the fit, a row for each epoch."""
        return self.net_.history

    # A pickle holds arrays, so it loads on any device.

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_predictor", None)
        if "net_" in state:
            net = state.pop("net_")
            state["_weights"] = {k: v.cpu().numpy() for k, v in net.module_.state_dict().items()}
            state["_history"] = net.history.to_list()
        return state

    def __setstate__(self, state):
        weights, history = state.pop("_weights", None), state.pop("_history", None)
        super().__setstate__(state)
        if weights is None:
            return
        objective = self._untrained(0)
        objective.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        device = "cpu" if "cuda" in self.device and not torch.cuda.is_available() else self.device
        self.net_ = self._new_net(objective, _checks.available_device(device))
        self.net_.history_ = History(history)
        self._predictor = self._new_predictor()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        # score is a log-likelihood, not a coefficient of determination.
        tags.regressor_tags.poor_score = True
        return tags


def _is_passed_to_skorch(name):
    # scikit-learn's checks set every name in the signature, the last one too.
    return name.startswith(tuple(f"{p}__" for p in PASSED_TO_SKORCH)) or name == "skorch_params"
