"""Training options, and the skorch net that they make."""

import contextlib
import functools
import math
from collections.abc import Callable
from numbers import Integral, Real
from os import PathLike

import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from skorch.callbacks import EpochTimer
from skorch.helper import predefined_split

from skcvae.data.batches import OrderedBatches, Rows, ShuffledBatches, StreamedRows
from skcvae.documented import Documented
from skcvae.io.checkpoint_file import seed_of
from skcvae.random import generator, seed_from
from skcvae.training import callbacks as kinds
from skcvae.training.accepted_callbacks import check_callbacks
from skcvae.training.compiler import check_compiler, compiler_params
from skcvae.training.devices import available_device
from skcvae.training.history import columns
from skcvae.training.net import Loss, Net, ObjectiveModule
from skcvae.training.optimizers import optimizer_params, tried
from skcvae.training.precision import tensor_float_32
from skcvae.training.validation import ceiling
from skcvae.training.weights import WeightAverage

LEAST_PATIENCE = 15  # epochs


class _Options(Documented):  # a base class, so that Training has the signature of `__init__`
    def __new__(cls, *args, **kwargs):
        cls._check_names(kwargs, TypeError)
        return super().__new__(cls)


class Training(_Options):
    """How networks are trained: the options that few need to change.

    Pass it as the parameter `training` of an estimator, and search its parameters as
    ``training__weight_decay`` and so on.

    Parameters
    ----------
    optimizer : {"AdamW", "Adam", "SGD"} or type, default="AdamW"
        Name or class of a torch optimizer.
    optimizer_params : dict or None, default=None
        Further parameters of the optimizer, such as ``{"betas": (0.9, 0.99)}``.
    lr_schedule : {"constant", "one_cycle"}, default="constant"
        Whether the learning rate stays, or goes up and then down to zero over
        `max_epochs`. Momentum does not cycle.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_grad_norm : "auto", float or None, default="auto"
        Gradients are scaled down to this norm. None leaves them. "auto" is 1, but None for an
        autoencoder: gradients of squared errors grow with the columns.
    ema_decay : float, default=0.995
        Decay per step of the exponential moving average of the weights, which is
        validated and kept. 0 keeps the last weights.
    patience : "auto" or int, default="auto"
        Epochs without a new best before training stops. "auto" waits as many as led to the best
        one, at least 15, but at most about 1,500 steps, which are 5 to 50 epochs; with
        "one_cycle" or a KL warm-up it always waits for this maximum.
    temperature : "auto" or None, default="auto"
        Factor of the noise scale of y, for vectors of real numbers. "auto" takes the one between
        1/2 and 2 that is best for the rows held out, where it is better than 1 beyond chance.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Of the matrix products in training. "bfloat16" pays for wide layers on processors made for
        it; weights, densities and all after `fit` stay in float32. "tf32" is for GPUs: `fit`
        temporarily sets torch's process-wide matmul precision.
    n_threads : "auto" or int, default="auto"
        Threads of torch in fits and predictions on a CPU: a number, at most one for each core,
        or "auto", as many as products can use in the limits of threadpoolctl and OMP_NUM_THREADS.
    compile : bool or dict, default=False
        Whether to train through `torch.compile`, which takes some ten seconds at first and needs
        a compiler; or its parameters, such as ``{"mode": "max-autotune"}``.
    callbacks : list of skorch callbacks or None, default=None
        Further callbacks; copies are used. The user guide has a table of those that can be used.
    checkpoint : str, PathLike or None, default=None
        Path of a file in which the state of training is kept between epochs. `fit` with the same
        parameters and data resumes from it, to the same model as without the interruption, and
        deletes it at its end. The file runs no code, and is checked against the fit. Each fit
        needs its own path; excludes `warm_start` and `accelerator`.
    accelerator : accelerate.Accelerator or None, default=None
        To train on several GPUs: in a script that `accelerate launch` or `torchrun` starts once
        for each, all processes call `fit` with the same rows and get the same model. It
        chooses the device.

    Examples
    --------
    >>> from skcvae import CVAERegressor, Training
    >>> CVAERegressor(training=Training(weight_decay=0.1, patience=10))
    CVAERegressor(training=Training(patience=10, weight_decay=0.1))
    >>> CVAERegressor().set_params(training__lr_schedule="one_cycle").training
    Training(lr_schedule='one_cycle')
    """

    _parameter_constraints = {
        "optimizer": [StrOptions({"Adam", "AdamW", "SGD"}), type],
        "optimizer_params": [dict, None],
        "lr_schedule": [StrOptions({"one_cycle", "constant"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither"), None],
        "ema_decay": [Interval(Real, 0, 1, closed="left")],
        "patience": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "temperature": [StrOptions({"auto"}), None],
        "precision": [StrOptions({"float32", "tf32", "bfloat16"})],
        "n_threads": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "compile": ["boolean", dict],
        "callbacks": [list, None],
        "checkpoint": [str, PathLike, None],
        "accelerator": [HasMethods(["prepare", "backward", "gather"]), None],
    }

    def __init__(
        self,
        *,
        optimizer="AdamW",
        optimizer_params=None,
        lr_schedule="constant",
        weight_decay=0.0,
        max_grad_norm="auto",
        ema_decay=0.995,
        patience="auto",
        temperature="auto",
        precision="float32",
        n_threads="auto",
        compile=False,
        callbacks=None,
        checkpoint=None,
        accelerator=None,
    ):
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.ema_decay = ema_decay
        self.patience = patience
        self.temperature = temperature
        self.precision = precision
        self.n_threads = n_threads
        self.compile = compile
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.accelerator = accelerator

    def net(
        self,
        module: ObjectiveModule,
        rows: Rows | StreamedRows | None = None,
        validation: Rows | StreamedRows | None = None,
        *,
        loss: Callable[[], Loss],
        lr: float,
        max_epochs: int | str,
        batch_size: int | str,
        early_stopping: bool,
        omission: float,
        seed: int,
        device: str,
        title: str | None = None,
        checkpoint=None,
    ) -> Net:
        """Return an initialised net that trains `module`."""
        n_rows = 1 if rows is None else rows.n_rows
        batch_size, max_epochs = self._sizes(n_rows, batch_size, max_epochs)
        stops = validation is not None and early_stopping
        patience = (None, None)
        if stops:
            n_steps = math.ceil(n_rows / batch_size)
            patience = *self._patience(n_steps), ceiling(module, validation)
        schedule = (lr, max_epochs * math.ceil(n_rows / batch_size))
        kind = functools.partial(Net, device=device)
        if self.accelerator is not None and rows is not None:
            from skcvae.training.distributed import DistributedNet  # needs an optional package

            kind = functools.partial(DistributedNet, accelerator=self.accelerator, device=None)
            title = title if self.accelerator.is_main_process else None
        if rows is not None and self.callbacks:
            check_callbacks(
                self.callbacks,
                optimizer=tried(*self._optimizer, lr=lr),
                columns=columns(module, validated=validation is not None, judged=stops),
            )
        number = 0 if self.accelerator is None else self.accelerator.process_index
        order, drawing = generator(seed + 1), generator(seed + 2 + number, device)
        for layer in module.modules():
            if hasattr(layer, "generator"):  # dropout, and likelihoods that draw in training
                layer.generator = drawing
        optimizer = optimizer_params(*self._optimizer)
        compiler = None if rows is None else compiler_params(self.compile)
        return kind(
            module,
            loss,
            optimizer=optimizer.pop("optimizer"),
            **{f"optimizer__{name}": value for name, value in optimizer.items()},
            average=WeightAverage(self.ema_decay),
            precision=self.precision,
            n_threads=self.n_threads,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            iterator_train=ShuffledBatches,
            iterator_train__shape=module.noise_shape,
            iterator_train__source=order,
            iterator_train__omission=omission,
            iterator_valid=OrderedBatches,
            iterator_valid__shape=module.noise_shape,
            iterator_valid__seed=seed,
            iterator_valid__row_size=module.model.row_size,
            train_split=None if validation is None else predefined_split(validation),
            callbacks=self._callbacks(module, schedule, patience, title, checkpoint),
            verbose=0 if title is None else 1,
            compile=compiler is not None,
            **{f"compile__{name}": value for name, value in (compiler or {}).items()},
        ).initialize()

    def start(self, device: str, random_state, *, warm_start: bool) -> tuple[str, int]:
        """Return the device and the seed of a fit, with all options checked.

        The seed is that of the checkpoint where there is one, and the same in all processes.
        """
        self._validate_params()
        tried(*self._optimizer, lr=1e-3)
        if isinstance(self.compile, dict):
            check_compiler(self.compile)
        for name, value in (("warm_start", warm_start), ("accelerator", self.accelerator)):
            if self.checkpoint is not None and value:
                raise ValueError(
                    f"checkpoint={str(self.checkpoint)!r} cannot be combined with {name}, got "
                    f"{name}={value!r}."
                )
        if self.accelerator is not None:
            from skcvae.training.distributed import shared_seed  # needs an optional package

            return str(self.accelerator.device), shared_seed(seed_from(random_state))
        device, started = available_device(device), None
        if random_state is None and self.checkpoint is not None:
            started = seed_of(self.checkpoint)
        return device, seed_from(random_state) if started is None else started

    @contextlib.contextmanager
    def running(self, device: str):
        """Train in the chosen precision; say what to do where memory runs out, or it diverges."""
        tf32 = tensor_float_32 if self.precision == "tf32" else contextlib.nullcontext()
        try:
            with tf32:
                yield
        except torch.cuda.OutOfMemoryError as error:
            raise MemoryError(
                f"The memory of device {device!r} does not suffice. Expected room for the "
                "networks and a batch: take a smaller batch_size or smaller layers, or, where "
                f"several workers share the device, a smaller n_jobs. {error}"
            ) from error
        except torch.linalg.LinAlgError as error:
            what = f"to a loss that has no value ({error})"
            raise kinds.DivergenceError(kinds.diverged(what)) from error

    def _sizes(self, n_rows: int, batch_size, max_epochs) -> tuple[int, int]:
        """Return batch size and epochs; "auto" counts steps."""
        if batch_size == "auto":  # a power of two near n/32
            batch_size = min(max(2 ** round(math.log2(max(n_rows / 32, 1))), 16), 256)
        if max_epochs == "auto":
            max_epochs = min(max(math.ceil(15_000 / math.ceil(n_rows / batch_size)), 30), 500)
        return int(batch_size), int(max_epochs)  # torch takes no integers of numpy

    def _patience(self, n_steps: int) -> tuple[int, int]:
        """Return the most and the fewest epochs to wait for a new best one, each of n steps."""
        if self.patience != "auto":
            return self.patience, self.patience
        most = min(max(math.ceil(1500 / n_steps), 5), 50)
        # The best epoch of a cycle is near its end.
        return most, most if self.lr_schedule == "one_cycle" else LEAST_PATIENCE

    @property
    def _optimizer(self) -> tuple:
        return self.optimizer, self.weight_decay, self.optimizer_params

    def _callbacks(self, module, schedule, patience, title: str | None, checkpoint) -> list:
        """Return the callbacks in the order in which they are called.

        The user's find the epoch judged: "valid_cll_best" stands in the history. A checkpoint
        is last, since it restores the state of the others.
        """
        chosen, norm = [("epoch_timer", EpochTimer())], self.max_grad_norm
        norm = module.objective.max_grad_norm if norm == "auto" else norm
        if norm is not None:
            chosen.append(kinds.ClipGradients(norm))
        if self.lr_schedule == "one_cycle":
            chosen.append(kinds.one_cycle(*schedule))
        chosen += [kinds.FiniteLoss(), kinds.BestWeights(*patience)]
        chosen += map(kinds.copied, self.callbacks or [])
        if title is not None:
            chosen.append(kinds.ProgressLine(title))
        return chosen if checkpoint is None else [*chosen, checkpoint]
