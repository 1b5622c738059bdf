"""Several fits at once: as stacks where they can be, else one after another.

A fit that was begun holds its rows on the device. As soon as those that wait would take more
than the memory for resident data, half of a GPU's free memory or scikit-learn's
``working_memory``, they are trained.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from skcvae.data.batches import resident_bytes
from skcvae.estimators._base import StructuredPredictor
from skcvae.training.net import train
from skcvae.training.stack_training import train_stack
from skcvae.training.together import kind, why_alone


class Job(NamedTuple):
    """One fit: an estimator, and the arrays, weights, validation rows and groups that it gets."""

    estimator: object
    arrays: tuple
    sample_weight: object = None
    validation: tuple = (None, None)
    groups: object = None

    def fit(self) -> Exception | None:
        """Call the estimator's own `fit`; return its error."""
        names = "sample_weight", "groups", "X_val", "y_val"
        given = zip(names, (self.sample_weight, self.groups, *self.validation), strict=True)
        try:
            self.estimator.fit(*self.arrays, **{k: v for k, v in given if v is not None})
        except Exception as error:
            return error


class Ended(NamedTuple):
    """A fit that has ended.

    Parameters
    ----------
    estimator : Estimator
        Fitted, or as before where there is an error.
    error : Exception or None
        Why it could not be fitted.
    way : str
        How it was trained: with others, or alone and why.
    """

    estimator: object
    error: Exception | None
    way: str

    @property
    def is_interrupted(self) -> bool:
        """Whether it was fitted until an interrupt."""
        return self.error is None and self.estimator.net_.interrupted


class Begun(NamedTuple):
    """A fit that is ready to be trained."""

    estimator: object
    context: contextlib.AbstractContextManager
    rows: object

    def end(self, error: BaseException | None = None) -> Exception | None:
        """Keep what was learned, or with an error nothing; return the error."""
        try:
            with contextlib.ExitStack() as stack:
                stack.push(self.context)
                if error is not None:
                    raise error
        except Exception as raised:
            return raised

    @property
    def n_bytes(self) -> int:
        """About the memory that the fit takes in a stack."""
        net = self.estimator.net_
        n_weights = sum(p.numel() for p in net.module.parameters())
        in_rows = sum(array.nbytes for array in self.rows.arrays)
        return 2 * in_rows + 4 * (8 * n_weights + 64 * net.batch_size * net.module.model.row_size)


class Together:
    """Fits that were begun, until enough of them wait to be trained.

    Parameters
    ----------
    jobs : iterable of Job
        The estimators are fitted in place.
    """

    def __init__(self, jobs: Iterable[Job]):
        self.jobs = jobs
        self.waiting: dict[str, list[Begun]] = {}
        self.n_bytes = 0

    def __iter__(self) -> Iterator[Ended]:
        """Yield fits as they end, and no more after an interrupt."""
        for job in self.jobs:
            for ended in self._begin(job):
                yield ended
                if ended.is_interrupted:
                    return
        yield from self._train()

    def _begin(self, job: Job) -> Iterator[Ended]:
        """Begin a fit; yield what ended because of it."""
        if not is_fitted_in_parts(job.estimator):
            way = f"alone: the estimator {type(job.estimator).__name__}"
            yield Ended(job.estimator, job.fit(), way)
            return
        context = job.estimator._training(*job[1:])
        try:
            begun = Begun(job.estimator, context, context.__enter__())
        except Exception as error:
            yield Ended(job.estimator, error, "not trained")
            return
        net, rows = job.estimator.net_, begun.rows
        reason = why_alone(net, rows)
        if reason is not None:
            yield from _trained([begun], reason)
            return
        self.waiting.setdefault(kind(net, rows), []).append(begun)
        self.n_bytes += begun.n_bytes
        if self.n_bytes > resident_bytes(rows.device):
            yield from self._train()

    def _train(self) -> Iterator[Ended]:
        """Train the fits that wait, of each kind as one stack."""
        kinds, self.waiting, self.n_bytes = self.waiting, {}, 0
        for fits in kinds.values():
            yield from _trained(fits, "no other of its kind" if len(fits) == 1 else None)


def _trained(fits: list[Begun], alone: str | None) -> list[Ended]:
    """Return fits that were trained: one alone, or several as a stack."""
    nets, rows = [fit.estimator.net_ for fit in fits], [fit.rows for fit in fits]
    errors = [None] * len(fits)
    try:
        if alone is None:
            errors = train_stack(nets, rows)
        else:
            train(*nets, *rows)
    except Exception as error:
        errors = [error] * len(fits)
    except BaseException as stop:
        for fit in fits:
            with contextlib.suppress(type(stop)):
                fit.end(stop)
        raise
    way, ended = f"in a stack of {len(fits)}" if alone is None else f"alone: {alone}", []
    for fit, error in zip(fits, errors, strict=True):
        ended.append(Ended(fit.estimator, fit.end(error), way))
    return ended


def is_fitted_in_parts(estimator) -> bool:
    """Return whether `fit` does no more than to begin a fit, to train and to end it."""
    return getattr(type(estimator), "fit", None) is StructuredPredictor.fit


def how_trained(fits: list[Ended]) -> str:
    """Return in words how fits were trained, the most frequent way first."""
    ways = Counter(fit.way for fit in fits)
    return ", ".join(f"{n} {way}" for way, n in ways.most_common())
