"""From parameters and rows to trained networks: check, encode, build, train.

Estimators are final and differ in their parameters, in the arrays of a row and in their
objective. Think twice before adding anything to these classes. What follows the training is in
:mod:`skcvae.estimators._ended`.
"""

import functools
from copy import deepcopy
from operator import attrgetter

from sklearn.base import RegressorMixin
from torch.utils.data import Dataset

from skcvae import initial_weights
from skcvae.data.annotations import one_by_one
from skcvae.data.batches import Selection
from skcvae.data.checks import row_shape, warn_of_labels
from skcvae.data.items import Items, sampled
from skcvae.data.weights import weights_of_rows
from skcvae.estimators import _checks, _inputs
from skcvae.estimators._attributes import FittedAttributes
from skcvae.estimators._ended import conclude, finish
from skcvae.estimators._kept_start import fit_start_to_all
from skcvae.estimators._own_parts import check_own_parts
from skcvae.estimators._parameters import Parameters
from skcvae.estimators._persistent import Persistent
from skcvae.estimators._predicting import Predicting
from skcvae.estimators._process import finetune
from skcvae.estimators._second_training import train_again
from skcvae.estimators._validation_rows import rows_to_validate_on
from skcvae.estimators._warm_start import continued
from skcvae.likelihoods import Gaussian
from skcvae.objectives import MultiScale
from skcvae.random import drawing_from, generator
from skcvae.specification import specify
from skcvae.training.checkpoint import Checkpoint, identity, path_of
from skcvae.training.net import Loss, ObjectiveModule, train_all
from skcvae.training.temperature import set_temperature


class Estimator(FittedAttributes, Persistent, Parameters):
    """Base class of single estimators.

    The arrays of a row are (x, y), or (x,) without anything to condition on; the last one is
    modelled. A subclass may lack the parameters below; `objective` may be an attribute.
    """

    objective = None
    prior = None
    n_train_samples = 1
    beta = 0.0
    kl_warmup = 0
    omission = 0.0
    annotations = False

    _roles: dict[str, str]  # arguments of `specify`, and the parameters that give them
    _noiseless = False
    _encodes = False  # whether a recognition network is needed
    _has_density = True
    _shape_names = ("x_shape_", "y_shape_")

    def _trainings(self, arrays, sample_weight, validation, groups=None):
        """Check, encode, build; yield a net and its rows, to be trained; keep what was learned."""
        with _checks.restored_on_error(self):
            parts = _checks.check_parameters(self)
            self.seed_, row = parts.seed, None
            if self.annotations:
                continues = parts.continues
                likelihood = self.specification_.likelihood if continues else parts.likelihood
                given = one_by_one(arrays, likelihood, sample_weight, validation, groups)
                arrays, sample_weight, validation, groups, row = given
            selection = self._checked_rows(arrays, sample_weight, groups, parts, row=row)
            kept, held_out = selection, None
            if set(map(type, validation)) != {type(None)}:
                held_out = rows_to_validate_on(self, validation, groups)
            elif self.early_stopping:
                rule = self.validation, self.validation_fraction, self.seed_
                labels = getattr(self.specification_.likelihood, "has_labels", False)
                kept, held_out = selection.split(*rule, has_labels=labels)
            with parts.training.running(parts.device):
                rows = self.specification_.rows(kept, parts.device)
                validation = held_out and self.specification_.rows(held_out, parts.device)
                module = self._module(parts.objective, rows, continues=parts.continues)
                check_own_parts(parts, module, self.n_train_samples, rows)
                self.net_ = self._net(parts.training, module, parts.device, rows, validation)
                yield self.net_, rows
                yield from train_again(self, parts, rows, validation)
                whole = None
                if parts.finetuned is not None:
                    whole = yield from finetune(self, parts, selection, rows, validation)
            conclude(self, kept, held_out, rows, validation, whole)
            if kept is not selection:
                fit_start_to_all(self, parts, selection)

    # Check and encode.

    def _checked_rows(self, arrays, sample_weight, groups, parts, n_rows=None, row=None):
        """Return the rows to fit, of `n_rows` in all, with shapes and specification set."""
        if isinstance(arrays[0], Dataset):
            return self._checked_items(arrays, sample_weight, groups, parts)
        likelihood = None if parts.continues else parts.likelihood
        arrays = self._check_rows(*arrays, likelihood=likelihood)
        n_all = len(arrays[0])
        weight = None if sample_weight is None else weights_of_rows(sample_weight, n_all)
        selection = Selection.select(arrays, weight, groups, row)
        if len(selection.index) < n_all:
            arrays = selection.read(slice(None))
        self._specify(arrays, selection.weight, n_rows or len(selection.index), parts)
        return selection

    def _checked_items(self, arrays, sample_weight, groups, parts):
        """Return the items to fit; codings follow from some of them, sizes from their number."""
        dataset = _checks.items(*arrays)
        if sample_weight is not None:
            sample_weight = weights_of_rows(sample_weight, len(dataset))
        selection = Selection.select(Items(dataset, len(arrays)), sample_weight, groups)
        n_rows = len(selection.index)
        row_size = sum(part.size for part in selection.read(slice(1)))
        some = selection.subset(sampled(n_rows, row_size, self.seed_))
        self._checked_rows(some.read(slice(None)), some.weight, None, parts, n_rows)
        return selection._replace(source=Items(dataset, len(arrays), self._check_rows))

    def _specify(self, arrays, weight, n_rows, parts):
        """Set the specification, on a warm start that of the last fit."""
        if parts.continues:
            self.specification_ = continued(self, parts.objective)
            return
        (x, y), likelihood = (None, *arrays)[-2:], parts.likelihood
        # With images, a scale for each row would explain what z should.
        is_image = x is None or len(row_shape(self.y_shape, y, "y_shape")) > 1
        if self.likelihood == "auto" and is_image:
            likelihood = Gaussian()
            if y.ndim > 2:
                warn_of_labels(y, "X" if x is None else "y")
        roles = dict(zip(self._roles, attrgetter(*self._roles.values())(self), strict=True))
        self.specification_ = specify(
            x,
            y,
            weight,
            n_rows,
            self.seed_,
            architecture=parts.architecture,
            likelihood=likelihood,
            prior=parts.prior,
            recognition=parts.objective.uses_recognition,
            noiseless=self._noiseless,
            annotations=self.annotations,
            **roles,
        )

    # Build.

    def _module(self, objective, rows=None, *, seed=None, continues=False):
        """Return the networks under the objective; on a warm start with their weights."""
        specification, start, drawn = self.specification_, None, None
        with drawing_from(generator(self.seed_ if seed is None else seed)):
            model = specification.build()
        if continues:
            weights = self.net_.module.model.state_dict()
            model.load_state_dict({name: weights[name] for name in model.state_dict()})
            set_temperature(model, 1.0)
        elif rows is not None:
            if not initial_weights.departs_from(model):
                drawn = deepcopy(model.state_dict())
            start = initial_weights.start(model, rows, specification.n_outputs)
        if specification.n_scales > 1:
            objective = MultiScale(objective)
        module = ObjectiveModule(model, objective, self.n_train_samples)
        if start is not None and self.early_stopping:
            module.compete_with(*start)
        if drawn is not None and (start is None or self.early_stopping):
            model.load_state_dict(drawn)
            module.starts_at_random = True
        return module

    def _net(self, training, module, device, rows=None, validation=None, *, lr=None, stage=""):
        """Return a net; `stage` says what it trains after another one, and marks its files."""
        warmup = self.kl_warmup
        if warmup == "auto":
            has_map = len(self.specification_.latent_shape or ()) > 1
            warmup = None if has_map and module.objective.weighs_kl else 0
        path, checkpoint = training.checkpoint, None
        if rows is not None and path is not None:
            checkpoint = Checkpoint(path_of(path, stage), identity(self, training))
        title = f"{type(self).__name__}, {stage}" if stage else type(self).__name__
        return training.net(
            module,
            rows,
            validation,
            loss=functools.partial(Loss, self.beta, warmup),
            lr=self.lr if lr is None else lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            early_stopping=self.early_stopping,
            omission=self.omission,
            seed=self.seed_,
            device=device,
            title=title if self.verbose else None,
            checkpoint=checkpoint,
        )

    def _shown_fitted(self):
        """Return the fitted model, with the parameters that are set now."""
        self._fitted.title = type(self).__name__ if self.verbose else None
        self._fitted.pace.n_threads = (self.training or _checks.DEFAULT_TRAINING).n_threads
        return self._fitted


class StructuredPredictor(Predicting, RegressorMixin, Estimator):
    """Base class of the estimators of p(y|x)."""

    _roles = {
        name: name
        for name in (
            "latent_dim", "initial_guess", "x_shape", "y_shape", "partial_X", "partial_y",
            "n_scales", "normalize_X", "normalize_y",
        )
    }  # fmt: skip

    @property
    def _row_shape(self):
        return self.y_shape_

    @_checks.named_keywords
    def fit(self, X, y=None, sample_weight=None, *, groups=None, X_val=None, y_val=None):
        """Fit the networks.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...), or Dataset
            Inputs. Rows of shape (height, width) or (channels, height, width) are images, with
            one mean and one scale per channel; of shape (length, channels) they are sequences,
            for ``architecture="temporal"`` alone. A torch Dataset has items (x, y) and a length;
            it is read item by item, and scaling, labels and `bins` follow from a random part of
            it.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs; None where X is a Dataset. With `annotations`, (n_rows, n_annotations, ...).
        sample_weight : array-like of shape (n_rows,), default=None
            Weights, not negative. Rows of weight zero are ignored. With `annotations`, also
            (n_rows, n_annotations).
        groups : array-like of shape (n_rows,), default=None
            Labels of groups, such as subjects: rows of a group are all to train on, or all
            to validate on.
        X_val, y_val : array-like, default=None
            Rows for early stopping, instead of a share of X and y. X_val may be a Dataset. The
            first steps of a pipeline do not transform X_val (:doc:`/guide/pipelines`).

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected, or if the loss turns infinite or
            NaN. The estimator is then unchanged.
        OSError
            If the checkpoint cannot be read or written.
        MemoryError
            If a GPU runs out of memory.

        Warns
        -----
        ConvergenceWarning
            If interrupted, by Ctrl-C, after the first epoch: the estimator keeps the best
            weights of the completed epochs. An interrupt in the first epoch is re-raised. Or if
            training lost on the rows to train on too: left the start, a linear model, or fell
            below a distribution that ignores X.
        UserWarning
            If rows held out are copies of rows to train on, or nearly (give `groups`), windows
            that overlap with them (give `validation`), if ignoring X is better for them, or if
            images seem to be sequences.

        Notes
        -----
        Rows are brought to the device once, as float32. Above half of a GPU's free memory, or
        scikit-learn's ``working_memory`` (one GiB), they are read batch by batch, and the model
        is the same.
        """
        train_all(self._trainings((X, y), sample_weight, (X_val, y_val), groups))
        return finish(self)

    def _check_rows(self, X, y, *, likelihood=None, suffix=""):
        """Return X and y as arrays; without a likelihood they must be as in the last fit."""
        X = _inputs.checked(self, X, name="X" + suffix, reset=likelihood is not None)
        if likelihood is None:
            return X, self._check_targets(y, len(X), name="y" + suffix)
        y = _inputs.targets(self, y, n_rows=len(X), likelihood=likelihood, partial=self.partial_y)
        self.x_shape_, self.y_shape_ = X.shape[1:], y.shape[1:]
        return X, y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.partial_X
        tags.target_tags.multi_output = tags.target_tags.single_output = True
        # score is a log-likelihood, not a coefficient of determination.
        tags.regressor_tags.poor_score = True
        return tags
