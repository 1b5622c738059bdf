"""From the user's data to a trained net."""

import math
from abc import ABC, abstractmethod
from functools import partial

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from torch.utils.data import Dataset

from skcvae import _training
from skcvae._arrays import FORWARD_NUMBERS, FORWARD_ROWS, OneHot, Scaling, slices
from skcvae._batches import rows_of
from skcvae._checkpoint import Checkpoint, fit_of, seed_of
from skcvae._predictor import Predictor
from skcvae.random import drawing_from, generator, seed_from
from skcvae._sources import Arrays, Items, Selection
from skcvae.estimators import _checks
from skcvae.estimators._parameters import Parameters, is_passed_to_skorch
from skcvae.estimators._summary import facts_of
from skcvae.estimators._targets import check_labels, fit_coding
from skcvae.likelihoods import StudentT
from skcvae.multiscale import MultiScale, pooled_shape
from skcvae.objectives import NegativeBound
from skcvae.partial import Partial

SAMPLED_ROWS = 10_000  # of a Dataset, for scaling, labels and sizes


class Fitting(Parameters, ABC):
    """What `fit` does; a subclass says the networks and the objective."""

    @abstractmethod
    def _build_model(self):
        """Return the untrained networks, from fitted parameters."""

    @abstractmethod
    def _build_objective(self, model):
        """Return what training maximises."""

    @abstractmethod
    def _reads_no_baseline(self):
        """Return whether there is no baseline network to predict coarse scales from."""

    def _loss_parameters(self):
        """Return how the terms of the objective are weighed, as parameters of the loss."""
        return {}

    def _resolve(self, X, y, weight):
        """Set what follows from the data: row shapes, scaling, sizes, parameter objects."""
        self.partial_y_, self._scales = self.partial_y, self.n_scales
        self._x_row = _checks.row_shape(self.x_shape, X, "x_shape")
        self._y_row = _checks.row_shape(self.y_shape, y, "y_shape")
        self.likelihood_ = self._chosen_likelihood()
        self._fit_scaling(X, y, weight)
        self.architecture_ = self._chosen("architecture").resolve(
            len(X), self._x_row, self.y_coding_.code_shape
        )
        if getattr(self.architecture_, "bins", None) is not None:
            some = X[_sample(Selection.of(Arrays(X, y)), self.seed_)]
            x = self.x_scaling_.to_tensor(some, torch.float32, "cpu")
            self.architecture_ = self.architecture_.fit_bins(x.numpy())
        self.initial_guess_ = self.initial_guess
        self.latent_shape_ = self.architecture_.latent_shape(
            self.latent_dim, self.y_coding_.code_shape
        )

    def _chosen_likelihood(self):
        """Return the likelihood; of single numbers by default one with noise of any size.

        With more outputs, noise that is free to widen takes from z what they share.
        """
        if self.likelihood == "auto" and math.prod(self._y_row) == 1:
            return StudentT(heteroscedastic=True)
        return clone(self._chosen("likelihood"))

    # Data.

    def _like_y(self, array):
        """Return an array with rows of the shape of the user's."""
        lead = array.shape[: array.ndim - len(self._y_row)]
        return array.reshape(*lead, *self.y_shape_)

    def _check_targets(self, y, n_rows, *, name="y", partial=None):
        """Return y checked against what was fitted."""
        y = _checks.targets(
            self,
            y,
            n_rows=n_rows,
            likelihood=self.likelihood_,
            name=name,
            shape=self.y_shape_,
            partial=self.partial_y_ if partial is None else partial,
        )
        check_labels(self.y_coding_, y, name)
        return y

    def _check_pair(self, X, y, *, suffix=""):
        X = _checks.inputs(self, X, name="X" + suffix)
        return X, self._check_targets(y, len(X), name="y" + suffix)

    def _check_rows(self, X, y, sample_weight, X_val, y_val):
        """Return the rows to train on and to validate, or None."""
        self.seed_ = self._seed()
        check = self._check_dataset if isinstance(X, Dataset) else self._check_arrays
        selection = check(X, y, sample_weight)
        _checks.image_parameters(self, self._y_row)
        if X_val is None and y_val is None:
            return self._split(selection) if self.early_stopping else (selection, None)
        return selection, self._check_validation(X_val, y_val)

    def _seed(self):
        if self.random_state is None and self.checkpoint is not None:
            started = seed_of(self.checkpoint)
            if started is not None:
                return started
        seed = seed_from(self.random_state)
        if self.accelerator is None:
            return seed
        from skcvae._distributed import seed_of_all  # needs an optional package

        return seed_of_all(seed)

    def _check_arrays(self, X, y, sample_weight):
        fresh = not self._continues()
        X = _checks.inputs(self, X, reset=fresh)
        if fresh:
            y = _checks.targets(
                self,
                y,
                n_rows=len(X),
                likelihood=self._chosen("likelihood"),
                partial=self.partial_y,
            )
            self.x_shape_, self.y_shape_ = X.shape[1:], y.shape[1:]
        else:
            y = self._check_targets(y, len(X))
        X, y, weight = _checks.present(X, y, _checks.weights(sample_weight, X))
        if fresh:
            self._resolve(X, y, weight)
        return Selection.of(Arrays(X, y), weight)

    def _check_dataset(self, dataset, y, sample_weight):
        """Resolve from some rows what otherwise follows from all."""
        _checks.pairs(dataset, y)
        weight = _checks.weights(sample_weight, np.empty(len(dataset)))
        selection = Selection.of(Items(dataset), weight)
        some = selection.part(_sample(selection, self.seed_))
        self._check_arrays(*some.read(slice(None)), some.weight)
        return selection._replace(source=Items(dataset, self._check_pair))

    def _check_validation(self, X_val, y_val):
        if isinstance(X_val, Dataset):
            return Selection.of(Items(_checks.pairs(X_val, y_val, "X_val"), self._check_pair))
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val go together, got no {missing}.")
        return Selection.of(Arrays(*self._check_pair(X_val, y_val, suffix="_val")))

    def _fit_scaling(self, X, y, weight):
        X, y = X.reshape(-1, *self._x_row), y.reshape(-1, *self._y_row)
        if self.partial_y_:
            _checks.observed(y)
        vars(self).pop("classes_", None)
        self.x_scaling_ = (
            Scaling.standardizing(X, weight, "X")
            if self.normalize_X
            else Scaling.identity(self._x_row)
        )
        self.y_coding_ = fit_coding(self.likelihood_, y, weight, normalize=self.normalize_y)
        if isinstance(self.y_coding_, OneHot):
            self.classes_ = self.y_coding_.classes

    def _split(self, selection):
        if selection.n_rows < 2:
            raise ValueError(
                "early_stopping=True holds out a share of the rows and needs at least 2, got "
                "n_samples = 1. Set early_stopping=False or give X_val and y_val."
            )
        parts = train_test_split(
            np.arange(selection.n_rows),
            test_size=self.validation_fraction,
            random_state=self.seed_,
        )
        return tuple(map(selection.part, parts))

    # Networks.

    def _train(self, rows, validation, device):
        rows, validation = (
            None if part is None else self._to_tensors(part, device) for part in (rows, validation)
        )
        objective = self._untrained(self.seed_)
        if self._continues():
            objective.model.load_state_dict(self.net_.module_.model.state_dict())
        self.net_ = self._new_net(objective, device, len(rows), validation, self.accelerator)
        _training.train(self.net_, rows)
        self._predictor = self._new_predictor()

    def _training_device(self):
        if self.accelerator is None:
            return _checks.available_device(self.device)
        return str(self.accelerator.device)

    def _continues(self):
        return self.warm_start and hasattr(self, "net_")

    def _to_tensors(self, selection, device):
        """Return rows as the networks see them, at once or, if they are too many, on demand."""

        def read(rows):
            X, y = selection.read(rows)
            return (
                self.x_scaling_.to_tensor(X, torch.float32, "cpu"),
                self.y_coding_.to_tensor(y, torch.float32, "cpu"),
            )

        weight = selection.weight
        if weight is not None:
            weight = torch.tensor(weight / weight.mean(), dtype=torch.float32)
        gain = self._log_jacobian(selection)
        return rows_of(
            read, selection.n_rows, weight, device=torch.device(device), log_jacobian=gain
        )

    def _log_jacobian(self, selection):
        """Return what the mean log density of the rows gains in the user's units."""
        if not self.partial_y_:
            return self.y_coding_.log_jacobian(selection.read(slice(1))[1]).item()
        blocks = (selection.read(rows)[1] for rows in slices(selection.n_rows, FORWARD_ROWS))
        gains = np.concatenate([self.y_coding_.log_jacobian(y) for y in blocks])
        return float(np.average(gains, weights=selection.weight))

    def _build_likelihoods(self):
        """Return the likelihoods of y at full resolution, a half, a quarter."""
        shapes = [pooled_shape(self.y_coding_.code_shape, i) for i in range(1, self._scales)]
        built = map(self.likelihood_.build, [self.y_coding_.code_shape, *shapes])
        return [Partial(likelihood) if self.partial_y_ else likelihood for likelihood in built]

    def _untrained(self, seed):
        with drawing_from(generator(seed)):
            objective = self._build_objective(self._build_model())
            return MultiScale(objective) if self._scales > 1 else objective

    def _new_net(self, objective, device, n_rows=1, validation=None, accelerator=None):
        """Return an initialised net; without rows, one to predict with."""
        optimizer = self.optimizer
        is_first = accelerator is None or accelerator.is_main_process
        return _training.new_net(
            objective,
            loss=partial(NegativeBound, **self._loss_parameters()),
            n_rows=n_rows,
            validation=validation,
            omission=self.omission,
            seed=self.seed_,
            device=device,
            accelerator=accelerator,
            optimizer=getattr(torch.optim, optimizer) if isinstance(optimizer, str) else optimizer,
            lr=self.lr,
            lr_schedule=self.lr_schedule,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            ema_decay=self.ema_decay,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            patience=self.patience if self.early_stopping else None,
            precision=self.precision,
            compile=self.compile,
            user_callbacks=self.callbacks or [],
            progress=type(self).__name__ if self.verbose and is_first else None,
            checkpoint=self.checkpoint and Checkpoint(self.checkpoint, fit_of(self)),
            passed={k: v for k, v in vars(self).items() if "__" in k and is_passed_to_skorch(k)},
        )

    def _new_predictor(self):
        return Predictor(
            self.net_.module_.model,
            self.x_scaling_,
            self.y_coding_,
            device=next(self.net_.module.parameters()).device,
        )

    @property
    def _at_work(self):
        """What predicts, and shows that it does where `verbose` now asks for it."""
        self._predictor.title = type(self).__name__ if self.verbose else None
        return self._predictor

    def _facts(self):
        return facts_of(self)

    @property
    def history_(self):
        """The history of the fit, a row for each epoch."""
        return self.net_.history


def _sample(selection, seed):
    """Return row numbers of as many rows as fit in memory with ease."""
    size = sum(part.size for part in selection.read(slice(1)))
    n_rows = min(selection.n_rows, SAMPLED_ROWS, max(FORWARD_NUMBERS // size, 100))
    return np.sort(np.random.default_rng(seed).permutation(selection.n_rows)[:n_rows])
