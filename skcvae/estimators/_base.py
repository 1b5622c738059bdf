"""From parameters and data to a fitted model: check, encode, build, train.

Estimators are final and differ in their parameters and in their objective. Think
twice before adding anything to this class.
"""

import functools
import warnings
from operator import attrgetter

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from torch.utils.data import Dataset

from skcvae.data.batches import Items, Selection
from skcvae.documented import described
from skcvae.estimators import _checks
from skcvae.estimators._parameters import NAMED, Parameters
from skcvae.estimators._persistent import Persistent
from skcvae.estimators._predicting import Predicting
from skcvae.fitted import Fitted
from skcvae.inference.posterior_collapse import ACTIVE
from skcvae.io.checkpoint_file import CheckpointFile
from skcvae.likelihoods import StudentT
from skcvae.model import check_prior
from skcvae.objectives import MultiScale
from skcvae.random import drawing_from, generator
from skcvae.specification import sampled, specify
from skcvae.training.checkpoint import Checkpoint, identity
from skcvae.training.net import Loss, ObjectiveModule, train

# A warm start keeps what follows from these parameters.
STRUCTURE = (
    "architecture", "likelihood", "prior", "latent_dim", "initial_guess", "x_shape", "y_shape",
    "partial_y", "n_scales", "normalize_X", "normalize_y",
)  # fmt: skip
OWN_PRIORS = (type(None), *NAMED["prior"].values())
MAX_ACTIVITY_ROWS = 1000  # to count active units
MIN_EPOCHS_BEFORE_WARNING = 10  # before no active unit is a warning


class StructuredPredictor(Predicting, Persistent, RegressorMixin, Parameters):
    """Base class of the estimators.

    Its parameters may leave out those below. `objective` is a parameter, or an attribute.
    """

    objective = None
    prior = None
    n_train_samples = 1
    beta = 0.0
    kl_warmup = 0

    _noiseless = False

    @_checks.named_keywords
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None):
        """Fit the networks.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...), or Dataset
            Inputs. A torch Dataset has items (x, y) and a length; it is read item by item,
            and scaling, labels and `bins` follow from a random part of it.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs; None where X is a Dataset.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative. Rows of weight zero are ignored.
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
            turns infinite or NaN. The estimator is then unchanged.
        OSError
            If the checkpoint cannot be read or written.
        MemoryError
            If a GPU runs out of memory.

        Warns
        -----
        ConvergenceWarning
            If interrupted, by Ctrl-C, after the first epoch: the estimator keeps the best
            weights of the completed epochs. An interrupt in the first epoch is re-raised.

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
                stacklevel=3,
            )
        self._remove_checkpoint()
        return self

    def _fit(self, X, y, sample_weight, *, X_val, y_val):
        """Check, encode, build and train; the checkpoint is not deleted."""
        with _checks.restored_on_error(self):
            parts = _checks.check_parameters(self)
            self.seed_ = parts.seed
            selection = self._checked_rows(X, y, sample_weight, parts)
            kept, held_out = self._split(selection, X_val, y_val)
            with parts.training.running(parts.device):
                rows = self.specification_.rows(kept, parts.device)
                validation = held_out and self.specification_.rows(held_out, parts.device)
                module = self._module(parts.objective, rows, continues=parts.continues)
                self.net_ = self._net(parts.training, module, parts.device, rows, validation)
                train(self.net_, rows)
            self._fitted = Fitted(self.net_.module.model, *self.specification_.codings)
            self._count_active_units(kept)

    # Check and encode.

    def _checked_rows(self, X, y, sample_weight, parts, n_rows=None):
        """Return the rows to fit, of `n_rows` in all, with shapes and specification set."""
        if isinstance(X, Dataset):
            return self._checked_items(X, y, sample_weight, parts)
        if parts.continues:
            X, y = self._check_pair(X, y)
        else:
            X = _checks.inputs(self, X, reset=True)
            y = _checks.targets(
                self, y, n_rows=len(X), likelihood=parts.likelihood, partial=self.partial_y
            )
            self.x_shape_, self.y_shape_ = X.shape[1:], y.shape[1:]
        weight = None if sample_weight is None else _checks.check_weights(sample_weight, X)
        selection = Selection.select((X, y), weight)
        if len(selection.index) < len(X):
            X, y = selection.read(slice(None))
        self._specify(X, y, selection.weight, n_rows or len(X), parts)
        return selection

    def _checked_items(self, dataset, y, sample_weight, parts):
        """Return the items to fit; codings follow from some of them, sizes from their number."""
        _checks.pairs(dataset, y)
        if sample_weight is not None:
            sample_weight = _checks.check_weights(sample_weight, np.empty(len(dataset)))
        selection = Selection.select(Items(dataset), sample_weight)
        n_rows = len(selection.index)
        row_size = sum(part.size for part in selection.read(slice(1)))
        some = selection.subset(sampled(n_rows, row_size, self.seed_))
        self._checked_rows(*some.read(slice(None)), some.weight, parts, n_rows)
        return selection._replace(source=Items(dataset, self._check_pair))

    def _specify(self, X, y, weight, n_rows, parts):
        """Set the specification; a warm start keeps all but the recognition network."""
        structure = {}
        for name, value in zip(STRUCTURE, attrgetter(*STRUCTURE)(self), strict=True):
            is_plain = value is None or isinstance(value, str | bool | int)
            structure[name] = repr(value) if is_plain else described(value)
        recognition = parts.objective.uses_recognition
        if parts.continues:
            _checks.check_unchanged(self.structure_, structure)
            _checks.check_recognition(self.specification_, parts.objective)
            self.specification_ = self.specification_._replace(recognition=recognition)
            return
        is_single = self.likelihood == "auto" and y.size == len(y)
        self.structure_ = structure
        self.specification_ = specify(
            X,
            y,
            weight,
            n_rows,
            self.seed_,
            architecture=parts.architecture,
            # With several outputs, a scale per row would explain what z should.
            likelihood=StudentT(heteroscedastic=True) if is_single else parts.likelihood,
            prior=parts.prior,
            x_shape=self.x_shape,
            y_shape=self.y_shape,
            latent_dim=self.latent_dim,
            normalize_X=self.normalize_X,
            normalize_y=self.normalize_y,
            has_baseline=self.initial_guess or self._noiseless,
            initial_guess=self.initial_guess,
            recognition=recognition,
            partial_y=self.partial_y,
            n_scales=self.n_scales,
            noiseless=self._noiseless,
        )

    def _split(self, selection, X_val, y_val):
        """Return the rows to train on, and those to validate on, or None."""
        if X_val is not None or y_val is not None:
            return selection, self._checked_validation(X_val, y_val)
        if not self.early_stopping:
            return selection, None
        if len(selection.index) < 2:
            raise ValueError(
                "early_stopping=True holds out a share of the rows and needs at least 2, got "
                "n_samples = 1. Set early_stopping=False or give X_val and y_val."
            )
        parts = train_test_split(
            np.arange(len(selection.index)),
            test_size=self.validation_fraction,
            random_state=self.seed_,
        )
        return map(selection.subset, parts)

    def _checked_validation(self, X_val, y_val):
        if isinstance(X_val, Dataset):
            return Selection.select(Items(_checks.pairs(X_val, y_val, "X_val"), self._check_pair))
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val go together, got no {missing}.")
        return Selection.select(self._check_pair(X_val, y_val, suffix="_val"))

    # Build.

    def _module(self, objective, rows=None, *, seed=None, continues=False):
        """Return the networks under the objective; on a warm start with their weights."""
        specification = self.specification_
        with drawing_from(generator(self.seed_ if seed is None else seed)):
            model = specification.build()
        if continues:
            weights = self.net_.module.model.state_dict()
            model.load_state_dict({name: weights[name] for name in model.state_dict()})
        elif rows is not None and type(specification.prior) not in OWN_PRIORS:
            check_prior(model, rows[slice(1)][0][0].cpu(), specification.prior)
        if specification.n_scales > 1:
            objective = MultiScale(objective)
        return ObjectiveModule(model, objective, self.n_train_samples)

    def _net(self, training, module, device, rows=None, validation=None):
        path = training.checkpoint if rows is not None else None
        return training.net(
            module,
            rows,
            validation,
            loss=functools.partial(Loss, self.beta, self.kl_warmup),
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            early_stopping=self.early_stopping,
            omission=self.omission,
            seed=self.seed_,
            device=device,
            title=type(self).__name__ if self.verbose else None,
            checkpoint=None if path is None else Checkpoint(path, identity(self, training)),
        )

    # Fitted.

    def _count_active_units(self, selection):
        vars(self).pop("n_active_units_", None)
        if not self.specification_.recognition:
            return
        some = slice(None, None, -(-len(selection.index) // MAX_ACTIVITY_ROWS))
        kl = self._fitted.kl_by_unit(*selection.read(some))
        self.n_active_units_ = int((kl > ACTIVE).sum())
        if not self.n_active_units_ and len(self.history_) >= MIN_EPOCHS_BEFORE_WARNING:
            warnings.warn(
                f"No latent variable is used: the KL term is {kl.sum():.2g} nats per row, so "
                "p(y|x) is that of a network without z. Where NNRegressor scores as well, none "
                "is needed; otherwise try kl_warmup=20, another latent_dim, or a smaller "
                "init_scale of a Gaussian likelihood.",
                UserWarning,
                stacklevel=5,
            )

    def _remove_checkpoint(self):
        """Delete the checkpoint of a completed fit."""
        path = _checks.training_options(self).checkpoint
        if path is not None and not self.net_.interrupted:
            CheckpointFile(path).remove()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        # score is a log-likelihood, not a coefficient of determination.
        tags.regressor_tags.poor_score = True
        return tags
