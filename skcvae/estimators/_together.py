"""Several fits at once: as stacks where they can be, else one after another.

A fit that was begun holds its rows on the device. As soon as those that wait would take more
than the memory for resident data, half of a GPU's free memory or scikit-learn's
``working_memory``, they are trained.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from torch.linalg import LinAlgError

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
    """A fit that has ended."""

    estimator: object  # fitted, or as before where there is an error
    error: Exception | None
    way: str  # how it was trained: with others, or alone and why

    @property
    def is_interrupted(self) -> bool:
        """Whether it was fitted until an interrupt."""
        return self.error is None and self.estimator.net_.interrupted


class Begun:
    """A fit that goes from one training to the next; without a net it has ended.

    The estimator is fitted in place; `trainings` yields nets and their rows.
    """

    def __init__(self, job: Job):
        self.job, self.estimator = job, job.estimator
        self.trainings: Generator = job.estimator._trainings(*job[1:])
        self.way, self.error = "not trained", None
        self.go_on()

    def go_on(self, error: BaseException | None = None) -> None:
        """Go on to the next training; where the last one failed, as the fit itself sees fit."""
        self.net = self.rows = None
        try:
            throw = self.trainings.throw
            self.net, self.rows = next(self.trainings) if error is None else throw(error)
        except StopIteration:
            pass
        except Exception as raised:
            self.error = raised

    def start_again(self) -> None:
        """Drop what was trained, and call the estimator's own `fit`."""
        self.trainings.close()
        self.net = self.rows = None
        self.way = "alone: a matrix of a stack had no factor"
        self.error = self.job.fit()

    @property
    def n_bytes(self) -> int:
        """About the memory that the fit takes in a stack."""
        n_weights = sum(p.numel() for p in self.net.module.parameters())
        in_rows = sum(array.nbytes for array in self.rows.arrays)
        row_size = self.net.module.model.row_size
        n_at_once = min(self.net.batch_size, len(self.rows))
        return 2 * in_rows + 4 * (8 * n_weights + 64 * n_at_once * row_size)


class Together:
    """Fits that were begun, until enough of them wait to be trained."""

    def __init__(self, jobs: Iterable[Job]):
        self.jobs = jobs
        self.waiting: dict[str, list[Begun]] = {}
        self.n_bytes = 0
        self.is_interrupted = False

    def __iter__(self) -> Iterator[Ended]:
        """Yield fits as they end, and after an interrupt those of which something is left."""
        for job in self.jobs:
            yield from self._begin(job)
            if self.is_interrupted:
                break
        yield from self._train_all()

    def _begin(self, job: Job) -> Iterator[Ended]:
        """Begin a fit; yield what ended because of it."""
        if not is_fitted_in_parts(job.estimator):
            way = f"alone: the estimator {type(job.estimator).__name__}"
            ended = Ended(job.estimator, job.fit(), way)
            self.is_interrupted |= ended.is_interrupted
            yield ended
            return
        fit = Begun(job)
        yield from self._go_on(fit)
        if fit.net is not None and self.n_bytes > resident_bytes(fit.rows.device):
            yield from self._train_all()

    def _go_on(self, fit: Begun) -> Iterator[Ended]:
        """Let a fit wait for others of its kind, or train it alone; yield it once it has ended."""
        while fit.net is not None and not self.is_interrupted:
            reason = why_alone(fit.net, fit.rows)
            if reason is None:
                self.waiting.setdefault(kind(fit.net, fit.rows), []).append(fit)
                self.n_bytes += fit.n_bytes
                return
            self._train([fit], f"alone: {reason}")
        if fit.net is not None:
            try:
                fit.go_on(KeyboardInterrupt())
            except KeyboardInterrupt:  # nothing is left of it
                return
        yield Ended(fit.estimator, fit.error, fit.way)

    def _train_all(self) -> Iterator[Ended]:
        """Train the fits that wait, of each kind as one stack, and then what they train next."""
        while self.waiting:
            kinds, self.waiting, self.n_bytes = self.waiting, {}, 0
            for fits in kinds.values():
                if not self.is_interrupted:
                    alone = "alone: no other of its kind"
                    self._train(fits, f"in a stack of {len(fits)}" if len(fits) > 1 else alone)
                for fit in fits:
                    yield from self._go_on(fit)

    def _train(self, fits: list[Begun], way: str) -> None:
        """Train fits, one alone or several as a stack; raise what leaves nothing of them."""
        nets, rows = [fit.net for fit in fits], [fit.rows for fit in fits]
        try:
            errors = train_stack(nets, rows) if len(fits) > 1 else [train(*nets, *rows)]
        except BaseException as error:
            if len(fits) > 1 and isinstance(error, LinAlgError):  # of one, but raised for all
                self._fit_again(fits)
                return
            errors = [error] * len(fits)
        self.is_interrupted = any(net.interrupted for net in nets)
        stops = []
        for fit, error in zip(fits, errors, strict=True):
            if fit.way == "not trained":
                fit.way = way
            try:
                fit.go_on(error)
            except BaseException as stop:
                stops.append(stop)
        if stops:
            raise stops[0]

    def _fit_again(self, fits: list[Begun]) -> None:
        """Fit one after another, until an interrupt."""
        for fit in fits:
            if not self.is_interrupted:
                fit.start_again()
                self.is_interrupted = Ended(fit.estimator, fit.error, fit.way).is_interrupted


def is_fitted_in_parts(estimator) -> bool:
    """Return whether `fit` does no more than to begin a fit, to train and to end it."""
    return getattr(type(estimator), "fit", None) is StructuredPredictor.fit


def how_trained(fits: list[Ended]) -> str:
    """Return in words how fits were trained, the most frequent way first."""
    ways = Counter(fit.way for fit in fits)
    return ", ".join(f"{n} {way}" for way, n in ways.most_common())
